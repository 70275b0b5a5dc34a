#pragma once
// One running helper program: started from memory, spoken to over a control socket (protocol: helper/googlesql_helper_main.cc).

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace flytt::googlesql::internal {

// Owned by one session; the destructor kills the process and reaps it. `connect` is called by one thread at a time, `kill`
// by any. The kernel closes the control socket when this process dies, however it dies, and the helper then exits.
// (A parent-death signal would be wrong here: it fires when the thread that started the helper ends.)
class HelperProcess {
 public:
  // Blocks until the library is loaded (about 70 ms), at most kHelperStartMillisMax.
  static Result<std::unique_ptr<HelperProcess>> start(const std::string& library_path);
  ~HelperProcess();
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;

  // A new socket to the analyzer's gRPC server; the caller owns the descriptor and must speak HTTP/2 on it at once.
  Result<int> connect();
  void kill() const;
  pid_t pid() const { return pid_; }

 private:
  HelperProcess(pid_t pid, int control) : pid_(pid), control_(control) {}

  pid_t pid_;
  int control_;
};

}  // namespace flytt::googlesql::internal
