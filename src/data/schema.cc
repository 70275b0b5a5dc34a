#include "data/schema.h"

#include <strings.h>

#include <algorithm>

namespace flytt::data {

std::optional<std::uint32_t> TableSchema::find(std::string_view name) const {
  for (std::uint32_t i = 0; i < fields.size(); ++i)
    if (fields[i].name.size() == name.size() && strncasecmp(fields[i].name.data(), name.data(), name.size()) == 0)
      return i;
  return std::nullopt;
}

bool TableSchema::is_key(std::uint32_t index) const { return std::find(key.begin(), key.end(), index) != key.end(); }

}  // namespace flytt::data
