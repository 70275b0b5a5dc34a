// Real processes: shell scripts under supervisors that are this program itself (see main below). Scripts and tests meet at
// named pipes. Every test ends without a child, living or zombie; orphans come to this process, which is a subreaper.

#include "commands/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "commands/internal/order.h"
#include "commands/internal/record.h"
#include "commands/internal/run_test_support.h"
#include "commands/supervisor.h"

namespace flytt::commands {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST_F(RunTest, ACommandSeesItsArgumentsItsVariablesAndItsFilesOnly) {
  CommandSpec spec;
  spec.program = "env";
  spec.environment = {{"FLYTT_RUN", "run-1"}, {"A", "b c"}};
  spec.secrets["TOKEN"] = base::Secret("hush");
  CommandRun run = begin(spec, "env");
  EXPECT_TRUE(end(run).succeeded());
  EXPECT_EQ(*read_output(folder("env"), 1000), "A=b c\nFLYTT_RUN=run-1\nFLYTT_RUN_FOLDER=" + folder("env") +
                                                   "\nHOME=/home/of/owner\nPATH=/usr/bin:/bin\nTOKEN=hush\n");
  spec = shell("cat; pwd; echo \"$0 $1\"; stat -c %a . key; cat key");
  spec.arguments.insert(spec.arguments.end(), {"a  b", "$HOME"});
  spec.files["key"] = base::Secret("secret content\n");
  EXPECT_TRUE(this->run(spec).succeeded());
  EXPECT_EQ(output(), folder() + "/work\na  b $HOME\n700\n600\nsecret content\n");
}

TEST_F(RunTest, TheEndIsToldAndRecorded) {
  CommandRun run = begin(shell("echo out; echo err >&2; exit 7"));
  const Outcome outcome = end(run);
  EXPECT_EQ(outcome.reason, EndReason::kEnded);
  EXPECT_EQ(outcome.exit_code, 7);
  EXPECT_EQ(outcome.signal, std::nullopt);
  EXPECT_FALSE(outcome.succeeded());
  EXPECT_EQ(outcome.output_bytes_seen, 8u);
  EXPECT_EQ(outcome.output_bytes_kept, 8u);
  EXPECT_GT(outcome.started_micros, 0);
  EXPECT_GE(outcome.ended_micros, outcome.started_micros);
  EXPECT_GT(outcome.peak_rss_bytes, 0u);
  EXPECT_EQ(outcome.processes_left, 0u);
  EXPECT_TRUE(run.stop());
  EXPECT_TRUE(run.kill());
  CommandRun again = found();
  EXPECT_EQ(internal::encode(end(again)), internal::encode(outcome));
  EXPECT_EQ(again.supervisor_pid(), 0);
}

TEST_F(RunTest, ASignalThatEndsACommandIsToldAsSuch) {
  const Outcome outcome = run(shell("kill -9 $$"));
  EXPECT_EQ(outcome.reason, EndReason::kEnded);
  EXPECT_EQ(outcome.signal, SIGKILL);
  EXPECT_EQ(outcome.exit_code, std::nullopt);
}

TEST_F(RunTest, WhatCannotBeStartedSaysWhy) {
  std::ofstream(base_ + "/text") << "#!/bin/sh\n";
  std::ofstream(base_ + "/bare") << "echo a shell ran this\n";
  ::chmod((base_ + "/bare").c_str(), 0700);
  const std::pair<std::string, std::string> cases[] = {
      {"no-such-program", "cannot execute no-such-program: No such file or directory"},
      {base_ + "/text", "cannot execute " + base_ + "/text: Permission denied"},
      {base_ + "/bare", "cannot execute " + base_ + "/bare: Exec format error"},
  };
  for (const auto& [program, detail] : cases) {
    CommandSpec spec = shell("");
    spec.program = program;
    const Outcome outcome = run(spec);
    EXPECT_EQ(outcome.reason, EndReason::kCouldNotStart);
    EXPECT_EQ(outcome.detail, detail);
    EXPECT_EQ(outcome.exit_code, std::nullopt);
    EXPECT_EQ(output(), "");
    EXPECT_TRUE(remove(folder()));
  }
  CommandSpec spec = shell("true");
  spec.working_folder = base_ + "/none";
  EXPECT_EQ(run(spec).detail, "cannot enter the working folder " + base_ + "/none: No such file or directory");
}

TEST_F(RunTest, LimitsAndSignalsAreThoseOfTheSpec) {
  CommandSpec spec = shell("ulimit -d; ulimit -t; ulimit -n; ulimit -c; grep -E 'Sig(Blk|Ign)' /proc/self/status");
  spec.limits.memory_bytes_max = 64 << 20;
  spec.limits.cpu_seconds_max = 5;
  spec.limits.open_files_max = 77;
  ::signal(SIGPIPE, SIG_IGN);  // as flytt does
  EXPECT_TRUE(run(spec).succeeded());
  ::signal(SIGPIPE, SIG_DFL);
  const std::string text = output();
  EXPECT_THAT(text, StartsWith("65536\n5\n77\n0\nSigBlk:\t0000000000000000\nSigIgn:\t"));
  // 32 and 33 are the C library's own, which it lets nobody change.
  constexpr std::uint64_t kOfLibrary = 3ULL << 31;
  EXPECT_EQ(std::stoull(text.substr(text.size() - 17), nullptr, 16) & ~kOfLibrary, 0u);
}

TEST_F(RunTest, ProcessorTimeIsBounded) {
  CommandSpec spec = shell("while :; do :; done");
  spec.limits.cpu_seconds_max = 1;
  const Outcome outcome = run(spec);
  EXPECT_EQ(outcome.reason, EndReason::kEnded);
  EXPECT_EQ(outcome.signal, SIGXCPU);
}

// `wait` is what a trap interrupts at once; a command in the foreground would end first.
TEST_F(RunTest, StopLetsACommandTidyUp) {
  const Fifo ready(base_ + "/ready");
  CommandRun run = begin(shell("trap 'echo tidied; exit 3' TERM; sleep 1000 & echo >" + ready.path() + "; wait"));
  ready.line();
  EXPECT_EQ(run.wait(base::Deadline::passed()).error().code(), ErrorCode::kTimeout);
  EXPECT_TRUE(run.stop());
  const Outcome outcome = end(run);
  EXPECT_EQ(outcome.reason, EndReason::kStopped);
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(output(), StartsWith("tidied\n"));
}

TEST_F(RunTest, ACommandThatIgnoresTermIsKilledAfterItsGrace) {
  const Fifo ready(base_ + "/ready");
  CommandSpec spec = shell("trap '' TERM; echo >" + ready.path() + "; while :; do sleep 1000; done");
  spec.limits.grace = std::chrono::milliseconds(50);
  CommandRun run = begin(spec);
  ready.line();
  EXPECT_TRUE(run.stop());
  const Outcome outcome = end(run);
  EXPECT_EQ(outcome.reason, EndReason::kStopped);
  EXPECT_EQ(outcome.signal, SIGKILL);
}

TEST_F(RunTest, KillDoesNotWaitForGrace) {
  const Fifo ready(base_ + "/ready");
  CommandSpec spec = shell("trap '' TERM; echo >" + ready.path() + "; while :; do sleep 1000; done");
  spec.limits.grace = std::chrono::hours(1);
  CommandRun run = begin(spec);
  ready.line();
  EXPECT_TRUE(run.stop());
  EXPECT_TRUE(run.kill());
  EXPECT_EQ(end(run).signal, SIGKILL);
}

TEST_F(RunTest, TimeIsBoundedAlsoForAStoppedProcess) {
  CommandSpec spec = shell("kill -STOP $$");
  spec.limits.wall = std::chrono::milliseconds(50);
  spec.limits.grace = std::chrono::hours(1);
  const Outcome outcome = run(spec);
  EXPECT_EQ(outcome.reason, EndReason::kTimedOut);
  EXPECT_EQ(outcome.signal, SIGTERM);
}

TEST_F(RunTest, ADaemonThatWasForkedAwayIsGoneAtTheEnd) {
  const Fifo daemon(base_ + "/daemon"), go(base_ + "/go");
  CommandRun run = begin(shell("(setsid sh -c 'trap \"\" TERM HUP; echo $$ >" + daemon.path() +
                               "; sleep 1000' &); read line <" + go.path()));
  const pid_t pid = daemon.pid();
  EXPECT_TRUE(is_alive(pid));
  go.write("\n");
  const Outcome outcome = end(run);
  EXPECT_TRUE(outcome.succeeded());
  EXPECT_EQ(outcome.processes_left, 0u);
  EXPECT_FALSE(internal::look_up(pid)) << "not even a zombie";
}

TEST_F(RunTest, AProcessWhoseFirstThreadHasEndedIsGoneAtTheEnd) {
  const Fifo ready(base_ + "/ready"), go(base_ + "/go");
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  CommandRun run = begin(shell(self + " leaderless " + ready.path() + " & read line <" + go.path()));
  const pid_t pid = ready.pid();
  go.write("\n");
  EXPECT_TRUE(end(run).succeeded());
  EXPECT_FALSE(internal::look_up(pid));
}

TEST_F(RunTest, AGigabyteOfOutputTakesBoundedSpace) {
  constexpr std::uint64_t kBytes = 1'000'000'000;
  CommandSpec spec =
      shell("echo first; yes 'a line of the usual length, more or less, of a program that tells a lot' | head -c " +
            std::to_string(kBytes) + "; echo; echo last");
  spec.limits.output_bytes_max = 1 << 20;
  const Outcome outcome = run(spec);
  EXPECT_TRUE(outcome.succeeded());
  EXPECT_EQ(outcome.output_bytes_seen, kBytes + 12);
  EXPECT_LE(outcome.output_bytes_kept, 1u << 20);
  EXPECT_GT(outcome.output_bytes_kept, 700'000u);
  const std::string text = output(2 << 20);
  EXPECT_EQ(text.substr(0, 6), "first\n");
  EXPECT_EQ(text.substr(text.size() - 6), "\nlast\n");
  EXPECT_THAT(text, HasSubstr("\n[" + std::to_string(outcome.output_bytes_seen - outcome.output_bytes_kept) +
                              " bytes left out]\n"));
  rusage children{};
  ::getrusage(RUSAGE_CHILDREN, &children);
  EXPECT_LT(children.ru_maxrss, 512 << 10) << "KiB of the supervisor";
}

TEST_F(RunTest, ACommandThatFillsItsFolderIsStopped) {
  CommandSpec spec = shell("mkdir a; yes x | head -c 500000000 >a/b");
  spec.limits.work_bytes_max = 1 << 20;
  spec.limits.work_check = std::chrono::milliseconds(1);
  const Outcome outcome = run(spec);
  EXPECT_EQ(outcome.reason, EndReason::kOutOfSpace);
  EXPECT_EQ(outcome.signal, SIGKILL);
}

TEST_F(RunTest, NothingOfASecretIsSeenOutsideOfTheCommand) {
  const Fifo ready(base_ + "/ready"), go(base_ + "/go");
  CommandSpec spec = shell("echo >" + ready.path() + "; read line <" + go.path() + "; exec no-such-program");
  spec.secrets["TOKEN"] = base::Secret("hush-hush");
  spec.files["key"] = base::Secret("hush-hush");
  CommandRun run = begin(spec);
  ready.line();
  const std::string proc = "/proc/" + std::to_string(run.supervisor_pid()) + "/";
  EXPECT_THAT(contents(proc + "cmdline"), HasSubstr(kSupervisorVerb));
  EXPECT_EQ(contents(proc + "environ"), "");
  go.write("\n");
  EXPECT_EQ(end(run).exit_code, 127);
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    const std::string text = entry.is_regular_file() ? contents(entry.path()) : std::string();
    EXPECT_THAT(text, Not(HasSubstr("hush-hush"))) << entry.path();
  }
  spec.secrets["TOKEN"] = base::Secret(std::string("hush-hush\0", 10));
  const auto refused = start(spec, folder("other"), host_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text(), HasSubstr("TOKEN"));
  EXPECT_THAT(refused.error().text(), Not(HasSubstr("hush")));
}

TEST_F(RunTest, NoDescriptorOfTheOwnerIsInTheSupervisorOrTheCommand) {
  const std::string held = base_ + "/held";
  const Descriptor low(::open(held.c_str(), O_RDWR | O_CREAT, 0600));  // as a library may open it
  const Descriptor high(::fcntl(low.get(), F_DUPFD, 200));
  const Fifo ready(base_ + "/ready"), go(base_ + "/go");
  CommandRun run = begin(shell("ls -l /proc/self/fd; echo >" + ready.path() + "; read line <" + go.path()));
  ready.line();
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(run.supervisor_pid()) + "/fd"))
    EXPECT_NE(std::filesystem::read_symlink(entry.path()).string(), held);
  go.write("\n");
  EXPECT_TRUE(end(run).succeeded());
  EXPECT_THAT(output(), Not(HasSubstr(held)));
  EXPECT_THAT(output(), HasSubstr("0 -> /dev/null"));
  EXPECT_THAT(output(), Not(HasSubstr("socket:")));
}

