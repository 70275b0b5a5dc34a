#pragma once
// A schema of its own for each test, in the database that FLYTT_STATE_URL names.

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "state/sql_port.h"

namespace flytt::state {

const base::Clock& real_clock();
std::string server_url();
SqlDatabase database_of(const std::string& schema, const std::string& url = server_url());
std::string new_schema();
// Statements of the test itself; ends the program where they fail.
std::vector<std::vector<std::string>> run_sql(const std::string& statements);

}  // namespace flytt::state
