#include "gateway/bigquery/internal/insert_rows.h"

#include <algorithm>
#include <cctype>
#include <unordered_map>

#include "gateway/bigquery/internal/insert_value.h"
#include "gateway/limits.h"

namespace flytt::gateway::internal {

namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// What the request says beside its rows.
struct Request {
  const Json* rows = nullptr;
  ValueRules rules;
  bool skip_invalid_rows = false;
};

Result<Request> read_request(const Json& body, std::int64_t now_micros) {
  Request out;
  TRY(const auto suffix, optional_string(body, "templateSuffix"));
  if (suffix && !suffix->empty())
    return Error(ErrorCode::kUnsupported,
                 "Not implemented: templateSuffix is not in this version. Create the table and name it in the path.")
        .cause("notImplemented");
  TRY(const auto skip, optional_bool(body, "skipInvalidRows"));
  TRY(const auto ignore, optional_bool(body, "ignoreUnknownValues"));
  out.skip_invalid_rows = skip.value_or(false);
  out.rules = {ignore.value_or(false), now_micros};
  TRY(out.rows, optional_array(body, "rows"));
  if (out.rows == nullptr || out.rows->empty()) return invalid("No rows present in the request.");
  if (out.rows->size() > kInsertRowsMax)
    return invalid("too many rows present in the request, limit: " + std::to_string(kInsertRowsMax) +
                   " row count: " + std::to_string(out.rows->size()) + ".");
  return out;
}

class RowReader {
 public:
  RowReader(const data::TableSchema& schema, const ValueRules& rules) : schema_(schema), rules_(rules) {
    for (std::size_t i = 0; i < schema.fields.size(); ++i) places_.emplace(lower(schema.fields[i].name), i);
    members_.resize(schema.fields.size());
  }

  // Appends a row, or tells of its faults and appends nothing.
  bool read(const Json& row, std::int64_t number, InsertRows& out) {
    faults_.clear();
    std::string insert_id;
    if (!find_members(row, insert_id)) return refuse(number, out);
    static const Json null;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const data::Field& field = schema_.fields[i];
      const Json& value = members_[i] != nullptr ? *members_[i] : null;
      if (field.required && value.is_null())
        faults_.push_back({field.name, "Missing required field: " + field.name + "."});
      append_value(field.type, value, rules_, field.name, out.slice.columns[i], faults_);
    }
    if (!faults_.empty()) {
      for (data::Column& column : out.slice.columns) column.pop_back();
      return refuse(number, out);
    }
    out.rows.push_back(number);
    out.insert_ids.push_back(std::move(insert_id));
    return true;
  }

 private:
  bool find_members(const Json& row, std::string& insert_id) {
    const Json* json = member(row, "json");
    const Json* id = member(row, "insertId");
    if (id != nullptr && id->is_string()) insert_id = id->get_ref<const std::string&>();
    if (id != nullptr && (!id->is_string() || insert_id.size() > kInsertIdBytesMax))
      faults_.push_back(
          {"insertId", "insertId must be a text of at most " + std::to_string(kInsertIdBytesMax) + " bytes."});
    if (json == nullptr || !json->is_object()) {
      faults_.push_back({"", "The row has no object named json."});
      return false;
    }
    std::fill(members_.begin(), members_.end(), nullptr);
    for (const auto& [name, value] : json->items()) {
      const auto place = places_.find(lower(name));
      if (place != places_.end())
        members_[place->second] = &value;
      else if (!rules_.ignore_unknown_values)
        faults_.push_back({name, "no such field: " + name + "."});
    }
    return true;
  }

  bool refuse(std::int64_t number, InsertRows& out) {
    for (ValueFault& fault : faults_)
      out.faults.push_back({number, "invalid", std::move(fault.location), std::move(fault.message)});
    return false;
  }

  const data::TableSchema& schema_;
  const ValueRules rules_;
  std::unordered_map<std::string, std::size_t> places_;
  std::vector<const Json*> members_;  // by column, of the row being read
  std::vector<ValueFault> faults_;
};

}  // namespace

Result<InsertRows> parse_insert_rows(std::string_view body, std::shared_ptr<const data::SliceSchema> schema,
                                     std::int64_t now_micros) {
  if (body.size() > kInsertBytesMax)
    return invalid("Request payload size exceeds the limit: " + std::to_string(kInsertBytesMax) + " bytes.");
  TRY(const Json json, parse_body(body));
  TRY(const Request request, read_request(json, now_micros));
  InsertRows out(std::move(schema));
  out.skip_invalid_rows = request.skip_invalid_rows;
  out.row_count = static_cast<std::int64_t>(request.rows->size());
  RowReader reader(out.slice.schema->table, request.rules);
  std::int64_t number = 0;
  for (const Json& row : *request.rows) reader.read(row, number++, out);
  return out;
}

std::string insert_response(std::vector<InsertFault> faults, std::int64_t row_count, bool skip_invalid_rows) {
  OrderedJson out;
  out["kind"] = "bigquery#tableDataInsertAllResponse";
  if (faults.empty()) return dump(out);
  OrderedJson errors = OrderedJson::array();
  const auto add = [&](std::int64_t row, OrderedJson list) {
    errors.push_back(OrderedJson{{"index", row}, {"errors", std::move(list)}});
  };
  const auto told = [](const std::string& reason, const std::string& location, const std::string& message) {
    return OrderedJson{{"reason", reason}, {"location", location}, {"debugInfo", ""}, {"message", message}};
  };
  std::size_t next = 0;
  for (std::int64_t row = 0; row < row_count; ++row) {
    OrderedJson list = OrderedJson::array();
    for (; next < faults.size() && faults[next].row == row; ++next)
      list.push_back(told(faults[next].reason, faults[next].location, faults[next].message));
    if (list.empty() && !skip_invalid_rows) list.push_back(told("stopped", "", ""));
    if (!list.empty()) add(row, std::move(list));
  }
  out["insertErrors"] = std::move(errors);
  return dump(out);
}

}  // namespace flytt::gateway::internal
