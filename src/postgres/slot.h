#pragma once
// Logical replication slots: looking, making, taking over, dropping.

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "postgres/connection.h"

namespace flytt::postgres {

struct SlotFacts {
  std::string name, plugin, database;
  bool temporary = false;
  int active_pid = 0;                // 0 = nobody reads from it
  std::string active_application;    // of that process, when our role may see it
  Lsn confirmed_flush;               // changes committed before it are never sent again
  Lsn restart_lsn;                   // the log is kept from here on
  std::uint64_t retained_bytes = 0;  // from restart_lsn to the end of the log
  std::string wal_status;            // reserved | extended | unreserved | lost
  bool is_lost() const { return wal_status == "lost"; }
  bool is_active() const { return active_pid != 0; }
};

// nullopt when there is no slot of that name in the server.
Result<std::optional<SlotFacts>> inspect_slot(const ConnectionSettings& settings, const std::string& name,
                                              const base::Clock& clock, base::Deadline deadline);

// Makes a permanent slot for pgoutput; returns its consistent point. Waits for running transactions until the deadline;
// after kTimeout there is no slot and it may be tried again. kConflict when the name is taken or all slots are in use.
Result<Lsn> create_slot(const ConnectionSettings& settings, const std::string& name, const base::Clock& clock,
                        base::Deadline deadline);

// Whether a slot that we did not make may be taken over: it is of pgoutput and of this database, nobody reads from it,
// it is not lost, and it stands still. kConflict or kConfig with the reason otherwise. Looks twice, `settle` apart.
Status may_adopt_slot(const ConnectionSettings& settings, const std::string& name, const base::Clock& clock,
                      base::Deadline deadline, base::Duration settle);

// Drops a slot; true when there was one. kConflict while a process reads from it.
Result<bool> drop_slot(const ConnectionSettings& settings, const std::string& name, const base::Clock& clock,
                       base::Deadline deadline);

// What to say of a slot that another process holds: kConflict; retry after_backoff when that process has one of our
// application names (an earlier life whose connection the server has not given up yet), else never.
Error slot_is_held(const SlotFacts& slot);

}  // namespace flytt::postgres
