#include "app/internal/render_plan.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "scheduler/limits.h"

namespace flytt::app {

namespace {

constexpr std::size_t kNameMax = 52;  // of a CronJob: its jobs' names have eleven characters more, of 63
constexpr std::string_view kSchedulePrefix = "schedule:";

std::string short_hash(const std::string& text) {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (int i = 0; i < 6; ++i, hash >>= 4) out += kDigits[hash & 15];
  return out;
}

std::string short_name(const scheduler::Entry& entry) { return entry.name.substr(entry.name.find(':') + 1); }

// `rounds`: completions of a job that follow each other.
std::int64_t run_seconds(const scheduler::Policy& policy, int rounds) {
  if (policy.run_micros_max == 0) return 0;
  double waits = 0, wait = static_cast<double>(policy.retries.delay_micros);
  for (int i = 0; i < policy.retries.max; ++i, wait *= policy.retries.factor)
    waits += std::min(wait, static_cast<double>(policy.retries.delay_micros_max));
  const double micros = static_cast<double>(policy.run_micros_max) * rounds * (policy.retries.max + 1) + waits;
  return static_cast<std::int64_t>(micros / 1e6) + 2 * kStopSeconds;
}

// Which entries run apart, and the workloads of a configuration.
class Planner {
 public:
  Planner(const Config& config, RenderPlan& plan) : config_(config), plan_(plan) {
    for (const QueryConfig& query : config.queries) entries_.push_back(&*query.entry);
    for (const JobConfig& job : config.jobs) entries_.push_back(&*job.entry);
  }

  Status plan() {
    if (entries_.empty() && !has_streams())
      return Error(ErrorCode::kConfig, config_.path + " has nothing that could run; `flytt init` writes streams");
    if (plan_.request.jobs_apart) TRY_STATUS(set_apart());
    add_engine();
    for (const scheduler::Entry* entry : entries_)
      if (is_apart(*entry)) add_apart(*entry);
    warn_of_place();
    return ok();
  }

 private:
  bool has_streams() const { return !config_.streams.empty() || !config_.topic_streams.empty(); }
  bool has_shared_state() const { return config_.state_file.empty(); }
  bool is_local() const { return config_.destination.kind == DestinationConfig::Kind::kLocal; }
  bool is_apart(const scheduler::Entry& entry) const { return apart_.count(entry.name) != 0; }
  void warn(const std::string& about, const std::string& sentence) { plan_.warnings.push_back({about, sentence}); }
  const JobConfig* job_of(const scheduler::Entry& entry) const {
    return entry.name.starts_with("job:") ? config_.find_job(short_name(entry)) : nullptr;
  }
  scheduler::ForeignLanguage language() const {
    return plan_.request.place == Place::kSystemd ? scheduler::ForeignLanguage::kCalendar
                                                  : scheduler::ForeignLanguage::kCron;
  }

  Status set_apart() {
    if (plan_.request.place == Place::kCompose) {
      if (!entries_.empty())
        warn("--jobs-apart", "Compose has no schedules: all of them stay in the engine, which keeps their meaning");
      return ok();
    }
    if (is_local())
      return Error(
          ErrorCode::kConfig,
          "--jobs-apart: one process holds the warehouse of 'destination.local', so nothing can run beside the "
          "engine; leave the option out, or name another flytt under 'destination.bigquery'");
    for (const scheduler::Entry* entry : entries_) apart_.insert(entry->name);
    for (const scheduler::Entry* entry : entries_) keep_what_waits(*entry);
    for (const scheduler::Entry* entry : entries_) keep_what_cannot_be_said(*entry);
    return ok();
  }

  // Facts of streams and of other schedules are in the engine, and whatever is waited for has to run where it is asked.
  void keep_what_waits(const scheduler::Entry& entry) {
    if (entry.policy.after.empty()) return;
    if (apart_.erase(entry.name) != 0) {
      std::string names;
      for (const std::string& name : entry.policy.after)
        names += (names.empty() ? "" : ", ") +
                 (name.starts_with(kSchedulePrefix) ? name.substr(kSchedulePrefix.size()) : name);
      warn(entry.name, "it waits for " + names + ", which no other scheduler can ask: it stays in the engine");
    }
    for (const std::string& name : entry.policy.after)
      for (const scheduler::Entry* other : entries_)
        if (name == std::string(kSchedulePrefix) + other->name && apart_.erase(other->name) != 0) {
          warn(other->name, entry.name + " waits for it: it stays in the engine, too");
          keep_what_waits(*other);
        }
  }

  void keep_what_cannot_be_said(const scheduler::Entry& entry) {
    if (!is_apart(entry)) return;
    if (config_.has_stream(short_name(entry))) {
      apart_.erase(entry.name);
      warn(entry.name, "a stream has the same name, and --only would run both: it stays in the engine");
      return;
    }
    const auto said = scheduler::foreign_schedule(entry.schedule, language(), plan_.request.now_micros);
    if (!said.lines.empty()) return;
    apart_.erase(entry.name);
    warn(entry.name,
         "'" + entry.schedule.definition() + "' cannot be said there, " + said.why_not + ": it stays in the engine");
  }

  // Names of one file are unique, also where what made them different was left out.
  std::string unique_name(const std::string& wanted, const std::string& about) {
    std::string name = dns_name(wanted);
    if (!names_.insert(name).second) {
      name = dns_name(wanted.substr(0, 40) + "-" + short_hash(wanted));
      names_.insert(name);
    }
    if (name != wanted)
      warn(about, "it is called '" + name + "' there: names have lower case letters, digits and -, " +
                      std::to_string(kNameMax) + " at most");
    return name;
  }

