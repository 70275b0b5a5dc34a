#pragma once
// From where a stream may start: what state remembers against what the source says (delivery.md §3, §4, §5).

#include <optional>

#include "pipeline/origin.h"
#include "state/store.h"

namespace flytt::pipeline::internal {

struct StartFacts {
  std::optional<state::Checkpoint> checkpoint;
  OriginIdentity identity;
  SlotFacts slot;
  std::string slot_name;
  std::string stream;
  bool is_slot_ours = false;               // state says that we made it
  bool may_adopt = false;                  // --adopt
  bool is_whole_resync = false;            // a person asked to copy the whole stream again
  bool ran_backwards = false;              // the source's end lies before the saved position
  bool is_saved_before_slot = false;       // the saved position lies before the slot's confirmed one
  std::string saved_text, confirmed_text;  // positions for people
};

struct StartDecision {
  enum class Kind {
    kResume,         // from the saved position
    kFromSlot,       // from the slot's confirmed position
    kMakeSlot,       // from a slot that is to be made
    kRemakeSlot,     // the same, after dropping the lost one
    kWaitForHolder,  // a flytt that may be dead still holds the slot
    kRefused,
  };
  Kind kind;
  bool copies_all = false;  // every table is emptied and copied again
  bool raises_epoch = false;
  std::optional<Error> refusal;
};

StartDecision decide_start(const StartFacts& facts);

}  // namespace flytt::pipeline::internal
