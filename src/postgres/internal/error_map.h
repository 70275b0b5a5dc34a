#pragma once
// The one place that reads SQLSTATEs (PostgreSQL manual, appendix A).

#include <string>
#include <string_view>

#include "base/result.h"

namespace flytt::postgres {

// `doing` continues "could not …": "read the table list". `message` is the server's primary message; it is left out for
// the classes whose messages quote values (data exceptions, constraint violations, messages raised by user code).
// DETAIL, HINT and CONTEXT never get here, because they quote rows.
Error translate_error(std::string_view sqlstate, std::string_view message, std::string_view doing);

// The text of a failed connection attempt, as libpq writes it under PQERRORS_VERBOSE: the SQLSTATE, when the server
// gave one, stands after the severity ("FATAL:  28P01: password authentication failed …").
Error translate_connect_error(std::string_view text, std::string_view endpoint);

}  // namespace flytt::postgres
