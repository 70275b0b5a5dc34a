#include "googlesql/functions/internal/time_zone.h"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include <map>
#include <mutex>
#include <string>

#include "googlesql/functions/internal/registry.h"
#include "googlesql/functions/internal/time_parts.h"

namespace flytt::googlesql::internal {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Zone files are named Area/City; nothing else of the file system may be reached, and "localtime" depends on the machine.
bool is_zone_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name == "localtime" || name == "posixrules") return false;
  if (name.substr(0, 6) == "Fixed/" || name.substr(0, 6) == "posix/" || name.substr(0, 6) == "right/") return false;
  for (const char c : name) {
    if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '/' && c != '_' && c != '-' &&
        c != '+')
      return false;
  }
  return name[0] != '/';
}

const absl::TimeZone* load(std::string_view name) {
  static std::mutex mutex;
  static auto* const zones = new std::map<std::string, const absl::TimeZone*, std::less<>>();
  const std::lock_guard lock(mutex);
  if (const auto found = zones->find(name); found != zones->end()) return found->second;
  if (!is_zone_name(name)) return nullptr;
  absl::TimeZone zone;
  if (!absl::LoadTimeZone(std::string(name), &zone)) return nullptr;
  return zones->emplace(std::string(name), new absl::TimeZone(zone)).first->second;
}

}  // namespace

