#include "kafka/message_order.h"

#include <gtest/gtest.h>

namespace flytt::kafka {
namespace {

constexpr std::int64_t kNowMs = 1'700'000'000'000;

class StoppedClock final : public base::Clock {
 public:
  base::SteadyTime steady() const override { return {}; }
  std::int64_t wall_micros() const override { return now_ms * 1'000; }
  std::int64_t now_ms = kNowMs;
};

struct Partition {
  MessageOrder& order;
  std::int64_t epoch = 0, offset = 0;
  data::Sequence next(std::int64_t timestamp_ms) { return order.next(epoch, timestamp_ms, offset++); }
};

TEST(MessageOrder, a_partition_keeps_the_order_of_its_offsets_whatever_the_times_say) {
  StoppedClock clock;
  MessageOrder order(clock);
  Partition one{order};
  data::Sequence before{};
  for (const std::int64_t back : {0, 500, 400, 0, -5, 90'000'000, -5, 7})
    for (const std::int64_t time : {kNowMs - back, std::int64_t{-1}}) {
      const data::Sequence now = one.next(time);
      EXPECT_TRUE(before < now) << now.sections();
      before = now;
    }
  EXPECT_EQ(one.epoch, kNowMs + 5);
}

TEST(MessageOrder, a_newer_message_wins_over_one_of_another_partition_with_a_greater_offset) {
  StoppedClock clock;
  MessageOrder order(clock);
  Partition old{order, 0, 1'000}, young{order};
  const data::Sequence older = old.next(kNowMs - 20);
  EXPECT_TRUE(older < young.next(kNowMs - 10));
}

TEST(MessageOrder, rows_of_before_lose_also_without_times) {
  StoppedClock clock;
  MessageOrder order(clock);
  Partition one{order};
  const data::Sequence first = one.next(-1);
  EXPECT_TRUE(data::Sequence::of(1, 1'000'000, 0) < first);
  EXPECT_EQ(first.sections(), "2/0/0");
  EXPECT_EQ(one.next(-1).sections(), "2/0/1") << "without times it is the order of the offsets";
}

TEST(MessageOrder, a_time_far_ahead_raises_nothing) {
  StoppedClock clock;
  MessageOrder order(clock);
  Partition one{order};
  one.next(kNowMs * 1'000);  // microseconds, by mistake
  one.next(INT64_MAX);
  one.next(kNowMs + kClockDifferenceMaxMs + 1);
  EXPECT_EQ(one.epoch, 0);
  one.next(kNowMs + kClockDifferenceMaxMs);
  EXPECT_EQ(one.epoch, kNowMs + kClockDifferenceMaxMs);
  clock.now_ms += 3;
  one.next(kNowMs + kClockDifferenceMaxMs + 3);
  EXPECT_EQ(one.epoch, kNowMs + kClockDifferenceMaxMs + 3) << "the clock has gone on";
}

TEST(MessageOrder, a_topic_made_anew_goes_on_above_the_old_one) {
  StoppedClock clock;
  MessageOrder order(clock);
  Partition old{order, 0, 1'000};
  const data::Sequence last = old.next(kNowMs);
  Partition anew{order, MessageOrder::after(old.epoch)};
  EXPECT_TRUE(last < anew.next(kNowMs - 60'000)) << "also when its messages say that they are older";
}

TEST(MessageOrder, a_message_that_is_read_again_gets_the_sequence_that_it_had) {
  StoppedClock clock;
  MessageOrder order(clock);
  Partition one{order};
  one.next(kNowMs);
  const Partition stored = one;
  const data::Sequence first = one.next(kNowMs - 7), second = one.next(kNowMs + 7);
  MessageOrder anew(clock);
  Partition again{anew, stored.epoch, stored.offset};
  EXPECT_EQ(again.next(kNowMs - 7), first);
  EXPECT_EQ(again.next(kNowMs + 7), second);
}

}  // namespace
}  // namespace flytt::kafka
