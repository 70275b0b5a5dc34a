#pragma once
// Cells of an answer in the form of the recording, and the comparison of both.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/column.h"
#include "googlesql/translator.h"

namespace flytt::conformance {

// NUMERIC and BIGNUMERIC as text, BYTES as base64, times in ISO 8601, structs as objects by field name, intervals as
// Python's relativedelta, NaN and infinities as text.
nlohmann::json recorded_value(const data::Type& type, const data::Column& column, std::size_t row);

// {name, type, mode} as the recording has it.
nlohmann::json recorded_field(const googlesql::OutputColumn& column);

// Equal values; what differs goes to `difference`.
bool same_value(const data::Type& type, const nlohmann::json& expected, const nlohmann::json& actual);

}  // namespace flytt::conformance