TEST_F(OwnerTest, ARunOutlivesItsOwnerAndIsFoundAgain) {
  const Fifo ready(base_ + "/ready"), go(base_ + "/go");
  kill_and_reap(
      begin_by_other("echo before; echo >" + ready.path() + "; read line <" + go.path() + "; exit 5", "alone"));
  ready.line();
  CommandRun run = found();
  EXPECT_NE(run.supervisor_pid(), 0);
  EXPECT_EQ(remove_work(folder()).error().code(), ErrorCode::kConflict);
  EXPECT_EQ(remove(folder()).error().code(), ErrorCode::kConflict);
  go.write("\n");
  const Outcome outcome = end(run);
  EXPECT_EQ(outcome.reason, EndReason::kEnded);
  EXPECT_EQ(outcome.exit_code, 5);
  EXPECT_EQ(output(), "before\n");
  EXPECT_TRUE(remove_work(folder()));
  EXPECT_FALSE(std::filesystem::exists(folder() + "/work"));
  EXPECT_TRUE(remove_work(folder())) << "may be repeated";
  EXPECT_TRUE(std::filesystem::exists(folder() + "/record"));
  EXPECT_TRUE(remove(folder()));
  EXPECT_FALSE(std::filesystem::exists(folder()));
  EXPECT_TRUE(remove(folder()));
  EXPECT_EQ(adopt(folder(), host_).error().code(), ErrorCode::kNotFound);
}

