#pragma once
// The bytes of the helper program, carried inside this binary.

#include <string_view>

namespace flytt::googlesql::internal {

std::string_view helper_image();

}  // namespace flytt::googlesql::internal
