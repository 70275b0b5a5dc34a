#include <signal.h>

#include "app/commands.h"

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  return flytt::app::run_command_line(argc, argv);
}