TEST_F(OwnerTest, AnAdoptedRunCanBeStopped) {
  kill_and_reap(begin_by_other("sleep 1000", "alone"));
  CommandRun run = found();
  EXPECT_TRUE(run.stop());
  EXPECT_EQ(end(run).reason, EndReason::kStopped);
}

TEST_F(OwnerTest, ARunThatDiesWithItsParentDoes) {
  const Fifo ready(base_ + "/ready");
  const pid_t owner = begin_by_other(
      "trap '' TERM; (setsid sh -c 'echo $$ >" + ready.path() + "; sleep 1000' &); sleep 1000", "parent");
  const pid_t daemon = ready.pid();
  EXPECT_TRUE(is_alive(daemon));
  kill_and_reap(owner);
  CommandRun run = found();
  const Outcome outcome = end(run);
  EXPECT_EQ(outcome.reason, EndReason::kLeaseLost);
  EXPECT_EQ(outcome.signal, SIGKILL);
  EXPECT_FALSE(internal::look_up(daemon));
}

TEST_F(RunTest, ARunThatDiesWithItsParentDiesWithItsRun) {
  CommandSpec spec = shell("sleep 1000");
  spec.dies_with_parent = true;
  { const CommandRun dropped = begin(spec); }
  CommandRun run = found();
  EXPECT_EQ(end(run).reason, EndReason::kLeaseLost);
}

