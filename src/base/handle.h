#pragma once
// Handle<T, &release>: move-only owner of a C handle. The destructor releases, it never completes work.

#include <utility>

namespace flytt::base {

template <typename T, auto Release>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T* raw) : raw_(raw) {}
  Handle(Handle&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) reset(std::exchange(other.raw_, nullptr));
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { reset(); }

  T* get() const { return raw_; }
  explicit operator bool() const { return raw_ != nullptr; }
  T* release() { return std::exchange(raw_, nullptr); }
  void reset(T* raw = nullptr) {
    if (raw_ != nullptr) Release(raw_);
    raw_ = raw;
  }

 private:
  T* raw_ = nullptr;
};

}  // namespace flytt::base
