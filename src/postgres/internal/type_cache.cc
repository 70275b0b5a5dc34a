#include "postgres/internal/type_cache.h"

#include "postgres/limits.h"

namespace flytt::postgres {

Status TypeCache::load(Client& client, const std::vector<std::uint32_t>& oids, base::Deadline deadline) {
  std::string wanted;
  for (const std::uint32_t oid : oids) {
    if (find(oid) != nullptr) continue;
    if (!wanted.empty()) wanted += ',';
    wanted += std::to_string(oid);
  }
  if (wanted.empty()) return ok();
  const std::string sql = "WITH RECURSIVE needed(oid) AS (SELECT pg_catalog.unnest(ARRAY[" + wanted + R"(]::oid[]) UNION
      SELECT part.oid FROM needed JOIN pg_catalog.pg_type t USING (oid) CROSS JOIN LATERAL (VALUES (t.typbasetype), (t.typelem)) part(oid) WHERE part.oid <> 0)
    SELECT t.oid, n.nspname, t.typname, t.typtype, t.typdelim, t.typbasetype, t.typtypmod, t.typelem, t.typarray
    FROM needed JOIN pg_catalog.pg_type t USING (oid) JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace)";
  TRY(const Rows rows, client.query(sql, deadline, "read the column types"));
  for (int row = 0; row < rows.size(); ++row) {
    Entry entry;
    entry.type.oid = static_cast<std::uint32_t>(rows.number(row, 0));
    entry.type.schema = rows.text(row, 1);
    entry.type.name = rows.text(row, 2);
    entry.type.kind = rows.view(row, 3).empty() ? 'b' : rows.view(row, 3).front();
    entry.type.delimiter = rows.view(row, 4).empty() ? ',' : rows.view(row, 4).front();
    entry.base = static_cast<std::uint32_t>(rows.number(row, 5));
    entry.modifier = static_cast<std::int32_t>(rows.number(row, 6));
    entry.element = static_cast<std::uint32_t>(rows.number(row, 7));
    entry.array = static_cast<std::uint32_t>(rows.number(row, 8));
    entries_.insert_or_assign(entry.type.oid, std::move(entry));
  }
  return ok();
}

const TypeCache::Entry* TypeCache::find(std::uint32_t oid) const {
  const auto found = entries_.find(oid);
  return found == entries_.end() ? nullptr : &found->second;
}

const TypeCache::Entry* TypeCache::undomain(const Entry* entry, std::int32_t& modifier) const {
  for (std::size_t depth = 0; entry != nullptr && entry->type.kind == 'd' && depth < kTypeDepthMax; ++depth) {
    modifier = entry->modifier;
    entry = find(entry->base);
  }
  return entry;
}

std::optional<SourceType> TypeCache::resolve(std::uint32_t oid, std::int32_t modifier, std::string declared) const {
  SourceType out;
  out.declared_oid = oid;
  out.declared = std::move(declared);
  out.modifier = modifier;
  const Entry* base = undomain(find(oid), out.modifier);
  if (base == nullptr) return std::nullopt;
  out.base = base->type;
  const Entry* element = base->element == 0 ? nullptr : find(base->element);
  // Only the array type that an element names is one; point, name and int2vector have elements, too.
  if (element == nullptr || element->array != base->type.oid) return out;
  out.is_array = true;
  const char delimiter = element->type.delimiter;
  element = undomain(element, out.modifier);
  if (element == nullptr) return std::nullopt;
  out.element = element->type;
  out.element.delimiter = delimiter;
  if (element->element == 0) return out;
  // An array of a domain over an array: a value nested twice, which counts as a type of no name.
  if (const Entry* inner = find(element->element); inner != nullptr && inner->array == element->type.oid)
    out.is_array = false;
  return out;
}

}  // namespace flytt::postgres
