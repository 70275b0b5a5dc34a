#include "data/time_zone.h"

#include <date/tz.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <vector>

namespace flytt::data {

namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kAlways = std::numeric_limits<std::int64_t>::min();

const date::time_zone* native(const void* zone) { return static_cast<const date::time_zone*>(zone); }

std::int64_t floor_seconds(std::int64_t micros) {
  return micros / kMicrosPerSecond - (micros % kMicrosPerSecond < 0 ? 1 : 0);
}

// The ends of the first and the last period are far outside of what fits.
std::int64_t clamped_micros(date::sys_seconds time) {
  const std::int64_t whole = time.time_since_epoch().count();
  if (whole >= kForever / kMicrosPerSecond) return kForever;
  if (whole <= kAlways / kMicrosPerSecond) return kAlways;
  return whole * kMicrosPerSecond;
}

// Levenshtein's distance without regard to case.
std::size_t distance(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, changed}));
    }
  }
  return row[b.size()];
}

std::string_view last_part(std::string_view name) {
  const auto slash = name.rfind('/');
  return slash == name.npos ? name : name.substr(slash + 1);
}

// "Oslo" is nearest to Europe/Oslo: the city alone counts, too.
std::string nearest_name(std::string_view name) {
  std::string nearest;
  std::size_t least = std::numeric_limits<std::size_t>::max();
  for (const date::time_zone& zone : date::get_tzdb().zones) {
    const std::size_t far = std::min(distance(name, zone.name()), distance(name, last_part(zone.name())));
    if (far < least) {
      least = far;
      nearest = zone.name();
    }
  }
  return nearest;
}

constexpr std::size_t kNameBytesMax = 64;  // no zone's name is longer; nothing longer is compared or repeated

}  // namespace

Result<TimeZone> TimeZone::find(std::string_view name) {
  TimeZone found;
  if (name == "UTC" || name == "Etc/UTC") return found;
  if (name.size() > kNameBytesMax)
    return Error(ErrorCode::kConfig, "the time zone is no name like Europe/Oslo: it is too long");
  TRY(const date::tzdb* database, base::guard("reading the time zones", [] { return &date::get_tzdb(); }));
  if (database->zones.empty())
    return Error(ErrorCode::kConfig, "this system has no time zone database; install tzdata, or use UTC");
  const auto at = std::lower_bound(database->zones.begin(), database->zones.end(), name,
                                   [](const date::time_zone& zone, std::string_view n) { return zone.name() < n; });
  if (at == database->zones.end() || at->name() != name)
    return Error(ErrorCode::kConfig,
                 "there is no time zone called '" + std::string(name) + "'; the nearest is " + nearest_name(name));
  found.zone_ = &*at;
  return found;
}

std::string_view TimeZone::name() const { return zone_ == nullptr ? "UTC" : std::string_view(native(zone_)->name()); }

OffsetPeriod TimeZone::period_at(std::int64_t instant_micros) const {
  if (zone_ == nullptr) return {kAlways, kForever, 0, "UTC"};
  const date::sys_info info = native(zone_)->get_info(date::sys_seconds(seconds(floor_seconds(instant_micros))));
  return {clamped_micros(info.begin), clamped_micros(info.end), info.offset.count() * kMicrosPerSecond, info.abbrev};
}

LocalTime TimeZone::instant_of(std::int64_t local_micros) const {
  if (zone_ == nullptr) return {LocalTime::Kind::kUnique, local_micros, local_micros};
  const date::local_info info = native(zone_)->get_info(date::local_seconds(seconds(floor_seconds(local_micros))));
  const std::int64_t first = local_micros - info.first.offset.count() * kMicrosPerSecond;
  if (info.result == date::local_info::unique) return {LocalTime::Kind::kUnique, first, first};
  if (info.result == date::local_info::ambiguous)
    return {LocalTime::Kind::kRepeated, first, local_micros - info.second.offset.count() * kMicrosPerSecond};
  const std::int64_t jump = clamped_micros(info.first.end);
  return {LocalTime::Kind::kSkipped, jump, jump};
}

std::int64_t TimeZone::local_of(std::int64_t instant_micros) const {
  return instant_micros + period_at(instant_micros).offset_micros;
}

}  // namespace flytt::data
