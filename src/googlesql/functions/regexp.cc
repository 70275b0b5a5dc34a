// REGEXP_* with RE2, the same engine that BigQuery uses.

#include <re2/re2.h>

#include <memory>
#include <string>
#include <unordered_map>

#include "googlesql/functions/internal/registry.h"
#include "googlesql/functions/internal/utf8_text.h"

namespace flytt::googlesql::internal {
namespace {

constexpr std::size_t kPatternsPerThreadMax = 64;

// Compiled patterns are kept per thread: a query uses few, over many rows.
const re2::RE2& compiled(std::string_view pattern, bool is_text) {
  thread_local std::unordered_map<std::string, std::unique_ptr<re2::RE2>> cache[2];
  auto& patterns = cache[is_text ? 1 : 0];
  const std::string key(pattern);
  if (const auto found = patterns.find(key); found != patterns.end()) return *found->second;
  if (patterns.size() >= kPatternsPerThreadMax) patterns.clear();
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_encoding(is_text ? re2::RE2::Options::EncodingUTF8 : re2::RE2::Options::EncodingLatin1);
  return *patterns.emplace(key, std::make_unique<re2::RE2>(key, options)).first->second;
}

Failure cannot_parse(const re2::RE2& pattern) { return {"Cannot parse regular expression: " + pattern.error()}; }
Failure too_many_groups() {
  return {"Regular expressions passed into extraction functions must not have more than 1 capturing group"};
}

// The matches of a pattern in a text, one after the other. After an empty match the search goes on one character later;
// it does not go on at the end of a text that is not empty.
class Matches {
 public:
  Matches(const re2::RE2& pattern, std::string_view text, bool is_text)
      : pattern_(pattern), text_(text), is_text_(is_text), groups_(pattern.NumberOfCapturingGroups()) {}

  bool next() {
    if (done_ || (at_ >= text_.size() && !(text_.empty() && at_ == 0))) return false;
    const re2::StringPiece input(text_.data(), text_.size());
    if (!pattern_.Match(input, at_, text_.size(), re2::RE2::UNANCHORED, found_, groups_ + 1)) {
      done_ = true;
      return false;
    }
    const std::size_t end = static_cast<std::size_t>(found_[0].data() - text_.data()) + found_[0].size();
    at_ = found_[0].empty() ? end + (end < text_.size() ? width(end) : 1) : end;
    return true;
  }
  // The group, or all of it without a group. nullopt: the group took no part.
  std::optional<std::string_view> value() const {
    const re2::StringPiece& piece = found_[groups_];
    if (piece.data() == nullptr) return std::nullopt;
    return std::string_view(piece.data(), piece.size());
  }
  std::string_view all() const { return {found_[0].data(), found_[0].size()}; }
  std::size_t next_offset() const { return at_; }

 private:
  std::size_t width(std::size_t at) const { return is_text_ ? character_bytes(text_, at) : 1; }
  const re2::RE2& pattern_;
  std::string_view text_;
  bool is_text_;
  int groups_;
  std::size_t at_ = 0;
  bool done_ = false;
  re2::StringPiece found_[2];
};

template <bool kIsText>
Answer<bool> contains(std::string_view text, std::string_view pattern) {
  const re2::RE2& re = compiled(pattern, kIsText);
  if (!re.ok()) return cannot_parse(re);
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), re);
}

template <bool kIsText>
Answer<std::string> extract(std::string_view text, std::string_view pattern, std::int64_t position,
                            std::int64_t occurrence) {
  const re2::RE2& re = compiled(pattern, kIsText);
  if (!re.ok()) return cannot_parse(re);
  if (re.NumberOfCapturingGroups() > 1) return too_many_groups();
  if (position <= 0) return Failure{"Position must be positive"};
  if (occurrence <= 0) return Failure{"Occurrence must be positive"};
  const std::size_t skipped = static_cast<std::size_t>(position - 1);
  const std::size_t begin = kIsText ? offset_of(text, skipped) : std::min(skipped, text.size());
  if (skipped > 0 && begin >= text.size()) return std::nullopt;
  Matches matches(re, text.substr(begin), kIsText);
  while (matches.next()) {
    if (--occurrence > 0) continue;
    const auto value = matches.value();
    if (!value) return std::nullopt;
    return std::string(*value);
  }
  return std::nullopt;
}
template <bool kIsText>
Answer<std::string> extract_first(std::string_view text, std::string_view pattern) {
  return extract<kIsText>(text, pattern, 1, 1);
}

template <bool kIsText>
Answer<List<std::string>> extract_all(std::string_view text, std::string_view pattern) {
  const re2::RE2& re = compiled(pattern, kIsText);
  if (!re.ok()) return cannot_parse(re);
  if (re.NumberOfCapturingGroups() > 1) return too_many_groups();
  List<std::string> list;
  Matches matches(re, text, kIsText);
  while (matches.next()) list.emplace_back(std::string(matches.value().value_or("")));
  return list;
}

