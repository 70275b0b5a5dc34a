#include <gtest/gtest.h>

#include <latch>
#include <thread>
#include <vector>

#include "bigquery/internal/scripted_net.h"
#include "bigquery/internal/token_source.h"

namespace flytt::bigquery {
namespace {

using base::Secret;

// "token-1", "token-2", …, each for an hour, or an error; `before` is called in each fetch.
class CountingSource final : public TokenSource {
 public:
  explicit CountingSource(const base::Clock& clock) : clock_(clock) {}
  Result<AccessToken> fetch() override {
    const int number = ++fetches;
    before();
    if (is_away) return Error(ErrorCode::kUnavailable, "away " + std::to_string(number));
    return AccessToken{Secret("token-" + std::to_string(number)), clock_.wall_micros() / 1'000'000 + seconds};
  }
  std::atomic<int> fetches = 0;
  std::atomic<bool> is_away = false;
  std::int64_t seconds = 3'600;
  std::function<void()> before = [] {};

 private:
  const base::Clock& clock_;
};

class TokenCacheTest : public testing::Test {
 protected:
  std::string get() {
    const auto token = cache.get();
    return token ? token->reveal() : token.error().sentence();
  }
  TokenClock clock;
  CountingSource source{clock};
  TokenCache cache{source, clock};
};

TEST_F(TokenCacheTest, ATokenIsKeptUntilFourMinutesBeforeItsEnd) {
  EXPECT_EQ(get(), "token-1");
  clock.pass(3'359);
  EXPECT_EQ(get(), "token-1");
  clock.pass(1);
  EXPECT_EQ(get(), "token-2");
  clock.pass(-4'000);  // set back: it would be a token of the future
  EXPECT_EQ(get(), "token-3");
}

TEST_F(TokenCacheTest, TheOldOneServesWhileNoNewOneComes) {
  EXPECT_EQ(get(), "token-1");
  source.is_away = true;
  clock.pass(3'400);
  EXPECT_EQ(get(), "token-1");
  EXPECT_EQ(source.fetches, 2);
  EXPECT_EQ(get(), "token-1");
  EXPECT_EQ(source.fetches, 2) << "who gives tokens is not asked again at once";
  clock.pass(15);
  EXPECT_EQ(get(), "token-1");
  EXPECT_EQ(source.fetches, 3);
  clock.pass(184);  // one second is left
  EXPECT_EQ(get(), "token-1");
  clock.pass(1);
  EXPECT_EQ(get(), "away 5");
  source.is_away = false;
  EXPECT_EQ(get(), "token-6");
}

TEST_F(TokenCacheTest, AShortTokenIsNotAskedForWithEachRequest) {
  source.seconds = 100;
  EXPECT_EQ(get(), "token-1");
  EXPECT_EQ(get(), "token-1");
  clock.pass(15);
  EXPECT_EQ(get(), "token-2");
}

TEST_F(TokenCacheTest, OneFetchForAllWhoWait) {
  constexpr int kThreads = 8;
  std::latch all_ask(kThreads);
  source.before = [&] { all_ask.wait(); };  // the fetch does not end before everybody is about to ask
  std::vector<std::string> got(kThreads);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i)
      threads.emplace_back([&, i] {
        all_ask.count_down();
        got[static_cast<std::size_t>(i)] = get();
      });
  }
  EXPECT_EQ(got, std::vector<std::string>(kThreads, "token-1"));
  EXPECT_EQ(source.fetches, 1);
}

TEST_F(TokenCacheTest, WhileOneRenewsTheOthersGoOnWithTheOldToken) {
  EXPECT_EQ(get(), "token-1");
  clock.pass(3'400);
  std::latch is_fetching(1), has_been_served(1);
  source.before = [&] {
    is_fetching.count_down();
    has_been_served.wait();
  };
  std::string renewed;
  std::jthread renewing([&] { renewed = get(); });
  is_fetching.wait();
  EXPECT_EQ(get(), "token-1");
  has_been_served.count_down();
  renewing.join();
  EXPECT_EQ(renewed, "token-2");
  EXPECT_EQ(get(), "token-2");
}

TEST_F(TokenCacheTest, WhoWaitsSharesTheFailure) {
  source.is_away = true;
  std::latch is_fetching(1), is_asked_again(1);
  source.before = [&] {
    is_fetching.count_down();
    is_asked_again.wait();
  };
  std::string one, other;
  std::jthread first([&] { one = get(); });
  is_fetching.wait();
  // The cache looks at the clock under its lock, and then waits for the first: it cannot end before.
  std::jthread second([&] {
    clock.on_wall = [&, asked = false]() mutable {
      if (!std::exchange(asked, true)) is_asked_again.count_down();
    };
    other = get();
  });
  first.join();
  second.join();
  EXPECT_EQ(one, "away 1");
  EXPECT_EQ(other, "away 1");
  EXPECT_EQ(source.fetches, 1);
}

}  // namespace
}  // namespace flytt::bigquery
