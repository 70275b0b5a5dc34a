#pragma once
// SIGINT and SIGTERM as something to wait for. Made first thing in `main`'s thread, before others start: they inherit the
// blocked mask, so the signals reach only `wait`.

#include "base/clock.h"
#include "base/result.h"

namespace flytt::app {

class SignalWatch {
 public:
  static Result<SignalWatch> start();
  SignalWatch(SignalWatch&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  SignalWatch(const SignalWatch&) = delete;
  ~SignalWatch();

  // True when a signal arrived before the deadline. One call, one signal.
  bool wait(const base::Clock& clock, base::Deadline deadline) const;

 private:
  explicit SignalWatch(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace flytt::app
