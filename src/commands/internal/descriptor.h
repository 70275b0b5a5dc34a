#pragma once
// Descriptor: move-only owner of a file descriptor.

#include <unistd.h>

#include <utility>

namespace flytt::commands::internal {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int raw) : raw_(raw) {}
  Descriptor(Descriptor&& other) noexcept : raw_(std::exchange(other.raw_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(std::exchange(other.raw_, -1));
    return *this;
  }
  ~Descriptor() { reset(); }

  int get() const { return raw_; }
  explicit operator bool() const { return raw_ >= 0; }
  void reset(int raw = -1) {
    if (raw_ >= 0) ::close(raw_);
    raw_ = raw;
  }

 private:
  int raw_ = -1;
};

}  // namespace flytt::commands::internal
