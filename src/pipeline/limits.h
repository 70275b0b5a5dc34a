#pragma once
// Bounds of this module.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace flytt::pipeline {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// -- the stream
inline constexpr std::size_t kChannelBytes = 32 << 20;  // default bound of one pipeline's channel
inline constexpr milliseconds kStepWait{200};           // the longest wait of one step; a stop is seen within it
inline constexpr milliseconds kCollectWait{5};          // for receipts, while new batches may arrive at any time
inline constexpr milliseconds kHeartbeat{1000};         // between two confirms (delivery.md §5)
inline constexpr milliseconds kSaveInterval{100};       // between two saved positions while batches flow
inline constexpr seconds kDrainMax{25};                 // for an orderly stop; below Kubernetes' 30 s

// -- trouble
inline constexpr milliseconds kBackoffMin{250};
inline constexpr milliseconds kBackoffMax{30'000};
inline constexpr seconds kOperatorRetry{60};     // between tries when a person has to mend something
inline constexpr int kTableAttemptsMax = 10;     // of one change to a destination table, then it is detached
inline constexpr int kOnceFailuresMax = 5;       // in a row, before a run that should end gives up
inline constexpr milliseconds kHolderLook{500};  // between two looks at a slot that somebody holds
inline constexpr seconds kAdoptWatch{5};         // a foreign slot must not move for so long

// -- the supervisor
inline constexpr milliseconds kTick{200};
inline constexpr milliseconds kOnceTick{20};           // of a run that ends when it has caught up
inline constexpr seconds kTableListInterval{30};       // added and removed tables are seen within it
inline constexpr milliseconds kRequestInterval{1000};  // wishes in the state file are seen within it
inline constexpr seconds kFactsInterval{5};            // between two writes of the facts for `status`

// -- lanes
inline constexpr int kLaneKeepers = 4;             // that take lanes over at the same time
inline constexpr seconds kClosingGrace{1};         // after a lane's time to close is over
inline constexpr seconds kLostLaneGrace{15};       // until the source has to have noticed, too
inline constexpr seconds kDetachedRetry{300};      // until a topic's table that could not be written is tried again
inline constexpr hours kLaneRenewal{48};           // streams that nobody uses expire after 72 h
inline constexpr milliseconds kGoalInterval{250};  // between two looks whether the end is reached
inline constexpr std::size_t kLanesShown = 10'000;

// -- copies
inline constexpr int kCopyWorkers = 2;  // default; each has its own source and sink
inline constexpr int kCopyWorkersMax = 64;
// A row of an old snapshot must arrive before the tombstones that could contradict it are purged (48 h, delivery.md §2).
inline constexpr hours kCopyAgeMax{36};

// -- quarantine (delivery.md §7)
inline constexpr std::size_t kQuarantineRawMax = 8 << 20;  // beyond: size, SHA-256 and the head
inline constexpr std::size_t kQuarantineRawHead = 64'000;

}  // namespace flytt::pipeline
