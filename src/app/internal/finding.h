#pragma once
// One thing that `flytt check` found.

#include <string>

#include "postgres/check.h"

namespace flytt::app {

struct Found {
  std::string place;  // source, destination, query or job, as the configuration names it
  postgres::Finding finding;
};

}  // namespace flytt::app
