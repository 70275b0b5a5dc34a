#pragma once
// Result<T>: a value or an Error. Member names of std::expected. Status is Result<void>.
//
//   Result<int> parse(std::string_view text);
//   TRY(int n, parse(text));          // declares n, or returns the error
//   TRY_STATUS(save(n));              // for Status
//
// CHECK(condition) stays on in release: it stops the process with file and line.

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <utility>
#include <variant>

#include "base/error.h"

namespace flytt::base {

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "flytt: CHECK(%s) failed at %s:%d\n", condition, file, line);
  std::abort();
}

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: a value is a result
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: an error is a result

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & {
    require();
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    require();
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    require();
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() & { return *std::get_if<1>(&state_); }
  const Error& error() const& { return *std::get_if<1>(&state_); }
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
  void require() const {
    if (state_.index() != 0) {
      std::fprintf(stderr, "flytt: value() of an error: %s\n", std::get_if<1>(&state_)->text().c_str());
      std::abort();
    }
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: an error is a result

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;
inline Status ok() { return {}; }

// Calls third-party code that throws; an exception becomes kBug with its what() as the cause.
template <typename F>
auto guard(std::string_view step, F&& call) -> Result<decltype(call())> {
  try {
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
      return Status{};
    } else {
      return call();
    }
  } catch (const std::exception& e) {
    return Error(ErrorCode::kBug, std::string(step) + " failed").cause(e.what());
  }
}

}  // namespace flytt::base

namespace flytt {
using base::Error;
using base::ErrorCode;
using base::ok;
using base::Result;
using base::Status;
}  // namespace flytt

#define FLYTT_JOIN2(a, b) a##b
#define FLYTT_JOIN(a, b) FLYTT_JOIN2(a, b)
#define FLYTT_TRY_IMPL(tmp, declaration, ...) \
  auto tmp = (__VA_ARGS__);                   \
  if (!tmp) return std::move(tmp).error();    \
  declaration = std::move(tmp).value()
#define TRY(declaration, ...) FLYTT_TRY_IMPL(FLYTT_JOIN(try_result_, __LINE__), declaration, __VA_ARGS__)
#define TRY_STATUS(...)                                      \
  do {                                                       \
    auto try_status_ = (__VA_ARGS__);                        \
    if (!try_status_) return std::move(try_status_).error(); \
  } while (false)
#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::flytt::base::check_failed(#condition, __FILE__, __LINE__))
