#include "pipeline/delivery.h"

#include <algorithm>

#include "base/log.h"
#include "pipeline/internal/advice.h"
#include "pipeline/internal/schema_diff.h"
#include "pipeline/internal/slice_filter.h"

namespace flytt::pipeline {

Delivery::Delivery(Kind kind, Parts parts, std::unique_ptr<TableSink> sink)
    : kind_(kind), parts_(parts), sink_(std::move(sink)) {}

Status Delivery::accept(flow::Batch batch, base::SteadyTime read_at) {
  CHECK(can_accept());
  last_end_ = batch.end;
  last_read_at_ = read_at;
  TRY_STATUS(take_events(batch));
  std::map<data::TablePath, std::vector<QuarantineEntry>> entries;
  std::set<std::string> rejected_tables;
  std::vector<data::TableSlice> kept;
  TableChanges changes;
  for (data::TableSlice& slice : batch.tables) {
    std::vector<QuarantineEntry> found;
    TRY(const bool is_written, prepare_slice(slice, found));
    if (!is_written) continue;
    if (!found.empty()) {
      rejected_tables.insert(slice.schema->source_table);
      auto& of_dataset = entries[slice.schema->destination];
      std::move(found.begin(), found.end(), std::back_inserter(of_dataset));
    }
    if (slice.row_count() == 0) continue;
    if (kind_ == Kind::kStream) changes.insert_or_assign(slice.schema->source_table, slice.sequences.back());
    kept.push_back(std::move(slice));
  }
  batch.tables = std::move(kept);
  TRY_STATUS(add_entries(batch, entries));
  // A table may have been detached because its quarantine cannot be written.
  std::erase_if(batch.tables,
                [&](const data::TableSlice& slice) { return dropped_.contains(slice.schema->destination); });
  Watermark::Passed passed{batch.end, batch.newest_commit_micros, std::move(changes)};
  enqueue(std::move(batch), std::move(passed), read_at, SettingAside{std::move(rejected_tables), std::nullopt});
  return ok();
}

void Delivery::enqueue(flow::Batch batch, Watermark::Passed passed, base::SteadyTime read_at, SettingAside aside) {
  batch.sequence = watermark_.next();
  batch.events.clear();
  watermark_.submitted(batch.sequence, std::move(passed), read_at);
  if (!aside.tables.empty()) setting_aside_.emplace(batch.sequence.value, std::move(aside));
  waiting_.push_back(std::move(batch));
}

Status Delivery::take_events(const flow::Batch& batch) {
  for (const flow::TableEvent& event : batch.events) {
    const TableBook::Verdict verdict = parts_.book.verdict(event.source_table);
    if (!verdict.is_known) continue;
    if (kind_ == Kind::kStream) parts_.book.saw(event.sequence);
    if (!(verdict.valid_after < event.sequence)) continue;  // a copy has overtaken it
    const auto record = parts_.book.find(event.source_table);
    const data::TablePath path{record->project, record->dataset, record->table};
    std::string reason = event.reason;
    if (reason.find("flytt resync") == reason.npos) reason += advice(event.source_table);
    TRY_STATUS(detach(event.source_table, path, event.sequence, std::move(reason)));
  }
  return ok();
}

Result<bool> Delivery::writes(const std::string& source_table) const {
  const TableBook::Verdict verdict = parts_.book.verdict(source_table);
  if (!verdict.is_known)
    return Error(ErrorCode::kBug, "the source sent rows of table " + source_table + ", which was not asked for")
        .side(base::Side::kSource);
  return verdict.writes;
}

Result<bool> Delivery::prepare_slice(data::TableSlice& slice, std::vector<QuarantineEntry>& entries) {
  const std::string& name = slice.schema->source_table;
  const TableBook::Verdict verdict = parts_.book.verdict(name);
  if (kind_ == Kind::kTopics) {
    TRY(const bool is_written, parts_.gate->bring_table(slice));
    TRY_STATUS(parts_.gate->keep(slice));
    if (!is_written || dropped_.contains(slice.schema->destination)) return false;
  } else if (kind_ == Kind::kStream) {
    if (const auto newest = internal::newest_sequence(slice)) parts_.book.saw(*newest);
    TRY(const bool is_written, writes(name));
    if (!is_written || dropped_.contains(slice.schema->destination)) return false;
    internal::keep_after(slice, verdict.valid_after);
  } else if (!verdict.writes || dropped_.contains(slice.schema->destination)) {
    return false;
  }
  TRY(const bool fits, follow_schema(slice));
  if (!fits) return false;
  for (data::Rejection& rejection : slice.rejections) entries.push_back({name, false, std::move(rejection)});
  slice.rejections.clear();
  if (kind_ != Kind::kCopy) parts_.book.count_streamed(name, static_cast<std::int64_t>(slice.row_count()));
  return true;
}

Result<bool> Delivery::follow_schema(const data::TableSlice& slice) {
  const data::SliceSchema& schema = *slice.schema;
  const auto known = followed_.find(schema.source_table);
  if (known != followed_.end() && known->second == slice.schema) return true;
  names_.insert_or_assign(schema.destination, schema.source_table);
  const auto there = parts_.book.shape(schema.source_table);
  if (!there)
    return Error(ErrorCode::kBug,
                 "the shape of table " + schema.destination.text() + " at the destination is not known");
  internal::SchemaDiff diff = internal::compare_schemas(*there, schema.table);
  if (diff.is_refused()) {
    const std::string reason = "table " + schema.source_table + " cannot be followed: " + diff.refusal;
    TRY_STATUS(detach(schema.source_table, schema.destination,
                      internal::newest_sequence(slice).value_or(data::Sequence{}),
                      reason + advice(schema.source_table)));
    return false;
  }
  if (!diff.additions.empty()) {
    TRY(const bool added, add_columns(schema, *there, diff.additions));
    if (!added) return false;
  }
  followed_.insert_or_assign(schema.source_table, slice.schema);
  return true;
}

Result<bool> Delivery::add_columns(const data::SliceSchema& schema, const data::TableSchema& there,
                                   const std::vector<data::Field>& fields) {
  const Status added = parts_.destination.add_columns(schema.destination, fields);
  if (added) {
    data::TableSchema shape = there;
    shape.fields.insert(shape.fields.end(), fields.begin(), fields.end());
    parts_.book.set_shape(schema.source_table, std::move(shape));
    base::log_info("columns added", {{"stream", parts_.book.stream()},
                                     {"table", schema.source_table},
                                     {"columns", static_cast<std::uint64_t>(fields.size())}});
    return true;
  }
  const Error& error = added.error();
  const bool may_help = error.retry() == base::Retry::kAfterBackoff;
  if (may_help && !parts_.book.spend_attempt(schema.source_table))
    return Error(error).within("while adding columns to " + schema.destination.text());
  TRY_STATUS(detach(schema.source_table, schema.destination, parts_.book.seen(),
                    "columns could not be added to " + schema.destination.text() + ": " + error.text() +
                        advice(schema.source_table)));
  return false;
}

Status Delivery::add_entries(flow::Batch& batch,
                             const std::map<data::TablePath, std::vector<QuarantineEntry>>& entries) {
  std::map<data::TablePath, std::pair<std::shared_ptr<const data::SliceSchema>, std::vector<QuarantineEntry>>>
      by_quarantine;
  for (const auto& [path, of_table] : entries) {
    auto schema = parts_.quarantine.beside(path);
    if (schema && dropped_.contains((*schema)->destination))
      schema = Error(ErrorCode::kNotFound, "it failed before").side(base::Side::kSink);
    if (!schema) {
      if (schema.error().retry() == base::Retry::kAfterBackoff) return std::move(schema).error();
      const std::string& name = of_table.front().source_table;
      TRY_STATUS(detach(name, path, parts_.book.seen(),
                        "a row of table " + name +
                            " cannot be represented, and the quarantine of its dataset cannot be used: " +
                            schema.error().text() + advice(name)));
      continue;
    }
    auto& [of_schema, all] = by_quarantine[(*schema)->destination];
    of_schema = *schema;
    all.insert(all.end(), of_table.begin(), of_table.end());
  }
  for (auto& [path, found] : by_quarantine) {
    quarantined_ += static_cast<std::int64_t>(found.second.size());
    parts_.metrics.counter("flytt_quarantined_total", "stream=" + base::json_quote(parts_.book.stream())) +=
        static_cast<std::int64_t>(found.second.size());
    batch.tables.push_back(parts_.quarantine.slice(found.first, found.second));
  }
  return ok();
}

std::string Delivery::advice(const std::string& source_table) const {
  return kind_ == Kind::kTopics ? internal::read_on(parts_.book.stream(), source_table)
                                : internal::copy_again(parts_.book.stream(), source_table);
}

Status Delivery::detach(const std::string& source_table, const data::TablePath& path, data::Sequence at,
                        std::string reason) {
  std::optional<std::int64_t> generation;
  if (kind_ == Kind::kCopy) generation = parts_.book.verdict(source_table).generation;
  if (parts_.gate != nullptr) TRY_STATUS(parts_.gate->dropped(path, reason));
  TRY_STATUS(parts_.book.detach(source_table, at, std::move(reason), generation));
  dropped_.insert(path);
  for (flow::Batch& batch : waiting_)
    std::erase_if(batch.tables, [&](const data::TableSlice& slice) { return slice.schema->destination == path; });
  sink_->drop_table(path);
  return ok();
}

Status Delivery::pump(base::Deadline deadline) {
  // With batches in flight the time is better spent on their receipts.
  TRY_STATUS(submit_waiting(watermark_.outstanding() > waiting_.size() ? base::Deadline::passed() : deadline));
  if (watermark_.outstanding() == waiting_.size()) return ok();  // nothing in flight
  return collect(deadline);
}

Status Delivery::submit_waiting(base::Deadline deadline) {
  while (!waiting_.empty()) {
    flow::Batch& batch = waiting_.front();
    const flow::BatchSequence sequence = batch.sequence;
    if (batch.tables.empty()) {
      waiting_.pop_front();
      TRY_STATUS(settle(sequence));
      continue;
    }
    const Status taken = sink_->submit(batch, deadline);
    if (!taken && taken.error().code() == ErrorCode::kTimeout) return ok();
    TRY_STATUS(taken);
    waiting_.pop_front();
  }
  return ok();
}

Status Delivery::collect(base::Deadline deadline) {
  TRY(const std::vector<flow::Receipt> receipts, sink_->collect(deadline));
  for (const LostLane& lost : sink_->take_lost()) {
    if (parts_.gate != nullptr) parts_.gate->lost(lost.lane, lost.error);
  }
  TRY_STATUS(take_refused());
  TRY_STATUS(take_failures());
  for (const flow::Receipt& receipt : receipts) TRY_STATUS(settle(receipt.sequence));
  return ok();
}

Status Delivery::settle(flow::BatchSequence sequence) {
  if (unresolved_.contains(sequence.value))
    return Error(ErrorCode::kBug, "the sink gave a receipt for a batch whose refused rows are not set aside")
        .side(base::Side::kSink);
  TRY_STATUS(watermark_.receipted(sequence));
  const auto found = setting_aside_.find(sequence.value);
  if (found == setting_aside_.end()) return ok();
  const auto resolves = found->second.resolves;
  setting_aside_.erase(found);
  if (!resolves) return ok();
  const auto waits = unresolved_.find(resolves->value);
  if (waits == unresolved_.end() || --waits->second > 0) return ok();
  unresolved_.erase(waits);
  sink_->resolve(*resolves);
  return ok();
}

Status Delivery::take_refused() {
  std::map<std::uint64_t, std::vector<RefusedRow>> by_batch;
  for (RefusedRow& row : sink_->take_refused()) by_batch[row.batch.value].push_back(std::move(row));
  for (auto& [sequence, rows] : by_batch) {
    std::map<data::TablePath, std::vector<QuarantineEntry>> entries;
    SettingAside aside{{}, flow::BatchSequence(sequence)};
    for (RefusedRow& row : rows) {
      if (Quarantine::is_quarantine(row.schema->destination)) {
        TRY_STATUS(
            quarantine_failed(Error(ErrorCode::kBadData, "an entry was refused: " + row.rejection.reason), row.batch));
        continue;
      }
      if (dropped_.contains(row.schema->destination)) continue;
      aside.tables.insert(row.schema->source_table);
      entries[row.schema->destination].push_back({row.schema->source_table, true, std::move(row.rejection)});
    }
    flow::Batch batch;
    TRY_STATUS(add_entries(batch, entries));
    if (batch.tables.empty()) {  // nothing left to set aside: all of it belongs to detached tables
      if (!unresolved_.contains(sequence)) sink_->resolve(flow::BatchSequence(sequence));
      continue;
    }
    ++unresolved_[sequence];
    enqueue(std::move(batch), {last_end_, 0, {}}, last_read_at_, std::move(aside));
  }
  return ok();
}

Status Delivery::take_failures() {
  for (TableFailure& failure : sink_->take_failures()) {
    if (Quarantine::is_quarantine(failure.table)) {
      dropped_.insert(failure.table);
      TRY_STATUS(quarantine_failed(failure.error, std::nullopt));
      sink_->drop_table(failure.table);
      continue;
    }
    const auto found = names_.find(failure.table);
    if (found == names_.end())
      return Error(ErrorCode::kBug, "the sink reports table " + failure.table.text() + ", which it was not given")
          .side(base::Side::kSink);
    const std::string name = found->second;
    TRY_STATUS(detach(name, failure.table, parts_.book.seen(),
                      "table " + failure.table.text() + " cannot be written: " + failure.error.text() + advice(name)));
  }
  return ok();
}

Status Delivery::quarantine_failed(const Error& error, std::optional<flow::BatchSequence> batch) {
  std::set<std::string> tables;
  for (const auto& [sequence, aside] : setting_aside_)
    if (!batch || sequence == batch->value) tables.insert(aside.tables.begin(), aside.tables.end());
  for (const std::string& name : tables) {
    const auto record = parts_.book.find(name);
    if (!record) continue;
    TRY_STATUS(detach(name, {record->project, record->dataset, record->table}, parts_.book.seen(),
                      "a row of table " + name +
                          " cannot be represented, and the quarantine of its dataset cannot be written: " +
                          error.text() + advice(name)));
  }
  return ok();
}

}  // namespace flytt::pipeline
