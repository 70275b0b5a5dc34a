#pragma once
// Column names for members of JSON objects (schema.h says the rule).

#include <string>
#include <string_view>

namespace flytt::kafka {

// BigQuery takes the name as it is, and it is not one of ours.
bool is_plain_name(std::string_view key);
// <key with _ for what is not allowed>_<8 hexadecimal digits>.
std::string marked_name(std::string_view key);
// Equal for names that BigQuery does not tell apart.
std::string folded(std::string_view name);

}  // namespace flytt::kafka
