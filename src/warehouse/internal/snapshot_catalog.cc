#include "warehouse/internal/snapshot_catalog.h"

#include <algorithm>

#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

namespace {

// Stands for a relation of a statement that is not run: whoever runs it looks at pin() first.
constexpr const char* kNothing = "(SELECT 1)";

// What a value counts in BigQuery ("Data type sizes"); texts and arrays are not measured: as if they were short.
std::int64_t logical_bytes(const data::Type& type) {
  using data::TypeKind;
  switch (type.kind) {
    case TypeKind::kBool: return 1;
    case TypeKind::kInt64:
    case TypeKind::kFloat64:
    case TypeKind::kDate:
    case TypeKind::kTime:
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp: return 8;
    case TypeKind::kNumeric:
    case TypeKind::kInterval:
    case TypeKind::kRange: return 16;
    case TypeKind::kBigNumeric: return 32;
    case TypeKind::kArray: return 2 * logical_bytes(type.element.front());
    case TypeKind::kStruct: {
      std::int64_t bytes = 0;
      for (const data::StructField& field : type.fields) bytes += logical_bytes(field.type);
      return bytes;
    }
    default: return 2 + kTextBytesGuess;
  }
}

std::vector<std::string> segments_of(const std::vector<std::string>& path) {
  std::vector<std::string> segments;
  for (const std::string& part : path) {
    std::size_t begin = 0;
    while (true) {
      const auto dot = part.find('.', begin);
      segments.push_back(part.substr(begin, dot == part.npos ? part.npos : dot - begin));
      if (dot == part.npos) break;
      begin = dot + 1;
    }
  }
  return segments;
}

std::string joined(const std::vector<std::string>& path) {
  std::string text;
  for (const std::string& part : path) text += (text.empty() ? "" : ".") + part;
  return text;
}

}  // namespace

std::optional<data::TablePath> resolve_table(const std::vector<std::string>& path, const QueryOptions& options) {
  const std::vector<std::string> segments = segments_of(path);
  switch (segments.size()) {
    case 1:
      if (!options.default_dataset) return std::nullopt;
      return data::TablePath{
          options.default_dataset->project.empty() ? options.project : options.default_dataset->project,
          options.default_dataset->dataset, segments[0]};
    case 2: return data::TablePath{options.project, segments[0], segments[1]};
    case 3: return data::TablePath{segments[0], segments[1], segments[2]};
    default: return std::nullopt;
  }
}

SnapshotCatalog::Entry& SnapshotCatalog::entry_of(const std::shared_ptr<TableState>& table) {
  const auto version = table->version();
  std::unique_ptr<Entry>& entry = entries_[version->info.path.text()];
  if (!entry) {
    entry = std::make_unique<Entry>();
    entry->version = version;
    entry->table = table;
  }
  return *entry;
}

Result<std::optional<googlesql::CatalogTable>> SnapshotCatalog::find(const std::vector<std::string>& path) {
  TRY(const auto information, information_name(segments_of(path), options_.project));
  if (information) return find_information(path, *information);
  const auto resolved = resolve_table(path, options_);
  if (!resolved) return Found();
  if (is_wildcard(resolved->table)) return find_wildcard(path, *resolved);
  const std::shared_ptr<TableState> table = directory_.find(*resolved);
  if (!table) {
    missing_.emplace_back(joined(path), *resolved);
    return Found();
  }
  Entry& entry = entry_of(table);
  googlesql::CatalogTable described;
  described.full_name = resolved->text();
  const data::TableSchema& schema = entry.version->info.schema;
  for (std::size_t i = 0; i < schema.fields.size(); ++i)
    described.columns.push_back({schema.fields[i].name, schema.fields[i].type, entry.version->physical[i], false});
  described.relation = [this, raw = &entry](const std::vector<int>& columns) { return relation(*raw, columns); };
  described.rewritten = entry.version->base();
  return Found(std::move(described));
}

