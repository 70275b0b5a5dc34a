#pragma once
// Secret: a credential in memory. It has no text form: no operator<<, no conversion; `reveal` is the one
// door and is called only where the bytes go to the outside system. The memory is wiped on destruction.

#include <string>
#include <string_view>

namespace flytt::base {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret(Secret&&) = default;
  Secret& operator=(const Secret&) = default;
  Secret& operator=(Secret&&) = default;
  ~Secret();

  const std::string& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

 private:
  std::string value_;
};

}  // namespace flytt::base
