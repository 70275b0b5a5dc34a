#pragma once
// Each file of native functions adds its own to the two lists.

#include <vector>

#include "googlesql/functions/native.h"

namespace flytt::googlesql::internal {

using Functions = std::vector<NativeFunction>;
using Aggregates = std::vector<NativeAggregate>;

void add_integer_functions(Functions& list);
void add_float_functions(Functions& list);
void add_decimal_functions(Functions& list);
void add_text_functions(Functions& list);
void add_text_case_functions(Functions& list);
void add_regexp_functions(Functions& list);
void add_bytes_functions(Functions& list);
void add_hash_functions(Functions& list);
void add_json_functions(Functions& list);
void add_json_edit_functions(Functions& list);
void add_date_functions(Functions& list);
void add_time_zone_functions(Functions& list);
void add_time_format_functions(Functions& list);
void add_time_parse_functions(Functions& list);
void add_interval_functions(Functions& list);
void add_cast_functions(Functions& list);
void add_array_functions(Functions& list);
void add_format_functions(Functions& list);

void add_window_functions(Functions& list);

void add_number_aggregates(Aggregates& list);

}  // namespace flytt::googlesql::internal
