#pragma once
// Pieces that the binary reader, the text reader and the renderer share.

#include <cstdint>
#include <string_view>

#include "data/civil.h"
#include "data/decimal.h"
#include "postgres/internal/codec.h"

namespace flytt::postgres {

inline constexpr std::int64_t kDaysTo2000 = 10'957;  // PostgreSQL counts from 2000-01-01
inline constexpr std::int64_t kMicrosTo2000 = kDaysTo2000 * data::kMicrosPerDay;

// interval_send: int64 microseconds, int32 days, int32 months. False when the length is wrong.
bool read_interval(std::string_view bytes, data::Interval& out);
// BigQuery: ±10,000 years, ±3,660,000 days, ±87,840,000 hours.
Verdict check_interval(const data::Interval& interval);

// 16 bytes to 36 characters.
void write_uuid(const char* bytes, char* text);

// money is an integer of the locale's smallest unit; NUMERIC is × 10^9.
data::Int128 scale_money(std::int64_t units, int decimals);

}  // namespace flytt::postgres
