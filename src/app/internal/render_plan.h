#pragma once
// What runs where: a configuration as workloads of another place, before anything is written in that place's language.
// Pure, but for the statements that the configuration keeps in files of their own, which are read.
//
// The place has its own copy of the configuration: state, warehouse, addresses and secret files lie where the place has
// them, and references stay references. A secret is never read, so it cannot be written.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/internal/stop_bounds.h"
#include "scheduler/foreign.h"

namespace flytt::app {

enum class Place { kNais, kKubernetes, kSystemd, kCompose };

struct RenderRequest {
  Place place = Place::kKubernetes;
  std::string name = "flytt";  // of the engine, and the beginning of all other names
  std::string image;           // empty: flytt:<version>
  std::string name_space;      // of Kubernetes, and nais' team; empty: not set
  std::string kafka_pool;      // nais; empty: nav-dev
  std::optional<int> replicas;
  bool jobs_apart = false;      // schedules run by the place's own scheduler, where it can say them
  std::int64_t now_micros = 0;  // changes of the clock are looked at from here on
};

struct MemoryPart {
  std::string what;
  std::int64_t bytes;
};

// A file with a secret, which somebody has to put there.
struct SecretFile {
  std::string id;      // its name in the place: letters, digits, ., _ and -
  std::string origin;  // as the configuration names it
};

// What a workload reads at its start: its part of the configuration, and what that takes from outside. A process that runs
// one schedule has nothing of the others, and not their secrets.
struct WorkloadConfiguration {
  std::string text;                                             // of flytt.yaml
  std::vector<std::pair<std::string, std::string>> statements;  // file beside it → text
  std::vector<std::string> variables;                           // that it has to have
  std::vector<std::string> optional_variables;                  // that it may have: a platform's, for TLS
  std::vector<SecretFile> secret_files;
  std::vector<std::string> folders;  // that its commands work in, absolute there
};

// One process.
struct Workload {
  std::string name;                    // DNS-1123, at most 52 characters, no two alike, also with -<line> behind it
  std::string what;                    // for people
  std::vector<std::string> arguments;  // of the program
  const scheduler::Entry* entry = nullptr;  // its schedule; null: it runs all the time
  scheduler::ForeignSchedule schedule;      // of `entry`
  int replicas = 1;
  std::vector<MemoryPart> memory;
  bool runs_commands = false;
  std::int64_t run_seconds_max = 0;  // all that one start may run, with the waits between attempts; 0: no limit
  std::string state_volume;          // name of what is mounted on the state folder; empty: state is elsewhere
  WorkloadConfiguration configuration;
};

struct RenderWarning {
  std::string about;  // "query:dataproducts", "source sak", or the workload
  std::string sentence;
};

struct RenderPlan {
  RenderRequest request;
  std::vector<Workload> workloads;
  std::vector<RenderWarning> warnings;
};

inline constexpr const char* kConfigFolder = "/etc/flytt";
inline constexpr const char* kStateFolder = "/var/lib/flytt";  // of a container
inline constexpr int kHealthPort = 8080;
// From SIGTERM on. A few seconds more than it takes: nais waits for five before it sends the signal.
inline constexpr int kStopSeconds = kStopMax.count() + 9;

// kConfig: a password stands in the file, a statement's file cannot be read, nothing is configured that could run, or
// schedules are to run apart although one process holds the local warehouse.
Result<RenderPlan> plan_render(const Config& config, const std::string& text, const RenderRequest& request);

// -- parts, each with its own file

// What a workload writes: its state, the local warehouse, runs of its jobs. Units share a machine, so each has its own.
std::string state_folder(Place place, const std::string& workload);
// Where secret files lie in the place.
std::string secret_folder(Place place);

// Names of files in the place, by their paths here; no two alike.
class FileNames {
 public:
  std::string of(const std::string& path);

 private:
  std::set<std::string> taken_{"flytt.yaml", "compose.yaml", "flytt.env", "flytt.conf", "secrets"};
  std::map<std::string, std::string> by_path_;
};

// The part of the configuration that a workload needs. `entries` are those that the engine keeps, without their "query:" and
// "job:", or the one of a workload that has an entry.
Result<WorkloadConfiguration> configuration_of(const Config& config, const std::string& text, Place place,
                                               const Workload& workload, const std::set<std::string>& entries,
                                               FileNames& names);

// What a process may need, from the bounds that the configuration has. `jobs`: those that it runs.
std::vector<MemoryPart> memory_of(const Config& config, const std::vector<const JobConfig*>& jobs, bool moves_rows);
std::int64_t memory_bytes(const std::vector<MemoryPart>& parts);  // the sum, in steps of 32 MiB
std::string memory_sentence(const std::vector<MemoryPart>& parts);

// What the place's scheduler does otherwise than flytt's with this entry.
void add_schedule_warnings(const RenderRequest& request, const Workload& workload, std::vector<RenderWarning>& out);

// DNS-1035: lower case letters, digits and -, a letter first, a letter or digit last, at most 52.
std::string dns_name(const std::string& text);
// Six hexadecimal digits.
std::string short_hash(const std::string& text);

}  // namespace flytt::app
