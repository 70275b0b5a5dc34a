// Why a tree of processes can be ended at all: the supervisor is a child subreaper (prctl(2)), so a process whose parent dies
// becomes the supervisor's child, whatever sessions and groups it has made. All that the command ever started is below the
// supervisor, and when it has no children any more (waitpid says ECHILD) nothing is left. SIGKILL goes to all that /proc shows below
// it; what was forked meanwhile is there in the next round. A process with a pending SIGKILL cannot fork.
//
// One thread, one loop around poll: signals come through a signalfd, output through two pipes.

#include "commands/supervisor.h"

#include <fcntl.h>
#include <fts.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "commands/internal/command_start.h"
#include "commands/internal/descriptor.h"
#include "commands/internal/order.h"
#include "commands/internal/output.h"
#include "commands/internal/processes.h"
#include "commands/internal/record.h"
#include "commands/limits.h"

namespace flytt::commands {

namespace {

using base::Deadline;
using internal::Descriptor;

// Bytes on disk below a folder, links not followed. Files that are open but deleted are not seen.
std::uint64_t bytes_in(const std::string& folder) {
  std::string path = folder;
  char* roots[] = {path.data(), nullptr};
  FTS* walk = ::fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, nullptr);
  if (walk == nullptr) return 0;
  constexpr std::uint64_t kBlockBytes = 512;
  std::uint64_t bytes = 0;
  while (const FTSENT* entry = ::fts_read(walk)) {
    const bool counts = entry->fts_info == FTS_F || entry->fts_info == FTS_D;
    if (counts) bytes += static_cast<std::uint64_t>(entry->fts_statp->st_blocks) * kBlockBytes;
  }
  ::fts_close(walk);
  return bytes;
}

class Supervision {
 public:
  Supervision(internal::Order order, const std::string& folder, Descriptor lease, const base::Clock& clock)
      : order_(std::move(order)),
        clock_(clock),
        lease_(std::move(lease)),
        lease_end_(order_.lease_until),
        output_(folder, order_.limits.output_bytes_max) {}

  Outcome run();

 private:
  enum class Phase { kRunning, kStopping, kKilling };

  Status begin();
  void wait_for_events();
  void read_signals();
  void read_lease();
  bool read_output(Descriptor& pipe, internal::LineJoiner& joiner);
  void reap();
  void take_end(int status);
  void check_limits();
  void stop(EndReason reason);
  void kill_all(EndReason reason);
  void signal_tree(int signal);
  void finish();
  bool is_over() const { return !has_children_ || (phase_ == Phase::kKilling && clock_.is_past(give_up_)); }

