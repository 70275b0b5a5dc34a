#include "warehouse/internal/information_schema.h"

#include <strings.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "googlesql/physical_type.h"
#include "warehouse/internal/definition_text.h"
#include "warehouse/internal/information_rows.h"

namespace flytt::warehouse::internal {

namespace {

using data::Type;
using data::TypeKind;
using Json = nlohmann::json;

constexpr std::string_view kRegion = "region-";

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

bool is_region(const std::string& segment) {
  return segment.size() > kRegion.size() && strncasecmp(segment.c_str(), kRegion.data(), kRegion.size()) == 0;
}

Error not_here(const std::string& what) {
  return Error(ErrorCode::kUnsupported, what + " is not supported in this version of the embedded warehouse.")
      .cause("notImplemented");
}

Type type_of(InformationColumn::Type type) {
  switch (type) {
    case InformationColumn::Type::kString: return TypeKind::kString;
    case InformationColumn::Type::kInt64: return TypeKind::kInt64;
    case InformationColumn::Type::kTimestamp: return TypeKind::kTimestamp;
    case InformationColumn::Type::kStrings: return Type::array(TypeKind::kString);
    case InformationColumn::Type::kJson: return TypeKind::kJson;
  }
  return TypeKind::kString;
}

std::string column_name(int index) { return "c" + std::to_string(index); }

// How a column lies in the JSON text that carries the rows, and how it comes out of there.
const char* carried_type(InformationColumn::Type type) {
  switch (type) {
    case InformationColumn::Type::kInt64:
    case InformationColumn::Type::kTimestamp: return "BIGINT";
    case InformationColumn::Type::kStrings: return "VARCHAR[]";
    default: return "VARCHAR";
  }
}
std::string read_back(InformationColumn::Type type, const std::string& name) {
  return type == InformationColumn::Type::kTimestamp ? "make_timestamp(r." + name + ")" : "r." + name;
}

const char* id_format(const std::string& unit) {
  if (unit == "HOUR") return "%Y%m%d%H";
  if (unit == "MONTH") return "%Y%m";
  return unit == "YEAR" ? "%Y" : "%Y%m%d";
}

// The partition's id of a row, from the partitioning column `c`.
std::string partition_id(const Partitioning& by, const std::string& c) {
  const std::string null = "CASE WHEN " + c + " IS NULL THEN '__NULL__' ";
  if (by.kind == Partitioning::Kind::kTime) return null + "ELSE strftime(" + c + ", '" + id_format(by.unit) + "') END";
  const std::string start = std::to_string(by.start) + "::BIGINT";
  return null + "WHEN " + c + " < " + start + " OR " + c + " >= " + std::to_string(by.end) +
         "::BIGINT THEN '__UNPARTITIONED__' ELSE (" + c + " - (" + c + " - " + start + ") % " +
         std::to_string(by.step) + "::BIGINT)::VARCHAR END";
}

}  // namespace

Result<std::optional<InformationName>> information_name(const std::vector<std::string>& segments,
                                                        const std::string& project) {
  const auto found = std::find_if(segments.begin(), segments.end(), [](const std::string& s) {
    return strcasecmp(s.c_str(), "INFORMATION_SCHEMA") == 0;
  });
  if (found == segments.end() || found + 1 == segments.end()) return std::optional<InformationName>();
  InformationName name;
  name.project = project;
  std::string view;
  for (auto at = found + 1; at != segments.end(); ++at) view += (view.empty() ? "" : ".") + *at;
  name.view = upper(view);
  const InformationView* known = find_view(name.view);
  if (known == nullptr) return not_here("INFORMATION_SCHEMA." + name.view);
  std::vector<std::string> before(segments.begin(), found);
  if (!before.empty() && is_region(before.back())) {
    name.region = before.back().substr(kRegion.size());
    before.pop_back();
  } else if (!before.empty() && !(known->is_of_project && before.size() == 1)) {
    name.dataset = before.back();
    before.pop_back();
  }
  if (before.size() > 1) return std::optional<InformationName>();
  if (!before.empty()) name.project = before.front();
  if (known->is_of_project && !name.dataset.empty())
    return Error(ErrorCode::kBadData, "INFORMATION_SCHEMA." + name.view +
                                          " is about a project: ask for it with a region, `region-us`." +
                                          "INFORMATION_SCHEMA." + name.view + ", not with a dataset")
        .cause("invalidQuery");
  if (!known->is_of_project && name.dataset.empty() && name.region.empty())
    return Error(ErrorCode::kBadData, "INFORMATION_SCHEMA." + name.view +
                                          " must be qualified with a dataset or a region (e.g. dataset." +
                                          "INFORMATION_SCHEMA." + name.view + ")")
        .cause("invalidQuery");
  return std::optional<InformationName>(std::move(name));
}

bool Described::same(const Described& other) const {
  const auto same_dataset = [](const DatasetInfo& a, const DatasetInfo& b) {
    return a.path == b.path && a.etag == b.etag;
  };
  return versions == other.versions &&
         std::equal(datasets.begin(), datasets.end(), other.datasets.begin(), other.datasets.end(), same_dataset);
}

std::optional<Described> describe(const Directory& directory, const InformationName& name) {
  Described out;
  if (!name.dataset.empty()) {
    auto dataset = directory.find(DatasetPath{name.project, name.dataset});
    if (!dataset) return std::nullopt;
    out.datasets.push_back(std::move(*dataset));
  } else {
    for (DatasetInfo& dataset : directory.datasets(name.project))
      if (name.region.empty() || strcasecmp(name.region.c_str(), dataset.location.c_str()) == 0)
        out.datasets.push_back(std::move(dataset));
  }
  if (find_view(name.view)->is_of_project) return out;
  for (const DatasetInfo& dataset : out.datasets) {
    for (auto& table : directory.tables(dataset.path)) {
      out.versions.push_back(table->version());
      out.tables.push_back(std::move(table));
    }
  }
  return out;
}

std::vector<googlesql::CatalogColumn> information_columns(const std::string& view) {
  std::vector<googlesql::CatalogColumn> out;
  for (const InformationColumn& column : find_view(view)->columns)
    out.push_back({column.name, type_of(column.type), column_name(static_cast<int>(out.size())), false});
  return out;
}

bool is_partitions(const std::string& view) { return view == "PARTITIONS"; }

// One JSON text carries all rows: DuckDB reads it ten times faster than VALUES lists (100,000 rows: 0.6 s, 6.5 s).
std::string information_sql(const std::string& view, const Described& described, const std::vector<int>& columns) {
  const InformationView& known = *find_view(view);
  InformationRows rows;
  if (known.dataset_rows != nullptr)
    for (const DatasetInfo& dataset : described.datasets) known.dataset_rows(dataset, rows);
  if (known.table_rows != nullptr)
    for (const auto& version : described.versions) known.table_rows(version->info, described, rows);
  Json carried = Json::array();
  for (InformationRow& row : rows) {
    Json object = Json::object();
    for (const int column : columns) object[column_name(column)] = std::move(row[static_cast<std::size_t>(column)]);
    if (columns.empty()) object["row"] = 1;
    carried.push_back(std::move(object));
  }
  Json types = Json::object();
  std::string items;
  for (const int column : columns) {
    const InformationColumn::Type type = known.columns[static_cast<std::size_t>(column)].type;
    const std::string name = column_name(column);
    types[name] = carried_type(type);
    items += (items.empty() ? "" : ", ") + read_back(type, name) + " AS " + name;
  }
  if (columns.empty()) types["row"] = "BIGINT";
  const std::string text = carried.dump(-1, ' ', false, Json::error_handler_t::replace);
  return "(SELECT " + (items.empty() ? "1 AS one" : items) + " FROM (SELECT unnest(from_json(" +
         googlesql::quote_text(text) + ", " + googlesql::quote_text("[" + types.dump() + "]") + ")) AS r) AS rows)";
}

Result<std::string> partitions_sql(const TableVersion& version, const std::vector<int>& columns,
                                   const std::function<std::string(const std::string& column)>& relation) {
  const InformationView& known = *find_view("PARTITIONS");
  const Partitioning by = partitioning_of(version.info);
  std::string physical;
  if (by.kind != Partitioning::Kind::kNone) {
    const auto index = version.info.schema.find(by.field);
    if (!index)
      return not_here("INFORMATION_SCHEMA.PARTITIONS over the table " + version.info.path.text() +
                      ", which is partitioned by ingestion time,");
    if (by.kind == Partitioning::Kind::kRange && by.step <= 0)
      return not_here("INFORMATION_SCHEMA.PARTITIONS over the table " + version.info.path.text() +
                      " without an interval");
    physical = version.physical[*index];
  }
  std::string items;
  for (const int column : columns) {
    const std::string name = known.columns[static_cast<std::size_t>(column)].name;
    std::string value;
    if (name == "table_catalog") value = googlesql::quote_text(version.info.path.project);
    if (name == "table_schema") value = googlesql::quote_text(version.info.path.dataset);
    if (name == "table_name") value = googlesql::quote_text(version.info.path.table);
    if (name == "partition_id") value = physical.empty() ? "NULL::VARCHAR" : "id";
    if (name == "total_rows") value = "count(*)";
    if (name == "storage_tier") value = "'ACTIVE'";
    if (value.empty()) return not_here("The column INFORMATION_SCHEMA.PARTITIONS." + name);
    items += (items.empty() ? "" : ", ") + value + " AS " + column_name(column);
  }
  items += (items.empty() ? "" : ", ") + std::string("count(*) AS counted");  // one row, whatever is asked for
  if (physical.empty()) return "SELECT " + items + " FROM " + relation("") + " AS t";
  return "SELECT " + items + " FROM (SELECT " + partition_id(by, "t." + physical) + " AS id FROM " +
         relation(physical) + " AS t) AS t GROUP BY id";
}

std::string no_partitions_sql(const std::vector<int>& columns) {
  return information_sql("PARTITIONS", Described(), columns);
}

}  // namespace flytt::warehouse::internal
