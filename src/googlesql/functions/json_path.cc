// JSONPath, and the lenient reader of JSON in STRING.

#include <algorithm>

#include "googlesql/functions/internal/json_value.h"
#include "googlesql/functions/internal/utf8_text.h"

namespace flytt::googlesql::internal {

std::optional<std::size_t> PathStep::index() const {
  if (name.empty() || name.size() > 9) return std::nullopt;
  std::size_t value = 0;
  for (const char c : name) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::size_t>(c - '0');
  }
  return value;
}

namespace {

// A quoted name from the opening quote; a backslash takes the next character as it is. The offset behind the closing quote.
std::optional<std::size_t> quoted_name(std::string_view path, std::size_t at, std::string& name) {
  const char quote = path[at++];
  for (; at < path.size(); ++at) {
    if (path[at] == '\\' && at + 1 < path.size())
      name.push_back(path[++at]);
    else if (path[at] == quote)
      return at + 1;
    else
      name.push_back(path[at]);
  }
  return std::nullopt;
}

std::optional<std::size_t> bracket_step(std::string_view path, std::size_t at, bool quoted_brackets, PathStep& step) {
  ++at;
  while (at < path.size() && path[at] == ' ') ++at;
  if (quoted_brackets && at < path.size() && path[at] == '\'') {
    const auto end = quoted_name(path, at, step.name);
    if (!end) return std::nullopt;
    at = *end;
  } else {
    step.is_index = true;
    while (at < path.size() && ((path[at] >= '0' && path[at] <= '9') || (path[at] == '-' && step.name.empty()))) {
      step.name.push_back(path[at++]);
    }
    if (step.name.empty() || step.name == "-") return std::nullopt;
  }
  while (at < path.size() && path[at] == ' ') ++at;
  if (at >= path.size() || path[at] != ']') return std::nullopt;
  return at + 1;
}

}  // namespace

std::optional<std::vector<PathStep>> parse_json_path(std::string_view path, bool quoted_brackets,
                                                     std::string& problem) {
  if (path.empty() || path[0] != '$') {
    problem = "JSONPath must start with '$'";
    return std::nullopt;
  }
  std::vector<PathStep> steps;
  for (std::size_t at = 1; at < path.size();) {
    PathStep step;
    std::optional<std::size_t> end;
    const std::string_view rest = path.substr(at);
    if (rest.substr(0, 2) == ".*" || rest.substr(0, 2) == "[*" || rest.substr(0, 2) == ".." ||
        rest.substr(0, 2) == "[@" || rest[0] == '@') {
      problem = "Unsupported operator in JSONPath: " + std::string(rest.substr(0, 2) == ".." ? ".."
                                                                   : rest[0] == '@'          ? "@"
                                                                                             : rest.substr(1, 1));
      return std::nullopt;
    }
    if (path[at] == '[') {
      end = bracket_step(path, at, quoted_brackets, step);
    } else if (path[at] == '.' && at + 1 < path.size() && path[at + 1] == '"' && !quoted_brackets) {
      end = quoted_name(path, at + 1, step.name);
    } else if (path[at] == '.') {
      std::size_t stop = at + 1;
      while (stop < path.size() && path[stop] != '.' && path[stop] != '[' && path[stop] != '"' && path[stop] != '\'')
        ++stop;
      step.name = path.substr(at + 1, stop - at - 1);
      if (!step.name.empty() && (stop == path.size() || path[stop] == '.' || path[stop] == '[')) end = stop;
    }
    if (!end) {
      problem = "Invalid token in JSONPath at: " + std::string(rest);
      return std::nullopt;
    }
    steps.push_back(std::move(step));
    at = *end;
  }
  return steps;
}

const JsonValue* find_json(const JsonValue& root, const std::vector<PathStep>& path) {
  const JsonValue* at = &root;
  for (const PathStep& step : path) {
    if (at->kind == JsonValue::Kind::kObject) {
      const auto found = at->members.find(step.name);
      if (found == at->members.end()) return nullptr;
      at = &found->second;
    } else if (at->kind == JsonValue::Kind::kArray) {
      const auto index = step.index();
      if (!index || *index >= at->elements.size()) return nullptr;
      at = &at->elements[*index];
    } else {
      return nullptr;
    }
  }
  return at;
}

namespace {

// Names and strings in either quotes, commas at the end or doubled (a missing element is null), raw control characters.
class LenientReader {
 public:
  explicit LenientReader(std::string_view text) : text_(text) {}

  enum class Outcome { kFound, kMissing, kBad };
  Outcome find(const std::vector<PathStep>& path, std::size_t depth, TextValue& out) {
    skip();
    if (depth == path.size()) return read(out, 0) ? Outcome::kFound : Outcome::kBad;
    if (at_ >= text_.size()) return Outcome::kBad;
    if (text_[at_] == '{') return find_member(path, depth, out);
    if (text_[at_] == '[') return find_element(path, depth, out);
    TextValue ignored;
    return read(ignored, 0) ? Outcome::kMissing : Outcome::kBad;
  }

