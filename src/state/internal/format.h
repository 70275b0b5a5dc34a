#pragma once
// The tables of a store, version by version, as SQLite writes them; another place translates the text.

#include "state/internal/connection.h"

namespace flytt::state::internal {

// The format of what is there, 0 for nothing; kUnsupported when it is newer than this program.
Result<std::int64_t> known_format(Connection& connection);
// All steps together or none: a crash leaves it as it was.
Status bring_to_format(Connection& connection);

}  // namespace flytt::state::internal
