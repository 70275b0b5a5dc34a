// Texts of schedules from anybody: cron's five fields and BigQuery's language. What is taken gives slots that only grow, the same from
// either end, and at least one; what is refused says why.
//
// Input: a byte that chooses cron or every and the zone; the text.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "scheduler/schedule.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

constexpr const char* kZones[] = {"UTC", "Europe/Oslo", "Australia/Lord_Howe", "America/Sao_Paulo"};
constexpr std::int64_t kDay = 86'400'000'000;
constexpr std::int64_t kMarch2026 = 1'774'656'000'000'000;  // the day before Europe's clocks are put forward

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using flytt::scheduler::Schedule;
  if (size == 0) return 0;
  flytt::scheduler::ScheduleText text;
  text.timezone = kZones[data[0] >> 1 & 3];
  ((data[0] & 1) != 0 ? text.every : text.cron) = std::string(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto schedule = Schedule::parse(text);
  if (!schedule) {
    require(!schedule.error().sentence().empty() && schedule.error().sentence().size() < 500);
    return 0;
  }
  const auto slots = schedule->slots_between(kMarch2026, kMarch2026 + 3 * kDay, 40);
  for (std::size_t i = 0; i < slots.instants.size(); ++i)
    require(slots.instants[i] > (i == 0 ? kMarch2026 : slots.instants[i - 1]) &&
            slots.instants[i] <= kMarch2026 + 3 * kDay);
  if (slots.is_complete)
    require(schedule->newest_slots(kMarch2026, kMarch2026 + 3 * kDay, 40).instants == slots.instants);
  require(schedule->next_after(kMarch2026).has_value());
  return 0;
}
