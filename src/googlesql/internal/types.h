#pragma once
// The analyzer's types and values ↔ ours and DuckDB text.

#include <cstdint>
#include <string>

#include "base/result.h"
#include "data/type.h"
#include "googlesql/translator.h"
#include "zetasql/public/type.pb.h"
#include "zetasql/public/type_parameters.pb.h"
#include "zetasql/public/value.pb.h"

namespace flytt::googlesql::internal {

// kUnsupported for types that BigQuery does not have.
Result<data::Type> type_of(const zetasql::TypeProto& type);
zetasql::TypeProto type_proto(const data::Type& type);
// Puts NUMERIC(P,S), STRING(L), BYTES(L) into `type`, also inside ARRAY and STRUCT.
void apply_parameters(data::Type& type, const zetasql::TypeParametersProto& parameters);

// A value as a DuckDB expression of exactly the type's physical form.
Result<std::string> literal_sql(const data::Type& type, const zetasql::ValueProto& value);
// A query parameter's value likewise. kBadData when the text is no value of the type; the sentence names `name`.
Result<std::string> parameter_sql(const std::string& name, const data::Type& type, const ParameterValue& value);

std::string null_sql(const data::Type& type);
std::string timestamp_sql(std::int64_t micros);

// DATETIME values of the analyzer in microseconds, and back.
std::int64_t datetime_micros(const zetasql::ValueProto::Datetime& value);
void set_datetime(zetasql::ValueProto::Datetime& value, std::int64_t micros);

}  // namespace flytt::googlesql::internal
