#include "postgres/internal/values.h"

#include "postgres/internal/wire.h"

namespace flytt::postgres {

bool read_interval(std::string_view bytes, data::Interval& out) {
  if (bytes.size() != 16) return false;
  out.micros = read_big_endian<std::int64_t>(bytes.data());
  out.days = read_big_endian<std::int32_t>(bytes.data() + 8);
  out.months = read_big_endian<std::int32_t>(bytes.data() + 12);
  return true;
}

Verdict check_interval(const data::Interval& interval) {
  constexpr std::int32_t kMonths = 120'000, kDays = 3'660'000;
  constexpr std::int64_t kMicros = std::int64_t{87'840'000} * 3'600'000'000;
  const bool infinite = (interval.months == INT32_MAX && interval.days == INT32_MAX && interval.micros == INT64_MAX) ||
                        (interval.months == INT32_MIN && interval.days == INT32_MIN && interval.micros == INT64_MIN);
  if (infinite) return Verdict::kNotFinite;
  const bool fits = interval.months >= -kMonths && interval.months <= kMonths && interval.days >= -kDays &&
                    interval.days <= kDays && interval.micros >= -kMicros && interval.micros <= kMicros;
  return fits ? Verdict::kOk : Verdict::kOutOfRange;
}

void write_uuid(const char* bytes, char* text) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *text++ = '-';
    const auto byte = static_cast<unsigned char>(bytes[i]);
    *text++ = kHex[byte >> 4];
    *text++ = kHex[byte & 15];
  }
}

data::Int128 scale_money(std::int64_t units, int decimals) {
  data::Int128 scaled = units;
  for (int i = decimals; i < data::kNumericScale; ++i) scaled *= 10;
  return scaled;
}

}  // namespace flytt::postgres