Result<std::optional<googlesql::CatalogTable>> SnapshotCatalog::find_information(const std::vector<std::string>& path,
                                                                                 const InformationName& name) {
  auto members = describe(directory_, name);
  if (!members) {
    missing_.emplace_back(joined(path), data::TablePath{name.project, name.dataset, "INFORMATION_SCHEMA." + name.view});
    return Found();
  }
  googlesql::CatalogTable described;
  described.full_name = name.project + "." + (name.dataset.empty() ? "region-" + name.region : name.dataset) +
                        ".INFORMATION_SCHEMA." + name.view;
  described.columns = information_columns(name.view);
  std::unique_ptr<Derived>& derived = derived_[described.full_name];
  if (!derived) {
    derived = std::make_unique<Derived>();
    derived->members = std::move(*members);
    derived->now = [this, name] { return describe(directory_, name); };
  }
  if (is_partitions(name.view)) {
    if (derived->members.tables.size() > kPartitionsTablesMax)
      return Error(ErrorCode::kBadData,
                   "INFORMATION_SCHEMA.PARTITIONS query attempted to read too many tables. Please add more restrictive "
                   "filters.")
          .cause("invalidQuery");
    if (derived->entries.empty())
      for (const auto& table : derived->members.tables) derived->entries.push_back(&entry_of(table));
    described.relation = [this, raw = derived.get()](const std::vector<int>& columns) {
      return partitions(*raw, columns);
    };
  } else {
    described.relation = [this, raw = derived.get(), view = name.view](const std::vector<int>& columns) {
      return pin() ? information_sql(view, raw->members, columns) : std::string(kNothing);
    };
  }
  return Found(std::move(described));
}

Result<std::optional<googlesql::CatalogTable>> SnapshotCatalog::find_wildcard(const std::vector<std::string>& path,
                                                                              const data::TablePath& name) {
  const auto members = [this, name]() -> std::optional<Described> {
    Described out;
    const std::string_view prefix = std::string_view(name.table).substr(0, name.table.size() - 1);
    for (auto& table : directory_.tables({name.project, name.dataset})) {
      auto version = table->version();
      if (std::string_view(version->info.path.table).substr(0, prefix.size()) != prefix) continue;
      out.versions.push_back(std::move(version));
      out.tables.push_back(std::move(table));
    }
    return out;
  };
  if (!directory_.find(DatasetPath{name.project, name.dataset})) {
    missing_.emplace_back(joined(path), name);
    return Found();
  }
  std::unique_ptr<Derived>& derived = derived_[name.text()];
  if (!derived) {
    derived = std::make_unique<Derived>();
    derived->members = *members();
    derived->now = members;
    for (const auto& table : derived->members.tables) derived->entries.push_back(&entry_of(table));
  }
  if (derived->entries.empty())
    return Error(ErrorCode::kBadData,
                 name.project + ":" + name.dataset + "." + name.table + " does not match any table.")
        .cause("invalidQuery");
  googlesql::CatalogTable described;
  described.full_name = name.text();
  described.columns = wildcard_columns(derived->members.versions);
  for (const auto& version : derived->members.versions) described.members.push_back(version->info.path.text());
  described.relation = [this, raw = derived.get(), table = name.table](const std::vector<int>& columns) {
    if (!pin()) return std::string(kNothing);
    return settled(wildcard_sql(table, raw->members.versions, columns,
                                [&](std::size_t index, const std::vector<std::string>& physical) {
                                  return relation(*raw->entries[index], physical);
                                }));
  };
  return Found(std::move(described));
}

SnapshotCatalog::~SnapshotCatalog() {
  for (const std::string& table : spooled_) static_cast<void>(connection_.run("DROP TABLE IF EXISTS " + table));
}

