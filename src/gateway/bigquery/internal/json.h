#pragma once
// JSON of requests and responses, and how a request's members are read: with Google's leniency (an int64 may come as a
// string, a missing member and null are the same) and an error that names the member. Slow to include.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flytt::gateway::internal {

using Json = nlohmann::json;                 // what came in: lookups are cheap whatever was sent
using OrderedJson = nlohmann::ordered_json;  // what goes out: members in the order of writing

// An object; kBadData (reason parseError or invalid) for anything else. An empty body is an empty object.
Result<Json> parse_body(std::string_view body);

// The member, or nullptr when it is missing or null.
const Json* member(const Json& object, const char* name);
Error wrong_type(const char* name, const char* expected);

Result<std::optional<std::string>> optional_string(const Json& object, const char* name);
Result<std::optional<std::int64_t>> optional_int64(const Json& object, const char* name);
Result<std::optional<bool>> optional_bool(const Json& object, const char* name);
// nullptr when missing; an error when it is no object (or array).
Result<const Json*> optional_object(const Json& object, const char* name);
Result<const Json*> optional_array(const Json& object, const char* name);
Result<std::string> required_string(const Json& object, const char* name);

// Text for a response; never throws.
std::string dump(const OrderedJson& value);
std::string dump(const Json& value);
// What the warehouse gave back: an object, empty when the text is empty.
Json parse_kept(const std::string& text);

Error invalid(std::string sentence);

}  // namespace flytt::gateway::internal
