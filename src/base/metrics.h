#pragma once
// Counters and gauges that the program shows at /metrics (Prometheus text format 0.0.4) and in `status`.
//
// Metrics is shared by all threads. `counter` and `gauge` return a reference that stays valid as long as the
// registry; look it up once and keep it. Labels are part of the name: R"(stream="sak",table="public.person")".

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace flytt::base {

using Metric = std::atomic<std::int64_t>;

class Metrics {
 public:
  Metric& counter(std::string_view name, std::string_view labels = {}) { return find(name, labels, "counter"); }
  Metric& gauge(std::string_view name, std::string_view labels = {}) { return find(name, labels, "gauge"); }
  std::string prometheus_text() const;

 private:
  struct Family {
    std::string_view kind;
    std::map<std::string, Metric> values;
  };
  Metric& find(std::string_view name, std::string_view labels, std::string_view kind);

  mutable std::mutex mutex_;
  std::map<std::string, Family, std::less<>> families_;
};

}  // namespace flytt::base
