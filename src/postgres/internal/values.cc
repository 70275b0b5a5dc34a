#include "postgres/internal/values.h"

#include <cstring>

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

namespace {

struct HexPairs {
  char text[512];
  constexpr HexPairs() : text() {
    for (int i = 0; i < 256; ++i) {
      text[2 * i] = "0123456789abcdef"[i >> 4];
      text[2 * i + 1] = "0123456789abcdef"[i & 15];
    }
  }
};
constexpr HexPairs kHexPairs;

}  // namespace

void write_uuid(const char* bytes, char* text) {
  constexpr int kPlaces[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
  for (int i = 0; i < 16; ++i)
    std::memcpy(text + kPlaces[i], kHexPairs.text + 2 * static_cast<unsigned char>(bytes[i]), 2);
  text[8] = text[13] = text[18] = text[23] = '-';
}

data::Int128 scale_money(std::int64_t units, int decimals) {
  data::Int128 scaled = units;
  for (int i = decimals; i < data::kNumericScale; ++i) scaled *= 10;
  return scaled;
}

}  // namespace flytt::postgres
