// Dates, times, timestamps, intervals. Parts (the enum arguments, letter p) become numbers for the C++ functions.

#include "googlesql/functions/internal/rules.h"

namespace flytt::googlesql::internal {
namespace {

constexpr Rule kArithmetic[] = {
    {"date_add", "Dip", "gs_date_add$s($1, $2, $3::BIGINT)"},
    {"date_add", "cip", "gs_datetime_add$s($1, $2, $3::BIGINT)"},
    {"date_add", "Tip", "gs_timestamp_add$s($1, $2, $3::BIGINT)"},
    {"datetime_add", "cip", "gs_datetime_add$s($1, $2, $3::BIGINT)"},
    {"datetime_add", "Tip", "gs_timestamp_add$s($1, $2, $3::BIGINT)"},
    {"timestamp_add", "Tip", "gs_timestamp_add$s($1, $2, $3::BIGINT)"},
    {"timestamp_add", "cip", "gs_datetime_add$s($1, $2, $3::BIGINT)"},
    {"time_add", "tip", "gs_time_add$s($1, $2, $3::BIGINT)"},
    {"date_sub", "Dip", "gs_date_sub$s($1, $2, $3::BIGINT)"},
    {"date_sub", "cip", "gs_datetime_sub$s($1, $2, $3::BIGINT)"},
    {"date_sub", "Tip", "gs_timestamp_sub$s($1, $2, $3::BIGINT)"},
    {"datetime_sub", "cip", "gs_datetime_sub$s($1, $2, $3::BIGINT)"},
    {"datetime_sub", "Tip", "gs_timestamp_sub$s($1, $2, $3::BIGINT)"},
    {"timestamp_sub", "Tip", "gs_timestamp_sub$s($1, $2, $3::BIGINT)"},
    {"timestamp_sub", "cip", "gs_datetime_sub$s($1, $2, $3::BIGINT)"},
    {"time_sub", "tip", "gs_time_sub$s($1, $2, $3::BIGINT)"},
    {"date_diff", "DDp", "gs_date_diff$s($1, $2, $3::BIGINT)"},
    {"date_diff", "ccp", "gs_datetime_diff$s($1, $2, $3::BIGINT)"},
    {"date_diff", "TTp", "gs_timestamp_diff$s($1, $2, $3::BIGINT)"},
    {"datetime_diff", "ccp", "gs_datetime_diff$s($1, $2, $3::BIGINT)"},
    {"datetime_diff", "TTp", "gs_timestamp_diff$s($1, $2, $3::BIGINT)"},
    {"timestamp_diff", "TTp", "gs_timestamp_diff$s($1, $2, $3::BIGINT)"},
    {"timestamp_diff", "ccp", "gs_datetime_diff$s($1, $2, $3::BIGINT)"},
    {"time_diff", "ttp", "gs_time_diff$s($1, $2, $3::BIGINT)"},
    {"date_trunc", "Dp", "gs_date_trunc$s($1, $2::BIGINT)"},
    {"date_trunc", "cp", "gs_datetime_trunc$s($1, $2::BIGINT)"},
    {"date_trunc", "Tp", "gs_timestamp_trunc$s($1, $2::BIGINT, 'UTC')"},
    {"date_trunc", "Tps", "gs_timestamp_trunc$s($1, $2::BIGINT, $3)"},
    {"datetime_trunc", "cp", "gs_datetime_trunc$s($1, $2::BIGINT)"},
    {"datetime_trunc", "Tp", "gs_timestamp_trunc$s($1, $2::BIGINT, 'UTC')"},
    {"datetime_trunc", "Tps", "gs_timestamp_trunc$s($1, $2::BIGINT, $3)"},
    {"timestamp_trunc", "Tp", "gs_timestamp_trunc$s($1, $2::BIGINT, 'UTC')"},
    {"timestamp_trunc", "Tps", "gs_timestamp_trunc$s($1, $2::BIGINT, $3)"},
    {"timestamp_trunc", "cp", "gs_datetime_trunc$s($1, $2::BIGINT)"},
    {"time_trunc", "tp", "gs_time_trunc$s($1, $2::BIGINT)"},
    {"last_day", "D", "gs_last_day$s($1, 2::BIGINT)"},
    {"last_day", "Dp", "gs_last_day$s($1, $2::BIGINT)"},
    {"last_day", "c", "gs_last_day$s(gs_date_of($1), 2::BIGINT)"},
    {"last_day", "cp", "gs_last_day$s(gs_date_of($1), $2::BIGINT)"},
    {"$add", "Di", "gs_date_add$s($1, $2, 3::BIGINT)"},
    {"$add", "iD", "gs_date_add$s($2, $1, 3::BIGINT)"},
    {"$subtract", "Di", "gs_date_sub$s($1, $2, 3::BIGINT)"},
    {"generate_date_array", "DD", "gs_date_series$s($1, $2, 1::BIGINT, 3::BIGINT)"},
    {"generate_date_array", "DDip", "gs_date_series$s($1, $2, $3, $4::BIGINT)"},
    {"generate_timestamp_array", "TTip", "gs_timestamp_series$s($1, $2, $3, $4::BIGINT)"},
};

constexpr Rule kConversion[] = {
    {"$extract", "Dp", "gs_date_extract$s($1, $2::BIGINT)"},
    {"$extract", "cp", "gs_datetime_extract$s($1, $2::BIGINT)"},
    {"$extract", "tp", "gs_time_extract$s($1, $2::BIGINT)"},
    {"$extract", "Tp", "gs_datetime_extract$s($1, $2::BIGINT)"},
    {"$extract", "Tps", "gs_timestamp_extract$s($1, $2::BIGINT, $3)"},
    {"$extract", "vp", "gs_interval_extract$s($1, $2::BIGINT)"},
    {"$extract_date", "T", "gs_date_of($1)"},
    {"$extract_date", "Ts", "gs_date_of(gs_to_civil$s($1, $2))"},
    {"$extract_date", "c", "gs_date_of($1)"},
    {"$extract_time", "T", "gs_time_of($1)"},
    {"$extract_time", "Ts", "gs_time_of(gs_to_civil$s($1, $2))"},
    {"$extract_time", "c", "gs_time_of($1)"},
    {"$extract_datetime", "T", "$1"},
    {"$extract_datetime", "Ts", "gs_to_civil$s($1, $2)"},
    {"date", "iii", "gs_make_date$s($1, $2, $3)"},
    {"date", "T", "gs_date_of($1)"},
    {"date", "Ts", "gs_date_of(gs_to_civil$s($1, $2))"},
    {"date", "c", "gs_date_of($1)"},
    {"date", "D", "$1"},
    {"date", "s", "gs_text_to_date$s($1)"},
    {"datetime", "iiiiii", "gs_make_datetime$s($1, $2, $3, $4, $5, $6)"},
    {"datetime", "Dt", "gs_at_time($1, $2)"},
    {"datetime", "T", "$1"},
    {"datetime", "Ts", "gs_to_civil$s($1, $2)"},
    {"datetime", "D", "gs_midnight_of($1)"},
    {"datetime", "c", "$1"},
    {"datetime", "s", "gs_text_to_datetime$s($1)"},
    {"time", "iii", "gs_make_time$s($1, $2, $3)"},
    {"time", "T", "gs_time_of($1)"},
    {"time", "Ts", "gs_time_of(gs_to_civil$s($1, $2))"},
    {"time", "c", "gs_time_of($1)"},
    {"time", "t", "$1"},
    {"timestamp", "s", "gs_text_to_timestamp$s($1)"},
    {"timestamp", "ss", "gs_text_to_timestamp_at$s($1, $2)"},
    {"timestamp", "D", "gs_midnight_of($1)"},
    {"timestamp", "Ds", "gs_from_civil$s(gs_midnight_of($1), $2)"},
    {"timestamp", "c", "$1"},
    {"timestamp", "cs", "gs_from_civil$s($1, $2)"},
    {"timestamp", "T", "$1"},
    {"string", "T", "gs_timestamp_to_text$s($1, 'UTC')"},
    {"string", "Ts", "gs_timestamp_to_text$s($1, $2)"},
    {"string", "D", "gs_date_to_text($1)"},
    {"string", "t", "gs_time_to_text($1)"},
    {"string", "c", "gs_datetime_to_text($1)"},
    {"unix_seconds", "T", "gs_unix_seconds($1)"},
    {"unix_millis", "T", "gs_unix_millis($1)"},
    {"unix_micros", "T", "gs_unix_micros($1)"},
    {"unix_date", "D", "gs_unix_date($1)"},
    {"timestamp_seconds", "i", "gs_timestamp_seconds$s($1)"},
    {"timestamp_millis", "i", "gs_timestamp_millis$s($1)"},
    {"timestamp_micros", "i", "gs_timestamp_micros$s($1)"},
    {"timestamp_from_unix_seconds", "i", "gs_timestamp_seconds$s($1)"},
    {"timestamp_from_unix_millis", "i", "gs_timestamp_millis$s($1)"},
    {"timestamp_from_unix_micros", "i", "gs_timestamp_micros$s($1)"},
    {"date_from_unix_date", "i", "gs_date_from_unix_date$s($1)"},
};

constexpr Rule kText[] = {
    {"format_date", "sD", "gs_format_date$s($1, $2)"},
    {"format_date", "sc", "gs_format_datetime$s($1, $2)"},
    {"format_date", "sT", "gs_format_timestamp$s($1, $2, 'UTC')"},
    {"format_date", "sTs", "gs_format_timestamp$s($1, $2, $3)"},
    {"format_datetime", "sc", "gs_format_datetime$s($1, $2)"},
    {"format_datetime", "sT", "gs_format_timestamp$s($1, $2, 'UTC')"},
    {"format_datetime", "sTs", "gs_format_timestamp$s($1, $2, $3)"},
    {"format_timestamp", "sT", "gs_format_timestamp$s($1, $2, 'UTC')"},
    {"format_timestamp", "sTs", "gs_format_timestamp$s($1, $2, $3)"},
    {"format_timestamp", "sc", "gs_format_datetime$s($1, $2)"},
    {"format_time", "st", "gs_format_time$s($1, $2)"},
    {"parse_date", "ss", "gs_parse_date$s($1, $2)"},
    {"parse_datetime", "ss", "gs_parse_datetime$s($1, $2)"},
    {"parse_time", "ss", "gs_parse_time$s($1, $2)"},
    {"parse_timestamp", "ss", "gs_parse_timestamp$s($1, $2, 'UTC')"},
    {"parse_timestamp", "sss", "gs_parse_timestamp$s($1, $2, $3)"},
};

constexpr Rule kIntervals[] = {
    {"$interval", "ip", "gs_interval$s($1, $2::BIGINT)"},
    {"$add", "vv", "gs_add_interval$s($1, $2)"},
    {"$subtract", "vv", "gs_subtract_interval$s($1, $2)"},
    {"$unary_minus", "v", "gs_negate_interval($1)"},
    {"$multiply", "vi", "gs_multiply_interval$s($1, $2)"},
    {"$multiply", "iv", "gs_multiply_interval$s($2, $1)"},
    {"$divide", "vi", "gs_divide_interval$s($1, $2)"},
    {"$add", "Tv", "gs_timestamp_plus$s($1, $2)"},
    {"$add", "vT", "gs_timestamp_plus$s($2, $1)"},
    {"$add", "cv", "gs_datetime_plus$s($1, $2)"},
    {"$add", "vc", "gs_datetime_plus$s($2, $1)"},
    {"$add", "Dv", "gs_datetime_plus$s(gs_midnight_of($1), $2)"},
    {"$add", "vD", "gs_datetime_plus$s(gs_midnight_of($2), $1)"},
    {"$subtract", "Tv", "gs_timestamp_minus$s($1, $2)"},
    {"$subtract", "cv", "gs_datetime_minus$s($1, $2)"},
    {"$subtract", "Dv", "gs_datetime_minus$s(gs_midnight_of($1), $2)"},
    {"$subtract", "DD", "gs_dates_between$s($1, $2)"},
    {"$subtract", "TT", "gs_timestamps_between$s($1, $2)"},
    {"$subtract", "cc", "gs_datetimes_between$s($1, $2)"},
    {"$subtract", "tt", "gs_times_between$s($1, $2)"},
    {"justify_days", "v", "gs_justify_days$s($1)"},
    {"justify_hours", "v", "gs_justify_hours$s($1)"},
    {"justify_interval", "v", "gs_justify_interval$s($1)"},
};

ShapeResult make_interval(const FunctionCall& call) {
  std::string arguments;
  for (std::size_t i = 0; i < 6; ++i) {
    arguments += i > 0 ? ", " : "";
    arguments += i < call.arguments.size() ? call.arguments[i].sql : "0::BIGINT";
  }
  return Result<std::string>("gs_make_interval" + safe_suffix(call) + "(" + arguments + ")");
}

}  // namespace

void add_time_rules(std::vector<Rule>& rules) {
  rules.insert(rules.end(), std::begin(kArithmetic), std::end(kArithmetic));
  rules.insert(rules.end(), std::begin(kConversion), std::end(kConversion));
  rules.insert(rules.end(), std::begin(kText), std::end(kText));
  rules.insert(rules.end(), std::begin(kIntervals), std::end(kIntervals));
}

void add_time_shapes(std::vector<Shape>& shapes) { shapes.push_back({"make_interval", &make_interval}); }

}  // namespace flytt::googlesql::internal