TEST_F(RunTest, WhatAKilledSupervisorLeavesIsKilled) {
  const Fifo ready(base_ + "/ready");
  const std::string child = "setsid sh -c 'echo $$ >" + ready.path() + "; sleep 1000'";
  for (const bool by_other : {false, true}) {
    CommandRun run = begin(shell(child + " & " + child + " & wait"));
    const pid_t first = ready.pid(), second = ready.pid();
    const pid_t supervisor = run.supervisor_pid();
    ::kill(supervisor, SIGKILL);
    if (by_other) {
      { const CommandRun dropped = std::move(run); }
      run = found();
    }
    const Outcome outcome = end(run);
    EXPECT_EQ(outcome.reason, EndReason::kSupervisorLost);
    EXPECT_EQ(outcome.exit_code, std::nullopt);
    EXPECT_FALSE(is_alive(first) || is_alive(second));
    CommandRun again = found();
    EXPECT_EQ(internal::encode(end(again)), internal::encode(outcome));
    while (::waitpid(-1, nullptr, 0) > 0) {  // the orphans came to us
    }
    EXPECT_TRUE(remove(folder()));
  }
}

TEST_F(RunTest, APidThatIsUsedAgainIsNotTheSupervisor) {
  const auto self = internal::look_up(::getpid());
  ASSERT_TRUE(self);
  std::filesystem::create_directory(folder());
  const internal::SupervisorState stale{
      {self->id.pid, self->id.start_ticks + 1}, internal::boot_id(), "run-1", folder()};
  ASSERT_TRUE(internal::write_durably(folder(), internal::kSupervisorFile, internal::encode(stale)));
  CommandRun run = found();
  EXPECT_EQ(end(run).reason, EndReason::kSupervisorLost);
}

