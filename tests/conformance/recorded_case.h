#pragma once
// One recorded question and its answer (the format is described in README.md).

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace flytt::conformance {

struct RecordedCase {
  std::string id, surface;    // "standard_functions/agg_sum", "standard_functions"
  std::string query, setup;   // placeholders still inside
  nlohmann::json parameters;  // null, or {mode, parameters: [{name, type, value}]}
  nlohmann::json job_config;
  bool needs_rest = false;              // set-up through REST or request headers
  std::optional<nlohmann::json> error;  // expected: {reason, message_pattern, …}
  nlohmann::json schema, rows;
};

// kBadData with the line's number when a line is not a case.
Result<std::vector<RecordedCase>> read_cases(const std::string& path);

bool is_select(const std::string& query);
// An ORDER BY outside of all parentheses, text and comments.
bool has_outer_order(const std::string& query);

}  // namespace flytt::conformance
