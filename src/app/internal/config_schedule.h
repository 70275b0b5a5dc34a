#pragma once
// What queries and jobs have alike in the configuration: their names, when they run, and what they run after.

#include <string>
#include <string_view>
#include <vector>

#include "app/internal/config_reader.h"

namespace flytt::app {

// One of them in the file, while it is read.
struct ScheduledNodes {
  std::string_view kind;  // "query" or "job"
  YAML::Node name, map;
};

// "; did you mean 'x'?", or nothing.
std::string did_you_mean(const std::string& name, const std::vector<std::string>& candidates);
bool consists_of(std::string_view text, std::string_view allowed);
// ASCII letters, digits and _.
extern const std::string_view kWordCharacters;

Status check_scheduled_name(const ConfigReader& reader, const ScheduledNodes& nodes, std::size_t bytes_max);
// `queries` and `jobs`, without `after`; sources and streams, and for jobs queries, are there already. Their nodes are
// added to `scheduled`.
Status read_queries(const ConfigReader& reader, const YAML::Node& node, Config& config,
                    std::vector<ScheduledNodes>& scheduled);
Status read_jobs(const ConfigReader& reader, const YAML::Node& node, Config& config,
                 std::vector<ScheduledNodes>& scheduled);
// An entry KIND:NAME with everything but `after`, which may name what stands further down: see read_after.
Result<scheduler::Entry> read_entry(const ConfigReader& reader, const ScheduledNodes& nodes);
// `all`: the nodes of the configuration's queries and then of its jobs, in their order. Dependencies are there, and do not
// go in circles; the first that closes one with those before it is named with its line.
Status read_after(const ConfigReader& reader, const std::vector<ScheduledNodes>& all, Config& config);

template <typename Number>
Status read_number(const ConfigReader& reader, const YAML::Node& node, Number& out);
extern template Status read_number(const ConfigReader&, const YAML::Node&, int&);
extern template Status read_number(const ConfigReader&, const YAML::Node&, std::uint64_t&);

}  // namespace flytt::app
