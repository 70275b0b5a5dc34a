#include "app/internal/signals.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace flytt::app {

Result<SignalWatch> SignalWatch::start() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  if (const int failure = pthread_sigmask(SIG_BLOCK, &set, nullptr); failure != 0)
    return Error(ErrorCode::kBug, "signals cannot be blocked").cause(std::strerror(failure));
  const int descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (descriptor < 0) return Error(ErrorCode::kBug, "signals cannot be watched").cause(std::strerror(errno));
  return SignalWatch(descriptor);
}

SignalWatch::~SignalWatch() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool SignalWatch::wait(const base::Clock& clock, base::Deadline deadline) const {
  while (true) {
    pollfd watched{descriptor_, POLLIN, 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(clock.left(deadline).count()));
    signalfd_siginfo info;
    if (ready > 0 && ::read(descriptor_, &info, sizeof info) == sizeof info) return true;
    if (clock.is_past(deadline)) return false;
  }
}

}  // namespace flytt::app
