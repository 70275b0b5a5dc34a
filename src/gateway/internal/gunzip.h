#pragma once
// gzip (RFC 1952) for request bodies.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flytt::gateway::internal {

// kBadData when it is not gzip or is cut off; kUnsupported when it would grow beyond `bytes_max`.
Result<std::string> gunzip(std::string_view compressed, std::size_t bytes_max);

}  // namespace flytt::gateway::internal
