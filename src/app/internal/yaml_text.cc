#include "app/internal/yaml_text.h"

#include <cctype>

namespace flytt::app {

namespace {

constexpr std::size_t kCommentWidth = 117;

// Whether a plain text would be read back as this text by every reader of YAML 1.1 and 1.2.
bool may_be_plain(const std::string& text) {
  if (text.empty()) return false;
  const auto first = static_cast<unsigned char>(text[0]);
  if (std::isalpha(first) == 0 && first != '/') return false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) == 0 && std::string_view("-_./ ").find(c) == std::string_view::npos) return false;
  }
  if (text.back() == ' ') return false;
  std::string lower;
  for (const char c : text) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* word : {"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
    if (lower == word) return false;
  return true;
}

// Line breaks of YAML 1.1 that are none of YAML 1.2, and a mark of byte order: a reader may fold or drop what stands there.
bool has_odd_breaks(const std::string& text) {
  return text.find("\xC2\x85") != text.npos || text.find("\xE2\x80\xA8") != text.npos ||
         text.find("\xE2\x80\xA9") != text.npos || text.find("\xEF\xBB\xBF") != text.npos;
}

void emit_quoted(YAML::Emitter& out, const std::string& text) {
  if (has_odd_breaks(text)) out << YAML::EscapeNonAscii;
  out << YAML::DoubleQuoted << text;
}

// A block scalar "|" keeps the text as it is: one line break at the end, and nothing that needs an escape.
bool may_be_block(const std::string& text) {
  if (text.find('\n') == text.npos || text.back() != '\n' || text[0] == ' ' || text[0] == '\n') return false;
  if (text.size() > 1 && text[text.size() - 2] == '\n') return false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 && c != '\n') return false;
    if (byte == 0x7F) return false;
  }
  return !has_odd_breaks(text);
}

void emit(YAML::Emitter& out, const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      out << YAML::BeginMap;
      for (const auto& entry : node) {
        const std::string& key = entry.first.Scalar();
        out << YAML::Key;
        if (may_be_plain(key))
          out << key;
        else
          emit_quoted(out, key);
        out << YAML::Value;
        emit(out, entry.second);
      }
      out << YAML::EndMap;
      return;
    case YAML::NodeType::Sequence:
      out << YAML::BeginSeq;
      for (const auto& entry : node) emit(out, entry);
      out << YAML::EndSeq;
      return;
    case YAML::NodeType::Scalar: {
      const std::string& text = node.Scalar();
      const bool is_text = node.Tag() == "!";
      if (may_be_block(text))
        out << YAML::Literal << text;
      else if (is_text && !may_be_plain(text))
        emit_quoted(out, text);
      else
        out << text;
      return;
    }
    default: out << YAML::Null;
  }
}

}  // namespace

YAML::Node yaml_text(const std::string& text) {
  YAML::Node node(text);
  node.SetTag("!");
  return node;
}

YAML::Node yaml_list(const std::vector<std::string>& texts) {
  YAML::Node node(YAML::NodeType::Sequence);
  for (const std::string& text : texts) node.push_back(yaml_text(text));
  return node;
}

YAML::Node yaml_empty_map() { return YAML::Node(YAML::NodeType::Map); }

std::string yaml_document(const YAML::Node& root) {
  YAML::Emitter out;
  out.SetNullFormat(YAML::LowerNull);
  emit(out, root);
  std::string text = out.c_str();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text + "\n";
}

std::string one_line(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = [&](std::size_t by) {
      return i + by < text.size() ? static_cast<unsigned char>(text[i + by]) : 0;
    };
    const bool is_c1 = byte == 0xC2 && next(1) >= 0x80 && next(1) <= 0x9F;
    const bool is_separator = byte == 0xE2 && next(1) == 0x80 && (next(2) == 0xA8 || next(2) == 0xA9);
    const bool is_mark = byte == 0xEF && next(1) == 0xBB && next(2) == 0xBF;
    out += byte < 0x20 || byte == 0x7F || is_c1 || is_separator || is_mark ? ' ' : text[i];
    i += is_c1 ? 1 : is_separator || is_mark ? 2 : 0;
  }
  return out;
}

std::string comment_lines(const std::string& text) {
  std::string out, line;
  const auto finish = [&] {
    out += line.empty() ? "#\n" : "# " + line + "\n";
    line.clear();
  };
  std::size_t at = 0;
  while (at <= text.size()) {
    std::size_t end = text.find_first_of(" \n", at);
    if (end == text.npos) end = text.size();
    const std::string word = one_line(text.substr(at, end - at));
    if (!line.empty() && line.size() + 1 + word.size() > kCommentWidth) finish();
    line += (line.empty() ? "" : " ") + word;
    if (end == text.size() || text[end] == '\n') finish();
    at = end + 1;
  }
  return out;
}

}  // namespace flytt::app
