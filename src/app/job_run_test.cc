// Runs of commands with real processes, under supervisors that are this program itself (see main below). Scripts and tests meet
// at named pipes.

#include "app/internal/job_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "app/internal/run_folders.h"
#include "commands/supervisor.h"
#include "scheduler/dispatcher.h"

namespace flytt::app {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::int64_t kSlot = 1'709'186'400'000'000;  // 2024-02-29 06:00 UTC
const base::SystemClock kClock;

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class JobRunTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "flytt-job-run-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    auto opened = state::Store::open(folder_ + "/state.db");
    ASSERT_TRUE(opened) << opened.error().text();
    store_ = std::move(*opened);
    parts_ = std::make_unique<JobParts>(
        JobParts{metrics_, *store_, folder_ + "/runs", {kClock, {{"PATH", "/usr/bin:/bin"}, {"TOKEN", "hemmelig"}}}});
    for (const char* pipe : {"/said", "/go"}) ASSERT_EQ(::mkfifo((folder_ + pipe).c_str(), 0600), 0);
    job_.name = "story";
    job_.environment = {{"F", folder_}};
    job_.limits.grace = std::chrono::seconds(20);
    auto schedule = scheduler::Schedule::parse({.every = "1h"});
    ASSERT_TRUE(schedule);
    job_.entry = scheduler::Entry{"job:story", *schedule, {}};
    state::SlotRecord due;
    due.key = key();
    state::ScheduleLedger ledger(*store_);
    ASSERT_TRUE(ledger.enroll("job:story", "every 1h in UTC", kSlot - 1));
    ASSERT_TRUE(ledger.apply({state::EnterSlots{"job:story", kSlot - 1, kSlot, {due}}}));
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  void script(const std::string& text) { job_.run = {"/bin/sh", "-c", text}; }
  static state::SlotKey key() { return {"job:story", kSlot, false}; }
  scheduler::RunContext context(int attempt = 1, bool is_resumed = false) {
    scheduler::RunContext context{
        "job:story", kSlot, "schedule", attempt, is_resumed, scheduler::run_id(key(), attempt), {}, {}};
    context.stop = stop_.get_token();
    context.program_ends = program_ends_.get_token();
    return context;
  }
  Result<scheduler::RunOutcome> run(int attempt = 1, bool is_resumed = false) {
    return JobRun(job_, *parts_).run(context(attempt, is_resumed));
  }
  // As when the program ends once the script has said something.
  void begin_and_leave() {
    std::jthread program([&] {
      const auto left = run();
      ASSERT_FALSE(left);
      EXPECT_EQ(left.error().code(), ErrorCode::kCancelled);
      EXPECT_THAT(left.error().text(), HasSubstr("goes on under its supervisor"));
    });
    wait_until_said();
    program_ends_.request_stop();
    stop_.request_stop();
    program.join();
    stop_ = {};
    program_ends_ = {};
  }
  void wait_until_said() { contents(folder_ + "/said"); }
  void go() { std::ofstream(folder_ + "/go") << "go\n"; }
  std::string counted() { return contents(folder_ + "/count"); }
  std::string output(int attempt = 1) {
    const auto text = commands::read_output(folder_ + "/runs/story/" + scheduler::run_id(key(), attempt), 10'000);
    return text ? *text : text.error().text();
  }

  std::string folder_;
  base::Metrics metrics_;
  std::unique_ptr<state::Store> store_;
  std::unique_ptr<JobParts> parts_;
  JobConfig job_;
  std::stop_source stop_, program_ends_;
};

TEST_F(JobRunTest, TheCommandKnowsWhatItIsRunFor) {
  job_.secrets["SECRET"].value = base::Secret("hemmelig");
  job_.files["note"].value = base::Secret("innhold\n");
  script("cat note; echo $SECRET | wc -c; env | grep -v PWD | sort | sed s/$SECRET/***/; pwd");
  const auto done = run();
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_THAT(done->message, StartsWith("exit code 0 after "));
  EXPECT_THAT(done->message, EndsWith(" B of output"));
  const std::string id = scheduler::run_id(key(), 1);
  EXPECT_EQ(output(),
            "innhold\n9\nF=" + folder_ + "\nFLYTT_ATTEMPT=1\nFLYTT_COMPLETION=0\nFLYTT_JOB=story\nFLYTT_RUN=" + id +
                "\nFLYTT_RUN_FOLDER=" + folder_ + "/runs/story/" + id +
                "\nFLYTT_SLOT=2024-02-29T06:00:00Z\nFLYTT_TRIGGER=schedule\nPATH=/usr/bin:/bin\nSECRET=***\n" +
                folder_ + "/runs/story/" + id + "/work\n");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/runs/story/" + id + "/work")) << "with the files of the job";
  EXPECT_THAT(metrics_.prometheus_text(),
              HasSubstr("flytt_schedule_runs_total{schedule=\"job:story\",outcome=\"succeeded\"} 1"));
}

TEST_F(JobRunTest, TheExitCodeDecides) {
  script("echo ei; exit 3");
  auto failed = run();
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().text(), StartsWith("exit code 3 after "));
  EXPECT_THAT(failed.error().text(), EndsWith("; 3 B of output"));
  EXPECT_EQ(failed.error().retry(), base::Retry::kAfterBackoff);
  script("exit 78");
  failed = run(2);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().text(), StartsWith("exit code 78"));
  EXPECT_EQ(failed.error().retry(), base::Retry::kNever);
  script("kill -SEGV $$");
  failed = run(3);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().text(), StartsWith("ended by SIGSEGV (Segmentation fault)"));
  job_.run = {"/nowhere/program"};
  failed = run(4);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().text(), HasSubstr("it could not be started"));
  EXPECT_THAT(failed.error().text(), HasSubstr("/nowhere/program"));
}

