#pragma once
// The doctor for a PostgreSQL source: what would keep flytt from copying and streaming, and what mends it.

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "postgres/catalog.h"
#include "postgres/connection.h"

namespace flytt::postgres {

struct Finding {
  enum class Severity {
    kError,    // it will not work
    kWarning,  // it works now and may stop
    kAdvice,   // it works; somebody may want to know
  };
  Severity severity;
  std::string rule;    // a constant word: "wal_level", "table_key"
  std::string object;  // what it is about: "public.person", "flytt_sak", "user@host:port/database"
  std::string sentence;
  std::string fix;  // SQL or what to do; empty = nothing is known
};
std::string_view to_string(Finding::Severity severity);

struct CheckRequest {
  std::string publication, slot;
  TableSelection tables;
  bool slot_expected = false;  // our state says that the slot was made and used
  std::string setup_command;   // how a person starts setup: "flytt setup postgres sak"
};

// Never fails: what cannot be reached is a finding. Opens ordinary connections and one replication connection; changes
// nothing. Findings come in the order in which they should be mended.
std::vector<Finding> check_source(const ConnectionSettings& settings, const CheckRequest& request,
                                  const base::Clock& clock, base::Deadline deadline);

}  // namespace flytt::postgres
