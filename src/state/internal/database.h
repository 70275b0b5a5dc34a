#pragma once
// What the parts of the Store share: its connection and what an old store, which is only read, does not have.

#include <memory>

#include "state/internal/connection.h"
#include "state/store.h"

namespace flytt::state {

class Store::Database {
 public:
  Database(std::unique_ptr<internal::Connection> owned, std::int64_t version)
      : owner(std::move(owned)),
        connection(*owner),
        has_lanes(version >= 2),
        has_schedules(version >= 3),
        has_changes(version >= 5),
        has_table_changes(version >= 6) {}

  const std::unique_ptr<internal::Connection> owner;
  internal::Connection& connection;
  const bool has_lanes;
  const bool has_schedules;
  const bool has_changes;
  const bool has_table_changes;
};

}  // namespace flytt::state