std::optional<std::int64_t> Zone::parse_offset(std::string_view text) {
  if (text.size() < 2 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  std::size_t at = 1;
  const auto number = [&]() -> std::optional<std::int64_t> {
    if (at >= text.size() || !is_digit(text[at])) return std::nullopt;
    std::int64_t value = text[at++] - '0';
    if (at < text.size() && is_digit(text[at])) value = value * 10 + (text[at++] - '0');
    return value;
  };
  const auto hours = number();
  if (!hours) return std::nullopt;
  std::int64_t minutes = 0;
  if (at < text.size()) {
    if (text[at] == ':') ++at;
    const auto value = number();
    if (!value || at != text.size()) return std::nullopt;
    minutes = *value;
  }
  if (*hours > 14 || minutes > 59 || (*hours == 14 && minutes > 0)) return std::nullopt;
  const std::int64_t seconds = *hours * 3600 + minutes * 60;
  return text[0] == '-' ? -seconds : seconds;
}

std::optional<Zone> Zone::find(std::string_view name) {
  Zone zone;
  if (name == "UTC") return zone;
  const std::string_view offset = name.substr(0, 3) == "UTC" ? name.substr(3) : name;
  if (!offset.empty() && (offset[0] == '+' || offset[0] == '-')) {
    const auto seconds = parse_offset(offset);
    if (!seconds) return std::nullopt;
    zone.offset_ = *seconds;
    return zone;
  }
  thread_local std::string last_name;
  thread_local const absl::TimeZone* last_zone = nullptr;
  if (last_zone == nullptr || last_name != name) {
    const absl::TimeZone* found = load(name);
    if (found == nullptr) return std::nullopt;
    last_name = name;
    last_zone = found;
  }
  zone.zone_ = last_zone;
  return zone;
}

std::int64_t Zone::offset_at(std::int64_t micros) const {
  if (zone_ == nullptr) return offset_;
  return static_cast<const absl::TimeZone*>(zone_)->At(absl::FromUnixMicros(micros)).offset;
}

std::int64_t Zone::from_civil(std::int64_t civil_micros) const {
  if (zone_ == nullptr) return civil_micros - offset_ * kSecondMicros;
  const std::int64_t seconds = floor_divide(civil_micros, kSecondMicros);
  const absl::CivilSecond civil = absl::CivilSecond(1970, 1, 1) + seconds;
  const absl::Time before = static_cast<const absl::TimeZone*>(zone_)->At(civil).pre;
  return absl::ToUnixSeconds(before) * kSecondMicros + floor_modulo(civil_micros, kSecondMicros);
}

namespace {

using I = std::int64_t;

Failure unknown_zone(std::string_view name) { return {"Invalid time zone: " + std::string(name)}; }

std::optional<Zone> zone_of(std::string_view name) { return Zone::find(name); }

std::string shown(I civil_micros) { return data::format_datetime(civil_micros, ' '); }

Answer<Timestamp> to_civil(Timestamp t, std::string_view name) {
  const auto zone = zone_of(name);
  if (!zone) return unknown_zone(name);
  const I civil = zone->to_civil(t.micros);
  if (!is_timestamp(civil)) return Failure{"Invalid Datetime extracted from timestamp"};
  return Timestamp{civil};
}
Answer<Timestamp> from_civil(Timestamp civil, std::string_view name) {
  const auto zone = zone_of(name);
  if (!zone) return unknown_zone(name);
  const I micros = zone->from_civil(civil.micros);
  if (!is_timestamp(micros)) {
    return Failure{"Cannot convert Datetime " + shown(civil.micros) + " at timezone " + std::string(name) +
                   " to a Timestamp"};
  }
  return Timestamp{micros};
}
Answer<Timestamp> truncate(Timestamp t, I part_number, std::string_view name) {
  const auto part = static_cast<Part>(part_number);
  const auto zone = zone_of(name);
  if (!zone) return unknown_zone(name);
  // Hours and less keep the offset of the instant, so that a repeated hour stays itself.
  const bool is_short = micros_of(part) != 0;
  const I offset = zone->offset_at(t.micros) * kSecondMicros;
  const auto civil = truncate_civil(t.micros + offset, part);
  if (!civil) return Failure{"Unsupported date part " + part_name(part)};
  const I micros = is_short ? *civil - offset : zone->from_civil(*civil);
  if (!is_timestamp(micros)) {
    return Failure{"Truncating " + shown(t.micros) + "+00 to the nearest " + part_name(part) + " causes overflow"};
  }
  return Timestamp{micros};
}
Answer<I> extract(Timestamp t, I part_number, std::string_view name) {
  const auto part = static_cast<Part>(part_number);
  const auto zone = zone_of(name);
  if (!zone) return unknown_zone(name);
  const I civil = zone->to_civil(t.micros);
  const auto value = micros_of(part) != 0 ? extract_time_part(floor_modulo(civil, kMicrosPerDay), part)
                                          : extract_date_part(floor_divide(civil, kMicrosPerDay), part);
  if (!value) return Failure{"Unsupported date part " + part_name(part)};
  return *value;
}
Answer<std::string> to_text(Timestamp t, std::string_view name) {
  const auto zone = zone_of(name);
  if (!zone) return unknown_zone(name);
  const I offset = zone->offset_at(t.micros) / 60;  // whole minutes, as the text shows
  const I civil = t.micros + offset * kMinuteMicros;
  if (!is_timestamp(civil)) return Failure{"Invalid Datetime extracted from timestamp"};
  char zone_text[16];
  const I magnitude = offset < 0 ? -offset : offset;
  std::snprintf(zone_text, sizeof zone_text, "%c%02d", offset < 0 ? '-' : '+', static_cast<int>(magnitude / 60));
  std::string text = shown(civil);
  if (text.size() == 26 && text.substr(23) == "000") text.resize(23);
  text += zone_text;
  if (magnitude % 60 != 0) {
    std::snprintf(zone_text, sizeof zone_text, ":%02d", static_cast<int>(magnitude % 60));
    text += zone_text;
  }
  return text;
}

}  // namespace

void add_time_zone_functions(Functions& list) {
  list.push_back(native<&to_civil>("gs_to_civil"));
  list.push_back(native<&from_civil>("gs_from_civil"));
  list.push_back(native<&truncate>("gs_timestamp_trunc"));
  list.push_back(native<&extract>("gs_timestamp_extract"));
  list.push_back(native<&to_text>("gs_timestamp_to_text"));
}

}  // namespace flytt::googlesql::internal
