#pragma once
// MessageOrder: which of two messages of one key is the newer one, as the sequences of their rows (upsert).
//
// Within a partition it is the one with the greater offset. When a topic gets more partitions, or is made anew, messages
// of a key come from another partition, where offsets say nothing; there only their times tell. So every partition has
// an epoch, the newest time (in ms) of its messages so far, and a message's sequence is of(kForm, epoch, offset). An
// epoch never falls within a partition, so its messages keep the order of their offsets whatever their times are.
//
// The epoch is stored beside the lane's offset, wherever that is stored: a message that is read again gets the sequence
// that it had. It comes from messages alone, so all members of a group agree on it without a word between them.
//
// A time far ahead of our clock raises nothing: it would hold the epoch above all honest times. One thread.

#include <algorithm>
#include <cstdint>

#include "base/clock.h"
#include "data/sequence.h"
#include "kafka/limits.h"

namespace flytt::kafka {

class MessageOrder {
 public:
  // The first section of a sequence. With 1 it was followed by the offset alone, as older rows have it; they lose.
  static constexpr std::uint16_t kForm = 2;

  explicit MessageOrder(const base::Clock& clock) : clock_(clock) {}

  // The sequence of the partition's next message, whose time raises `epoch`. No time: -1.
  data::Sequence next(std::int64_t& epoch, std::int64_t timestamp_ms, std::int64_t offset) {
    if (timestamp_ms > epoch && is_credible(timestamp_ms)) epoch = timestamp_ms;
    return data::Sequence::of(kForm, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(offset));
  }

  // With which a topic goes on that was made anew under the same name: its offsets begin again, and its messages win.
  static std::int64_t after(std::int64_t epoch_of_old_topic) { return epoch_of_old_topic + 1; }

 private:
  bool is_credible(std::int64_t timestamp_ms) {
    if (timestamp_ms <= credible_until_ms_) return true;
    credible_until_ms_ = clock_.wall_micros() / 1'000 + kClockDifferenceMaxMs;
    return timestamp_ms <= credible_until_ms_;
  }

  const base::Clock& clock_;
  std::int64_t credible_until_ms_ = 0;
};

}  // namespace flytt::kafka
