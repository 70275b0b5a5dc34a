// Text and bytes: positions, cutting, padding, searching. Positions count characters in STRING and bytes in BYTES; the two
// forms share one body over `Units`.

#include <algorithm>
#include <limits>
#include <set>
#include <string>

#include "googlesql/functions/internal/registry.h"
#include "googlesql/functions/internal/utf8_text.h"

namespace flytt::googlesql::internal {
namespace {

constexpr std::int64_t kOutputBytesMax = 1 << 20;

// How a view is divided: into characters or into bytes.
template <bool kIsText>
struct Units {
  static std::size_t count(std::string_view s) { return kIsText ? count_characters(s) : s.size(); }
  static std::size_t offset(std::string_view s, std::size_t index) {
    return kIsText ? offset_of(s, index) : std::min(index, s.size());
  }
  static std::size_t width(std::string_view s, std::size_t at) { return kIsText ? character_bytes(s, at) : 1; }
};

template <bool kIsText>
std::string_view cut(std::string_view s, std::size_t first, std::size_t length) {
  const std::size_t begin = Units<kIsText>::offset(s, first);
  const std::string_view rest = s.substr(begin);
  return rest.substr(0, Units<kIsText>::offset(rest, length));
}

template <bool kIsText>
Answer<std::string> substring(std::string_view s, std::int64_t position, std::int64_t length) {
  if (length < 0) return Failure{"Third argument in SUBSTR() cannot be negative"};
  std::size_t first = 0;
  if (position > 0) {
    first = static_cast<std::size_t>(position - 1);
  } else if (position < 0) {
    const auto count = static_cast<std::int64_t>(Units<kIsText>::count(s));
    if (position >= -count) first = static_cast<std::size_t>(count + position);
  }
  return std::string(cut<kIsText>(s, first, static_cast<std::size_t>(length)));
}
template <bool kIsText>
Answer<std::string> left_part(std::string_view s, std::int64_t length) {
  if (length < 0) return Failure{"Second argument in LEFT() cannot be negative"};
  return std::string(cut<kIsText>(s, 0, static_cast<std::size_t>(length)));
}
template <bool kIsText>
Answer<std::string> right_part(std::string_view s, std::int64_t length) {
  if (length < 0) return Failure{"Second argument in RIGHT() cannot be negative"};
  const std::size_t count = Units<kIsText>::count(s), wanted = static_cast<std::size_t>(length);
  return std::string(s.substr(Units<kIsText>::offset(s, wanted >= count ? 0 : count - wanted)));
}

Answer<std::string> repeat(std::string_view s, std::int64_t count) {
  if (count < 0) return Failure{"Second argument (repeat count) for REPEAT cannot be negative"};
  if (s.empty() || count == 0) return std::string();
  if (count > kOutputBytesMax / static_cast<std::int64_t>(s.size())) {
    return Failure{"Output of REPEAT exceeds max allowed output size of 1MB"};
  }
  std::string out;
  for (std::int64_t i = 0; i < count; ++i) out += s;
  return out;
}

template <bool kIsText, bool kLeft>
Answer<std::string> pad(std::string_view s, std::int64_t size, std::string_view pattern) {
  if (size < 0) return Failure{"Second argument (output size) for LPAD/RPAD cannot be negative"};
  if (pattern.empty()) return Failure{"Third argument (pad pattern) for LPAD/RPAD cannot be empty"};
  if (size > kOutputBytesMax) return Failure{"Output of LPAD/RPAD exceeds max allowed output size of 1MB"};
  const std::size_t count = Units<kIsText>::count(s), wanted = static_cast<std::size_t>(size);
  if (wanted <= count) return std::string(cut<kIsText>(s, 0, wanted));
  const std::size_t missing = wanted - count, pattern_count = Units<kIsText>::count(pattern);
  std::string padding;
  for (std::size_t i = 0; i < missing / pattern_count; ++i) padding += pattern;
  padding += cut<kIsText>(pattern, 0, missing % pattern_count);
  if (static_cast<std::int64_t>(padding.size() + s.size()) > kOutputBytesMax) {
    return Failure{"Output of LPAD/RPAD exceeds max allowed output size of 1MB"};
  }
  return kLeft ? padding + std::string(s) : std::string(s) + padding;
}

template <bool kIsText>
std::int64_t position_of(std::string_view s, std::string_view needle) {
  const std::size_t at = s.find(needle);
  return at == std::string_view::npos ? 0 : static_cast<std::int64_t>(Units<kIsText>::count(s.substr(0, at))) + 1;
}

// INSTR: position counts from the end when negative and the search then goes backwards; occurrences may overlap.
template <bool kIsText>
Answer<std::int64_t> occurrence_of(std::string_view s, std::string_view needle, std::int64_t position,
                                   std::int64_t occurrence) {
  if (position == 0) return Failure{"Position must be non-zero"};
  if (occurrence <= 0) return Failure{"Occurrence must be positive"};
  const auto count = static_cast<std::int64_t>(Units<kIsText>::count(s));
  std::int64_t index = position > 0 ? position - 1 : count + position + (needle.empty() ? 1 : 0);
  const std::int64_t step = position > 0 ? 1 : -1;
  if (position > 0 && index > count) return 0;
  for (; index >= 0 && index <= count; index += step) {
    const std::size_t at = Units<kIsText>::offset(s, static_cast<std::size_t>(index));
    if (s.substr(at, needle.size()) == needle && --occurrence == 0) return index + 1;
  }
  return 0;
}

template <bool kIsText>
List<std::string> split(std::string_view s, std::string_view delimiter) {
  List<std::string> parts;
  if (delimiter.empty()) {
    for (std::size_t at = 0; at < s.size(); at += Units<kIsText>::width(s, at)) {
      parts.emplace_back(std::string(s.substr(at, Units<kIsText>::width(s, at))));
    }
    if (s.empty()) parts.emplace_back(std::string());
    return parts;
  }
  for (std::size_t begin = 0;;) {
    const std::size_t end = s.find(delimiter, begin);
    parts.emplace_back(std::string(s.substr(begin, end == std::string_view::npos ? end : end - begin)));
    if (end == std::string_view::npos) return parts;
    begin = end + delimiter.size();
  }
}

std::string replace(std::string_view s, std::string_view from, std::string_view to) {
  if (from.empty()) return std::string(s);
  std::string out;
  for (std::size_t begin = 0;;) {
    const std::size_t end = s.find(from, begin);
    out += s.substr(begin, end == std::string_view::npos ? end : end - begin);
    if (end == std::string_view::npos) return out;
    out += to;
    begin = end + from.size();
  }
}

template <bool kIsText>
Answer<std::string> translate(std::string_view s, std::string_view from, std::string_view to) {
  std::vector<std::string_view> sources, targets;
  for (std::size_t at = 0; at < from.size(); at += Units<kIsText>::width(from, at)) {
    sources.push_back(from.substr(at, Units<kIsText>::width(from, at)));
  }
  for (std::size_t at = 0; at < to.size(); at += Units<kIsText>::width(to, at)) {
    targets.push_back(to.substr(at, Units<kIsText>::width(to, at)));
  }
  std::set<std::string_view> seen;
  for (const std::string_view each : sources) {
    if (!seen.insert(each).second) {
      return Failure{"Duplicate character \"" + std::string(each) + "\" in TRANSLATE source characters"};
    }
  }
  std::string out;
  for (std::size_t at = 0; at < s.size(); at += Units<kIsText>::width(s, at)) {
    const std::string_view unit = s.substr(at, Units<kIsText>::width(s, at));
    const auto found = std::find(sources.begin(), sources.end(), unit);
    const auto index = static_cast<std::size_t>(found - sources.begin());
    if (found == sources.end())
      out += unit;
    else if (index < targets.size())
      out += targets[index];
  }
  return out;
}

enum class Side { kBoth, kLeft, kRight };
template <bool kIsText>
bool in_set(std::string_view unit, std::optional<std::string_view> set) {
  if (!set) return is_unicode_space(code_point_at(unit, 0));
  for (std::size_t at = 0; at < set->size(); at += Units<kIsText>::width(*set, at)) {
    if (set->substr(at, Units<kIsText>::width(*set, at)) == unit) return true;
  }
  return false;
}
template <bool kIsText, Side kSide>
std::string trim(std::string_view s, std::optional<std::string_view> set) {
  while (kSide != Side::kRight && !s.empty()) {
    const std::string_view unit = s.substr(0, Units<kIsText>::width(s, 0));
    if (!in_set<kIsText>(unit, set)) break;
    s.remove_prefix(unit.size());
  }
  while (kSide != Side::kLeft && !s.empty()) {
    std::size_t at = s.size() - 1;
    while (kIsText && at > 0 && is_continuation(s[at])) --at;
    if (!in_set<kIsText>(s.substr(at), set)) break;
    s = s.substr(0, at);
  }
  return std::string(s);
}

std::string reverse_text(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (std::size_t end = s.size(); end > 0;) {
    std::size_t at = end - 1;
    while (at > 0 && is_continuation(s[at])) --at;
    out += s.substr(at, end - at);
    end = at;
  }
  return out;
}

// LIKE with '\' as escape; `bad` when the pattern ends with a single backslash.
template <bool kIsText>
Answer<bool> like(std::string_view s, std::string_view pattern) {
  std::size_t trailing = 0;
  while (trailing < pattern.size() && pattern[pattern.size() - 1 - trailing] == '\\') ++trailing;
  if (trailing % 2 == 1) return Failure{"LIKE pattern ends with a backslash"};
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t i = 0, p = 0, star = kNone, from = 0;
  for (;;) {
    if (p < pattern.size() && pattern[p] == '%') {
      star = ++p;
      from = i;
      continue;
    }
    if (i == s.size() && p == pattern.size()) return true;
    if (i < s.size() && p < pattern.size()) {
      if (pattern[p] == '_') {
        i += Units<kIsText>::width(s, i);
        ++p;
        continue;
      }
      const std::size_t literal = pattern[p] == '\\' ? p + 1 : p;
      if (s[i] == pattern[literal]) {
        ++i;
        p = literal + 1;
        continue;
      }
    }
    if (star == kNone || from >= s.size()) return false;
    from += Units<kIsText>::width(s, from);
    i = from;
    p = star;
  }
}

Answer<std::string> split_part(std::string_view s, std::string_view delimiter, std::int64_t start, std::int64_t count) {
  if (delimiter.empty()) return Failure{"Delimiter of SPLIT_SUBSTR function must be non-empty"};
  if (count < 0) return Failure{"Count of SPLIT_SUBSTR function must be non-negative"};
  const List<std::string> parts = split<true>(s, delimiter);
  const auto size = static_cast<std::int64_t>(parts.size());
  std::int64_t first =
      start > 0 ? start - 1 : (start == 0 ? 0 : std::max<std::int64_t>(0, size + std::max(start, -size)));
  std::string out;
  for (std::int64_t i = first; i < size && i - first < count; ++i) {
    if (i > first) out += delimiter;
    out += *parts[static_cast<std::size_t>(i)];
  }
  return out;
}

// ---- the same bodies for BYTES ----
template <auto kBody, typename... A>
Answer<ByteString> as_bytes(const A&... arguments) {
  Answer<std::string> answer = kBody(arguments...);
  if (answer.is_failure()) return Failure{answer.sentence()};
  return ByteString{std::move(answer.value())};
}
using I = std::int64_t;
Answer<ByteString> substring_bytes(Bytes s, I p, I n) { return as_bytes<&substring<false>>(s.data, p, n); }
Answer<ByteString> left_bytes(Bytes s, I n) { return as_bytes<&left_part<false>>(s.data, n); }
Answer<ByteString> right_bytes(Bytes s, I n) { return as_bytes<&right_part<false>>(s.data, n); }
Answer<ByteString> repeat_bytes(Bytes s, I n) { return as_bytes<&repeat>(s.data, n); }
Answer<ByteString> lpad_bytes(Bytes s, I n, Bytes p) { return as_bytes<&pad<false, true>>(s.data, n, p.data); }
Answer<ByteString> rpad_bytes(Bytes s, I n, Bytes p) { return as_bytes<&pad<false, false>>(s.data, n, p.data); }
I position_bytes(Bytes s, Bytes needle) { return position_of<false>(s.data, needle.data); }
Answer<I> occurrence_bytes(Bytes s, Bytes n, I p, I o) { return occurrence_of<false>(s.data, n.data, p, o); }
List<ByteString> split_bytes(Bytes s, Bytes delimiter) {
  List<ByteString> parts;
  for (auto& part : split<false>(s.data, delimiter.data)) parts.emplace_back(ByteString{std::move(*part)});
  return parts;
}
ByteString replace_bytes(Bytes s, Bytes from, Bytes to) { return {replace(s.data, from.data, to.data)}; }
Answer<ByteString> translate_bytes(Bytes s, Bytes f, Bytes t) {
  return as_bytes<&translate<false>>(s.data, f.data, t.data);
}
template <Side kSide>
ByteString trim_bytes(Bytes s, Bytes set) {
  return {trim<false, kSide>(s.data, set.data)};
}
ByteString reverse_bytes(Bytes s) { return {std::string(s.data.rbegin(), s.data.rend())}; }
Answer<bool> like_bytes(Bytes s, Bytes pattern) { return like<false>(s.data, pattern.data); }
bool starts_with(std::string_view s, std::string_view p) { return s.substr(0, p.size()) == p; }
bool ends_with(std::string_view s, std::string_view p) {
  return s.size() >= p.size() && s.substr(s.size() - p.size()) == p;
}
bool starts_with_bytes(Bytes s, Bytes p) { return starts_with(s.data, p.data); }
bool ends_with_bytes(Bytes s, Bytes p) { return ends_with(s.data, p.data); }
ByteString concat_bytes(Bytes a, Bytes b) { return {std::string(a.data) + std::string(b.data)}; }
I length_text(std::string_view s) { return static_cast<I>(count_characters(s)); }
I length_bytes(Bytes s) { return static_cast<I>(s.data.size()); }
I byte_length(std::string_view s) { return static_cast<I>(s.size()); }

template <Side kSide>
std::string trim_set(std::string_view s, std::string_view set) {
  return trim<true, kSide>(s, set);
}
template <Side kSide>
std::string trim_space(std::string_view s) {
  return trim<true, kSide>(s, std::nullopt);
}

void add_bytes_forms(Functions& list) {
  list.push_back(native<&substring_bytes>("gs_substr_bytes"));
  list.push_back(native<&left_bytes>("gs_left_bytes"));
  list.push_back(native<&right_bytes>("gs_right_bytes"));
  list.push_back(native<&repeat_bytes>("gs_repeat_bytes"));
  list.push_back(native<&lpad_bytes>("gs_lpad_bytes"));
  list.push_back(native<&rpad_bytes>("gs_rpad_bytes"));
  list.push_back(native<&position_bytes>("gs_strpos_bytes"));
  list.push_back(native<&occurrence_bytes>("gs_instr_bytes"));
  list.push_back(native<&split_bytes>("gs_split_bytes"));
  list.push_back(native<&replace_bytes>("gs_replace_bytes"));
  list.push_back(native<&translate_bytes>("gs_translate_bytes"));
  list.push_back(native<&trim_bytes<Side::kBoth>>("gs_trim_bytes"));
  list.push_back(native<&trim_bytes<Side::kLeft>>("gs_ltrim_bytes"));
  list.push_back(native<&trim_bytes<Side::kRight>>("gs_rtrim_bytes"));
  list.push_back(native<&reverse_bytes>("gs_reverse_bytes"));
  list.push_back(native<&like_bytes>("gs_like_bytes"));
  list.push_back(native<&starts_with_bytes>("gs_starts_with_bytes"));
  list.push_back(native<&ends_with_bytes>("gs_ends_with_bytes"));
  list.push_back(native<&concat_bytes>("gs_concat_bytes"));
  list.push_back(native<&length_bytes>("gs_length_bytes"));
}

}  // namespace

void add_text_functions(Functions& list) {
  list.push_back(native<&substring<true>>("gs_substr"));
  list.push_back(native<&left_part<true>>("gs_left"));
  list.push_back(native<&right_part<true>>("gs_right"));
  list.push_back(native<&repeat>("gs_repeat"));
  list.push_back(native<&pad<true, true>>("gs_lpad"));
  list.push_back(native<&pad<true, false>>("gs_rpad"));
  list.push_back(native<&position_of<true>>("gs_strpos"));
  list.push_back(native<&occurrence_of<true>>("gs_instr"));
  list.push_back(native<&split<true>>("gs_split"));
  list.push_back(native<&split_part>("gs_split_substr"));
  list.push_back(native<&replace>("gs_replace"));
  list.push_back(native<&translate<true>>("gs_translate"));
  list.push_back(native<&trim_set<Side::kBoth>>("gs_trim"));
  list.push_back(native<&trim_set<Side::kLeft>>("gs_ltrim"));
  list.push_back(native<&trim_set<Side::kRight>>("gs_rtrim"));
  list.push_back(native<&trim_space<Side::kBoth>>("gs_trim_space"));
  list.push_back(native<&trim_space<Side::kLeft>>("gs_ltrim_space"));
  list.push_back(native<&trim_space<Side::kRight>>("gs_rtrim_space"));
  list.push_back(native<&reverse_text>("gs_reverse"));
  list.push_back(native<&like<true>>("gs_like"));
  list.push_back(native<&starts_with>("gs_starts_with"));
  list.push_back(native<&ends_with>("gs_ends_with"));
  list.push_back(native<&length_text>("gs_length"));
  list.push_back(native<&byte_length>("gs_byte_length"));
  add_bytes_forms(list);
}

}  // namespace flytt::googlesql::internal
