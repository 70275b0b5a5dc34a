#include "app/internal/google_names.h"

#include <algorithm>
#include <cctype>
#include <optional>

namespace flytt::app {

namespace {

constexpr std::string_view kFunction = "EXTERNAL_QUERY";

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Enough of GoogleSQL's lexical structure to tell code from comments and literals.
class SqlWalker {
 public:
  explicit SqlWalker(std::string_view sql) : sql_(sql) {}

  std::vector<std::string> names() {
    std::vector<std::string> found;
    while (at_ < sql_.size()) {
      if (skip_blank() || literal()) continue;
      if (sql_[at_] == '`') {
        skip_to("`", at_ + 1);
      } else if (is_word(sql_[at_])) {
        if (is_function(word()))
          if (auto name = first_argument()) found.push_back(std::move(*name));
      } else {
        ++at_;
      }
    }
    return found;
  }

 private:
  bool starts(std::string_view text) const { return sql_.substr(at_, text.size()) == text; }
  void skip_to(std::string_view end, std::size_t from) {
    const auto found = sql_.find(end, from);
    at_ = found == sql_.npos ? sql_.size() : found + end.size();
  }
  bool skip_blank() {
    if (std::isspace(static_cast<unsigned char>(sql_[at_])) != 0)
      ++at_;
    else if (starts("--") || starts("#"))
      skip_to("\n", at_);
    else if (starts("/*"))
      skip_to("*/", at_ + 2);
    else
      return false;
    return true;
  }
  std::string_view word() {
    const std::size_t begin = at_;
    while (at_ < sql_.size() && is_word(sql_[at_])) ++at_;
    return sql_.substr(begin, at_ - begin);
  }
  static bool is_function(std::string_view word) {
    return std::equal(word.begin(), word.end(), kFunction.begin(), kFunction.end(),
                      [](char a, char b) { return std::toupper(static_cast<unsigned char>(a)) == b; });
  }
  // 'a', "a", '''a''', """a""", with r or b in front; without its quotes.
  std::optional<std::string> literal() {
    std::size_t begin = at_;
    bool is_raw = false;
    while (begin < sql_.size() && begin < at_ + 2 &&
           std::string_view("rRbB").find(sql_[begin]) != std::string_view::npos)
      is_raw |= sql_[begin] == 'r' || sql_[begin] == 'R', ++begin;
    if (begin >= sql_.size() || (sql_[begin] != '\'' && sql_[begin] != '"')) return std::nullopt;
    const std::string_view one = sql_.substr(begin, 1), three = sql_.substr(begin, 3);
    const std::string_view quote = three.size() == 3 && three[1] == one[0] && three[2] == one[0] ? three : one;
    std::string text;
    at_ = begin + quote.size();
    while (at_ < sql_.size() && !starts(quote)) {
      if (sql_[at_] == '\\' && at_ + 1 < sql_.size()) {
        if (is_raw) text += '\\';
        ++at_;
      }
      text += sql_[at_++];
    }
    at_ = std::min(at_ + quote.size(), sql_.size());
    return text;
  }
  std::optional<std::string> first_argument() {
    while (at_ < sql_.size() && skip_blank()) continue;
    if (at_ == sql_.size() || sql_[at_] != '(') return std::nullopt;
    ++at_;
    while (at_ < sql_.size() && skip_blank()) continue;
    return at_ < sql_.size() ? literal() : std::nullopt;
  }

