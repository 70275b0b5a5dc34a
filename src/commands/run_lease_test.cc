// Runs that end at a given instant unless their owner says otherwise.

#include <gtest/gtest.h>

#include "commands/internal/run_test_support.h"

namespace flytt::commands {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

CommandSpec leased(const std::string& script, base::Duration length) {
  CommandSpec spec = shell(script);
  spec.dies_with_parent = true;
  spec.lease_until = kClock.in(length);
  return spec;
}

TEST_F(RunTest, ALeaseThatIsNotRenewedEndsTheWholeTree) {
  const Fifo ready(base_ + "/ready");
  CommandRun run = begin(leased(
      "trap '' TERM; (setsid sh -c 'echo $$ >" + ready.path() + "; sleep 1000' &); sleep 1000", milliseconds(500)));
  const pid_t daemon = ready.pid();
  const Outcome outcome = end(run);
  EXPECT_EQ(outcome.reason, EndReason::kLeaseLost);
  EXPECT_EQ(outcome.signal, SIGKILL);
  EXPECT_FALSE(internal::look_up(daemon));
  EXPECT_TRUE(run.renew(kClock.steady() + seconds(60))) << "nothing happens to a run that has ended";
}

TEST_F(RunTest, ARenewalMovesTheEndAndAnEarlierOneDoesNot) {
  const Fifo go(base_ + "/go");
  const base::Deadline first = kClock.in(seconds(2));
  CommandRun run = begin(leased("read line <" + go.path(), seconds(2)));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(run.renew(kClock.steady() + seconds(600)));
  EXPECT_TRUE(run.renew(kClock.steady()));
  EXPECT_EQ(run.wait(first).error().code(), ErrorCode::kTimeout);
  go.write("\n");
  EXPECT_TRUE(end(run).succeeded());
}

TEST_F(RunTest, ALeaseEndsARunThatIsBeingStopped) {
  const Fifo ready(base_ + "/ready");
  CommandRun run = begin(leased("trap '' TERM; echo >" + ready.path() + "; while :; do sleep 1000; done", seconds(2)));
  ready.line();
  EXPECT_TRUE(run.stop());
  const Outcome outcome = end(run);
  EXPECT_EQ(outcome.reason, EndReason::kStopped) << "the first reason stays";
  EXPECT_EQ(outcome.signal, SIGKILL) << "long before its grace was over";
}

TEST_F(RunTest, ALeaseThatIsOverStartsNothing) {
  CommandRun run = begin(leased("echo seen", milliseconds(-1)));
  const Outcome outcome = end(run);
  EXPECT_EQ(outcome.reason, EndReason::kLeaseLost);
  EXPECT_EQ(outcome.exit_code, std::nullopt);
  EXPECT_EQ(output(), "");
}

TEST_F(OwnerTest, ALeaseEndsTheRunOfAFrozenOwner) {
  const pid_t owner = begin_by_other("sleep 1000", "lease");
  ::kill(owner, SIGSTOP);
  int status = 0;
  EXPECT_EQ(::waitpid(owner, &status, WUNTRACED), owner);
  EXPECT_TRUE(WIFSTOPPED(status));
  CommandRun run = found();
  EXPECT_EQ(end(run).reason, EndReason::kLeaseLost);
  kill_and_reap(owner);
  EXPECT_GT(::waitpid(-1, nullptr, 0), 0) << "its supervisor";
}

TEST_F(RunTest, OnlyALeaseIsRenewed) {
  CommandSpec spec = shell("sleep 1000");
  spec.dies_with_parent = true;
  CommandRun run = begin(spec);
  EXPECT_EQ(run.renew(kClock.steady() + seconds(60)).error().code(), ErrorCode::kConflict);
  EXPECT_TRUE(run.kill());
  end(run);
  spec.dies_with_parent = false;
  spec.lease_until = kClock.in(seconds(60));
  EXPECT_EQ(start(spec, folder("other"), host_).error().code(), ErrorCode::kConfig);
}

}  // namespace
}  // namespace flytt::commands
