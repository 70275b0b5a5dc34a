#include "recorded_case.h"

#include <re2/re2.h>

#include <cctype>
#include <fstream>

namespace flytt::conformance {

namespace {

// The recording writes NaN and Infinity bare, as Python does.
std::string with_quoted_specials(std::string line) {
  static const re2::RE2 special(R"(([\[:,] )(-?Infinity|NaN)([,}\]]))");
  re2::RE2::GlobalReplace(&line, special, R"(\1"\2"\3)");
  return line;
}

// Keywords and punctuation outside of text and comments, in lower case, with the depth of parentheses.
struct Word {
  std::string text;
  int depth;
};
std::vector<Word> words_of(const std::string& sql) {
  std::vector<Word> words;
  int depth = 0;
  for (std::size_t i = 0; i < sql.size();) {
    const char c = sql[i];
    if (sql.compare(i, 2, "--") == 0 || c == '#') {
      i = std::min(sql.find('\n', i), sql.size());
    } else if (sql.compare(i, 2, "/*") == 0) {
      i = std::min(sql.find("*/", i + 2), sql.size() - 2) + 2;
    } else if (c == '\'' || c == '"' || c == '`') {
      const std::string triple(3, c);
      const bool is_triple = sql.compare(i, 3, triple) == 0;
      i += is_triple ? 3 : 1;
      while (i < sql.size() && (is_triple ? sql.compare(i, 3, triple) != 0 : sql[i] != c)) i += sql[i] == '\\' ? 2 : 1;
      i += is_triple ? 3 : 1;
    } else if (std::isalpha(static_cast<unsigned char>(c)) || c == '_') {
      std::string word;
      while (i < sql.size() && (std::isalnum(static_cast<unsigned char>(sql[i])) || sql[i] == '_')) {
        word.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(sql[i++]))));
      }
      words.push_back({word, depth});
    } else {
      if (c == '(' || c == '[') words.push_back({std::string(1, c), depth++});
      if (c == ')' || c == ']') --depth;
      if (c == ';') words.push_back({";", depth});
      ++i;
    }
  }
  return words;
}

}  // namespace

bool is_select(const std::string& query) {
  for (const Word& word : words_of(query)) {
    if (word.text != "(") return word.text == "select" || word.text == "with" || word.text == "from";
  }
  return false;
}

bool has_outer_order(const std::string& query) {
  const std::vector<Word> words = words_of(query);
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i].depth == 0 && words[i].text == "order" && words[i + 1].text == "by") return true;
  }
  return false;
}

Result<std::vector<RecordedCase>> read_cases(const std::string& path) {
  std::ifstream file(path);
  if (!file) return base::Error(base::ErrorCode::kNotFound, "Cannot read " + path + ".");
  std::vector<RecordedCase> cases;
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    const nlohmann::json json = nlohmann::json::parse(with_quoted_specials(line), nullptr, false);
    if (!json.is_object() || !json.contains("id") || !json.contains("expected")) {
      return base::Error(base::ErrorCode::kBadData, path + ":" + std::to_string(number) + " is not a recorded case.");
    }
    const auto text = [&](const char* name) {
      return json.contains(name) && json[name].is_string() ? json[name].get<std::string>() : "";
    };
    RecordedCase one;
    one.id = text("id");
    one.surface = one.id.substr(0, one.id.find('/'));
    one.query = text("query");
    one.setup = text("setup");
    one.parameters = json.value("parameters", nlohmann::json());
    one.job_config = json.value("job_config", nlohmann::json());
    one.needs_rest = (json.contains("setup_rest") && !json["setup_rest"].is_null()) ||
                     (json.contains("headers") && !json["headers"].is_null());
    const nlohmann::json& expected = json["expected"];
    if (expected.contains("error")) one.error = expected["error"];
    one.schema = expected.value("schema", nlohmann::json::array());
    one.rows = expected.value("rows", nlohmann::json::array());
    cases.push_back(std::move(one));
  }
  return cases;
}

}  // namespace flytt::conformance