TEST_F(JobRunTest, OutputIsBoundedAndSaysSo) {
  job_.limits.output_bytes_max = 4096;
  script("yes flytt | head -c 100000");
  const auto done = run();
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_THAT(done->message, HasSubstr("97.7 KiB of output, of which "));
  EXPECT_LE(output().size(), 4096U + 100);
}

TEST_F(JobRunTest, WhatGoesOnWithoutTheProgramIsFoundAgain) {
  script("echo x >> $F/count; echo began > $F/said; read word < $F/go; echo ended");
  begin_and_leave();
  std::jthread next([&] {
    const auto done = run(1, true);
    ASSERT_TRUE(done) << done.error().text();
    EXPECT_THAT(done->message, StartsWith("exit code 0"));
  });
  go();
  next.join();
  EXPECT_EQ(counted(), "x\n") << "once";
  EXPECT_EQ(output(), "ended\n");
}

TEST_F(JobRunTest, WhatWasStartedHasOutlivedTheProgram) {
  script("echo began > $F/said; read word < $F/go");
  const JobRun job(job_, *parts_);
  EXPECT_FALSE(job.has_outlived_program(key(), 1)) << "nothing was started yet";
  begin_and_leave();
  EXPECT_TRUE(job.has_outlived_program(key(), 1));
  EXPECT_FALSE(job.has_outlived_program(key(), 2));
  EXPECT_FALSE(job.has_outlived_program({"job:story", kSlot, true}, 1));
  go();
  ASSERT_TRUE(run(1, true));
  EXPECT_TRUE(job.has_outlived_program(key(), 1)) << "how it ended is on record";
  const std::string folder = folder_ + "/runs/story/" + scheduler::run_id(key(), 3);
  ASSERT_TRUE(std::filesystem::create_directory(folder));
  EXPECT_FALSE(job.has_outlived_program(key(), 3)) << "its supervisor had not said that it is there";
}

TEST_F(JobRunTest, WhatEndedWhileNobodyLookedIsTaken) {
  script("echo x >> $F/count; echo began > $F/said; read word < $F/go; exit 5");
  begin_and_leave();
  go();
  auto watched = commands::adopt(folder_ + "/runs/story/" + scheduler::run_id(key(), 1), parts_->host);
  ASSERT_TRUE(watched && watched->wait(kClock.in(std::chrono::seconds(60))));
  const auto taken = run(1, true);
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().text(), StartsWith("exit code 5"));
  EXPECT_EQ(counted(), "x\n");
}

TEST_F(JobRunTest, WhatWasNeverStartedIsStarted) {
  script("echo x >> $F/count");
  ASSERT_TRUE(run(1, true)) << "the program ended before it came to that";
  EXPECT_EQ(counted(), "x\n");
}

TEST_F(JobRunTest, AFolderThatCannotBeMadeIsSaidWithItsKey) {
  script("true");
  parts_->folder = folder_ + "/state.db/runs";  // in a file
  const auto done = run();
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().text(), HasSubstr("cannot make the folder " + folder_ + "/state.db/runs; 'state: {runs: "));
}

