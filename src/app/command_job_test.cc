// flytt job …, as somebody types it, beside a state file that a run has left or is working with.

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "app/commands.h"
#include "app/internal/job_view.h"
#include "app/output.h"
#include "gateway/http_server.h"
#include "state/store.h"
#include "warehouse/folder_lock.h"

namespace flytt::app {
namespace {

using state::SlotRecord;
using state::SlotState;

constexpr const char* kConfig = R"(destination: {local: ./warehouse}
sources: {sak: {postgres: "postgres://127.0.0.1/sak"}}
streams: {sak: {from: sak, to: landing}}
queries:
  dataproducts:
    schedule: {cron: "30 2 * * *", timezone: Europe/Oslo}
    to: landing.dataproducts
    sql: SELECT 1 AS x
  summer:
    schedule: {cron: "30 2 * * *", timezone: Europe/Oslo, start: 2031-03-29, end: 2031-04-01}
    to: landing.summer
    sql: SELECT 1 AS x
  after:
    schedule: {every: 24 hours}
    to: landing.after
    after: ["query:dataproducts", "stream:sak"]
    sql: SELECT 1 AS x
)";

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kSlot = 1'768'440'600 * kSecond;  // 2026-01-15 01:30:00 UTC, 02:30 in Oslo

class JobCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "flytt-job-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    std::ofstream(folder_ + "/flytt.yaml") << kConfig;
  }
  void TearDown() override {
    lock_.reset();
    std::filesystem::remove_all(folder_);
  }

  // The exit status; what was printed is in out_ and err_.
  int run(std::vector<std::string> words) {
    words.insert(words.begin(), {"flytt", "job"});
    words.insert(words.end(), {"--config", folder_ + "/flytt.yaml"});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int status = run_command_line(static_cast<int>(arguments.size()), arguments.data());
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return status;
  }
  bool prints(const std::string& text) const { return out_.find(text) != std::string::npos; }

  void make_folder() {
    std::filesystem::create_directories(folder_ + "/warehouse");
    std::filesystem::permissions(folder_ + "/warehouse", std::filesystem::perms::owner_all);
  }
  state::ScheduleLedger ledger() {
    if (!store_) {
      make_folder();
      auto opened = state::Store::open(folder_ + "/warehouse/state.db");
      if (!opened) ADD_FAILURE() << opened.error().text();
      store_ = std::move(*opened);
    }
    return state::ScheduleLedger(*store_);
  }
  // As a run does it, `first_seen` before its slots.
  void enroll(const std::string& name, std::int64_t first_seen = kSlot - 86'400 * kSecond) {
    const auto config = load_config(folder_ + "/flytt.yaml", [](const std::string&) { return std::nullopt; });
    ASSERT_TRUE(config) << config.error().text();
    ASSERT_TRUE(ledger().enroll("query:" + name, config->find_query(name)->entry->schedule.definition(), first_seen));
  }
  void enter(const std::string& name, std::int64_t slot) {
    SlotRecord due;
    due.key = {"query:" + name, slot, false};
    due.entered_micros = due.next_attempt_micros = slot;
    const auto known = ledger().schedule("query:" + name);
    ASSERT_TRUE(known && *known);
    ASSERT_TRUE(ledger().apply({state::EnterSlots{"query:" + name, (*known)->decided_micros, slot, {due}}}));
  }
  void end(const state::SlotKey& key, int attempt, SlotState state, const std::string& message, std::int64_t at) {
    ASSERT_TRUE(ledger().apply({state::BeginRun{key, "me", at}}));
    const Status ended =
        ledger().apply({state::EndRun{key, attempt, "me", state, at + 90 * kSecond, at + 120 * kSecond, message}});
    ASSERT_TRUE(ended) << ended.error().text();
  }
  // As if `flytt run` were on.
  void start_engine() {
    make_folder();
    auto lock =
        warehouse::FolderLock::acquire(folder_ + "/warehouse", "run", clock_, clock_.in(std::chrono::seconds(5)));
    ASSERT_TRUE(lock) << lock.error().text();
    lock_ = std::make_unique<warehouse::FolderLock>(std::move(*lock));
  }

  base::SystemClock clock_;
  std::string folder_, out_, err_;
  std::unique_ptr<state::Store> store_;
  std::unique_ptr<warehouse::FolderLock> lock_;
};

TEST_F(JobCommandTest, WhatRunsOnChangesSaysSoInsteadOfATime) {
  std::ofstream(folder_ + "/flytt.yaml", std::ios::app) << "jobs: {story: {run: [render], after: ['query:summer']}}\n";
  ASSERT_EQ(run({"next", "story"}), kExitDone) << err_;
  EXPECT_TRUE(prints("on changes of query:summer")) << out_;
  ASSERT_EQ(run({"ls"}), kExitDone) << err_;
  EXPECT_TRUE(prints("on a change")) << out_;
}

