// Letters: full case mapping of Unicode, INITCAP, SOUNDEX, EDIT_DISTANCE, code points.

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "googlesql/functions/internal/case_data.h"
#include "googlesql/functions/internal/registry.h"
#include "googlesql/functions/internal/utf8_text.h"

namespace flytt::googlesql::internal {
namespace {

template <std::size_t N>
std::uint32_t mapped(const CaseRun (&runs)[N], std::uint32_t c) {
  const CaseRun* run =
      std::lower_bound(runs, runs + N, c, [](const CaseRun& r, std::uint32_t v) { return r.last < v; });
  // Runs with a step of 2 may enclose others, so a few neighbours are looked at.
  for (; run != runs + N && run->first <= c; ++run) {
    if (c <= run->last && (c - run->first) % run->step == 0) return c + static_cast<std::uint32_t>(run->delta);
  }
  return c;
}
template <std::size_t N>
bool within(const CodePointRange (&ranges)[N], std::uint32_t c) {
  const auto* range =
      std::lower_bound(ranges, ranges + N, c, [](const CodePointRange& r, std::uint32_t v) { return r.last < v; });
  return range != ranges + N && range->first <= c;
}

std::uint32_t simple_upper(std::uint32_t c) { return mapped(kUpperRuns, c); }
std::uint32_t simple_lower(std::uint32_t c) { return mapped(kLowerRuns, c); }

bool is_ascii(std::string_view s) {
  return std::none_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}
char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
std::string ascii_mapped(std::string_view s, char (*map)(char)) {
  std::string out(s);
  std::transform(out.begin(), out.end(), out.begin(), map);
  return out;
}

std::string upper(std::string_view s) {
  if (is_ascii(s)) return ascii_mapped(s, &ascii_upper);
  std::string out;
  for (std::size_t at = 0; at < s.size(); at += character_bytes(s, at)) {
    const std::uint32_t c = code_point_at(s, at);
    const auto* full = std::lower_bound(std::begin(kUpperExpansions), std::end(kUpperExpansions), c,
                                        [](const CaseExpansion& e, std::uint32_t v) { return e.from < v; });
    if (full != std::end(kUpperExpansions) && full->from == c) {
      for (const std::uint32_t each : full->to) {
        if (each != 0) append_code_point(out, each);
      }
    } else {
      append_code_point(out, simple_upper(c));
    }
  }
  return out;
}

// The Unicode Standard, 3.13, condition Final_Sigma.
bool is_final_sigma(const std::vector<std::uint32_t>& points, std::size_t at) {
  std::size_t before = at;
  while (before > 0 && within(kCaseIgnorable, points[before - 1])) --before;
  if (before == 0 || !within(kCased, points[before - 1])) return false;
  std::size_t after = at + 1;
  while (after < points.size() && within(kCaseIgnorable, points[after])) ++after;
  return after == points.size() || !within(kCased, points[after]);
}

std::string lower(std::string_view s) {
  if (is_ascii(s)) return ascii_mapped(s, &ascii_lower);
  const std::vector<std::uint32_t> points = code_points(s);
  std::string out;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i] == 0x130) {
      append_code_point(out, 0x69);
      append_code_point(out, 0x307);
    } else if (points[i] == 0x3a3 && is_final_sigma(points, i)) {
      append_code_point(out, 0x3c2);
    } else {
      append_code_point(out, simple_lower(points[i]));
    }
  }
  return out;
}

ByteString upper_bytes(Bytes s) { return {ascii_mapped(s.data, &ascii_upper)}; }
ByteString lower_bytes(Bytes s) { return {ascii_mapped(s.data, &ascii_lower)}; }

std::string capitalize(std::string_view s, const std::vector<std::uint32_t>& delimiters, bool with_spaces) {
  std::string out;
  bool at_start = true;
  for (const std::uint32_t c : code_points(s)) {
    const bool is_delimiter =
        (with_spaces && is_unicode_space(c)) || std::find(delimiters.begin(), delimiters.end(), c) != delimiters.end();
    append_code_point(out, is_delimiter ? c : (at_start ? simple_upper(c) : simple_lower(c)));
    at_start = is_delimiter;
  }
  return out;
}
std::string initcap(std::string_view s) {
  static const std::vector<std::uint32_t> marks = code_points("[](){}/|<>!?@\"^#$&~_,.:;*%+-");
  return capitalize(s, marks, true);
}
std::string initcap_by(std::string_view s, std::string_view delimiters) {
  return capitalize(s, code_points(delimiters), false);
}

