#pragma once
// state/sql_port.h over postgres/sql_session.h: where the state of several replicas is.

#include <chrono>
#include <string>

#include "base/clock.h"
#include "base/secret.h"
#include "state/sql_port.h"

namespace flytt::app {

// `patience`: for a connection, and for one answer. The clock outlives the value and its sessions. kConfig: the URL cannot be
// read. Does not connect.
Result<state::SqlDatabase> state_database(const base::Secret& url, const std::string& schema, const base::Clock& clock,
                                          std::chrono::milliseconds patience);

}  // namespace flytt::app