  internal::Order order_;
  const base::Clock& clock_;
  Descriptor lease_, signals_;
  Deadline lease_end_;
  std::string renewal_;  // what is there of the next
  internal::OutputFiles output_;
  internal::LineJoiner output_lines_, error_lines_;
  internal::StartedCommand command_;
  Outcome outcome_;
  Phase phase_ = Phase::kRunning;
  bool has_children_ = true;
  // wall_: in kRunning; grace_: in kStopping; next_round_ and give_up_: in kKilling.
  Deadline wall_, next_measure_, grace_, next_round_, give_up_;
};

Outcome Supervision::run() {
  outcome_.started_micros = clock_.wall_micros();
  if (Status begun = begin(); !begun) {
    outcome_.reason = clock_.is_past(lease_end_) ? EndReason::kLeaseLost : EndReason::kCouldNotStart;
    outcome_.detail = begun.error().text();
    outcome_.ended_micros = clock_.wall_micros();
    return outcome_;
  }
  while (!is_over()) {
    wait_for_events();
    read_signals();
    read_output(command_.standard_output, output_lines_);
    read_output(command_.standard_error, error_lines_);
    reap();
    check_limits();
    if (phase_ == Phase::kKilling && has_children_ && clock_.is_past(next_round_)) {
      signal_tree(SIGKILL);
      next_round_ = clock_.in(kKillRound);
    }
  }
  finish();
  return outcome_;
}

Status Supervision::begin() {
  sigset_t awaited;
  sigemptyset(&awaited);
  for (const int signal : {SIGTERM, SIGUSR1, SIGCHLD}) sigaddset(&awaited, signal);
  signals_.reset(::signalfd(-1, &awaited, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals_) return internal::system_error("cannot wait for signals of", order_.run);
  if (clock_.is_past(lease_end_)) return Error(ErrorCode::kConflict, "its lease was over before it was started");
  TRY(command_, internal::start_command(order_));
  order_.environment.clear();  // secrets
  if (order_.limits.wall.count() != 0) wall_ = clock_.in(order_.limits.wall);
  if (order_.limits.work_bytes_max != 0) next_measure_ = clock_.in(order_.limits.work_check);
  return ok();
}

void Supervision::wait_for_events() {
  Deadline next = phase_ == Phase::kRunning    ? wall_.earlier(next_measure_)
                  : phase_ == Phase::kStopping ? grace_
                                               : next_round_;
  if (phase_ != Phase::kKilling) next = next.earlier(lease_end_);
  pollfd events[] = {{signals_.get(), POLLIN, 0},
                     {command_.standard_output.get(), POLLIN, 0},
                     {command_.standard_error.get(), POLLIN, 0},
                     {phase_ == Phase::kKilling ? -1 : lease_.get(), POLLIN, 0}};
  ::poll(events, std::size(events), static_cast<int>(clock_.left(next).count()));
  if (events[3].revents != 0) read_lease();
}

// Renewals, and in the end nothing: the owner is gone.
void Supervision::read_lease() {
  char bytes[512];
  const ssize_t count = ::recv(lease_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return kill_all(EndReason::kLeaseLost);
  renewal_.append(bytes, static_cast<std::size_t>(count));
  for (internal::Renewal renewal = 0; renewal_.size() >= sizeof renewal; renewal_.erase(0, sizeof renewal)) {
    std::memcpy(&renewal, renewal_.data(), sizeof renewal);
    lease_end_.at = std::max(lease_end_.at, internal::decode_renewal(renewal));
  }
}

void Supervision::read_signals() {
  signalfd_siginfo signal{};
  while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
    if (signal.ssi_signo == SIGTERM) stop(EndReason::kStopped);
    if (signal.ssi_signo == SIGUSR1) kill_all(EndReason::kStopped);
  }
}

// False when nothing is there. One buffer at most, so that a command that prints without end does not keep the clock from being seen.
bool Supervision::read_output(Descriptor& pipe, internal::LineJoiner& joiner) {
  char bytes[64 << 10];
  const ssize_t count = pipe ? ::read(pipe.get(), bytes, sizeof bytes) : -1;
  if (count > 0) joiner.take(std::string_view(bytes, static_cast<std::size_t>(count)), output_);
  if (count == 0) pipe.reset();
  return count > 0;
}

void Supervision::reap() {
  for (;;) {
    int status = 0;
    rusage usage{};
    const pid_t pid = ::wait4(-1, &status, WNOHANG | __WALL, &usage);
    if (pid < 0 && errno == ECHILD) has_children_ = false;
    if (pid <= 0) return;
    const std::uint64_t rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) << 10;
    outcome_.peak_rss_bytes = std::max(outcome_.peak_rss_bytes, rss_bytes);
    if (pid == command_.pid) take_end(status);
  }
}

void Supervision::take_end(int status) {
  const std::string failure = internal::start_failure(command_, order_);
  if (!failure.empty()) {
    kill_all(EndReason::kCouldNotStart);
    outcome_.detail = failure;
    return;
  }
  if (WIFEXITED(status)) outcome_.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome_.signal = WTERMSIG(status);
  kill_all(EndReason::kEnded);
}

void Supervision::check_limits() {
  if (clock_.is_past(lease_end_)) return kill_all(EndReason::kLeaseLost);
  if (phase_ == Phase::kStopping && clock_.is_past(grace_)) kill_all(outcome_.reason);
  if (phase_ != Phase::kRunning) return;
  if (clock_.is_past(wall_)) return stop(EndReason::kTimedOut);
  if (!clock_.is_past(next_measure_)) return;
  const base::SteadyTime begun = clock_.steady();
  const bool is_full = bytes_in(order_.working_folder) > order_.limits.work_bytes_max;
  const base::Duration pause =
      std::max<base::Duration>(order_.limits.work_check, (clock_.steady() - begun) * kWalkShare);
  next_measure_ = clock_.in(pause);
  if (is_full) kill_all(EndReason::kOutOfSpace);  // without grace: it would go on filling
}

// The first reason stays: what follows from it is no reason of its own.
void Supervision::stop(EndReason reason) {
  if (phase_ != Phase::kRunning) return;
  phase_ = Phase::kStopping;
  outcome_.reason = reason;
  grace_ = clock_.in(order_.limits.grace);
  if (order_.limits.grace.count() != 0) signal_tree(SIGTERM);
}

void Supervision::kill_all(EndReason reason) {
  if (phase_ == Phase::kRunning) outcome_.reason = reason;
  if (phase_ == Phase::kKilling) return;
  phase_ = Phase::kKilling;
  next_round_ = Deadline::passed();
  give_up_ = clock_.in(kTreeEndMax);
}

void Supervision::signal_tree(int signal) {
  for (const internal::ProcessId& process : internal::descendants_of({::getpid()}, internal::all_processes())) {
    internal::send_signal(process, signal);
    if (signal == SIGTERM) internal::send_signal(process, SIGCONT);  // a stopped process does not see it otherwise
  }
}

void Supervision::finish() {
  // What the pipes hold; no more, as somebody outside of the tree may have got an end of one and write without end.
  for (int i = 0; i < kLastReadsMax; ++i) {
    const bool any = read_output(command_.standard_output, output_lines_);
    if (!read_output(command_.standard_error, error_lines_) && !any) break;
  }
  output_lines_.flush(output_);
  error_lines_.flush(output_);
  output_.sync();
  outcome_.ended_micros = clock_.wall_micros();
  outcome_.output_bytes_seen = output_.seen();
  outcome_.output_bytes_kept = output_.kept();
  if (has_children_) outcome_.processes_left = internal::descendants_of({::getpid()}, internal::all_processes()).size();
  if (!output_.failure().empty() && outcome_.detail.empty())
    outcome_.detail = "its output could not be kept: " + output_.failure();
}

void become_supervisor() {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  ::prctl(PR_SET_NAME, "flytt-run", 0, 0, 0);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);  // for the command, too: a core file would hold secrets
  ::fcntl(internal::kOwnerSocket, F_SETFD, FD_CLOEXEC);
}