// What start() does, up to the last step.
TEST_F(RunTest, AnOwnerThatEndsBeforeTheLastStepLeavesNothingStarted) {
  std::filesystem::create_directory(folder());
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  Descriptor ours(ends[0]);
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (ends[1] != internal::kOwnerSocket) ::dup2(ends[1], internal::kOwnerSocket);
    ::fcntl(internal::kOwnerSocket, F_SETFD, 0);
    ::execl("/proc/self/exe", "flytt", kSupervisorVerb, folder().c_str(), nullptr);
    ::_exit(1);
  }
  ::close(ends[1]);
  internal::Order order;
  order.run = "run-1";
  order.program = "/bin/sh";
  order.arguments = {"-c", "echo >" + base_ + "/started"};
  order.working_folder = base_;
  char answer = 0;
  ASSERT_TRUE(internal::send_order(ours.get(), internal::encode(order)));
  ASSERT_TRUE(internal::receive_all(ours.get(), &answer, 1));
  EXPECT_EQ(answer, internal::kReady);
  ours.reset();
  CommandRun run = found();
  const Outcome outcome = end(run);
  EXPECT_EQ(outcome.reason, EndReason::kCouldNotStart);
  EXPECT_EQ(outcome.detail, "its owner ended before it was started");
  EXPECT_FALSE(std::filesystem::exists(base_ + "/started"));
}

TEST_F(RunTest, TwoRunsAtOnceKnowNothingOfEachOther) {
  const Fifo go_first(base_ + "/1"), go_second(base_ + "/2");
  CommandRun first = begin(shell("read line <" + go_first.path() + "; exit 1"), "first");
  CommandSpec spec = shell("read line <" + go_second.path() + "; exit 2");
  spec.environment["FLYTT_RUN"] = "run-2";
  CommandRun second = begin(spec, "second");
  go_second.write("\n");
  EXPECT_EQ(end(second).exit_code, 2);
  EXPECT_EQ(first.wait(base::Deadline::passed()).error().code(), ErrorCode::kTimeout);
  go_first.write("\n");
  EXPECT_EQ(end(first).exit_code, 1);
}

