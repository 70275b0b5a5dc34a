#include <gtest/gtest.h>

#include <thread>

#include "base/channel.h"
#include "base/failpoint.h"
#include "base/handle.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"

namespace flytt::base {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return Error(ErrorCode::kBadData, "the number is odd");
  return n / 2;
}
Result<int> quarter(int n) {
  TRY(const int h, half(n));
  return half(h);
}

TEST(Result, TryPassesValueAndErrorOn) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().code(), ErrorCode::kBadData);
}

TEST(Error, TextNamesCauseAndTrail) {
  const Error error = Error(ErrorCode::kAuth, "no right").cause("42501").within("while copying public.a");
  EXPECT_EQ(error.text(), "no right (42501), while copying public.a");
  EXPECT_EQ(error.retry(), Retry::kAfterOperator);
}

TEST(Channel, FullLeavesTheItemWithTheCaller) {
  Channel<std::string> channel(10);
  std::string first = "first", second = "second";
  EXPECT_EQ(channel.push(first, 8, Deadline::passed()), PushOutcome::kTaken);
  EXPECT_EQ(channel.push(second, 8, Deadline::passed()), PushOutcome::kFull);
  EXPECT_EQ(second, "second");
  EXPECT_EQ(channel.pop(Deadline::never()), "first");
  EXPECT_EQ(channel.push(second, 800, Deadline::passed()), PushOutcome::kTaken) << "too heavy, but alone";
}

TEST(Channel, CloseDrainsThenEnds) {
  Channel<int> channel(10);
  int one = 1;
  EXPECT_EQ(channel.push(one, 1, Deadline::never()), PushOutcome::kTaken);
  channel.close();
  EXPECT_EQ(channel.push(one, 1, Deadline::never()), PushOutcome::kClosed);
  EXPECT_EQ(channel.pop(Deadline::never()), 1);
  EXPECT_EQ(channel.pop(Deadline::never()), std::nullopt);
  EXPECT_TRUE(channel.drained());
}

TEST(Channel, MovesEverythingInOrderAcrossThreads) {
  Channel<int> channel(16);
  std::jthread producer([&] {
    for (int i = 0; i < 10'000; ++i) {
      int item = i;
      ASSERT_EQ(channel.push(item, 1, Deadline::never()), PushOutcome::kTaken);
    }
    channel.close();
  });
  int expected = 0;
  while (auto item = channel.pop(Deadline::never())) ASSERT_EQ(*item, expected++);
  EXPECT_EQ(expected, 10'000);
}

TEST(Failpoint, OnlyTheNthPassageFails) {
  ASSERT_TRUE(arm_failpoints("a.b=error@2", ""));
  EXPECT_FALSE(pass_failpoint("a.b"));
  EXPECT_TRUE(pass_failpoint("a.b"));
  EXPECT_FALSE(pass_failpoint("a.b"));
  EXPECT_FALSE(arm_failpoints("a.b=explode", ""));
  failpoints_armed = false;
}

TEST(Metrics, PrometheusText) {
  Metrics metrics;
  metrics.counter("flytt_rows_total", R"(stream="a")") += 3;
  EXPECT_EQ(metrics.prometheus_text(), "# TYPE flytt_rows_total counter\nflytt_rows_total{stream=\"a\"} 3\n");
}

TEST(Log, JsonQuoteEscapes) { EXPECT_EQ(json_quote("a\"b\n\x01"), "\"a\\\"b\\n\\u0001\""); }

}  // namespace
}  // namespace flytt::base
