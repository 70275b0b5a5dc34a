#include "base/metrics.h"

namespace flytt::base {

Metric& Metrics::find(std::string_view name, std::string_view labels, std::string_view kind) {
  std::lock_guard lock(mutex_);
  Family& family = families_.try_emplace(std::string(name)).first->second;
  family.kind = kind;
  return family.values.try_emplace(std::string(labels), 0).first->second;
}

std::string Metrics::prometheus_text() const {
  std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    out += "# TYPE " + name + " " + std::string(family.kind) + "\n";
    for (const auto& [labels, value] : family.values)
      out += name + (labels.empty() ? "" : "{" + labels + "}") + " " + std::to_string(value.load()) + "\n";
  }
  return out;
}

}  // namespace flytt::base
