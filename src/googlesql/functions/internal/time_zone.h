#pragma once
// Time zones: names of the IANA database (from the system's zoneinfo files), "UTC", fixed offsets "+05:30", "-8", "UTC+3".

#include <cstdint>
#include <optional>
#include <string_view>

namespace flytt::googlesql::internal {

class Zone {
 public:
  // nullopt for an unknown name. Zones are read once per process.
  static std::optional<Zone> find(std::string_view name);
  // ±H[H][[:]M[M]], at most 14:00, in seconds.
  static std::optional<std::int64_t> parse_offset(std::string_view text);

  // Seconds east of UTC at an instant.
  std::int64_t offset_at(std::int64_t micros) const;
  std::int64_t to_civil(std::int64_t micros) const { return micros + offset_at(micros) * 1'000'000; }
  // A civil time that is skipped or repeated takes the offset that was valid before the change.
  std::int64_t from_civil(std::int64_t civil_micros) const;

 private:
  const void* zone_ = nullptr;  // absl::TimeZone that lives for ever; nullptr: the offset is fixed
  std::int64_t offset_ = 0;
};

}  // namespace flytt::googlesql::internal
