#pragma once
// TableFieldSchema (REST v2) to and from data::TableSchema.
//
// What data::Field has no place for (policy tags, nested descriptions and modes, whether a mode was given at all) is kept
// as the JSON that was sent, and put back when the fields are shown.

#include <string>
#include <vector>

#include "data/schema.h"
#include "gateway/bigquery/internal/json.h"

namespace flytt::gateway::internal {

// `fields` is the list of TableFieldSchema. Errors name the field.
Result<std::vector<data::Field>> parse_fields(const Json& fields);
// Of one query parameter or nested field: RECORD needs `fields`, RANGE needs `rangeElementType`.
Result<data::Type> parse_field_type(const Json& field, int depth);

// Indexes of the primary key's columns; `table` is a Table resource. Absent = none.
Result<std::vector<std::uint32_t>> parse_primary_key(const Json& table, const std::vector<data::Field>& fields);

// `kept`: the fields as they were last sent (may be null). Modes are shown where they were given, and where there is no
// kept field of that name.
OrderedJson fields_json(const std::vector<data::Field>& fields, const Json* kept);

struct NamedType {
  std::string name;
  data::Type type;
};
// {"fields":[…]} of an answer; every field has a mode.
OrderedJson result_schema_json(const std::vector<NamedType>& columns);

}  // namespace flytt::gateway::internal
