#pragma once
// UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing beyond U+10FFFF.

#include <string_view>

namespace flytt::data {

bool is_valid_utf8(std::string_view text);

}  // namespace flytt::data
