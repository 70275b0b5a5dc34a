#pragma once
// SHA-256 (FIPS 180-4), in lower-case hexadecimal. For naming a value that is too large to keep; not for secrets.

#include <string>
#include <string_view>

namespace flytt::pipeline::internal {

std::string sha256_hex(std::string_view bytes);

}  // namespace flytt::pipeline::internal