TEST_F(JobCommandTest, NextIsShownInTheZoneAndInUtcAlsoWhereClocksChange) {
  ASSERT_EQ(run({"next", "summer", "--count", "5"}), kExitDone) << err_;
  EXPECT_TRUE(prints("2031-03-29 02:30:00 CET ")) << out_;
  EXPECT_TRUE(prints("2031-03-30 03:00:00 CEST  2031-03-30 01:00:00 UTC")) << out_;
  EXPECT_TRUE(prints("2031-03-31 02:30:00 CEST  2031-03-31 00:30:00 UTC")) << out_;
  EXPECT_TRUE(prints("none")) << "the schedule ends before a fourth: " << out_;
  ASSERT_EQ(run({"next", "--json", "--count", "1"}), kExitDone);
  EXPECT_TRUE(prints(
      R"({"name":"query:summer","timezone":"Europe/Oslo","slots":[{"slot":"2031-03-29T01:30:00Z","local":"2031-03-29 02:30:00 CET"}]})"))
      << out_;
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/warehouse")) << "asking makes nothing";
}

TEST_F(JobCommandTest, AnUnknownNameIsWrongUsageWithTheNearest) {
  for (const std::string verb : {"next", "logs", "run", "pause", "resume"}) {
    EXPECT_EQ(run({verb, "query:dataproduct"}), kExitUsage) << verb;
    EXPECT_NE(err_.find("has no job 'query:dataproduct'; did you mean 'dataproducts'?"), std::string::npos) << err_;
  }
  EXPECT_EQ(run({"backfill", "summr", "--from", "2026-01-01", "--to", "2026-01-02"}), kExitUsage);
  EXPECT_NE(err_.find("did you mean 'summer'?"), std::string::npos) << err_;
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/warehouse")) << "a wrong name makes nothing";
}

TEST_F(JobCommandTest, ARunThatIsAskedForWaitsForTheNextRun) {
  ASSERT_EQ(run({"run", "query:dataproducts", "--wait"}), kExitDone) << err_;
  EXPECT_EQ(out_, "query:dataproducts will be run by the next `flytt run`\n");
  const auto active = ledger().active("query:dataproducts");
  ASSERT_TRUE(active);
  ASSERT_EQ(active->size(), 1U);
  EXPECT_TRUE((*active)[0].key.is_manual);
  EXPECT_EQ((*active)[0].state, SlotState::kDue);
  ASSERT_EQ(run({"ls"}), kExitDone);
  EXPECT_TRUE(prints("query:dataproducts: waits: flytt does not run")) << out_;
  start_engine();
  ASSERT_EQ(run({"run", "dataproducts"}), kExitDone) << err_;
  EXPECT_EQ(out_, "query:dataproducts is asked to run; `flytt job logs dataproducts` shows how it ends\n");
}

TEST_F(JobCommandTest, ARunningProcessThatDoesNotKnowTheScheduleIsNotWaitedFor) {
  start_engine();
  ASSERT_EQ(run({"run", "dataproducts", "--wait"}), kExitDone) << err_;
  EXPECT_EQ(out_, "query:dataproducts will be run by the next `flytt run`\n");
}

TEST_F(JobCommandTest, WaitFollowsARunToItsEnd) {
  enroll("dataproducts");
  ledger();
  start_engine();
  for (const bool is_good : {true, false}) {
    // The engine: takes what is due.
    std::jthread engine([&](const std::stop_token& token) {
      auto own = state::Store::open(folder_ + "/warehouse/state.db");
      state::ScheduleLedger mine(**own);
      while (!token.stop_requested()) {
        const auto active = mine.active("query:dataproducts");
        if (!active || active->empty() || (*active)[0].state != SlotState::kDue) {
          std::this_thread::yield();
          continue;
        }
        const state::SlotKey key = (*active)[0].key;
        if (!mine.apply({state::BeginRun{key, "engine", key.slot_micros}})) continue;
        const auto state = is_good ? SlotState::kSucceeded : SlotState::kFailed;
        const state::EndRun ended{key, 1, "engine", state, key.slot_micros + 3 * kSecond, 0, "12 rows"};
        while (!token.stop_requested() && !mine.apply({ended})) std::this_thread::yield();
      }
    });
    EXPECT_EQ(run({"run", "dataproducts", "--wait"}), is_good ? kExitDone : kExitFailed) << err_;
    EXPECT_EQ(out_,
              std::string("query:dataproducts ") + (is_good ? "succeeded" : "failed") + " after 3.0 s: 12 rows\n");
  }
}