  const std::string_view sql_;
  std::size_t at_ = 0;
};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::vector<std::string> external_query_names(std::string_view sql) { return SqlWalker(sql).names(); }

Result<ConnectionName> parse_connection_name(const std::string& name, const std::string& project) {
  ConnectionName parsed;
  if (const auto path = split(name, '/');
      path.size() == 6 && path[0] == "projects" && path[2] == "locations" && path[4] == "connections") {
    parsed = {path[1], path[3], path[5]};
  } else {
    const auto parts = split(name, '.');
    if (parts.size() == 2) parsed = {project, parts[0], parts[1]};
    if (parts.size() >= 3) {  // a project may have a domain, "example.com:p"
      const std::size_t tail = parts[parts.size() - 2].size() + parts.back().size() + 2;
      parsed = {name.substr(0, name.size() - tail), parts[parts.size() - 2], parts.back()};
    }
  }
  if (parsed.project.empty() || parsed.location.empty() || parsed.id.empty())
    return Error(ErrorCode::kConfig, "'" + name +
                                         "' is no connection of BigQuery; write location.connection or "
                                         "project.location.connection");
  return parsed;
}

Result<std::vector<QueryConnection>> connections_of(const Config& config) {
  std::vector<QueryConnection> all;
  for (const QueryConfig& query : config.queries) {
    if (!query.from.empty()) continue;
    for (const std::string& text : external_query_names(query.sql)) {
      auto name = parse_connection_name(text, config.project);
      if (!name) return std::move(name).error().within("in the sql of query " + query.name);
      const bool is_known =
          std::any_of(all.begin(), all.end(), [&](const QueryConnection& other) { return other.name == *name; });
      if (!is_known) all.push_back({query.name, std::move(*name)});
    }
  }
  return all;
}

std::vector<BucketMention> unlisted_buckets(const Config& config) {
  static constexpr std::string_view kScheme = "gs://";
  std::vector<BucketMention> found;
  const auto look = [&](const std::string& place, std::string_view text) {
    for (auto at = text.find(kScheme); at != text.npos; at = text.find(kScheme)) {
      text.remove_prefix(at + kScheme.size());
      const std::string bucket(text.substr(0, text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.")));
      const bool is_said =
          std::any_of(found.begin(), found.end(), [&](const auto& one) { return one.bucket == bucket; });
      const auto& listed = config.buckets;
      if (!bucket.empty() && !is_said && std::find(listed.begin(), listed.end(), bucket) == listed.end())
        found.push_back({place, bucket});
    }
  };
  for (const QueryConfig& query : config.queries) look("query:" + query.name, query.sql);
  for (const JobConfig& job : config.jobs) {
    for (const std::string& word : job.run) look("job:" + job.name, word);
    for (const auto& [name, value] : job.environment) look("job:" + job.name, value);
  }
  return found;
}

std::string shell_quoted(std::string_view text) {
  const bool is_plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_word(c) || std::string_view("@%+=:,./-").find(c) != std::string_view::npos;
  });
  if (is_plain) return std::string(text);
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string enable_command(const std::string& service, const std::string& project) {
  return "gcloud services enable " + service + " --project=" + shell_quoted(project);
}

std::string grant_project_command(const std::string& project, const std::string& member, const std::string& role) {
  return "gcloud projects add-iam-policy-binding " + shell_quoted(project) + " --member=" + shell_quoted(member) +
         " --role=" + role + " --condition=None";
}

std::string grant_dataset_command(const std::string& project, const std::string& dataset, const std::string& member,
                                  const std::string& role) {
  return "bq query --project_id=" + shell_quoted(project) + " --use_legacy_sql=false " +
         shell_quoted("GRANT `" + role + "` ON SCHEMA `" + project + "." + dataset + "` TO \"" + member + "\"");
}

std::string make_dataset_command(const std::string& project, const std::string& dataset, const std::string& location) {
  return "bq mk --dataset --force --location=" + shell_quoted(location) + " " + shell_quoted(project + ":" + dataset);
}

std::string grant_bucket_command(const std::string& bucket, const std::string& member, const std::string& role) {
  return "gcloud storage buckets add-iam-policy-binding " + shell_quoted("gs://" + bucket) +
         " --member=" + shell_quoted(member) + " --role=" + role;
}

std::string make_bucket_command(const std::string& bucket, const std::string& project, const std::string& location) {
  return "gcloud storage buckets create " + shell_quoted("gs://" + bucket) + " --project=" + shell_quoted(project) +
         " --location=" + shell_quoted(location) + " --uniform-bucket-level-access";
}

}  // namespace flytt::app
