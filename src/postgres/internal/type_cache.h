#pragma once
// TypeCache: entries of pg_type that were looked up, and the resolution of domains and arrays.

#include <map>
#include <string>
#include <vector>

#include "postgres/internal/client.h"
#include "postgres/types.h"

namespace flytt::postgres {

class TypeCache {
 public:
  // Looks up these types and all that they are made of; known ones are not asked for again.
  Status load(Client& client, const std::vector<std::uint32_t>& oids, base::Deadline deadline);
  // nullopt for a type that the database does not have (any more).
  std::optional<SourceType> resolve(std::uint32_t oid, std::int32_t modifier, std::string declared) const;

 private:
  struct Entry {
    NamedType type;
    std::uint32_t base = 0;      // of a domain
    std::int32_t modifier = -1;  // of a domain's base
    std::uint32_t element = 0, array = 0;
  };
  const Entry* find(std::uint32_t oid) const;
  const Entry* undomain(const Entry* entry, std::int32_t& modifier) const;

  std::map<std::uint32_t, Entry> entries_;
};

}  // namespace flytt::postgres
