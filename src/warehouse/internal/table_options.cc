#include "warehouse/internal/table_options.h"

#include <cctype>

#include <nlohmann/json.hpp>

#include "data/civil.h"

namespace flytt::warehouse::internal {

namespace {

using Json = nlohmann::json;

Error bad_option(const std::string& name, const std::string& what) {
  return Error(ErrorCode::kUnsupported, "option " + name + ": " + what).cause("notImplemented");
}

// Reads the literals that option values are made of.
class OptionReader {
 public:
  explicit OptionReader(std::string_view text) : rest_(text) {}

  bool symbol(char c) {
    skip();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool word(std::string_view wanted) {
    skip();
    if (rest_.size() < wanted.size()) return false;
    for (std::size_t i = 0; i < wanted.size(); ++i)
      if (std::toupper(static_cast<unsigned char>(rest_[i])) != wanted[i]) return false;
    rest_.remove_prefix(wanted.size());
    return true;
  }
  // '…', "…" or """…""" with the escapes \\ \' \" \n \t; anything rarer is refused.
  bool text(std::string& out) {
    skip();
    if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"')) return false;
    const std::string quote(rest_.size() >= 3 && rest_[1] == rest_[0] && rest_[2] == rest_[0] ? 3 : 1, rest_.front());
    std::string_view at = rest_.substr(quote.size());
    out.clear();
    while (at.substr(0, quote.size()) != quote) {
      if (at.empty()) return false;
      char c = at.front();
      at.remove_prefix(1);
      if (c == '\\') {
        if (at.empty()) return false;
        const char escaped = at.front();
        at.remove_prefix(1);
        if (escaped == 'n')
          c = '\n';
        else if (escaped == 't')
          c = '\t';
        else if (escaped == '\\' || escaped == '\'' || escaped == '"')
          c = escaped;
        else
          return false;
      }
      out += c;
    }
    rest_ = at.substr(quote.size());
    return true;
  }
  bool number(std::int64_t& out) {
    skip();
    std::size_t length = 0;
    while (length < rest_.size() && length < 18 && std::isdigit(static_cast<unsigned char>(rest_[length])) != 0)
      ++length;
    if (length == 0) return false;
    out = std::stoll(std::string(rest_.substr(0, length)));
    rest_.remove_prefix(length);
    return true;
  }
  bool end() {
    skip();
    return rest_.empty();
  }

 private:
  void skip() {
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_.front())) != 0) rest_.remove_prefix(1);
  }
  std::string_view rest_;
};

Result<std::string> text_option(const googlesql::TableOption& option) {
  OptionReader reader(option.text);
  std::string text;
  if (!reader.text(text) || !reader.end()) return bad_option(option.name, "only a string literal is supported");
  return text;
}

Result<std::map<std::string, std::string>> labels_option(const googlesql::TableOption& option) {
  OptionReader reader(option.text);
  std::map<std::string, std::string> labels;
  bool good = reader.symbol('[');
  if (good && reader.symbol(']')) return labels;
  while (good) {
    std::string name, value;
    static_cast<void>(reader.word("STRUCT"));
    good = reader.symbol('(') && reader.text(name) && reader.symbol(',') && reader.text(value) && reader.symbol(')');
    if (good) labels[name] = value;
    if (reader.symbol(']')) break;
    good = good && reader.symbol(',');
  }
  if (!good || !reader.end()) return bad_option(option.name, "write it as [(\"key\", \"value\")]");
  return labels;
}

// INTERVAL 10 MINUTE → "0-0 0 0:10:0", the form in which BigQuery shows max_staleness.
Result<std::string> staleness_option(const googlesql::TableOption& option) {
  OptionReader reader(option.text);
  std::int64_t count = 0;
  data::Interval interval;
  bool good = reader.word("INTERVAL") && reader.number(count);
  if (good && reader.word("SECOND"))
    interval.micros = count * 1'000'000;
  else if (good && reader.word("MINUTE"))
    interval.micros = count * 60'000'000;
  else if (good && reader.word("HOUR"))
    interval.micros = count * 3'600'000'000;
  else if (good && reader.word("DAY"))
    interval.days = static_cast<std::int32_t>(count);
  else
    good = false;
  if (!good || !reader.end()) return bad_option(option.name, "write it as INTERVAL 10 MINUTE");
  return data::format_interval(interval);
}

