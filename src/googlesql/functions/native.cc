#include "googlesql/functions/native.h"

#include "googlesql/functions/internal/registry.h"

namespace flytt::googlesql {

const std::vector<NativeFunction>& native_functions() {
  static const auto* const list = [] {
    auto* functions = new std::vector<NativeFunction>();
    internal::add_integer_functions(*functions);
    internal::add_float_functions(*functions);
    internal::add_decimal_functions(*functions);
    internal::add_text_functions(*functions);
    internal::add_text_case_functions(*functions);
    internal::add_regexp_functions(*functions);
    internal::add_bytes_functions(*functions);
    internal::add_hash_functions(*functions);
    internal::add_date_functions(*functions);
    internal::add_time_zone_functions(*functions);
    internal::add_time_format_functions(*functions);
    internal::add_time_parse_functions(*functions);
    internal::add_interval_functions(*functions);
    internal::add_cast_functions(*functions);
    internal::add_array_functions(*functions);
    internal::add_json_functions(*functions);
    internal::add_json_edit_functions(*functions);
    internal::add_format_functions(*functions);
    internal::add_window_functions(*functions);
    return functions;
  }();
  return *list;
}

const std::vector<NativeAggregate>& native_aggregates() {
  static const auto* const list = [] {
    auto* aggregates = new std::vector<NativeAggregate>();
    internal::add_number_aggregates(*aggregates);
    return aggregates;
  }();
  return *list;
}

}  // namespace flytt::googlesql
