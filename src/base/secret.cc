#include "base/secret.h"

#include <cstring>

namespace flytt::base {

Secret::~Secret() { explicit_bzero(value_.data(), value_.size()); }

}  // namespace flytt::base
