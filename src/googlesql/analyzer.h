#pragma once
// Google's SQL analyzer in a helper process.
//
// Analyzer is thread-safe and shared by all who translate. It owns the helper: started at the first call, started again
// when it has died (the call that noticed is repeated once, so a kill -9 of the helper stays invisible), killed when a
// deadline passes, because the analyzer does not stop on its own, and killed in the destructor. When this process
// dies, the helper sees its socket close and exits.
//
// Errors of `call`: kBadData = the SQL is wrong, and the sentence is the analyzer's own with its position; kTimeout;
// kUnavailable = the helper cannot be started, or died twice; kConfig = the analyzer library is missing.

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace flytt::googlesql {

namespace internal {
class AnalyzerImpl;
}

struct AnalyzerOptions {
  // liblocal_service_jni.so; empty: lib/liblocal_service_jni.so beside the running executable.
  std::string library_path;
};

class Analyzer {
 public:
  Analyzer(AnalyzerOptions options, const base::Clock& clock);
  ~Analyzer();
  Analyzer(const Analyzer&) = delete;
  Analyzer& operator=(const Analyzer&) = delete;

  // Starts the helper if it does not run. Calls do that themselves; this one is for a check at start-up.
  Status start();
  // The helper's process id, 0 when none runs. Helpers started so far.
  int helper_pid() const;
  std::int64_t helpers_started() const;

  internal::AnalyzerImpl& impl() const { return *impl_; }

 private:
  std::unique_ptr<internal::AnalyzerImpl> impl_;
};

}  // namespace flytt::googlesql
