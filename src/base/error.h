#pragma once
// What went wrong, in the one form that every module uses.

#include <string>
#include <string_view>
#include <vector>

namespace flytt::base {

enum class ErrorCode {
  kConfig,       // the configuration or the command line is wrong
  kAuth,         // a credential or a right is missing
  kNotFound,     // the named object does not exist
  kConflict,     // somebody else holds it, or it exists already
  kSchema,       // shapes of source and destination do not fit
  kBadData,      // a value or message cannot be represented
  kUnavailable,  // the other side is away; trying again may help
  kThrottled,    // the other side asks for patience
  kTimeout,      // a deadline passed
  kCancelled,    // we were asked to stop
  kCorrupt,      // bytes on disk or wire contradict their format
  kUnsupported,  // understood, but not in this version
  kBug,          // a promise inside flytt was broken
};

enum class Retry { kNever, kAfterBackoff, kAfterOperator };
enum class Side { kLocal, kSource, kSink };

std::string_view to_string(ErrorCode code);
std::string_view to_string(Retry retry);
std::string_view to_string(Side side);

// A value type. `sentence` says what happened, to which object and what to do next; it never holds a
// row's value or a credential. `cause` is the native text (SQLSTATE, gRPC status, HTTP status) untouched,
// provided that text is known to hold no row value.
class Error {
 public:
  Error(ErrorCode code, std::string sentence) : code_(code), sentence_(std::move(sentence)) { set_default_retry(); }

  Error&& retry(Retry retry) && {
    retry_ = retry;
    return std::move(*this);
  }
  Error&& side(Side side) && {
    side_ = side;
    return std::move(*this);
  }
  Error&& cause(std::string native) && {
    cause_ = std::move(native);
    return std::move(*this);
  }
  // Adds a step to the trail on the way up: "while copying public.person".
  Error&& within(std::string step) && {
    trail_.push_back(std::move(step));
    return std::move(*this);
  }

  ErrorCode code() const { return code_; }
  Retry retry() const { return retry_; }
  Side side() const { return side_; }
  const std::string& sentence() const { return sentence_; }
  const std::string& cause() const { return cause_; }
  const std::vector<std::string>& trail() const { return trail_; }

  // "sentence (cause), while step, while step" on one line, for logs and people.
  std::string text() const;

 private:
  void set_default_retry();

  ErrorCode code_;
  Retry retry_ = Retry::kNever;
  Side side_ = Side::kLocal;
  std::string sentence_;
  std::string cause_;
  std::vector<std::string> trail_;
};

}  // namespace flytt::base
