#pragma once
// The command as a child of its supervisor: forked, bounded, executed.

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "commands/internal/descriptor.h"
#include "commands/internal/order.h"

namespace flytt::commands::internal {

struct StartedCommand {
  pid_t pid = 0;
  Descriptor standard_output, standard_error;  // read ends, non-blocking
  Descriptor failure;                          // see start_failure
};

// In a process group of its own, with the order's variables only, stdin from /dev/null, no signal blocked or ignored. It
// dies at once when the supervisor does. The caller has one thread.
Result<StartedCommand> start_command(const Order& order);

// Once the child has ended: why it did not become the program ("cannot execute X: No such file or directory"), or empty. Nothing
// waits for exec: a program on a file system that hangs must not take away the supervisor's clock.
std::string start_failure(const StartedCommand& command, const Order& order);

}  // namespace flytt::commands::internal
