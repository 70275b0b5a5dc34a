#pragma once
// What the tests of runs share. Their scripts and they meet at named pipes.

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "commands/internal/descriptor.h"
#include "commands/internal/processes.h"
#include "commands/run.h"

namespace flytt::commands {

using internal::Descriptor;
using CommandRun = commands::Run;  // testing::Test has a Run of its own

inline const base::SystemClock kClock;

inline base::Deadline soon() { return kClock.in(std::chrono::seconds(60)); }

inline std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A named pipe, open in both directions, so that neither side waits for the other to open it.
class Fifo {
 public:
  explicit Fifo(std::string path) : path_(std::move(path)) {
    EXPECT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    file_.reset(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  }
  const std::string& path() const { return path_; }
  void write(const std::string& line) const {
    EXPECT_EQ(::write(file_.get(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }
  std::string line() const {
    std::string text;
    for (char c = 0; c != '\n'; text += c) {
      pollfd ready{file_.get(), POLLIN, 0};
      if (::poll(&ready, 1, 60'000) != 1 || ::read(file_.get(), &c, 1) != 1) {
        ADD_FAILURE() << "nobody wrote to " << path_;
        return "0";
      }
    }
    text.pop_back();
    return text;
  }
  pid_t pid() const { return std::atoi(line().c_str()); }

 private:
  std::string path_;
  Descriptor file_;
};

inline CommandSpec shell(const std::string& script) {
  CommandSpec spec;
  spec.program = "/bin/sh";
  spec.arguments = {"-c", script};
  spec.environment = {{"FLYTT_RUN", "run-1"}};
  return spec;
}

inline bool is_alive(pid_t pid) {
  const auto process = internal::look_up(pid);
  return process && process->is_alive;
}

class RunTest : public testing::Test {
 protected:
  RunTest() {
    std::string pattern = testing::TempDir() + "flytt-commands-XXXXXX";
    base_ = ::mkdtemp(pattern.data());
    host_.environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", "/home/of/owner"}, {"OTHER", "unseen"}};
  }
  ~RunTest() override {
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
    EXPECT_EQ(errno, ECHILD);
    std::filesystem::remove_all(base_);
  }

  std::string folder(const std::string& name = "run") const { return base_ + "/" + name; }
  CommandRun begin(const CommandSpec& spec, const std::string& name = "run") {
    auto run = start(spec, folder(name), host_);
    EXPECT_TRUE(run) << run.error().text();
    return std::move(run).value();
  }
  static Outcome end(CommandRun& run) {
    auto outcome = run.wait(soon());
    EXPECT_TRUE(outcome) << outcome.error().text();
    return std::move(outcome).value();
  }
  Outcome run(const CommandSpec& spec) {
    CommandRun run = begin(spec);
    return end(run);
  }
  CommandRun found() {
    auto run = adopt(folder(), host_);
    EXPECT_TRUE(run) << run.error().text();
    return std::move(run).value();
  }
  std::string output(std::size_t bytes_max = 1 << 20) const {
    const auto text = read_output(folder(), bytes_max);
    EXPECT_TRUE(text) << text.error().text();
    return *text;
  }

  std::string base_;
  Host host_{kClock, {}};
};

// An owner that is another process: this program, as `own` (see main).
class OwnerTest : public RunTest {
 protected:
  // Returns when the run was started. `life`: "alone", "parent" (it dies with it), "lease" (for half a second).
  pid_t begin_by_other(const std::string& script, const char* life) {
    const Fifo started(base_ + "/started");
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::execl("/proc/self/exe", "owner", "own", folder().c_str(), script.c_str(), life, started.path().c_str(),
              nullptr);
      ::_exit(1);
    }
    EXPECT_EQ(started.line(), "started");
    return pid;
  }
  static void kill_and_reap(pid_t pid) {
    ::kill(pid, SIGKILL);
    EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
  }
};

}  // namespace flytt::commands