std::string soundex(std::string_view s) {
  static constexpr char kCodes[] = "01230120022455012623010202";  // of A to Z; 0: not coded
  std::string out;
  char last = '0';
  for (const char each : s) {
    const char c = ascii_upper(each);
    if (c < 'A' || c > 'Z') continue;
    const char code = kCodes[c - 'A'];
    if (out.empty()) {
      out.push_back(c);
      last = code;
    } else if (code != '0') {  // letters without a code do not part equal ones
      if (code != last) out.push_back(code);
      last = code;
    }
    if (out.size() == 4) return out;
  }
  if (!out.empty()) out.resize(4, '0');
  return out;
}

std::int64_t distance(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
  std::vector<std::int64_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<std::int64_t>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::int64_t diagonal = row[0];
    row[0] = static_cast<std::int64_t>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::int64_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}
std::int64_t edit_distance(std::string_view a, std::string_view b) { return distance(code_points(a), code_points(b)); }
Answer<std::int64_t> edit_distance_up_to(std::string_view a, std::string_view b, std::int64_t most) {
  if (most < 0) return Failure{"Max distance must be non-negative"};
  return std::min(most, edit_distance(a, b));
}

// ---- code points ----
Answer<std::int64_t> ascii(std::string_view s) {
  if (s.empty()) return 0;
  if (static_cast<unsigned char>(s[0]) >= 0x80) {
    return Failure{"Argument to ASCII is not a structurally valid ASCII string: '" + std::string(s) + "'"};
  }
  return s[0];
}
std::int64_t ascii_bytes(Bytes s) { return s.data.empty() ? 0 : static_cast<unsigned char>(s.data[0]); }
std::int64_t unicode(std::string_view s) { return s.empty() ? 0 : code_point_at(s, 0); }
Answer<std::string> from_code_point(std::int64_t c) {
  if (!is_code_point(c)) return Failure{"Invalid codepoint " + std::to_string(c)};
  std::string out;
  append_code_point(out, static_cast<std::uint32_t>(c));
  return out;
}
List<std::int64_t> to_code_points(std::string_view s) {
  List<std::int64_t> out;
  for (const std::uint32_t c : code_points(s)) out.emplace_back(c);
  return out;
}
List<std::int64_t> to_code_points_bytes(Bytes s) {
  List<std::int64_t> out;
  for (const char c : s.data) out.emplace_back(static_cast<unsigned char>(c));
  return out;
}
Answer<std::string> code_points_to_text(const List<std::int64_t>& points) {
  std::string out;
  for (const auto& c : points) {
    if (!c) return std::nullopt;
    if (!is_code_point(*c)) return Failure{"Invalid codepoint " + std::to_string(*c)};
    append_code_point(out, static_cast<std::uint32_t>(*c));
  }
  return out;
}
Answer<ByteString> code_points_to_bytes(const List<std::int64_t>& points) {
  ByteString out;
  for (const auto& c : points) {
    if (!c) return std::nullopt;
    if (*c < 0 || *c > 255) return Failure{"Invalid ASCII value " + std::to_string(*c)};
    out.data.push_back(static_cast<char>(*c));
  }
  return out;
}

}  // namespace

void add_text_case_functions(Functions& list) {
  list.push_back(native<&upper>("gs_upper"));
  list.push_back(native<&lower>("gs_lower"));
  list.push_back(native<&upper_bytes>("gs_upper_bytes"));
  list.push_back(native<&lower_bytes>("gs_lower_bytes"));
  list.push_back(native<&initcap>("gs_initcap"));
  list.push_back(native<&initcap_by>("gs_initcap_by"));
  list.push_back(native<&soundex>("gs_soundex"));
  list.push_back(native<&edit_distance>("gs_edit_distance"));
  list.push_back(native<&edit_distance_up_to>("gs_edit_distance_up_to"));
  list.push_back(native<&ascii>("gs_ascii"));
  list.push_back(native<&ascii_bytes>("gs_ascii_bytes"));
  list.push_back(native<&unicode>("gs_unicode"));
  list.push_back(native<&from_code_point>("gs_chr"));
  list.push_back(native<&to_code_points>("gs_to_code_points"));
  list.push_back(native<&to_code_points_bytes>("gs_to_code_points_bytes"));
  list.push_back(native<&code_points_to_text>("gs_code_points_to_text"));
  list.push_back(native<&code_points_to_bytes>("gs_code_points_to_bytes"));
}

}  // namespace flytt::googlesql::internal