TEST_F(JobRunTest, AStopEndsTheCommand) {
  script("trap 'echo sorry; exit 9' TERM; echo began > $F/said; while :; do read word < $F/go; done");
  std::jthread program([&] {
    const auto stopped = run();
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code(), ErrorCode::kCancelled);
    EXPECT_THAT(stopped.error().text(), StartsWith("it was stopped after "));
    EXPECT_THAT(stopped.error().text(), HasSubstr(", exit code 9; "));
  });
  wait_until_said();
  stop_.request_stop();
  program.join();
}

TEST_F(JobRunTest, CompletionsThatSucceededAreNotRunAgain) {
  job_.completions = 4;
  job_.parallelism = 2;
  script("echo $FLYTT_COMPLETION/$FLYTT_ATTEMPT >> $F/count; test $FLYTT_COMPLETION != 1 || test -e $F/mended");
  const auto failed = run();
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().text(), StartsWith("completion 1: exit code 1"));
  std::ofstream(folder_ + "/mended");
  std::filesystem::remove(folder_ + "/count");
  const auto done = run(2);
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(done->message, "4 completions; 0 B of output");
  EXPECT_THAT(counted(), HasSubstr("1/2\n"));
  EXPECT_THAT(counted(), testing::Not(HasSubstr("0/2"))) << "it had succeeded";
}

TEST_F(JobRunTest, RunsOfForgottenSlotsAreRemoved) {
  script("true");
  ASSERT_TRUE(run());
  ASSERT_TRUE(run(2));
  const RunFolders folders(folder_ + "/runs", job_);
  EXPECT_EQ(folders.of_slot(key()).size(), 2U);
  EXPECT_EQ(folders.of_slot({"job:story", kSlot, true}).size(), 0U) << "a manual run has names of its own";
  ASSERT_TRUE(state::ScheduleLedger(*store_).forget("job:story"));
  ASSERT_TRUE(run(3));
  EXPECT_TRUE(folders.names().empty());
}

TEST_F(JobRunTest, RunsOfAJobThatIsGoneAreRemovedAfterAWhile) {
  script("true");
  ASSERT_TRUE(run());
  state::ScheduleLedger ledger(*store_);
  ASSERT_TRUE(ledger.apply({state::BeginRun{key(), "me", kSlot}}));
  ASSERT_TRUE(ledger.apply({state::EndRun{key(), 1, "me", state::SlotState::kSucceeded, kSlot + 5, 0, ""}}));
  const RunFolders folders(folder_ + "/runs", job_), foreign(folder_ + "/runs", "foreign", false);
  std::filesystem::create_directories(folder_ + "/runs/foreign/foreign-20240229T060000Z-1");
  Config config;
  config.destination.kind = DestinationConfig::Kind::kLocal;
  config.destination.folder = folder_;
  const auto remove = [&](std::int64_t now) { ASSERT_TRUE(remove_gone_runs(config, *store_, now)); };
  remove(kSlot + 5 + kGoneRunsMicros);
  EXPECT_EQ(folders.names().size(), 1U);
  config.jobs.push_back(job_);
  remove(kSlot + 6 + kGoneRunsMicros);
  EXPECT_EQ(folders.names().size(), 1U) << "the job is there";
  config.jobs.clear();
  remove(kSlot + 6 + kGoneRunsMicros);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/runs/story"));
  EXPECT_EQ(foreign.names().size(), 1U) << "the ledger does not know this job";
}

TEST_F(JobRunTest, ACommandThatLivesKeepsItsFolderAlsoWhenItsJobIsGone) {
  script("echo began > $F/said; read word < $F/go");
  begin_and_leave();
  Config config;
  config.destination.kind = DestinationConfig::Kind::kLocal;
  config.destination.folder = folder_;
  const RunFolders folders(folder_ + "/runs", job_);
  ASSERT_TRUE(remove_gone_runs(config, *store_, kSlot + kGoneRunsMicros * 2));
  ASSERT_EQ(folders.names().size(), 1U);
  auto living = commands::adopt(folder_ + "/runs/story/" + folders.names()[0], parts_->host);
  ASSERT_TRUE(living);
  go();
  ASSERT_TRUE(living->wait(kClock.in(std::chrono::seconds(60))));
  ASSERT_TRUE(remove_gone_runs(config, *store_, kSlot + kGoneRunsMicros * 2));
  EXPECT_TRUE(folders.names().empty());
}

}  // namespace
}  // namespace flytt::app

int main(int argc, char** argv) {
  if (flytt::commands::is_supervisor_call(argc, argv))
    return flytt::commands::supervisor_main(argc, argv, flytt::base::SystemClock());
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
