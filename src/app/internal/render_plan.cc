#include "app/internal/render_plan.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <set>

#include "scheduler/limits.h"

namespace flytt::app {

namespace {

constexpr std::size_t kNameMax = 52;  // of a CronJob: its jobs' names have eleven characters more, of 63
constexpr std::size_t kConfigMapBytesMax = 1'000'000;  // Kubernetes takes 1 MiB for all of one object
constexpr std::string_view kSchedulePrefix = "schedule:";

std::string short_name(const scheduler::Entry& entry) { return entry.name.substr(entry.name.find(':') + 1); }

// One start runs what was cut off before, and then what is due. `grace_micros`: between the end of an attempt's time and
// that of its command.
std::int64_t run_seconds(const scheduler::Policy& policy, std::int64_t grace_micros) {
  if (policy.run_micros_max == 0) return 0;
  double slot = static_cast<double>(policy.run_micros_max + grace_micros) * (policy.retries.max + 1);
  double wait = static_cast<double>(policy.retries.delay_micros);
  for (int i = 0; i < policy.retries.max; ++i, wait *= policy.retries.factor)
    slot += std::min(wait, static_cast<double>(policy.retries.delay_micros_max));
  const int slots = 1 + (policy.missed == scheduler::Missed::kAll ? policy.missed_max : 1);
  return static_cast<std::int64_t>(slot * slots / 1e6) + 2 * kStopSeconds;
}

// Which entries run apart, and the workloads of a configuration.
class Planner {
 public:
  Planner(const Config& config, const std::string& text, RenderPlan& plan) : config_(config), text_(text), plan_(plan) {
    for (const QueryConfig& query : config.queries) entries_.push_back(&*query.entry);
    for (const JobConfig& job : config.jobs) entries_.push_back(&*job.entry);
  }

  Status plan() {
    if (entries_.empty() && !has_streams())
      return Error(ErrorCode::kConfig, config_.path + " has nothing that could run; `flytt init` writes streams");
    if (plan_.request.jobs_apart) TRY_STATUS(set_apart());
    TRY_STATUS(add_engine());
    for (const scheduler::Entry* entry : entries_)
      if (is_apart(*entry)) TRY_STATUS(add_apart(*entry));
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
    const auto said = scheduler::foreign_schedule(entry.schedule, language(), plan_.request.now_micros);
    if (!said.lines.empty()) return;
    apart_.erase(entry.name);
    warn(entry.name,
         "'" + entry.schedule.definition() + "' cannot be said there, " + said.why_not + ": it stays in the engine");
  }

  // Takes the name, and those of its objects when there is one for each of several lines of a schedule.
  bool take_name(const std::string& name, std::size_t lines) {
    std::vector<std::string> all{name};
    for (std::size_t line = 1; lines > 1 && line <= lines; ++line)
      all.push_back(dns_name(name + "-" + std::to_string(line)));
    if (std::any_of(all.begin(), all.end(), [&](const std::string& one) { return names_.count(one) != 0; }))
      return false;
    names_.insert(all.begin(), all.end());
    return true;
  }

  // Names of one file are unique, also where what made them different was left out.
  std::string unique_name(const std::string& wanted, const std::string& about, std::size_t lines = 1) {
    std::string name = dns_name(wanted), salt = wanted;
    while (!take_name(name, lines)) {
      name = dns_name(wanted.substr(0, kNameMax - 10) + "-" + short_hash(salt));
      salt += ' ';
    }
    if (name != wanted)
      warn(about, "it is called '" + name + "' there: names have lower case letters, digits and -, " +
                      std::to_string(kNameMax) + " at most");
    return name;
  }

  Status add_engine() {
    Workload engine;
    std::vector<const JobConfig*> jobs;
    std::set<std::string> kept;
    bool moves_rows = has_streams();
    const auto tell = [&](const std::string& name) { engine.what += (engine.what.empty() ? "" : ", ") + name; };
    for (const StreamConfig& stream : config_.streams) tell(stream.name);
    for (const TopicStreamConfig& stream : config_.topic_streams) tell(stream.name);
    for (const scheduler::Entry* entry : entries_) {
      if (is_apart(*entry)) continue;
      tell(entry->name);
      kept.insert(short_name(*entry));
      if (const JobConfig* job = job_of(*entry))
        jobs.push_back(job);
      else
        moves_rows = true;
    }
    if (engine.what.empty()) return ok();
    engine.name = unique_name(plan_.request.name, plan_.request.name);
    engine.arguments = {"run", "--config", std::string(kConfigFolder) + "/flytt.yaml"};
    engine.memory = memory_of(config_, jobs, moves_rows);
    engine.runs_commands = !jobs.empty();
    if (is_local() || !has_shared_state()) engine.state_volume = engine.name + "-state";
    engine.replicas = replicas();
    return add(std::move(engine), kept);
  }

