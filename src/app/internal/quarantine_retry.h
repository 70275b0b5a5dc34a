#pragma once
// `flytt quarantine retry`: messages that were set aside are read again, and become rows when they can; tables of a database
// that have entries are copied again.

#include <cstdint>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/internal/session.h"

namespace flytt::app {

struct RetryCounts {
  std::int64_t written = 0;    // are rows now
  std::int64_t remaining = 0;  // cannot be rows yet
  std::int64_t not_kept = 0;   // the message itself was not kept
  struct Copied {
    std::string table;  // STREAM.TABLE
    std::int64_t entries = 0;
    bool is_now = false;  // else by the next run
  };
  std::vector<Copied> copied;  // tables of a database
};

// A message that is a row already, from an earlier try, only leaves quarantine. Entries of a table leave it when its copy is
// asked for: values that are still bad are set aside again by it.
Result<RetryCounts> retry_quarantine(Session& session, const QuarantineOptions& options);

}  // namespace flytt::app