Result<std::optional<std::int64_t>> expiration_option(const googlesql::TableOption& option) {
  OptionReader reader(option.text);
  std::string text;
  if (!reader.word("TIMESTAMP") || !reader.text(text) || !reader.end())
    return bad_option(option.name, "only a TIMESTAMP literal is supported");
  const auto micros = data::parse_timestamp(text);
  if (!micros) return bad_option(option.name, "the TIMESTAMP is not valid");
  return micros;
}

Status apply_option(const googlesql::TableOption& option, TableInfo& info, Json& properties) {
  if (option.name == "description") {
    TRY(info.description, text_option(option));
  } else if (option.name == "friendly_name") {
    TRY(info.friendly_name, text_option(option));
  } else if (option.name == "labels") {
    TRY(info.labels, labels_option(option));
  } else if (option.name == "max_staleness") {
    TRY(info.max_staleness, staleness_option(option));
  } else if (option.name == "expiration_timestamp") {
    TRY(info.expiration_micros, expiration_option(option));
  } else if (option.name == "require_partition_filter") {
    OptionReader reader(option.text);
    const bool required = reader.word("TRUE");
    if (!required && !reader.word("FALSE")) return bad_option(option.name, "write true or false");
    properties["requirePartitionFilter"] = required;
  } else if (option.name == "partition_expiration_days") {
    OptionReader reader(option.text);
    std::int64_t days = 0;
    if (!reader.number(days) || !reader.end()) return bad_option(option.name, "only whole days are supported");
    properties["timePartitioning"]["expirationMs"] = std::to_string(days * 86'400'000);
  } else {
    return bad_option(option.name, "it is not supported");
  }
  return ok();
}

}  // namespace

Result<TableInfo> describe_table(const googlesql::CreateTable& statement, const data::TablePath& path) {
  TableInfo info;
  info.path = path;
  info.schema = statement.schema;
  Json properties = Json::object();
  if (!statement.clustering.empty()) properties["clustering"] = {{"fields", statement.clustering}};
  if (statement.partition_unit == "RANGE") {
    properties["rangePartitioning"] = {{"field", statement.partition_column},
                                       {"range",
                                        {{"start", std::to_string(statement.range_start)},
                                         {"end", std::to_string(statement.range_end)},
                                         {"interval", std::to_string(statement.range_step)}}}};
  } else if (!statement.partition_column.empty() || !statement.partition_unit.empty()) {
    properties["timePartitioning"]["type"] = statement.partition_unit;
    const bool by_ingestion =
        statement.partition_column == "_PARTITIONDATE" || statement.partition_column == "_PARTITIONTIME";
    if (by_ingestion)
      return Error(ErrorCode::kUnsupported, "tables partitioned by ingestion time are not supported")
          .cause("notImplemented");
    properties["timePartitioning"]["field"] = statement.partition_column;
  }
  for (const googlesql::TableOption& option : statement.options) TRY_STATUS(apply_option(option, info, properties));
  if (!properties.empty()) info.properties = properties.dump();
  return info;
}

Result<DatasetInfo> describe_dataset(const googlesql::CreateSchema& statement, const DatasetPath& path) {
  DatasetInfo info;
  info.path = path;
  for (const googlesql::TableOption& option : statement.options) {
    if (option.name == "description") {
      TRY(info.description, text_option(option));
    } else if (option.name == "friendly_name") {
      TRY(info.friendly_name, text_option(option));
    } else if (option.name == "location") {
      TRY(info.location, text_option(option));
    } else if (option.name == "labels") {
      TRY(info.labels, labels_option(option));
    } else {
      return bad_option(option.name, "it is not supported");
    }
  }
  return info;
}

DatasetPath resolve_dataset(const std::vector<std::string>& path, const QueryOptions& options) {
  std::vector<std::string> segments;
  for (const std::string& part : path) {
    const auto dot = part.find('.');
    segments.push_back(part.substr(0, dot));
    if (dot != part.npos) segments.push_back(part.substr(dot + 1));
  }
  if (segments.size() == 1) return {options.project, segments[0]};
  return {segments[0], segments[1]};
}

}  // namespace flytt::warehouse::internal
