#include "kafka/internal/plain_json.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "data/json_text.h"
#include "data/utf8.h"

namespace flytt::kafka {

namespace {

using data::TypeKind;

constexpr std::size_t kMissingMax =
    8;  // members in a row that a message may leave out, before it is looked at the long way
constexpr std::size_t kInt64Digits = 18;  // that surely fit

constexpr std::uint64_t kOnes = 0x0101010101010101u, kHighs = 0x8080808080808080u;

// The high bits of the bytes that end a plain text, exact up to the first of them: quote, backslash, control character.
std::uint64_t ends_of_text(std::uint64_t word) {
  const auto zero_bytes = [](std::uint64_t w) { return (w - kOnes) & ~w & kHighs; };
  return zero_bytes(word ^ kOnes * '"') | zero_bytes(word ^ kOnes * '\\') | ((word - kOnes * 0x20) & ~word & kHighs);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class PlainPass {
 public:
  PlainPass(std::string_view payload, const ValueRules& rules)
      : at_(payload.data()), end_(payload.data() + payload.size()), rules_(rules) {}

  bool object(const std::vector<FieldPlan>& fields, std::vector<data::Column>& columns) {
    skip_space();
    if (!take('{')) return false;
    skip_space();
    std::size_t next = 0;
    for (bool is_over = take('}'); !is_over;) {
      const std::size_t limit = std::min(fields.size(), next + kMissingMax + 1);
      std::size_t place = next;
      while (place < limit && !take_name(fields[place].key)) ++place;
      if (place == limit || !leave_out(fields, next, place, columns)) return false;
      skip_space();
      if (!take(':')) return false;
      skip_space();
      if (!value(fields[place], columns[fields[place].column])) return false;
      next = place + 1;
      skip_space();
      is_over = take('}');
      if (!is_over && !take(',')) return false;
      if (!is_over) skip_space();
    }
    skip_space();
    return at_ == end_ && leave_out(fields, next, fields.size(), columns);
  }

 private:
  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    if (static_cast<std::size_t>(end_ - at_) < word.size() || std::memcmp(at_, word.data(), word.size()) != 0)
      return false;
    at_ += word.size();
    return true;
  }
  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool take_name(std::string_view name) {
    const std::size_t size = name.size();
    if (static_cast<std::size_t>(end_ - at_) < size + 2 || at_[0] != '"' || at_[size + 1] != '"' ||
        std::memcmp(at_ + 1, name.data(), size) != 0)
      return false;
    at_ += size + 2;
    return true;
  }

  static bool leave_out(const std::vector<FieldPlan>& fields, std::size_t from, std::size_t to,
                        std::vector<data::Column>& columns) {
    for (; from < to; ++from) {
      if (fields[from].is_required) return false;
      columns[fields[from].column].append_null();
    }
    return true;
  }

  bool value(const FieldPlan& plan, data::Column& column) {
    if (at_ == end_) return false;
    switch (*at_) {
      case '"': return string(plan, column);
      case 'n':
        if (plan.is_required || !take("null")) return false;
        column.append_null();
        return true;
      case 't':
      case 'f': {
        const bool truth = *at_ == 't';
        if (!plan.type.is(TypeKind::kBool) || !take(truth ? "true" : "false")) return false;
        column.append_bool(truth);
        return true;
      }
      default: return plan.type.is(TypeKind::kInt64) ? integer(column) : number(plan, column);
    }
  }

  bool string(const FieldPlan& plan, data::Column& column) {
    const char* const begin = ++at_;
    std::uint64_t high = 0;
    for (;;) {
      if (end_ - at_ < 8) {
        while (at_ != end_ && *at_ != '"' && *at_ != '\\' && static_cast<unsigned char>(*at_) >= 0x20)
          high |= static_cast<unsigned char>(*at_++);
        break;
      }
      std::uint64_t word;
      std::memcpy(&word, at_, 8);
      const std::uint64_t ends = ends_of_text(word);
      if (ends == 0) {
        high |= word;
        at_ += 8;
        continue;
      }
      const int bits = std::countr_zero(ends) - 7;  // before the first end
      high |= word & ((std::uint64_t{1} << bits) - 1);
      at_ += bits / 8;
      break;
    }
    const std::string_view text(begin, static_cast<std::size_t>(at_ - begin));
    if (!take('"')) return false;
    if ((high & kHighs) != 0 && !data::is_valid_utf8(text)) return false;
    return append_string(plan.type, text, rules_, column) == Verdict::kOk;
  }

  bool integer(data::Column& column) {
    const bool is_negative = take('-');
    const char* const begin = at_;
    std::int64_t value = 0;
    while (at_ != end_ && is_digit(*at_) && static_cast<std::size_t>(at_ - begin) < kInt64Digits)
      value = value * 10 + (*at_++ - '0');
    // What follows the digits, more of them among it, is no comma or brace then.
    if (at_ == begin || (*begin == '0' && at_ - begin > 1)) return false;
    column.append_int64(is_negative ? -value : value);
    return true;
  }

  bool number(const FieldPlan& plan, data::Column& column) {
    const char* const begin = at_;
    while (at_ != end_ && (is_digit(*at_) || *at_ == '-' || *at_ == '+' || *at_ == '.' || *at_ == 'e' || *at_ == 'E'))
      ++at_;
    const std::string_view text(begin, static_cast<std::size_t>(at_ - begin));
    if (!data::is_json_number(text)) return false;
    if (!plan.type.is(TypeKind::kFloat64)) return append_number(plan.type, text, rules_, column) == Verdict::kOk;
    double real;
    if (std::from_chars(begin, at_, real).ec != std::errc()) return false;
    column.append_double(real);
    return true;
  }

  const char* at_;
  const char* const end_;
  const ValueRules& rules_;
};

}  // namespace

bool has_plain_names(const std::vector<FieldPlan>& fields) {
  std::vector<std::string_view> names;
  for (const FieldPlan& plan : fields) names.push_back(plan.key);
  std::sort(names.begin(), names.end());
  if (std::adjacent_find(names.begin(), names.end()) != names.end()) return false;
  return std::all_of(names.begin(), names.end(), [](std::string_view name) {
    return std::all_of(name.begin(), name.end(),
                       [](char c) { return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20; });
  });
}

bool append_plain(std::string_view payload, const std::vector<FieldPlan>& fields, const ValueRules& rules,
                  std::vector<data::Column>& columns) {
  return PlainPass(payload, rules).object(fields, columns);
}

}  // namespace flytt::kafka
