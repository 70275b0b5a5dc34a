// Pipeline: from what state remembers and what source and destination say, to a running stream.

#include "base/failpoint.h"
#include "base/log.h"
#include "pipeline/internal/start_decision.h"
#include "pipeline/internal/table_lifecycle.h"
#include "pipeline/pipeline.h"

namespace flytt::pipeline {

using internal::StartDecision;
using state::TablePhase;
using state::TableRecord;
using Kind = StartDecision::Kind;

Result<bool> Pipeline::start() {
  if (!is_loaded_) TRY_STATUS(book_.load());
  is_loaded_ = true;
  TRY(const StartDecision decision, look_at_source());
  if (decision.kind == Kind::kRefused) return *decision.refusal;
  if (decision.kind == Kind::kWaitForHolder) return wait_for_holder();
  held_since_.reset();
  TRY(const bool is_applied, apply(decision));
  if (!is_applied) return false;
  TRY_STATUS(settle_requests());
  TRY(tables_, origin_.tables());
  tables_listed_at_ = parts_.clock.steady();
  TRY(const flow::Position end, origin_.end_position());
  lifecycle_->set_floor(origin_.sequence_at(end, checkpoint_->epoch));
  TRY(const internal::TableLifecycle::Outcome outcome, lifecycle_->reconcile(tables_));
  if (!outcome.is_ready) return false;
  has_reconciled_ = true;
  if (outcome.begins_copies && copies_) copies_->finish_soon();  // the next run copies all that is left
  TRY_STATUS(open_run());
  return true;
}

Result<StartDecision> Pipeline::look_at_source() {
  TRY(identity_, origin_.identity());
  {
    std::lock_guard lock(view_mutex_);
    view_.server_version = identity_.server_version;
  }
  TRY(const flow::Position end, origin_.end_position());
  if (config_.ends_when_caught_up && !goal_) goal_ = end;
  TRY(checkpoint_, parts_.store.checkpoint(config_.name));
  TRY(requests_, parts_.store.resync_requests(config_.name));
  TRY(slot_, origin_.slot());
  TRY(const std::vector<state::MadeObject> made, parts_.store.made(config_.source));
  internal::StartFacts facts;
  facts.checkpoint = checkpoint_;
  facts.identity = identity_;
  facts.slot = slot_;
  facts.slot_name = origin_.slot_name();
  facts.stream = config_.name;
  facts.may_adopt = config_.may_adopt_slot;
  for (const state::MadeObject& object : made)
    facts.is_slot_ours |= object.kind == "slot" && object.name == facts.slot_name;
  for (const state::ResyncRequest& request : requests_) facts.is_whole_resync |= request.source_table.empty();
  if (slot_.exists) facts.confirmed_text = origin_.text(slot_.confirmed);
  if (checkpoint_) {
    const flow::Position saved{checkpoint_->position};
    facts.saved_text = origin_.text(saved);
    facts.ran_backwards = !origin_.reached(end, saved);
    facts.is_saved_before_slot = slot_.exists && !origin_.reached(saved, slot_.confirmed);
  }
  return internal::decide_start(facts);
}

// A flytt that died leaves its connection behind for a while; one that lives keeps the slot.
Result<bool> Pipeline::wait_for_holder() {
  const base::SteadyTime now = parts_.clock.steady();
  if (!held_since_) held_since_ = now;
  const auto limit = std::chrono::duration_cast<seconds>(slot_.release_wait).count();
  const std::string sentence =
      "replication slot " + origin_.slot_name() + " is held by another flytt (" + slot_.holder + ")";
  if (now - *held_since_ >= slot_.release_wait)
    return Error(ErrorCode::kConflict,
                 sentence + ", which has not released it for " + std::to_string(limit) + " s; stop it first")
        .retry(base::Retry::kNever)
        .side(base::Side::kSource);
  wait_for(kHolderLook, Error(ErrorCode::kUnavailable, sentence + "; waiting for up to " + std::to_string(limit) + " s")
                            .side(base::Side::kSource));
  return false;
}

// A slot that somebody polls is not active between two polls, but it moves.
Result<bool> Pipeline::has_watched_slot() {
  const base::SteadyTime now = parts_.clock.steady();
  if (!adopt_confirmed_) {
    adopt_confirmed_ = slot_.confirmed;
    adopt_since_ = now;
  }
  if (!(*adopt_confirmed_ == slot_.confirmed))
    return Error(ErrorCode::kConflict,
                 "replication slot " + origin_.slot_name() +
                     " is read by another application: it moved while it was watched; stop that one first")
        .retry(base::Retry::kNever)
        .side(base::Side::kSource);
  if (now - *adopt_since_ >= kAdoptWatch) return true;
  wait_for(kHolderLook, Error(ErrorCode::kUnavailable,
                              "watching replication slot " + origin_.slot_name() + " for a moment before it is adopted")
                            .side(base::Side::kSource));
  return false;
}

Result<flow::Position> Pipeline::make_slot() {
  // Remembered first: a slot that nobody remembers fills the disk of its server.
  TRY_STATUS(parts_.store.save_made(config_.source, {"slot", origin_.slot_name(), parts_.clock.wall_micros()}));
  FAILPOINT_ERROR("pipeline.slot.before");
  TRY(flow::Position start, origin_.create_slot(stopping_.get_token()));
  FAILPOINT_ERROR("pipeline.slot.after");
  base::log_info("replication slot made",
                 {{"stream", config_.name}, {"slot", origin_.slot_name()}, {"position", origin_.text(start)}});
  return start;
}

Result<bool> Pipeline::apply(const StartDecision& decision) {
  if (decision.copies_all && copies_) {
    copies_->abort();
    return false;
  }
  flow::Position from;
  switch (decision.kind) {
    case Kind::kRemakeSlot: TRY_STATUS(origin_.drop_slot()); [[fallthrough]];
    case Kind::kMakeSlot: {
      TRY(from, make_slot());
      break;
    }
    case Kind::kFromSlot: {
      if (!checkpoint_ && config_.may_adopt_slot) {
        TRY(const bool is_quiet, has_watched_slot());
        if (!is_quiet) return false;
      }
      from = slot_.confirmed;
      break;
    }
    case Kind::kResume: from = flow::Position{checkpoint_->position}; break;
    case Kind::kWaitForHolder:
    case Kind::kRefused: return false;
  }
  if (decision.kind == Kind::kResume && !decision.copies_all && checkpoint_->slot == origin_.slot_name()) return true;
  state::Checkpoint begin;
  begin.stream = config_.name;
  begin.position = from.bytes;
  begin.system_identifier = identity_.system_identifier;
  begin.timeline = identity_.timeline;
  begin.epoch = checkpoint_ ? checkpoint_->epoch : 1;
  begin.slot = origin_.slot_name();
  begin.saved_micros = parts_.clock.wall_micros();
  if (decision.raises_epoch) {
    if (begin.epoch == UINT16_MAX)
      return Error(ErrorCode::kBug,
                   "the epochs of stream " + config_.name + " are used up; tear it down and set it up again");
    ++begin.epoch;
    base::log_warning("the source has another history, all tables are copied again",
                      {{"stream", config_.name}, {"epoch", static_cast<int>(begin.epoch)}});
  }
  std::vector<TableRecord> replaced;
  if (decision.copies_all)
    for (const TableRecord& record : book_.records())
      if (record.phase != TablePhase::kAbsent && record.phase != TablePhase::kPlanned)
        replaced.push_back(lifecycle_->to_replace(record));
  TRY_STATUS(book_.save_all(begin, std::move(replaced)));
  checkpoint_ = std::move(begin);
  return true;
}

Status Pipeline::settle_requests() {
  for (const state::ResyncRequest& request : requests_) {
    std::vector<TableRecord> replaced;
    if (!request.source_table.empty()) {
      const auto record = book_.find(request.source_table);
      if (record && record->phase != TablePhase::kAbsent)
        replaced.push_back(lifecycle_->to_replace(*record));
      else
        base::log_warning("a resync was asked for a table that the stream does not have",
                          {{"stream", config_.name}, {"table", request.source_table}});
    }
    base::log_info("resync begins",
                   {{"stream", config_.name},
                    {"table", request.source_table.empty() ? std::string("all") : request.source_table}});
    TRY_STATUS(book_.settle_resync(request, std::move(replaced)));
  }
  requests_.clear();
  return ok();
}

Status Pipeline::open_run() {
  OriginTables carried;
  for (OriginTable table : tables_) {
    if (!table.refusal.empty()) continue;
    const auto record = book_.find(table.schema->source_table);
    if (record) table.covered_until = parse_sequence(record->valid_after);
    if (table.covered_until.epoch() != checkpoint_->epoch) table.covered_until = {};
    carried.push_back(std::move(table));
  }
  const flow::Position start{checkpoint_->position};
  TRY(std::unique_ptr<TableSink> sink, destination_.open_sink());
  TRY(std::unique_ptr<flow::Source> source, origin_.open_stream(start, checkpoint_->epoch, carried));
  auto delivery = std::make_unique<Delivery>(
      Delivery::Kind::kStream, Delivery::Parts{book_, destination_, quarantine_, parts_.clock, parts_.metrics},
      std::move(sink));
  ledger_.begin(start);
  begin_run(start, ledger_, std::move(source), std::move(delivery));
  base::log_info("stream runs", {{"stream", config_.name},
                                 {"position", origin_.text(start)},
                                 {"tables", static_cast<std::uint64_t>(carried.size())}});
  std::lock_guard lock(view_mutex_);
  view_.epoch = checkpoint_->epoch;
  view_.has_positions = true;
  return ok();
}

}  // namespace flytt::pipeline