Result<internal::DurableFile> publish(const std::string& folder, const std::string& run) {
  TRY(internal::DurableFile record, internal::DurableFile::reserve(folder, internal::kRecordFile));
  const auto self = internal::look_up(::getpid());
  if (!self) return Error(ErrorCode::kUnavailable, "/proc does not show this process");
  const internal::SupervisorState state{self->id, internal::boot_id(), run, folder};
  TRY_STATUS(internal::write_durably(folder, internal::kSupervisorFile, internal::encode(state)));
  return record;
}

}  // namespace

bool is_supervisor_call(int argc, char** argv) { return argc >= 2 && std::string_view(argv[1]) == kSupervisorVerb; }

int supervisor_main(int argc, char** argv, const base::Clock& clock) {
  if (argc != 3) return 2;
  const std::string folder = argv[2];
  become_supervisor();
  Descriptor owner(internal::kOwnerSocket);
  Result<internal::Order> order = internal::receive_order(owner.get());
  if (!order) return 1;
  Result<internal::DurableFile> record = publish(folder, order->run);
  if (!record) {
    internal::send_all(owner.get(), record.error().text());
    return 1;
  }
  char go = internal::kReady;
  Outcome outcome;
  if (internal::send_all(owner.get(), std::string_view(&go, 1)) && internal::receive_all(owner.get(), &go, 1)) {
    if (!order->dies_with_parent) owner.reset();
    outcome = Supervision(std::move(*order), folder, std::move(owner), clock).run();
  } else {
    outcome.reason = EndReason::kCouldNotStart;
    outcome.detail = "its owner ended before it was started";
    outcome.ended_micros = clock.wall_micros();
  }
  const Status written = record->publish(internal::encode(outcome));
  if (!written) std::fprintf(stderr, "%s\n", written.error().text().c_str());
  return written ? 0 : 1;
}

}  // namespace flytt::commands
