#include <signal.h>

#include "app/commands.h"
#include "base/clock.h"
#include "commands/supervisor.h"

int main(int argc, char** argv) {
  if (flytt::commands::is_supervisor_call(argc, argv))
    return flytt::commands::supervisor_main(argc, argv, flytt::base::SystemClock());
  ::signal(SIGPIPE, SIG_IGN);
  return flytt::app::run_command_line(argc, argv);
}
