#pragma once
// TimeZone: the rules of one zone of the system's time zone database (IANA names; /usr/share/zoneinfo), and UTC, which
// needs no database.
//
// A value: cheap to copy, thread-safe, valid as long as the process. Instants are microseconds since 1970-01-01 00:00:00
// UTC; local times are microseconds since 1970-01-01 00:00:00 as the wall clock of the zone shows it. A zone is a row of
// periods of one offset each; where the offset grows local times are skipped (a gap), where it shrinks they are there
// twice (an overlap). The database is read once, at the first `find`, which may block for a few milliseconds. It says what
// is known until the end of 2037; the offset that holds then is taken to hold for ever.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace flytt::data {

// A span of one offset: local = instant + offset for begin ≤ instant < end.
struct OffsetPeriod {
  std::int64_t begin_micros, end_micros;  // instants; the outermost reach beyond the years 1 to 9999
  std::int64_t offset_micros;
  std::string abbreviation;  // CET
};

// What instants a local time has.
struct LocalTime {
  enum class Kind { kUnique, kSkipped, kRepeated };
  Kind kind;
  // kUnique: both are the instant. kRepeated: both passes. kSkipped: both are the instant of the jump.
  std::int64_t first_micros, second_micros;
};

class TimeZone {
 public:
  TimeZone() = default;  // UTC

  // By its exact name, "Europe/Oslo"; "UTC" and "Etc/UTC" always exist. kConfig: unknown, with the nearest name that is
  // known; or the system has no database.
  static Result<TimeZone> find(std::string_view name);

  std::string_view name() const;
  OffsetPeriod period_at(std::int64_t instant_micros) const;
  LocalTime instant_of(std::int64_t local_micros) const;
  std::int64_t local_of(std::int64_t instant_micros) const;

  friend bool operator==(const TimeZone& a, const TimeZone& b) { return a.zone_ == b.zone_; }

 private:
  const void* zone_ = nullptr;  // an entry of the database, or nothing: UTC
};

}  // namespace flytt::data
