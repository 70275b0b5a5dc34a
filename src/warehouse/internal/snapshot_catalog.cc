#include "warehouse/internal/snapshot_catalog.h"

#include <algorithm>

#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

namespace {

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

Result<std::optional<googlesql::CatalogTable>> SnapshotCatalog::find(const std::vector<std::string>& path) {
  using Found = std::optional<googlesql::CatalogTable>;
  const auto resolved = resolve_table(path, options_);
  if (!resolved) return Found();
  std::shared_ptr<TableState> table = directory_.find(*resolved);
  if (!table) {
    missing_.emplace_back(joined(path), *resolved);
    return Found();
  }
  const std::string name = resolved->text();
  std::unique_ptr<Entry>& entry = entries_[name];
  if (!entry) {
    entry = std::make_unique<Entry>();
    entry->version = table->version();
    entry->table = std::move(table);
  }
  googlesql::CatalogTable described;
  described.full_name = name;
  const data::TableSchema& schema = entry->version->info.schema;
  for (std::size_t i = 0; i < schema.fields.size(); ++i)
    described.columns.push_back({schema.fields[i].name, schema.fields[i].type, entry->version->physical[i], false});
  described.relation = [this, raw = entry.get()](const std::vector<int>& columns) { return relation(*raw, columns); };
  return Found(std::move(described));
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
  if (!pin()) return "(SELECT 1)";  // the statement is not run: the caller looks at pin() first
  if (std::find(used_tables_.begin(), used_tables_.end(), entry.table) == used_tables_.end()) {
    used_tables_.push_back(entry.table);
    log_rows_ += entry.before.log_rows;
  }
  std::vector<std::string> names;
  for (const int column : columns) names.push_back(entry.version->physical[static_cast<std::size_t>(column)]);
  return relation_sql(*entry.version, entry.plan, names);
}

std::shared_ptr<TableState> SnapshotCatalog::by_full_name(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->second->table;
}

Error SnapshotCatalog::explain(Error error) const {
  static constexpr std::string_view kNotFound = "Table not found: ";
  if (error.sentence().compare(0, kNotFound.size(), kNotFound) != 0) return error;
  std::string name = error.sentence().substr(kNotFound.size());
  name = name.substr(0, name.find_first_of("; ["));
  name.erase(std::remove(name.begin(), name.end(), '`'), name.end());
  for (const auto& [written, path] : missing_) {
    if (written != name) continue;
    const DatasetPath home{path.project, path.dataset};
    if (!directory_.find(home)) return dataset_not_found_in(home, location_);
    return Error(ErrorCode::kNotFound, "Not found: Table " + path.project + ":" + path.dataset + "." + path.table +
                                           " was not found in location " + location_)
        .cause("notFound");
  }
  return error;
}

}  // namespace flytt::warehouse::internal
