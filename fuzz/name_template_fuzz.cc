// Templates of names from anybody. What is taken can be rendered for any slot, and what does not depend on one is always the same.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "scheduler/name_template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto made = flytt::scheduler::NameTemplate::parse({reinterpret_cast<const char*>(data), size});
  if (!made) return made.error().sentence().empty() ? std::abort(), 0 : 0;
  const std::string a = made->render(1'518'652'860'000'000), b = made->render(-62'135'596'800'000'000);
  if (!made->depends_on_slot() && a != b) std::abort();
  return 0;
}
