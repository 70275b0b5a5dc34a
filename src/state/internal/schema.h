#pragma once
// A schema that replicas share: how it is made, and what a session in it is.
//
// Beside the tables of a store it has `flytt_state`, one row: its format, and how often something was wished by a process
// that does not lead; and `lease`, one row.

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "state/sql_port.h"

namespace flytt::state::internal {

// Names are found in the schema; what waits at the server waits for a bounded time; a commit is on disk. One that does not
// write cannot.
Result<std::unique_ptr<SqlSession>> open_session(const SqlDatabase& database, bool writes);
// Once made, always there. kAuth names the right that is missing.
Status make_schema(SqlSession& session, const SqlDatabase& database);
// What to grant, empty when nothing is missing. Changes nothing.
Result<std::string> missing_grant(SqlSession& session, const SqlDatabase& database);
// kNotFound: it is not there.
Status require_schema(SqlSession& session, const SqlDatabase& database);

std::string name_of(const SqlDatabase& database);  // "the state in schema S of user@host:port/database"
std::int64_t number_of(const std::string& text);

}  // namespace flytt::state::internal
