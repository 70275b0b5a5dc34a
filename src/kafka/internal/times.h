#pragma once
// Dates and times as messages write them. Pure functions; nullopt for anything else.
//
// Strict: RFC 3339 — YYYY-MM-DD, 'T', HH:MM:SS with 0 to 9 digits of fraction, Z or ±HH:MM; a TIMESTAMP has a zone, a
// DATETIME has none. Otherwise also: a blank for the T, one-digit months, days and hours, no seconds, a comma before the
// fraction, ±HH, ±HHMM, "UTC", a region in brackets behind the offset ("+01:00[Europe/Oslo]"), a date alone for midnight,
// and a TIMESTAMP without a zone is UTC. Fractions beyond microseconds are cut off.

#include <cstdint>
#include <optional>
#include <string_view>

#include "data/decimal.h"
#include "kafka/config.h"

namespace flytt::kafka {

std::optional<std::int64_t> read_date(std::string_view text, bool strict);
std::optional<std::int64_t> read_time(std::string_view text, bool strict);
std::optional<std::int64_t> read_datetime(std::string_view text, bool strict);
std::optional<std::int64_t> read_timestamp(std::string_view text, bool strict);

// A number of `unit`s since 1970, as parse_numeric scales it (×10^9), in microseconds; cut off towards the past.
std::optional<std::int64_t> instant_of(data::Int128 scaled, EpochUnit unit);

// Parts of a date and time in the order year, month, day, hour, minute, second, nanosecond; what is missing is zero.
// 3 to 7 parts; nullopt when they are none that the calendar has.
std::optional<std::int64_t> datetime_of_parts(const std::int64_t* parts, std::size_t count);
// Hour, minute, second, nanosecond: 2 to 4 parts.
std::optional<std::int64_t> time_of_parts(const std::int64_t* parts, std::size_t count);

}  // namespace flytt::kafka
