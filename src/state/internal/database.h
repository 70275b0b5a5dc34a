#pragma once
// What the parts of the Store share: its connection and what an old file, which is only read, does not have.

#include "state/internal/sqlite.h"
#include "state/store.h"

namespace flytt::state {

class Store::Database {
 public:
  Database(internal::Connection c, std::int64_t version)
      : connection(std::move(c)), has_lanes(version >= 2), has_schedules(version >= 3) {}
  internal::Connection connection;
  const bool has_lanes;
  const bool has_schedules;
};

}  // namespace flytt::state
