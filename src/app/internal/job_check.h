#pragma once
// What would keep the command of a job from running, found without running it.

#include <map>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/internal/finding.h"

namespace flytt::app {

// Its program is there and can be executed, its folder can be worked in, its secrets are there. `inherited`: variables that
// the command takes over from this process.
void check_job(const JobConfig& job, const std::map<std::string, std::string>& inherited, std::vector<Found>& found);

}  // namespace flytt::app
