#include "googlesql/analyzer.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "googlesql/internal/analyzer_impl.h"

namespace flytt::googlesql {
namespace {

using internal::service::AnalyzeRequest;

AnalyzeRequest request_for(const std::string& sql) {
  AnalyzeRequest request;
  request.set_sql_statement(sql);
  request.mutable_options()->set_error_message_mode(zetasql::ERROR_MESSAGE_ONE_LINE);
  return request;
}

zetasql::SimpleCatalogProto empty_catalog() {
  zetasql::SimpleCatalogProto catalog;
  catalog.set_name("test");
  return catalog;
}

class AnalyzerTest : public testing::Test {
 protected:
  Result<internal::service::AnalyzeResponse> analyze(const std::string& sql,
                                                     base::Deadline deadline = base::Deadline::never()) {
    return analyzer_.impl().analyze(request_for(sql), empty_catalog(), deadline);
  }
  base::SystemClock clock_;
  Analyzer analyzer_{AnalyzerOptions{}, clock_};
};

TEST_F(AnalyzerTest, StartsTheHelperAtTheFirstCallAndKeepsIt) {
  EXPECT_EQ(analyzer_.helper_pid(), 0);
  ASSERT_TRUE(analyze("SELECT 1 + 1"));
  const int pid = analyzer_.helper_pid();
  EXPECT_GT(pid, 0);
  ASSERT_TRUE(analyze("SELECT 2"));
  EXPECT_EQ(analyzer_.helper_pid(), pid);
  EXPECT_EQ(analyzer_.helpers_started(), 1);
}

TEST_F(AnalyzerTest, InvalidSqlIsBadDataWithTheAnalyzersSentenceAndPosition) {
  const auto result = analyze("SELECT nam FROM (SELECT 1 AS name)");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kBadData);
  EXPECT_EQ(result.error().sentence(), "Unrecognized name: nam; Did you mean name? [at 1:8]");
}

TEST_F(AnalyzerTest, KilledBetweenCallsIsRestartedUnseen) {
  ASSERT_TRUE(analyze("SELECT 1"));
  const int first = analyzer_.helper_pid();
  ASSERT_EQ(kill(first, SIGKILL), 0);
  ASSERT_TRUE(analyze("SELECT 2"));
  EXPECT_NE(analyzer_.helper_pid(), first);
  EXPECT_EQ(analyzer_.helpers_started(), 2);
}

TEST_F(AnalyzerTest, KilledUnderLoadStaysInvisible) {
  ASSERT_TRUE(analyze("SELECT 1"));
  constexpr int kCallers = 3;
  std::atomic<int> failures{0};
  std::array<std::atomic<int>, kCallers> calls{};
  std::atomic<bool> stop{false};
  std::vector<std::jthread> callers;
  for (std::atomic<int>& mine : calls) {
    callers.emplace_back([this, &mine, &failures, &stop] {
      while (!stop) {
        if (!analyze("SELECT x + 1 FROM UNNEST([1, 2, 3]) AS x ORDER BY x")) ++failures;
        ++mine;
      }
    });
  }
  for (int kills = 0; kills < 5; ++kills) {
    // A call is promised to survive one death: so every call under way ends before the next one is caused.
    for (std::atomic<int>& one : calls) {
      const int before = one;
      while (one < before + 2) std::this_thread::yield();
    }
    const int pid = analyzer_.helper_pid();
    if (pid > 0) kill(pid, SIGKILL);
    while (analyzer_.helper_pid() == pid) std::this_thread::yield();
  }
  stop = true;
  callers.clear();
  EXPECT_EQ(failures, 0);
  EXPECT_GE(analyzer_.helpers_started(), 6);
}

TEST_F(AnalyzerTest, AStoppedHelperRunsIntoTheDeadlineAndIsKilled) {
  ASSERT_TRUE(analyze("SELECT 1"));
  const int pid = analyzer_.helper_pid();
  ASSERT_EQ(kill(pid, SIGSTOP), 0);
  siginfo_t stopped{};  // all of its threads, not only asked to
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &stopped, WSTOPPED | WNOWAIT), 0);
  const auto result = analyze("SELECT 2", clock_.in(std::chrono::milliseconds(200)));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kTimeout);
  ASSERT_TRUE(analyze("SELECT 3"));
  EXPECT_NE(analyzer_.helper_pid(), pid);
  EXPECT_EQ(kill(pid, 0), -1) << "the stopped helper must be gone, not a zombie";
}

TEST_F(AnalyzerTest, APassedDeadlineDoesNotTouchTheHelper) {
  ASSERT_TRUE(analyze("SELECT 1"));
  const auto result = analyze("SELECT 2", base::Deadline::passed());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(analyzer_.helpers_started(), 1);
  EXPECT_GT(analyzer_.helper_pid(), 0);
}

TEST_F(AnalyzerTest, TheHelperEndsWithItsOwner) {
  int pid = 0;
  {
    Analyzer mine(AnalyzerOptions{}, clock_);
    ASSERT_TRUE(mine.start());
    pid = mine.helper_pid();
    ASSERT_EQ(kill(pid, 0), 0);
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST_F(AnalyzerTest, AMissingLibraryIsAConfigurationErrorThatNamesTheFile) {
  Analyzer mine(AnalyzerOptions{"/nowhere/liblocal_service_jni.so"}, clock_);
  const Status status = mine.start();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), ErrorCode::kConfig);
  EXPECT_NE(status.error().sentence().find("/nowhere/liblocal_service_jni.so"), std::string::npos);
}

TEST_F(AnalyzerTest, MoreCatalogsThanAreKeptStillWork) {
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 24; ++i) {
      zetasql::SimpleCatalogProto catalog = empty_catalog();
      zetasql::SimpleTableProto* table = catalog.add_table();
      table->set_name("t" + std::to_string(i));
      zetasql::SimpleColumnProto* column = table->add_column();
      column->set_name("x");
      column->mutable_type()->set_type_kind(zetasql::TYPE_INT64);
      const auto result = analyzer_.impl().analyze(request_for("SELECT x FROM t" + std::to_string(i)), catalog,
                                                   base::Deadline::never());
      ASSERT_TRUE(result) << result.error().text();
    }
  }
}

}  // namespace
}  // namespace flytt::googlesql