Result<googlesql::CatalogTable> SnapshotCatalog::external(const googlesql::ExternalCall& call) {
  if (external_.queries == nullptr)
    return Error(ErrorCode::kUnsupported,
                 "EXTERNAL_QUERY needs the connections of a configuration; this warehouse was opened without one")
        .cause("notImplemented");
  if (!session_) session_ = external_.queries->begin(options_.project);
  TRY(std::shared_ptr<ExternalRows> rows, session_->describe(call, options_.deadline));
  googlesql::CatalogTable described;
  const std::vector<data::Field>& fields = rows->columns();
  for (std::size_t i = 0; i < fields.size(); ++i)
    described.columns.push_back({fields[i].name, fields[i].type, external_column(static_cast<int>(i)), false});
  described.relation = [this, rows](const std::vector<int>& columns) { return external_relation(rows, columns); };
  return described;
}

std::string SnapshotCatalog::external_relation(const std::shared_ptr<ExternalRows>& rows,
                                               const std::vector<int>& columns) {
  if (!pin()) return kNothing;
  auto scan = std::make_shared<ExternalScan>();
  scan->rows = rows;
  scan->columns = columns.empty() ? std::vector<int>{0} : columns;
  std::sort(scan->columns.begin(), scan->columns.end());
  scan->columns.erase(std::unique(scan->columns.begin(), scan->columns.end()), scan->columns.end());
  scan->deadline = options_.deadline;
  scan->cancel = options_.cancel;
  uses_.push_back(external_.scans.begin(std::move(scan)));
  const std::string id = std::to_string(uses_.back().id());
  const std::string function = "flytt_external(" + id + ")";
  if (use_ == Use::kRead) return function;
  // The writer thread waits for nobody: the rows are fetched before its turn comes.
  const std::string table = std::string(kSpool) + ".x" + id;
  spooled_.push_back(table);
  if (Status fetched = connection_.run("CREATE TABLE " + table + " AS SELECT * FROM " + function); !fetched) {
    pin_status_ = std::move(fetched);
    return kNothing;
  }
  return table;
}

Status SnapshotCatalog::pin() {
  if (pinned_) return pin_status_;
  pinned_ = true;
  pin_status_ = [&]() -> Status {
    for (auto& [name, entry] : entries_) {
      if (entry->table->read_state().has_unverified()) TRY_STATUS(verify_(*entry->table));
      entry->before = entry->table->read_state();
    }
    if (use_ == Use::kRead) TRY_STATUS(take_snapshot());
    for (auto& [name, entry] : entries_) entry->plan = choose(*entry, entry->table->read_state());
    stale_ = stale_ || has_moved();
    return ok();
  }();
  return pin_status_;
}

Status SnapshotCatalog::take_snapshot() {
  TRY_STATUS(connection_.run("BEGIN"));
  // The first look at the file takes the snapshot. No table has the id 0.
  std::string ids = "0";
  for (const auto& [name, entry] : entries_) ids += ", " + std::to_string(entry->table->id);
  TRY(const auto there, connection_.number("SELECT count(*) FROM flytt.tables WHERE id IN (" + ids + ")"));
  stale_ = there.value_or(0) != static_cast<std::int64_t>(entries_.size());
  return ok();
}

bool SnapshotCatalog::has_moved() const {
  for (const auto& [name, derived] : derived_) {
    const auto now = derived->now();
    if (!now || !derived->members.same(*now)) return true;
  }
  return std::any_of(entries_.begin(), entries_.end(), [](const auto& each) {
    const Entry& entry = *each.second;
    return entry.table->read_state().dropped || entry.table->version() != entry.version;
  });
}

ReadPlan SnapshotCatalog::choose(const Entry& entry, const ReadState& after) const {
  const ReadState& before = entry.before;
  ReadPlan plan;
  plan.is_log_large = after.log_bytes >= kLogLargeBytes && after.log_bytes >= after.log_rows * kLogLargeRowBytes;
  const bool same = before.epoch == after.epoch && use_ == Use::kRead;
  if (same && !after.has_changes)
    plan.shape = ReadShape::kBase;
  else
    plan.shape = same && after.log_wins ? ReadShape::kLogWins : ReadShape::kRanked;
  if (!entry.version->is_mirror()) plan.shape = ReadShape::kBase;
  // Direct rows up to before.verified_ing are distinct in the snapshot; others may have been committed into it since.
  if (after.load_sequence && (after.direct_ing > before.verified_ing || use_ == Use::kWrite)) {
    plan.unverified_sequence = after.load_sequence;
    plan.verified_ing = before.verified_ing;
  }
  return plan;
}

