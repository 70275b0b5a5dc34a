#pragma once
// QueryParameter (REST v2) to googlesql::QueryParameter.

#include <vector>

#include "gateway/bigquery/internal/json.h"
#include "googlesql/translator.h"

namespace flytt::gateway::internal {

// Reads parameterMode and queryParameters of a QueryRequest or a JobConfigurationQuery. Values may come as JSON numbers or
// booleans, and the mode in any case, because some clients send them so.
Result<std::vector<googlesql::QueryParameter>> parse_query_parameters(const Json& request);

}  // namespace flytt::gateway::internal