 private:
  Outcome find_member(const std::vector<PathStep>& path, std::size_t depth, TextValue& out) {
    ++at_;
    if (take('}')) return Outcome::kMissing;
    for (;;) {
      std::string name;
      if (!member_name(name)) return Outcome::kBad;
      if (name == path[depth].name) {
        const Outcome outcome = find(path, depth + 1, out);
        if (outcome != Outcome::kMissing) return outcome;
      } else {
        TextValue ignored;
        if (!read(ignored, 0)) return Outcome::kBad;
      }
      if (take(',')) {
        if (take('}')) return Outcome::kMissing;
        continue;
      }
      return take('}') ? Outcome::kMissing : Outcome::kBad;
    }
  }
  Outcome find_element(const std::vector<PathStep>& path, std::size_t depth, TextValue& out) {
    ++at_;
    const auto wanted = path[depth].index();
    if (take(']')) return Outcome::kMissing;
    for (std::size_t index = 0;; ++index) {
      skip();
      if (at_ < text_.size() && text_[at_] == ',') {  // a missing element
        if (wanted == index) {
          out = null_value();
          return depth + 1 == path.size() ? Outcome::kFound : Outcome::kMissing;
        }
        ++at_;
        continue;
      }
      if (wanted == index) {
        const Outcome outcome = find(path, depth + 1, out);
        if (outcome != Outcome::kMissing) return outcome;
      } else {
        TextValue ignored;
        if (!read(ignored, 0)) return Outcome::kBad;
      }
      if (take(',')) {
        if (take(']')) return Outcome::kMissing;
        continue;
      }
      return take(']') ? Outcome::kMissing : Outcome::kBad;
    }
  }

  static TextValue null_value() {
    TextValue value;
    value.compact = "null";
    return value;
  }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || (text_[at_] >= '\t' && text_[at_] <= '\r'))) ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool member_name(std::string& name) {
    skip();
    if (at_ >= text_.size() || (text_[at_] != '"' && text_[at_] != '\'')) return false;
    return string(name) && take(':');
  }

  bool read(TextValue& out, int depth) {
    if (depth > kJsonDepthMax) return false;
    skip();
    if (at_ >= text_.size()) return false;
    const char c = text_[at_];
    if (c == '{') return object(out, depth);
    if (c == '[') return array(out, depth);
    if (c == '"' || c == '\'') {
      out.kind = JsonValue::Kind::kString;
      if (!string(out.scalar)) return false;
      write_json_text(out.compact, out.scalar, true);
      return true;
    }
    if (c == 't') return word("true", JsonValue::Kind::kBool, out);
    if (c == 'f') return word("false", JsonValue::Kind::kBool, out);
    if (c == 'n') return word("null", JsonValue::Kind::kNull, out);
    return number(out);
  }
  bool word(std::string_view expected, JsonValue::Kind kind, TextValue& out) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    out.kind = kind;
    out.compact = out.scalar = expected;
    return true;
  }
  bool object(TextValue& out, int depth) {
    out.kind = JsonValue::Kind::kObject;
    out.compact = "{";
    ++at_;
    if (!take('}')) {
      for (bool is_first = true;; is_first = false) {
        std::string name;
        TextValue value;
        if (!member_name(name) || !read(value, depth + 1)) return false;
        if (!is_first) out.compact.push_back(',');
        write_json_text(out.compact, name, true);
        out.compact += ":" + value.compact;
        if (take(',')) {
          if (take('}')) break;
          continue;
        }
        if (take('}')) break;
        return false;
      }
    }
    out.compact.push_back('}');
    return true;
  }
  bool array(TextValue& out, int depth) {
    out.kind = JsonValue::Kind::kArray;
    ++at_;
    if (!take(']')) {
      for (;;) {
        skip();
        if (at_ < text_.size() && text_[at_] == ',') {
          ++at_;
          out.elements.push_back(null_value());
          continue;
        }
        out.elements.emplace_back();
        if (!read(out.elements.back(), depth + 1)) return false;
        if (take(',')) {
          if (take(']')) break;
          continue;
        }
        if (take(']')) break;
        return false;
      }
    }
    out.compact = "[";
    for (std::size_t i = 0; i < out.elements.size(); ++i) out.compact += (i > 0 ? "," : "") + out.elements[i].compact;
    out.compact.push_back(']');
    return true;
  }
  bool number(TextValue& out) {
    const std::size_t begin = at_;
    const auto digits = [&] {
      const std::size_t first = at_;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
      return at_ > first;
    };
    if (text_[at_] == '-') ++at_;
    if (at_ < text_.size() && text_[at_] == '0')
      ++at_;  // nothing follows a leading zero
    else if (!digits())
      return false;
    if (at_ < text_.size() && text_[at_] == '.') {
      ++at_;
      if (!digits()) return false;
    }
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      if (!digits()) return false;
    }
    out.kind = JsonValue::Kind::kDouble;
    out.compact = out.scalar = text_.substr(begin, at_ - begin);
    return true;
  }
  bool string(std::string& out) {
    const char quote = text_[at_++];
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == quote) return true;
      if (c != '\\') {
        out.push_back(c);
        continue;
      }
      if (at_ >= text_.size()) return false;
      const char e = text_[at_++];
      static constexpr std::string_view kFrom = "\"\\/bfnrt'", kTo = "\"\\/\b\f\n\r\t'";
      if (const std::size_t known = kFrom.find(e); known != std::string_view::npos) {
        out.push_back(kTo[known]);
      } else if (e == 'u') {
        std::uint32_t point = 0;
        for (int i = 0; i < 4; ++i, ++at_) {
          if (at_ >= text_.size() || !std::isxdigit(static_cast<unsigned char>(text_[at_]))) return false;
          point = point * 16 + static_cast<std::uint32_t>(std::stoi(std::string(1, text_[at_]), nullptr, 16));
        }
        append_code_point(out, is_code_point(point) ? point : 0xfffd);  // surrogates are not put together
      } else {
        return false;
      }
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<TextValue> find_in_text(std::string_view text, const std::vector<PathStep>& path) {
  LenientReader reader(text);
  TextValue value;
  if (reader.find(path, 0, value) != LenientReader::Outcome::kFound) return std::nullopt;
  return value;
}

}  // namespace flytt::googlesql::internal