TEST_F(RunTest, ASpecThatCannotBeIsRefusedAndLeavesNothing) {
  const auto refused = [&](auto change) {
    CommandSpec spec = shell("true");
    change(spec);
    const auto run = start(spec, folder(), host_);
    EXPECT_FALSE(run);
    EXPECT_FALSE(std::filesystem::exists(folder()));
    return run ? std::string() : run.error().text();
  };
  EXPECT_THAT(refused([](auto& spec) { spec.environment.clear(); }), HasSubstr("FLYTT_RUN"));
  EXPECT_THAT(refused([](auto& spec) { spec.environment["FLYTT_RUN"] = "a/b"; }), HasSubstr("FLYTT_RUN"));
  EXPECT_THAT(refused([](auto& spec) { spec.environment["A=B"] = ""; }), HasSubstr("A=B"));
  EXPECT_THAT(refused([](auto& spec) { spec.files["../key"] = base::Secret("x"); }), HasSubstr("../key"));
  EXPECT_THAT(refused([](auto& spec) { spec.working_folder = "work"; }), HasSubstr("absolute"));
  EXPECT_THAT(refused([](auto& spec) { spec.limits.output_bytes_max = 1; }), HasSubstr("4096"));
  EXPECT_THAT(refused([](auto& spec) { spec.arguments.push_back(std::string(5 << 20, 'x')); }), HasSubstr("bytes"));
  host_.program = base_ + "/none";
  EXPECT_THAT(refused([](auto&) {}), HasSubstr("cannot start the supervisor"));
  host_.program = "/bin/true";
  EXPECT_THAT(refused([](auto&) {}), HasSubstr("ended before it was ready"));
  std::filesystem::create_directory(folder());
  EXPECT_EQ(start(shell("true"), folder(), host_).error().code(), ErrorCode::kConflict);
  EXPECT_EQ(adopt(folder(), host_).error().code(), ErrorCode::kNotFound);
}

TEST_F(RunTest, AFolderWhoseRightsWereTakenAwayIsRemoved) {
  EXPECT_TRUE(run(shell("mkdir -p a/b; echo >a/b/c; chmod 0 a/b a .")).succeeded());
  EXPECT_TRUE(remove(folder()));
  EXPECT_FALSE(std::filesystem::exists(folder()));
}

// own FOLDER SCRIPT LIFE FIFO: starts a run, tells so, and lives until it is killed.
int own(char** argv) {
  CommandSpec spec = shell(argv[3]);
  const std::string_view life = argv[4];
  spec.dies_with_parent = life != "alone";
  if (life == "lease") spec.lease_until = kClock.in(std::chrono::milliseconds(500));
  const Host host{kClock, {{"PATH", "/usr/bin:/bin"}}};
  const auto run = start(spec, argv[2], host);
  std::ofstream(argv[5]) << (run ? "started" : run.error().text()) << std::endl;
  for (;;) ::pause();
}

// leaderless FIFO: its first thread ends, another one tells that and goes on.
int leaderless(char** argv) {
  static const std::thread other([path = argv[2]] {
    const std::string first = "/proc/self/task/" + std::to_string(::getpid()) + "/stat";
    while (contents(first).find(") Z ") == std::string::npos) ::sched_yield();
    std::ofstream(path) << ::getpid() << std::endl;
    for (;;) ::pause();
  });
  ::pthread_exit(nullptr);
}

}  // namespace
}  // namespace flytt::commands

int main(int argc, char** argv) {
  if (flytt::commands::is_supervisor_call(argc, argv))
    return flytt::commands::supervisor_main(argc, argv, flytt::base::SystemClock());
  if (argc > 1 && std::string_view(argv[1]) == "own") return flytt::commands::own(argv);
  if (argc > 1 && std::string_view(argv[1]) == "leaderless") return flytt::commands::leaderless(argv);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