  Status add(Workload workload, const std::set<std::string>& entries) {
    TRY(workload.configuration, configuration_of(config_, text_, plan_.request.place, workload, entries, files_));
    std::size_t bytes = workload.configuration.text.size();
    for (const auto& [name, text] : workload.configuration.statements) bytes += text.size();
    const bool is_object = plan_.request.place == Place::kKubernetes || plan_.request.place == Place::kNais;
    if (is_object && bytes > kConfigMapBytesMax)
      warn(workload.name, "its configuration, with the statements, is larger than a ConfigMap may be (1 MiB)");
    plan_.workloads.push_back(std::move(workload));
    return ok();
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

  Status add_apart(const scheduler::Entry& entry) {
    const JobConfig* job = job_of(entry);
    Workload workload;
    workload.schedule = scheduler::foreign_schedule(entry.schedule, language(), plan_.request.now_micros);
    workload.name =
        unique_name(plan_.request.name + "-" + short_name(entry), entry.name, workload.schedule.lines.size());
    workload.what = entry.name;
    workload.arguments = {"run", "--once", "--config", std::string(kConfigFolder) + "/flytt.yaml"};
    workload.entry = &entry;
    workload.memory =
        memory_of(config_, job ? std::vector<const JobConfig*>{job} : std::vector<const JobConfig*>(), job == nullptr);
    workload.runs_commands = job != nullptr;
    workload.run_seconds_max =
        run_seconds(entry.policy, job == nullptr ? 0 : std::chrono::microseconds(job->limits.grace).count());
    if (!has_shared_state()) workload.state_volume = workload.name + "-state";
    warn(entry.name, std::string("its slots are remembered in ") + (has_shared_state() ? "a schema" : "a state file") +
                         " of its own: `job` verbs reach them with its own configuration, not with the engine's");
    add_schedule_warnings(plan_.request, workload, plan_.warnings);
    return add(std::move(workload), {short_name(entry)});
  }

  void warn_of_program(const JobConfig& job, const std::string& about) {
    const Place place = plan_.request.place;
    const std::string here = std::filesystem::absolute(config_.path).lexically_normal().parent_path().string();
    const bool is_beside = job.run[0].starts_with(here + "/");
    if (place == Place::kSystemd) {
      if (is_beside)
        warn(about,
             "its program is beside the configuration, so it has to be in " + std::string(kConfigFolder) + ", too");
      return;
    }
    std::string sentence = "its program has to be in the image, with what it needs";
    if (is_beside && place == Place::kCompose)
      sentence += "; it is beside the configuration, which means " + std::string(kConfigFolder) + " there";
    else if (is_beside)
      sentence +=
          "; it is named by its place beside the configuration, where a cluster has nothing else, so it will not be "
          "found: name its place in the image, or give it under 'files' and run it by its interpreter";
    warn(about, sentence);
  }

  void warn_of_identity() {
    if (plan_.request.place != Place::kKubernetes || config_.destination.kind != DestinationConfig::Kind::kGoogle ||
        !config_.destination.sign_in.key_file.empty())
      return;
    warn("destination.bigquery",
         "without 'key_file' the pods sign in by Workload Identity of GKE, as the namespace's service account "
         "'default': "
         "annotate it with iam.gke.io/gcp-service-account=ACCOUNT, and grant it roles/iam.workloadIdentityUser on "
         "ACCOUNT");
  }

  void warn_of_place() {
    warn_of_identity();
    const bool is_container = plan_.request.place != Place::kSystemd;
    if (is_local() && is_container)
      warn("destination.local",
           "the embedded warehouse listens on loopback only: nothing outside of its container reaches "
           "it, but `flytt query` inside does; its data needs the volume");
    for (const JobConfig& job : config_.jobs) {
      const std::string about = "job:" + job.name;
      if (job.limits.memory_bytes_max == 0)
        warn(about, "it has no 'limits.memory': 256 MiB are counted for each of its processes at a time");
      warn_of_program(job, about);
      if (!job.folder.empty())
        warn(about, "its 'folder' has to be there and writable" +
                        std::string(is_container ? "; the image's file system is read-only" : " for the user flytt"));
      if (is_container)
        warn(about,
             "it ends with its container, also when only flytt is replaced; outside of containers a command goes on");
    }
    if (is_container && plan_.request.image.empty())
      warn("--image", "no image was named; flytt publishes none, so build one and name it");
  }

  const Config& config_;
  const std::string& text_;
  RenderPlan& plan_;
  FileNames files_;
  std::vector<const scheduler::Entry*> entries_;
  std::set<std::string> apart_;  // entries' names
  std::set<std::string> names_;
};

}  // namespace

std::string short_hash(const std::string& text) {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (int i = 0; i < 6; ++i, hash >>= 4) out += kDigits[hash & 15];
  return out;
}

std::string dns_name(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const char lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const bool is_kept = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (is_kept || (!out.empty() && out.back() != '-')) out += is_kept ? lower : '-';
  }
  if (!out.empty() && out[0] <= '9') out = "flytt-" + out;
  if (out.size() > kNameMax) out = out.substr(0, kNameMax - 7) + "-" + short_hash(text);
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "flytt" : out;
}

Result<RenderPlan> plan_render(const Config& config, const std::string& text, const RenderRequest& request) {
  RenderPlan plan;
  plan.request = request;
  TRY_STATUS(Planner(config, text, plan).plan());
  return plan;
}

}  // namespace flytt::app
