#include "pipeline/internal/start_decision.h"

namespace flytt::pipeline::internal {

namespace {

using Kind = StartDecision::Kind;

StartDecision refuse(ErrorCode code, base::Retry retry, std::string sentence) {
  return {Kind::kRefused, false, false, Error(code, std::move(sentence)).retry(retry).side(base::Side::kSource)};
}

std::string resync_all(const StartFacts& facts) {
  return "run `flytt resync " + facts.stream + "` to copy all its tables again";
}

// The slot that a stream without usable history starts from.
StartDecision begin_anew(const StartFacts& facts, bool copies_all, bool raises_epoch) {
  if (!facts.slot.exists) return {Kind::kMakeSlot, copies_all, raises_epoch, std::nullopt};
  if (!facts.is_slot_ours && !facts.may_adopt)
    return refuse(
        ErrorCode::kConflict, base::Retry::kNever,
        "replication slot " + facts.slot_name +
            " exists and was not made by this flytt; if nothing else uses it, start with --adopt, or drop it: "
            "SELECT pg_drop_replication_slot('" +
            facts.slot_name + "')");
  if (!facts.slot.is_lost) return {Kind::kFromSlot, copies_all, raises_epoch, std::nullopt};
  if (facts.is_slot_ours) return {Kind::kRemakeSlot, copies_all, raises_epoch, std::nullopt};
  return refuse(ErrorCode::kConflict, base::Retry::kNever,
                "replication slot " + facts.slot_name +
                    " has lost its history and cannot be adopted; drop it: SELECT pg_drop_replication_slot('" +
                    facts.slot_name + "')");
}

}  // namespace

StartDecision decide_start(const StartFacts& facts) {
  if (facts.slot.exists && facts.slot.is_active) {
    if (facts.slot.is_held_by_flytt) return {Kind::kWaitForHolder, false, false, std::nullopt};
    return refuse(ErrorCode::kConflict, base::Retry::kNever,
                  "replication slot " + facts.slot_name + " is in use by another application (" + facts.slot.holder +
                      "); stop it, or name another slot in the configuration");
  }
  if (!facts.checkpoint) return begin_anew(facts, false, false);
  const bool is_other_history = facts.checkpoint->system_identifier != facts.identity.system_identifier ||
                                facts.checkpoint->timeline != facts.identity.timeline || facts.ran_backwards;
  if (is_other_history) return begin_anew(facts, true, true);
  if (!facts.slot.exists || facts.slot.is_lost) {
    if (facts.is_whole_resync) return begin_anew(facts, true, false);
    return refuse(ErrorCode::kNotFound, base::Retry::kAfterOperator,
                  std::string("replication slot ") + facts.slot_name +
                      (facts.slot.exists ? " has lost its history" : " is gone") + ": changes after " +
                      facts.saved_text + " cannot be read any more; " + resync_all(facts));
  }
  if (facts.is_saved_before_slot) {
    if (facts.is_whole_resync) return {Kind::kFromSlot, true, false, std::nullopt};
    return refuse(ErrorCode::kConflict, base::Retry::kAfterOperator,
                  "replication slot " + facts.slot_name + " was moved on to " + facts.confirmed_text +
                      " by somebody else: changes after " + facts.saved_text + " up to there are lost; " +
                      resync_all(facts));
  }
  return {Kind::kResume, facts.is_whole_resync, false, std::nullopt};
}

}  // namespace flytt::pipeline::internal
