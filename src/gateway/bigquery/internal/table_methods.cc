#include "gateway/bigquery/internal/job_json.h"
#include "gateway/bigquery/internal/query_request.h"
#include "gateway/bigquery/internal/resources.h"
#include "gateway/bigquery/internal/rest_methods.h"
#include "gateway/limits.h"

namespace flytt::gateway::internal {

namespace {

data::TablePath path_of(const RestCall& call) { return {call.target.project, call.target.dataset, call.target.table}; }

// A dataset's defaultTableExpirationMs counts from the creation of a table that says nothing itself.
void add_default_expiration(const warehouse::DatasetInfo& dataset, const base::Clock& clock,
                            warehouse::TableInfo& table) {
  if (table.expiration_micros) return;
  const auto span_ms = optional_int64(parse_kept(dataset.properties), "defaultTableExpirationMs");
  if (!span_ms || !span_ms->has_value() || **span_ms <= 0 || **span_ms > INT64_MAX / 2000) return;
  table.expiration_micros = clock.wall_micros() + **span_ms * 1000;
}

Result<std::vector<std::string>> selected_columns(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const auto comma = list.find(',');
    const std::string_view name = list.substr(0, comma);
    list = comma == list.npos ? std::string_view{} : list.substr(comma + 1);
    if (name.find('.') != name.npos)
      return Error(ErrorCode::kUnsupported, "selectedFields can name only top-level fields in this version.")
          .cause("notImplemented");
    if (!name.empty()) out.emplace_back(name);
  }
  return out;
}

}  // namespace

Result<std::string> TableMethods::show(const warehouse::TableInfo& table, const RestCall& call) const {
  TRY(const warehouse::DatasetInfo dataset, warehouse_.dataset({table.path.project, table.path.dataset}));
  TRY(const warehouse::TableUsage usage, warehouse_.usage(table.path));
  return dump(table_json(table, usage, dataset.location, call.base));
}

Result<std::string> TableMethods::list(const RestCall& call) {
  TRY(const auto tables, warehouse_.tables({call.target.project, call.target.dataset}));
  std::vector<std::string> names;
  for (const warehouse::TableInfo& table : tables) names.push_back(table.path.table);
  TRY(const ListRange range, list_range(call.query, names));
  OrderedJson out;
  out["kind"] = "bigquery#tableList";
  out["etag"] = std::to_string(std::hash<std::string>()(call.target.dataset) ^ names.size());
  if (!range.next_token.empty()) out["nextPageToken"] = range.next_token;
  OrderedJson items = OrderedJson::array();
  for (std::size_t i = range.begin; i < range.end; ++i) items.push_back(table_list_item_json(tables[i]));
  if (!items.empty()) out["tables"] = std::move(items);
  out["totalItems"] = names.size();
  return dump(out);
}

Result<std::string> TableMethods::insert(const RestCall& call) {
  TRY(const Json body, call.body());
  TRY(const warehouse::DatasetInfo dataset, warehouse_.dataset({call.target.project, call.target.dataset}));
  warehouse::TableInfo empty;
  empty.path.project = call.target.project;
  empty.path.dataset = call.target.dataset;
  TRY(warehouse::TableInfo wanted, parse_table(body, empty, WriteMode::kInsert));
  add_default_expiration(dataset, clock_, wanted);
  TRY(const warehouse::TableInfo made, warehouse_.create_table(wanted));
  return show(made, call);
}

Result<std::string> TableMethods::get(const RestCall& call) {
  TRY(const warehouse::TableInfo table, warehouse_.table(path_of(call)));
  return show(table, call);
}

Result<std::string> TableMethods::modify(const RestCall& call, bool is_patch) {
  TRY(const Json body, call.body());
  for (int attempt = 1;; ++attempt) {
    TRY(const warehouse::TableInfo before, warehouse_.table(path_of(call)));
    TRY(const warehouse::TableInfo wanted,
        parse_table(body, before, is_patch ? WriteMode::kPatch : WriteMode::kUpdate));
    warehouse::TableChange change;
    if (!(wanted.schema == before.schema)) change.schema = wanted.schema;
    change.friendly_name = wanted.friendly_name;
    change.description = wanted.description;
    change.labels = wanted.labels;
    change.max_staleness = wanted.max_staleness;
    change.properties = wanted.properties;
    if (wanted.expiration_micros != before.expiration_micros)
      change.expiration_micros = wanted.expiration_micros.value_or(0);
    const auto if_match = call.if_match();
    change.if_etag = if_match.value_or(before.etag);
    auto after = warehouse_.update_table(path_of(call), change);
    if (after) return show(*after, call);
    const bool is_race = !if_match && after.error().cause() == "conditionNotMet" && attempt < kUpdateAttemptsMax;
    if (!is_race) return std::move(after).error();
  }
}

Result<std::string> TableMethods::remove(const RestCall& call) {
  TRY_STATUS(warehouse_.delete_table(path_of(call)));
  return std::string();
}

Result<std::string> TableMethods::insert_data(const RestCall& call) {
  return inserts_.insert(path_of(call), call.http.body);
}

Result<std::string> TableMethods::list_data(const RestCall& call) {
  TableDataRequest request;
  request.table = path_of(call);
  TRY(request.columns, selected_columns(call.query.get("selectedFields")));
  request.page_token = call.query.get("pageToken");
  TRY(const auto start_index, parse_count(call.query, "startIndex"));
  request.start_index = start_index.value_or(0);
  TRY(request.rows_max, parse_count(call.query, "maxResults"));
  TRY(request.timestamps, parse_format_options(call.query));
  TRY(const TableDataPage page, listings_.page(request, call.http.stop));
  OrderedJson out;
  out["kind"] = "bigquery#tableDataList";
  out["etag"] = request.table.table + "-" + std::to_string(page.total_rows);
  out["totalRows"] = std::to_string(page.total_rows);
  if (!page.next_token.empty()) out["pageToken"] = page.next_token;
  std::string text = dump(out);
  if (page.row_count > 0) add_rows(text, page.rows);
  return text;
}

}  // namespace flytt::gateway::internal