  void add_engine() {
    std::vector<const JobConfig*> jobs;
    std::vector<std::string> only;
    bool moves_rows = has_streams();
    for (const StreamConfig& stream : config_.streams) only.push_back(stream.name);
    for (const TopicStreamConfig& stream : config_.topic_streams) only.push_back(stream.name);
    for (const scheduler::Entry* entry : entries_) {
      if (is_apart(*entry)) continue;
      only.push_back(short_name(*entry));
      if (const JobConfig* job = job_of(*entry))
        jobs.push_back(job);
      else
        moves_rows = true;
    }
    if (only.empty()) return;
    Workload engine;
    engine.name = unique_name(plan_.request.name, plan_.request.name);
    engine.arguments = {"run", "--config", std::string(kConfigFolder) + "/flytt.yaml"};
    if (!apart_.empty())
      for (const std::string& name : only) engine.arguments.insert(engine.arguments.end(), {"--only", name});
    for (const std::string& name : only) engine.what += (engine.what.empty() ? "" : ", ") + name;
    engine.memory = memory_of(config_, jobs, moves_rows);
    engine.runs_commands = !jobs.empty();
    if (is_local() || !has_shared_state()) engine.state_volume = engine.name + "-state";
    engine.replicas = replicas();
    plan_.workloads.push_back(std::move(engine));
  }

  int replicas() {
    const int asked = plan_.request.replicas.value_or(0);
    if (has_shared_state() && !is_local() && plan_.request.place != Place::kSystemd) return asked > 0 ? asked : 2;
    if (asked > 1)
      warn("--replicas", std::to_string(asked) + " were asked for and 1 is rendered: " +
                             (plan_.request.place == Place::kSystemd ? "a unit is one process"
                              : is_local()                           ? "one process holds the embedded warehouse"
                                           : "one process holds a state file of SQLite; several "
                                             "need 'state: {postgres: URL}'"));
    return 1;
  }

  void add_apart(const scheduler::Entry& entry) {
    const JobConfig* job = job_of(entry);
    Workload workload;
    workload.name = unique_name(plan_.request.name + "-" + short_name(entry), entry.name);
    workload.what = entry.name;
    workload.arguments = {"run",    "--once",         "--config", std::string(kConfigFolder) + "/flytt.yaml",
                          "--only", short_name(entry)};
    workload.entry = &entry;
    workload.schedule = scheduler::foreign_schedule(entry.schedule, language(), plan_.request.now_micros);
    workload.memory =
        memory_of(config_, job ? std::vector<const JobConfig*>{job} : std::vector<const JobConfig*>(), job == nullptr);
    workload.runs_commands = job != nullptr;
    workload.run_seconds_max =
        run_seconds(entry.policy, job == nullptr ? 1 : (job->completions + job->parallelism - 1) / job->parallelism);
    if (!has_shared_state()) {
      workload.state_volume = workload.name + "-state";
      warn(entry.name,
           "its slots are remembered in a state file of its own: `job ls`, `backfill` and `pause` of the engine "
           "do not reach it; with 'state: {postgres: URL}' they do");
    }
    add_schedule_warnings(plan_.request, workload, plan_.warnings);
    plan_.workloads.push_back(std::move(workload));
  }

  void warn_of_place() {
    const bool is_container = plan_.request.place != Place::kSystemd;
    if (is_local() && is_container)
      warn("destination.local",
           "the embedded warehouse listens on loopback only: nothing outside of its container reaches "
           "it, but `flytt query` inside does; its data needs the volume");
    for (const JobConfig& job : config_.jobs) {
      const std::string about = "job:" + job.name;
      if (job.limits.memory_bytes_max == 0)
        warn(about, "it has no 'limits.memory': 256 MiB are counted for each of its processes at a time");
      if (!is_container) continue;
      warn(about,
           "its program has to be in the image, with what it needs" +
               std::string(job.run[0].starts_with("/") ? "; a path that is relative to the configuration means " +
                                                             std::string(kConfigFolder) + " there"
                                                       : ""));
      if (!job.folder.empty())
        warn(about, "its 'folder' has to be there and writable; the image's file system is read-only");
      warn(about,
           "it ends with its container, also when only flytt is replaced; outside of containers a command goes on");
    }
    for (const KafkaSourceConfig& source : config_.kafka_sources)
      if (!source.instance.empty() && !plan_.workloads.empty() && plan_.workloads[0].replicas > 1)
        warn("source " + source.name,
             "its 'instance' would be the same in all replicas, which fence each other off: leave it out");
    if (is_container && plan_.request.image.empty())
      warn("--image", "no image was named; flytt publishes none, so build one and name it");
  }

  const Config& config_;
  RenderPlan& plan_;
  std::vector<const scheduler::Entry*> entries_;
  std::set<std::string> apart_;  // entries' names
  std::set<std::string> names_;
};

}  // namespace

std::string dns_name(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const char lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const bool is_kept = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (is_kept || (!out.empty() && out.back() != '-')) out += is_kept ? lower : '-';
  }
  if (out.size() > kNameMax) out = out.substr(0, kNameMax - 7) + "-" + short_hash(text);
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "flytt" : out;
}

Result<RenderPlan> plan_render(const Config& config, const std::string& text, const RenderRequest& request) {
  RenderPlan plan;
  plan.request = request;
  TRY_STATUS(adapt_configuration(config, text, plan));
  TRY_STATUS(Planner(config, plan).plan());
  return plan;
}

}  // namespace flytt::app
