#pragma once
// `flytt quarantine retry`: messages that were set aside are read again, and become rows when they can.

#include "app/commands.h"
#include "app/internal/session.h"

namespace flytt::app {

struct RetryCounts {
  std::int64_t written = 0;    // are rows now
  std::int64_t remaining = 0;  // cannot be rows yet
  std::int64_t not_kept = 0;   // the message itself was not kept
};

// A message that is a row already, from an earlier try, only leaves quarantine. kUnsupported for a stream from a database.
Result<RetryCounts> retry_quarantine(Session& session, const QuarantineOptions& options);

}  // namespace flytt::app
