#include <cstdio>

#include "app/commands.h"
#include "app/output.h"

namespace flytt::app {

int run_version(const CommonOptions& common) {
  if (common.json)
    std::printf("{\"name\":\"flytt\",\"version\":\"%s\"}\n", FLYTT_VERSION);
  else
    std::printf("flytt %s\n", FLYTT_VERSION);
  return kExitDone;
}

}  // namespace flytt::app
