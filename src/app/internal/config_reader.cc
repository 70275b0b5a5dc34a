#include "app/internal/config_reader.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/config_keys.h"

namespace flytt::app {

Error ConfigReader::fail(const YAML::Node& node, const std::string& sentence) const {
  const int line = node.Mark().line;
  return Error(ErrorCode::kConfig,
               path + (line >= 0 ? ":" + std::to_string(line + 1) : std::string()) + ": " + sentence);
}

Result<std::string> ConfigReader::resolve(const YAML::Node& node) const {
  std::string text = node.Scalar(), out;
  std::size_t at = 0;
  while (true) {
    const auto open = text.find("${", at);
    if (open == text.npos) return out + text.substr(at);
    const auto close = text.find('}', open);
    if (close == text.npos) return fail(node, "'${' without '}'");
    const std::string reference = text.substr(open + 2, close - open - 2);
    out += text.substr(at, open - at);
    at = close + 1;
    if (keeps_references && (reference.rfind("env:", 0) == 0 || reference.rfind("file:", 0) == 0)) {
      out += text.substr(open, at - open);
    } else if (reference.rfind("env:", 0) == 0) {
      const auto value = environment(reference.substr(4));
      if (!value || value->empty()) return fail(node, "environment variable '" + reference.substr(4) + "' is not set");
      out += *value;
    } else if (reference.rfind("file:", 0) == 0) {
      std::filesystem::path file = reference.substr(5);
      if (file.is_relative()) file = std::filesystem::path(path).parent_path() / file;
      std::ifstream in(file);
      if (!in) return fail(node, "file '" + file.string() + "' cannot be read");
      std::stringstream content;
      content << in.rdbuf();
      std::string value = content.str();
      while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.pop_back();
      out += value;
    } else {
      return fail(node, "'${" + reference + "}' is not a reference; use ${env:NAME} or ${file:/path}");
    }
  }
}

Status ConfigReader::duration(const YAML::Node& node, std::int64_t& out) const {
  if (!node) return ok();
  auto value = parse_duration_ms(node.Scalar());
  if (!value) return fail(node, value.error().sentence());
  out = *value;
  return ok();
}

Status ConfigReader::boolean(const YAML::Node& node, bool& out) const {
  if (!node) return ok();
  const std::string text = node.Scalar();
  if (text != "true" && text != "false") return fail(node, "'" + text + "' must be true or false");
  out = text == "true";
  return ok();
}

Status ConfigReader::resolved(const YAML::Node& node, std::string& out) const {
  if (!node) return ok();
  TRY(out, resolve(node));
  return ok();
}

Status ConfigReader::choice(const YAML::Node& node, const std::vector<std::string>& words, std::size_t& out) const {
  if (!node) return ok();
  const std::string text = node.Scalar();
  std::string list;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == text) {
      out = i;
      return ok();
    }
    list += (i == 0 ? "" : ", ") + words[i];
  }
  const std::string nearest = nearest_name(text, words);
  return fail(node, "'" + text + "' is none of " + list + (nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
}

std::string ConfigReader::beside(const std::string& file) const {
  if (std::filesystem::path(file).is_absolute()) return file;
  return (std::filesystem::absolute(path).parent_path() / file).lexically_normal().string();
}

std::string text_or(const YAML::Node& map, const char* key, std::string standard) {
  const YAML::Node node = map[key];
  return node ? node.Scalar() : std::move(standard);
}

}  // namespace flytt::app
