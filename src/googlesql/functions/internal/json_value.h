#pragma once
// JSON documents: the value type JSON (sorted, unique keys; numbers are int64, uint64 or double), JSONPath, and the lenient
// reader that GoogleSQL uses for JSON in STRING.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flytt::googlesql::internal {

inline constexpr int kJsonDepthMax = 500;

struct JsonValue {
  enum class Kind { kNull, kBool, kInt, kUint, kDouble, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  bool boolean = false;
  std::int64_t integer = 0;
  std::uint64_t natural = 0;  // kUint: beyond int64
  double number = 0;
  std::string text;
  std::vector<JsonValue> elements;
  std::map<std::string, JsonValue> members;

  bool is_number() const { return kind == Kind::kInt || kind == Kind::kUint || kind == Kind::kDouble; }
  bool is_scalar() const { return kind != Kind::kArray && kind != Kind::kObject; }
  void write(std::string& out) const;
  std::string dump() const {
    std::string out;
    write(out);
    return out;
  }
};

// Strict RFC 8259. With `exact`, numbers that a double would change are refused. The text of the failure goes to `problem`.
std::optional<JsonValue> parse_json(std::string_view text, bool exact, std::string& problem);
// A document that is known to be good (the physical form of JSON).
JsonValue read_json(std::string_view text);

std::string json_double(double value);                                                  // 1.0, 1e+20, 0.1
void write_json_text(std::string& out, std::string_view text, bool escape_separators);  // with quotes
std::string pretty_json(std::string_view compact);  // two spaces, as TO_JSON_STRING(x, TRUE)

// ---- JSONPath ----
struct PathStep {
  std::string name;
  bool is_index = false;                     // written in brackets
  std::optional<std::size_t> index() const;  // when the name is a number
};
// `quoted_brackets`: the older form $['a'] of JSON_EXTRACT instead of $."a".
std::optional<std::vector<PathStep>> parse_json_path(std::string_view path, bool quoted_brackets, std::string& problem);
const JsonValue* find_json(const JsonValue& root, const std::vector<PathStep>& path);

// ---- JSON in STRING ----
struct TextValue {
  JsonValue::Kind kind = JsonValue::Kind::kNull;  // numbers: kDouble, whatever they are
  std::string compact;                            // without white space, strings escaped anew, numbers as written
  std::string scalar;                             // of a scalar: unquoted
  std::vector<TextValue> elements;
};
// The first value at `path`; what follows it in the text is not looked at. nullopt: not there, or malformed before it.
std::optional<TextValue> find_in_text(std::string_view text, const std::vector<PathStep>& path);

}  // namespace flytt::googlesql::internal