std::string SnapshotCatalog::relation(Entry& entry, const std::vector<int>& columns) {
  std::vector<std::string> names;
  for (const int column : columns) names.push_back(entry.version->physical[static_cast<std::size_t>(column)]);
  return relation(entry, names);
}

std::string SnapshotCatalog::relation(Entry& entry, const std::vector<std::string>& physical) {
  if (!pin()) return kNothing;
  if (std::find(used_tables_.begin(), used_tables_.end(), entry.table) == used_tables_.end()) {
    used_tables_.push_back(entry.table);
    log_rows_ += entry.before.log_rows;
  }
  entry.columns_read.insert(physical.begin(), physical.end());
  return relation_sql(*entry.version, entry.plan, physical);
}

std::string SnapshotCatalog::partitions(const Derived& derived, const std::vector<int>& columns) {
  if (!pin()) return kNothing;
  if (derived.entries.empty()) return no_partitions_sql(columns);
  std::string out;
  for (Entry* entry : derived.entries) {
    const std::string one = settled(partitions_sql(*entry->version, columns, [&](const std::string& column) {
      return relation(*entry, column.empty() ? std::vector<std::string>() : std::vector<std::string>{column});
    }));
    out += (out.empty() ? "(" : " UNION ALL ") + one;
  }
  return out + ")";
}

std::string SnapshotCatalog::settled(Result<std::string> sql) {
  if (sql) return std::move(*sql);
  if (pin_status_) pin_status_ = std::move(sql).error();
  return kNothing;
}

std::shared_ptr<TableState> SnapshotCatalog::by_full_name(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->second->table;
}

std::int64_t SnapshotCatalog::bytes_read() const {
  std::int64_t bytes = 0;
  for (const auto& [name, entry] : entries_) {
    std::int64_t row = 0;
    for (std::size_t i = 0; i < entry->version->physical.size(); ++i)
      if (entry->columns_read.contains(entry->version->physical[i]))
        row += logical_bytes(entry->version->info.schema.fields[i].type);
    bytes += row * (entry->table->base_rows() + entry->before.log_rows);
  }
  return bytes;
}

// Whole MiB, and at least 10 of each table ("BigQuery pricing", on-demand compute).
std::int64_t SnapshotCatalog::bytes_billed() const {
  const std::int64_t read = bytes_read();
  if (read == 0) return 0;
  const auto tables = static_cast<std::int64_t>(std::count_if(
      entries_.begin(), entries_.end(), [](const auto& each) { return !each.second->columns_read.empty(); }));
  return std::max((read + kMebibyte - 1) / kMebibyte * kMebibyte, tables * kBytesBilledMin);
}

Error SnapshotCatalog::explain(Error error) const {
  static constexpr std::string_view kNotFound = "Table not found: ";
  if (error.sentence().compare(0, kNotFound.size(), kNotFound) != 0) return error;
  std::string rest = error.sentence().substr(kNotFound.size());
  rest.erase(std::remove(rest.begin(), rest.end(), '`'), rest.end());
  for (const auto& [written, path] : missing_) {
    if (rest.compare(0, written.size(), written) != 0) continue;
    if (rest.size() > written.size() && std::string_view("; [").find(rest[written.size()]) == std::string_view::npos)
      continue;
    const DatasetPath home{path.project, path.dataset};
    if (path.project != options_.project && directory_.datasets(path.project).empty()) return no_access_to(path);
    if (const Status legal = check_dataset_id(path.dataset); !legal) return legal.error();
    if (!directory_.find(home)) return dataset_not_found_in(home, location_);
    return Error(ErrorCode::kNotFound, "Not found: Table " + path.project + ":" + path.dataset + "." + path.table +
                                           " was not found in location " + location_)
        .cause("notFound");
  }
  return error;
}

}  // namespace flytt::warehouse::internal