template <bool kIsText>
Answer<std::string> replace(std::string_view text, std::string_view pattern, std::string_view rewrite) {
  const re2::RE2& re = compiled(pattern, kIsText);
  if (!re.ok()) return cannot_parse(re);
  std::string problem, out(text);
  const re2::StringPiece to(rewrite.data(), rewrite.size());
  if (!re.CheckRewriteString(to, &problem)) return Failure{"Invalid REGEXP_REPLACE pattern: " + problem};
  re2::RE2::GlobalReplace(&out, re, to);
  return out;
}

template <bool kIsText>
Answer<std::int64_t> position_of(std::string_view text, std::string_view pattern, std::int64_t position,
                                 std::int64_t occurrence, std::int64_t after) {
  const re2::RE2& re = compiled(pattern, kIsText);
  if (!re.ok()) return cannot_parse(re);
  if (re.NumberOfCapturingGroups() > 1) return too_many_groups();
  if (position <= 0) return Failure{"Position must be positive"};
  if (occurrence <= 0) return Failure{"Occurrence must be positive"};
  if (after != 0 && after != 1) return Failure{"Invalid return_position_after_match."};
  const std::size_t skipped = static_cast<std::size_t>(position - 1);
  const std::size_t begin = kIsText ? offset_of(text, skipped) : std::min(skipped, text.size());
  if (begin >= text.size() || pattern.empty()) return 0;
  const std::string_view rest = text.substr(begin);
  Matches matches(re, rest, kIsText);
  while (matches.next()) {
    if (--occurrence > 0) continue;
    const auto value = matches.value();
    if (!value) return 0;
    std::size_t at = static_cast<std::size_t>(value->data() - text.data()) + (after == 1 ? value->size() : 0);
    if (matches.all().empty()) at = begin + matches.next_offset();  // an empty match counts as behind its character
    const std::string_view before = text.substr(0, at);
    return static_cast<std::int64_t>(kIsText ? count_characters(before) : before.size()) + 1;
  }
  return 0;
}

template <auto kBody, typename... A>
Answer<ByteString> as_bytes(const A&... arguments) {
  Answer<std::string> answer = kBody(arguments...);
  if (answer.is_failure()) return Failure{answer.sentence()};
  if (answer.is_null()) return std::nullopt;
  return ByteString{std::move(answer.value())};
}
using I = std::int64_t;
Answer<bool> contains_bytes(Bytes s, Bytes p) { return contains<false>(s.data, p.data); }
Answer<ByteString> extract_bytes(Bytes s, Bytes p, I at, I n) {
  return as_bytes<&extract<false>>(s.data, p.data, at, n);
}
Answer<ByteString> extract_first_bytes(Bytes s, Bytes p) { return as_bytes<&extract_first<false>>(s.data, p.data); }
Answer<ByteString> replace_bytes(Bytes s, Bytes p, Bytes r) {
  return as_bytes<&replace<false>>(s.data, p.data, r.data);
}
Answer<I> position_bytes(Bytes s, Bytes p, I at, I n, I after) {
  return position_of<false>(s.data, p.data, at, n, after);
}
Answer<List<ByteString>> extract_all_bytes(Bytes s, Bytes p) {
  Answer<List<std::string>> answer = extract_all<false>(s.data, p.data);
  if (answer.is_failure()) return Failure{answer.sentence()};
  List<ByteString> list;
  for (auto& each : answer.value()) list.emplace_back(ByteString{std::move(*each)});
  return list;
}

}  // namespace

void add_regexp_functions(Functions& list) {
  list.push_back(native<&contains<true>>("gs_regexp_contains"));
  list.push_back(native<&extract<true>>("gs_regexp_extract"));
  list.push_back(native<&extract_first<true>>("gs_regexp_extract_first"));
  list.push_back(native<&extract_all<true>>("gs_regexp_extract_all"));
  list.push_back(native<&replace<true>>("gs_regexp_replace"));
  list.push_back(native<&position_of<true>>("gs_regexp_instr"));
  list.push_back(native<&contains_bytes>("gs_regexp_contains_bytes"));
  list.push_back(native<&extract_bytes>("gs_regexp_extract_bytes"));
  list.push_back(native<&extract_first_bytes>("gs_regexp_extract_first_bytes"));
  list.push_back(native<&extract_all_bytes>("gs_regexp_extract_all_bytes"));
  list.push_back(native<&replace_bytes>("gs_regexp_replace_bytes"));
  list.push_back(native<&position_bytes>("gs_regexp_instr_bytes"));
}

}  // namespace flytt::googlesql::internal