TEST_F(JobCommandTest, PauseAndResumeAreRemembered) {
  ASSERT_EQ(run({"pause", "dataproducts"}), kExitDone) << err_;
  EXPECT_TRUE((*ledger().schedule("query:dataproducts"))->is_paused);
  ASSERT_EQ(run({"ls", "--json"}), kExitDone);
  EXPECT_TRUE(prints(R"("state":"paused","paused":true)")) << out_;
  ASSERT_EQ(run({"resume", "dataproducts", "--json"}), kExitDone);
  EXPECT_EQ(out_, "{\"name\":\"query:dataproducts\",\"paused\":false}\n");
  EXPECT_FALSE((*ledger().schedule("query:dataproducts"))->is_paused);
}

TEST_F(JobCommandTest, LogsShowEachSlotWithItsLastAttempt) {
  ASSERT_EQ(run({"logs", "dataproducts"}), kExitDone);
  EXPECT_EQ(out_, "query:dataproducts has not run yet.\n");
  enroll("dataproducts");
  enter("dataproducts", kSlot);
  const state::SlotKey key{"query:dataproducts", kSlot, false};
  end(key, 1, SlotState::kDue, "the server is away", kSlot + kSecond);
  end(key, 2, SlotState::kSucceeded, "12 rows", kSlot + 200 * kSecond);
  enter("dataproducts", kSlot + 86'400 * kSecond);
  ASSERT_EQ(run({"logs", "dataproducts"}), kExitDone);
  const std::string row =
      "2026-01-15 02:30:00 CET  schedule  succeeded        2  2026-01-15 02:33:20 CET  1 min 30 s  12 rows";
  EXPECT_TRUE(prints(row)) << out_;
  EXPECT_LT(out_.find("2026-01-16 02:30:00 CET  schedule  due"), out_.find(row)) << "newest first\n" << out_;
  ASSERT_EQ(run({"logs", "dataproducts", "--limit", "1", "--json"}), kExitDone);
  EXPECT_TRUE(prints(
      R"({"slot":"2026-01-16T01:30:00Z","local":"2026-01-16 02:30:00 CET","trigger":"schedule","state":"due","attempt":0,"started":null)"))
      << out_;
  EXPECT_FALSE(prints("2026-01-15T01:30:00Z"));
  ASSERT_EQ(run({"ls"}), kExitDone);
  EXPECT_TRUE(prints("succeeded, attempt 2  2026-01-15 02:34:50 CET  waiting")) << out_;
}

TEST_F(JobCommandTest, BackfillTakesDatesOfTheZoneAndInstants) {
  ASSERT_EQ(run({"backfill", "dataproducts", "--from", "2026-01-15", "--to", "2026-01-18"}), kExitDone) << err_;
  EXPECT_EQ(out_,
            "query:dataproducts, from 2026-01-15 00:00:00 CET to before 2026-01-18 00:00:00 CET: 3 to run, 0 succeeded "
            "before, 0 due or running already\nthe next `flytt run` runs them\n");
  const auto active = ledger().active("query:dataproducts");
  ASSERT_EQ(active->size(), 3U);
  EXPECT_EQ((*active)[0].key.slot_micros, kSlot);
  EXPECT_EQ((*active)[0].trigger, "backfill");
  // The end is not included, and 01:30 UTC is the slot itself.
  ASSERT_EQ(run({"backfill", "dataproducts", "--from", "2026-01-15T01:30:00Z", "--to", "2026-01-16 02:30", "--json"}),
            kExitDone);
  EXPECT_EQ(out_,
            "{\"name\":\"query:dataproducts\",\"from\":\"2026-01-15T01:30:00Z\",\"to\":\"2026-01-16T01:30:00Z\","
            "\"entered\":0,\"succeeded_before\":0,\"active\":1,\"forgotten\":0}\n");
  EXPECT_EQ(run({"backfill", "dataproducts", "--from", "yesterday", "--to", "2026-01-18"}), kExitUsage);
  EXPECT_NE(err_.find("--from 'yesterday' is no time"), std::string::npos) << err_;
  EXPECT_EQ(run({"backfill", "dataproducts", "--from", "2026-01-18", "--to", "2026-01-15"}), kExitUsage);
  EXPECT_EQ(run({"backfill", "summer", "--from", "2031-03-01", "--to", "2031-04-01"}), kExitUsage);
  EXPECT_NE(err_.find("reaches into the future"), std::string::npos) << err_;
}

TEST_F(JobCommandTest, BackfillLeavesOutWhatIsForgottenUnlessAskedAgain) {
  enroll("dataproducts");
  enter("dataproducts", kSlot);
  end({"query:dataproducts", kSlot, false}, 1, SlotState::kSucceeded, "", kSlot);
  ASSERT_TRUE(ledger().prune("query:dataproducts", 0));
  ASSERT_EQ(run({"backfill", "dataproducts", "--from", "2026-01-15", "--to", "2026-01-16"}), kExitDone) << err_;
  EXPECT_TRUE(prints("0 to run")) << out_;
  EXPECT_TRUE(prints("--again runs them, too")) << out_;
  ASSERT_EQ(run({"backfill", "dataproducts", "--from", "2026-01-15", "--to", "2026-01-16", "--again"}), kExitDone);
  EXPECT_TRUE(prints("1 to run")) << out_;
}

// What `flytt run` answers at its admin endpoint.
class Admin final : public gateway::HttpHandler {
 public:
  gateway::HttpResponse handle(const gateway::HttpRequest&) override { return {200, "application/json", body, {}}; }
  std::string body;
};

TEST_F(JobCommandTest, AReasonThatOnlyTheRunningProcessKnowsIsAskedOfIt) {
  for (const char* name : {"dataproducts", "after"}) enroll(name, kSlot);
  const std::int64_t midnight = kSlot + 81'000 * kSecond;  // a slot of `after`
  enter("after", midnight);
  enter("dataproducts", kSlot + 86'400 * kSecond);
  end({"query:dataproducts", kSlot + 86'400 * kSecond, false}, 1, SlotState::kSucceeded, "", midnight);
  start_engine();
  ASSERT_EQ(run({"ls"}), kExitDone);
  EXPECT_TRUE(prints("query:after: waits: for stream:sak")) << out_;
  Admin admin;
  auto server = gateway::HttpServer::start({}, admin, clock_);
  ASSERT_TRUE(server);
  ASSERT_TRUE(lock_->set_endpoints({{"admin", (*server)->address()}}));
  for (const char* useless :
       {"[]", "no JSON", R"({"streams":[]})", R"({"schedules":[{"name":"query:after","waiting":null}]})"}) {
    admin.body = useless;
    ASSERT_EQ(run({"ls"}), kExitDone);
    EXPECT_TRUE(prints("query:after: waits: for stream:sak")) << useless << out_;
  }
  admin.body = R"({"schedules":[{"name":"query:after","waiting":"stream sak is not complete"}]})";
  ASSERT_EQ(run({"ls"}), kExitDone);
  EXPECT_TRUE(prints("query:after: waits: stream sak is not complete")) << out_;
}

TEST_F(JobCommandTest, WhatAnEndedProcessLeftRunningDoesNotRun) {
  enroll("dataproducts");
  enter("dataproducts", kSlot);
  ASSERT_TRUE(ledger().apply({state::BeginRun{{"query:dataproducts", kSlot, false}, "me", kSlot}}));
  ASSERT_EQ(run({"ls", "--json"}), kExitDone);
  EXPECT_TRUE(prints(R"("state":"waiting")") && prints(R"("current":null)") &&
              prints(R"("waiting":"flytt does not run")"))
      << out_;
  start_engine();
  ASSERT_EQ(run({"ls"}), kExitDone);
  EXPECT_TRUE(prints("attempt 1 for the slot of 2026-01-15 02:30:00 CET runs since 2026-01-15 02:30:00 CET")) << out_;
}

TEST_F(JobCommandTest, SaysWhatADueSlotWaitsFor) {
  const auto config = load_config(folder_ + "/flytt.yaml", [](const std::string&) { return std::nullopt; });
  ASSERT_TRUE(config);
  enroll("dataproducts");
  enroll("after");
  state::ScheduleLedger open = ledger();
  const std::int64_t midnight = kSlot - 5400 * kSecond;  // a slot of `after`
  const auto view = [&](const std::string& name, std::int64_t now) {
    const auto all = view_jobs(*config, &open, true, now);
    for (const JobView& job : *all)
      if (job.entry->name == "query:" + name) return job;
    return JobView();
  };
  EXPECT_EQ(view("summer", midnight).state(), "new");
  EXPECT_EQ(view("after", midnight).state(), "idle");
  enter("after", midnight);
  EXPECT_EQ(view("after", midnight).waiting,
            "schedule query:dataproducts has not succeeded for its slot of 2026-01-14 01:30:00 UTC");
  enter("dataproducts", midnight - 81'000 * kSecond);
  end({"query:dataproducts", midnight - 81'000 * kSecond, false}, 1, SlotState::kSucceeded, "", midnight);
  EXPECT_EQ(view("after", midnight).waiting, "for stream:sak");
  EXPECT_EQ(view("after", midnight).state(), "waiting");
  end({"query:after", midnight, false}, 1, SlotState::kDue, "the server is away", midnight);
  EXPECT_EQ(view("after", midnight).waiting, "attempt 2 at 2026-01-15 00:02:00 UTC, after: the server is away");
  ASSERT_TRUE(open.apply({state::BeginRun{{"query:after", midnight, false}, "me", midnight}}));
  EXPECT_EQ(view("after", midnight).state(), "running");
  EXPECT_EQ(view("after", midnight).running()->attempt, 2);
}

}  // namespace
}  // namespace flytt::app
