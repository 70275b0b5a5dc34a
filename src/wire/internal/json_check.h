#pragma once
// Is a text a JSON value that BigQuery's JSON type takes (RFC 8259, at most kJsonDepthMax levels, no \u0000, no lone
// surrogate escape)? Looks at each byte once, allocates nothing. The text is known to be UTF-8.

#include <string_view>

namespace flytt::wire {

bool is_json(std::string_view text);

}  // namespace flytt::wire
