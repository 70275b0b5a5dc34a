#include "pipeline/internal/table_lifecycle.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "pipeline/internal/advice.h"
#include "pipeline/internal/schema_diff.h"

namespace flytt::pipeline::internal {

using state::TablePhase;
using state::TableRecord;

namespace {

data::TablePath path_of(const TableRecord& record) { return {record.project, record.dataset, record.table}; }

// Detached only because the source's listing refused it.
bool was_refused(const TableRecord& record) { return record.phase == TablePhase::kDetached && record.is_refused; }

// Nothing is known of the membership that a text without one had; taking it for the present one spares a needless copy.
bool is_same_source(const std::string& saved, const std::string& now) {
  if (saved == now) return true;
  return !saved.empty() && saved.find('/') == saved.npos && now.compare(0, saved.size() + 1, saved + "/") == 0;
}

const OriginTable* find_listed(const OriginTables& listed, const std::string& name) {
  const auto found = std::find_if(listed.begin(), listed.end(),
                                  [&](const OriginTable& table) { return table.schema->source_table == name; });
  return found == listed.end() ? nullptr : &*found;
}

}  // namespace

TableRecord TableLifecycle::to_replace(TableRecord record) const {
  record.phase = TablePhase::kReplacing;
  record.reason.clear();
  record.is_refused = false;
  record.detached_at.clear();
  record.copy_point.clear();
  record.copy_point_micros = 0;
  record.copy_plan.clear();
  return record;
}

bool TableLifecycle::is_news(const OriginTables& listed) const {
  for (const OriginTable& table : listed) {
    const auto record = book_.find(table.schema->source_table);
    if (!record || record->phase == TablePhase::kAbsent) return true;
    const bool is_writing = record->phase == TablePhase::kCopying || record->phase == TablePhase::kStreaming;
    if (is_writing && (!table.refusal.empty() || !is_same_source(record->source_identity, table.identity))) return true;
    if (table.refusal.empty() && was_refused(*record)) return true;
  }
  for (const TableRecord& record : book_.records())
    if (record.phase != TablePhase::kAbsent && find_listed(listed, record.source_table) == nullptr) return true;
  return false;
}

Status TableLifecycle::detach(TableRecord record, std::string reason, bool is_refused) {
  if (record.phase == TablePhase::kDetached && record.reason == reason && record.is_refused == is_refused) return ok();
  base::log_error("table detached", {{"stream", book_.stream()}, {"table", record.source_table}, {"reason", reason}});
  record.phase = TablePhase::kDetached;
  record.detached_at = std::max(parse_sequence(record.detached_at), book_.seen()).sections();
  record.reason = std::move(reason);
  record.is_refused = is_refused;
  return book_.save(std::move(record));
}

Status TableLifecycle::note_listing(const OriginTables& listed) {
  for (const OriginTable& table : listed) TRY_STATUS(note_table(table));
  for (TableRecord& record : book_.records()) {
    if (record.phase == TablePhase::kAbsent || find_listed(listed, record.source_table) != nullptr) continue;
    base::log_warning("table is no longer in the stream", {{"stream", book_.stream()}, {"table", record.source_table}});
    record.phase = TablePhase::kAbsent;
    record.detached_at = std::max(parse_sequence(record.detached_at), book_.seen()).sections();
    record.reason = "table " + record.source_table +
                    " is not in the publication, or not in `tables` of the configuration, any more; its destination "
                    "table stays as it is";
    TRY_STATUS(book_.save(std::move(record)));
  }
  return ok();
}

Status TableLifecycle::note_table(const OriginTable& table) {
  const data::TablePath& path = table.schema->destination;
  TableRecord record = book_.find(table.schema->source_table).value_or(TableRecord{});
  const bool is_new = record.source_table.empty();
  const bool is_moved = !is_new && !(path_of(record) == path);
  if (is_new || is_moved) {
    record.source_table = table.schema->source_table;
    record.project = path.project;
    record.dataset = path.dataset;
    record.table = path.table;
    record.created_micros = 0;
  }
  const bool is_other = !is_new && !is_same_source(record.source_identity, table.identity);
  const bool is_rewritten = !is_new && record.source_identity != table.identity;
  record.source_identity = table.identity;
  const bool stays_detached = !is_new && record.phase == TablePhase::kDetached && !record.is_refused;
  if (stays_detached) return is_moved || is_rewritten ? book_.save(std::move(record)) : ok();
  if (!table.refusal.empty()) return detach(std::move(record), table.refusal, true);
  const bool is_back = record.phase == TablePhase::kAbsent || was_refused(record);
  const bool is_writing = !is_new && (record.phase == TablePhase::kCopying || record.phase == TablePhase::kStreaming);
  const bool is_ours = record.created_micros != 0;  // its destination table
  if (is_other && is_writing && is_ours)
    base::log_warning("table was made anew or left the stream for a while, it is copied again",
                      {{"stream", book_.stream()}, {"table", record.source_table}});
  // Of what happened while it was away, or another table, nothing is known.
  if (is_ours && (is_back || (is_other && is_writing))) return book_.save(to_replace(std::move(record)));
  if (!is_new && !is_moved && !is_back) return is_rewritten ? book_.save(std::move(record)) : ok();
  const auto there = destination_.table(path);
  if (!there && there.error().retry() == base::Retry::kAfterBackoff) return there.error();
  if (!there)
    return detach(std::move(record),
                  "its destination " + path.text() + " cannot be looked at: " + there.error().text());
  if (*there && !(*there)->is_known_empty)
    return detach(std::move(record),
                  "destination table " + path.text() +
                      " exists already and was not made by this stream; drop it, or run `flytt resync " +
                      book_.stream() + "." + table.schema->source_table + "`, which replaces it");
  record = to_replace(std::move(record));
  record.phase = TablePhase::kPlanned;
  return book_.save(std::move(record));
}

Result<TableLifecycle::Outcome> TableLifecycle::reconcile(const OriginTables& listed) {
  TRY_STATUS(note_listing(listed));
  Outcome outcome;
  for (const TableRecord& record : book_.records())
    if (record.phase == TablePhase::kReplacing && book_.is_claimed(record.source_table)) return outcome;
  std::vector<std::pair<std::string, Error>> failures;
  bool has_succeeded = false;
  for (const OriginTable& table : listed) {
    const auto record = book_.find(table.schema->source_table);
    if (!record || record->phase == TablePhase::kDetached || record->phase == TablePhase::kAbsent) continue;
    const Status brought = bring(table, *record, outcome);
    if (brought)
      has_succeeded = true;
    else
      failures.emplace_back(record->source_table, brought.error());
  }
  std::optional<Error> again;
  for (auto& [name, error] : failures) {
    const bool may_help = error.retry() == base::Retry::kAfterBackoff;
    // When nothing works at all it is the destination, not the table, that is in trouble.
    if (may_help && (!has_succeeded || !book_.spend_attempt(name))) {
      if (!again) again = Error(error).within("while preparing the destination of " + name);
      continue;
    }
    TRY_STATUS(detach(*book_.find(name),
                      "its destination cannot be prepared: " + error.text() + copy_again(book_.stream(), name)));
  }
  if (again) return std::move(*again);
  outcome.is_ready = true;
  return outcome;
}

Status TableLifecycle::bring(const OriginTable& table, TableRecord record, Outcome& outcome) {
  const data::TablePath& path = table.schema->destination;
  if (record.phase == TablePhase::kReplacing) {
    TRY_STATUS(destination_.ensure_dataset(path.project, path.dataset));
    FAILPOINT_ERROR("pipeline.replace.before");
    TRY(const TableFacts made, destination_.replace_table(*table.schema));
    book_.set_shape(record.source_table, made.schema);
    return begin_copy(std::move(record), made, outcome);
  }
  TRY(const std::optional<TableFacts> there, destination_.table(path));
  if (record.phase == TablePhase::kPlanned) {
    if (there) {  // empty when it was planned: made by a person beforehand, or by us before a crash
      TRY_STATUS(follow(table, *there));
      return begin_copy(std::move(record), *there, outcome);
    }
    TRY_STATUS(destination_.ensure_dataset(path.project, path.dataset));
    TRY(const TableFacts made, destination_.create_table(*table.schema));
    FAILPOINT_ERROR("pipeline.create.after");
    book_.set_shape(record.source_table, made.schema);
    return begin_copy(std::move(record), made, outcome);
  }
  if (!there || there->created_micros != record.created_micros) {
    base::log_warning(there ? "destination table was re-created, it is copied again"
                            : "destination table is missing, it is copied again",
                      {{"stream", book_.stream()}, {"table", path.text()}});
    TableRecord replaced = to_replace(std::move(record));
    TRY_STATUS(book_.save(replaced));
    if (book_.is_claimed(replaced.source_table))
      return Error(ErrorCode::kUnavailable, "table " + replaced.source_table + " is still being copied")
          .side(base::Side::kSink);
    return bring(table, std::move(replaced), outcome);
  }
  return follow(table, *there);
}

Status TableLifecycle::begin_copy(TableRecord record, const TableFacts& facts, Outcome& outcome) {
  record.valid_after = floor_.sections();
  record.created_micros = facts.created_micros;
  record.phase = TablePhase::kCopying;
  record.reason.clear();
  record.detached_at.clear();
  ++record.generation;
  TRY_STATUS(book_.save(std::move(record)));
  outcome.begins_copies = true;
  return ok();
}

Status TableLifecycle::follow(const OriginTable& table, const TableFacts& facts) {
  const data::SliceSchema& schema = *table.schema;
  SchemaDiff diff = compare_schemas(facts.schema, schema.table);
  if (diff.is_refused())
    return Error(ErrorCode::kSchema,
                 "table " + schema.source_table + " does not fit " + schema.destination.text() + ": " + diff.refusal)
        .side(base::Side::kSink);
  data::TableSchema shape = facts.schema;
  if (!diff.additions.empty()) {
    TRY_STATUS(destination_.add_columns(schema.destination, diff.additions));
    shape.fields.insert(shape.fields.end(), diff.additions.begin(), diff.additions.end());
  }
  book_.set_shape(schema.source_table, std::move(shape));
  return ok();
}

}  // namespace flytt::pipeline::internal
