// Scheduled commands in the configuration.

#include <algorithm>

#include "app/internal/config_schedule.h"
#include "commands/limits.h"

namespace flytt::app {

namespace {

constexpr std::size_t kNameBytesMax = 50;  // of a job; it becomes part of run ids, where an _ takes three bytes
constexpr int kCompletionsMax = 1000;
constexpr int kParallelismMax = 64;
constexpr std::string_view kOwnVariables = "FLYTT_";

bool holds_nul(std::string_view text) { return text.find('\0') != text.npos; }
bool is_reference(std::string_view text) { return text.starts_with("${env:") || text.starts_with("${file:"); }
// One reference and nothing else.
bool is_whole_reference(std::string_view text) { return is_reference(text) && text.find('}') == text.size() - 1; }

Status read_command(const ConfigReader& reader, const ScheduledNodes& nodes, JobConfig& job) {
  const YAML::Node run = nodes.map["run"], folder = nodes.map["folder"];
  if (!run || run.size() == 0 || run[0].Scalar().empty())
    return reader.fail(run ? run : nodes.name, "job '" + job.name + "' needs 'run: [program, argument, …]'");
  for (const auto& word : run) {
    if (holds_nul(word.Scalar())) return reader.fail(word, "a word of 'run' must not hold a zero byte");
    job.run.push_back(word.Scalar());
  }
  if (job.run[0].find('/') != std::string::npos) job.run[0] = reader.beside(job.run[0]);
  if (!folder) return ok();
  if (folder.Scalar().empty())
    return reader.fail(folder, "'folder' is empty; leave it out for a fresh one in each run");
  job.folder = reader.beside(folder.Scalar());
  return ok();
}

Status check_variable(const ConfigReader& reader, const YAML::Node& name) {
  const std::string text = name.Scalar();
  const bool is_name = !text.empty() && consists_of(text, kWordCharacters) && (text[0] < '0' || text[0] > '9');
  if (!is_name)
    return reader.fail(name, "'" + text + "' is no name of a variable: letters, digits and _, no digit first");
  if (text.starts_with(kOwnVariables))
    return reader.fail(name, "'" + text + "': variables that begin with FLYTT_ are flytt's own");
  return ok();
}

Result<SecretText> read_secret(const ConfigReader& reader, const YAML::Node& node) {
  SecretText secret;
  secret.reference = node.Scalar();
  auto value = reader.resolve(node);
  if (!value)
    secret.problem = value.error().sentence();
  else if (holds_nul(*value))
    return reader.fail(node, "the value of a variable must not hold a zero byte");
  else
    secret.value = base::Secret(std::move(*value));
  return secret;
}

// A text that stands where a secret should be is not repeated.
Status read_variables(const ConfigReader& reader, const ScheduledNodes& nodes, JobConfig& job) {
  if (const YAML::Node env = nodes.map["env"]; env && env.IsMap())
    for (const auto& entry : env) {
      TRY_STATUS(check_variable(reader, entry.first));
      if (is_reference(entry.second.Scalar()))
        return reader.fail(entry.second,
                           "variable '" + entry.first.Scalar() +
                               "' is a reference; it belongs under 'secrets', as 'env' is shown as it is");
      if (holds_nul(entry.second.Scalar()))
        return reader.fail(entry.second, "the value of a variable must not hold a zero byte");
      job.environment[entry.first.Scalar()] = entry.second.Scalar();
    }
  const YAML::Node secrets = nodes.map["secrets"];
  if (!secrets || !secrets.IsMap()) return ok();
  for (const auto& entry : secrets) {
    const std::string name = entry.first.Scalar();
    TRY_STATUS(check_variable(reader, entry.first));
    if (job.environment.count(name) != 0) return reader.fail(entry.first, "'" + name + "' stands under 'env', too");
    if (!is_whole_reference(entry.second.Scalar()))
      return reader.fail(entry.second, "secret '" + name +
                                           "' must be one reference, ${env:NAME} or ${file:/path}, and no text: a "
                                           "secret does not stand in this file");
    TRY(job.secrets[name], read_secret(reader, entry.second));
  }
  return ok();
}

Status read_files(const ConfigReader& reader, const YAML::Node& node, JobConfig& job) {
  if (!node || !node.IsMap()) return ok();
  if (!job.folder.empty())
    return reader.fail(node,
                       "'files' are placed into the fresh working folder of each run, and this job has its 'folder'");
  for (const auto& entry : node) {
    const std::string name = entry.first.Scalar();
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos || holds_nul(name))
      return reader.fail(entry.first, "'" + name + "' must be a plain name; files are placed into the working folder");
    if (is_whole_reference(entry.second.Scalar())) {
      TRY(job.files[name], read_secret(reader, entry.second));
    } else {
      job.files[name].value = base::Secret(entry.second.Scalar());
    }
  }
  return ok();
}

Status read_size(const ConfigReader& reader, const YAML::Node& node, std::uint64_t least, std::uint64_t& out) {
  if (!node) return ok();
  auto bytes = parse_bytes(node.Scalar());
  if (!bytes) return reader.fail(node, bytes.error().sentence());
  if (static_cast<std::uint64_t>(*bytes) < least)
    return reader.fail(node, "'" + node.Scalar() + "' is too little; at least " + std::to_string(least >> 10) + "KiB");
  out = static_cast<std::uint64_t>(*bytes);
  return ok();
}

Status read_limits(const ConfigReader& reader, const ScheduledNodes& nodes, commands::CommandLimits& limits) {
  std::int64_t grace_ms = limits.grace.count();
  TRY_STATUS(reader.duration(nodes.map["grace"], grace_ms));
  limits.grace = std::chrono::milliseconds(grace_ms);
  if (nodes.map["folder"]) limits.work_bytes_max = 0;  // what lay there before the run would count
  const YAML::Node node = nodes.map["limits"];
  if (!node || !node.IsMap()) return ok();
  TRY_STATUS(read_size(reader, node["memory"], 1 << 20, limits.memory_bytes_max));
  TRY_STATUS(read_size(reader, node["disk"], 4 << 10, limits.work_bytes_max));
  TRY_STATUS(read_size(reader, node["output"], commands::kOutputBytesLeast, limits.output_bytes_max));
  if (const YAML::Node cpu = node["cpu"]) {
    std::int64_t cpu_ms = 0;
    TRY_STATUS(reader.duration(cpu, cpu_ms));
    if (cpu_ms < 1000 || cpu_ms % 1000 != 0) return reader.fail(cpu, "'limits.cpu' is whole seconds, at least 1s");
    limits.cpu_seconds_max = static_cast<std::uint64_t>(cpu_ms / 1000);
  }
  TRY_STATUS(read_number(reader, node["open_files"], limits.open_files_max));
  if (limits.open_files_max < 16) return reader.fail(node["open_files"], "'limits.open_files' must be at least 16");
  return ok();
}

Status read_completions(const ConfigReader& reader, const ScheduledNodes& nodes, JobConfig& job) {
  const YAML::Node completions = nodes.map["completions"], parallelism = nodes.map["parallelism"];
  TRY_STATUS(read_number(reader, completions, job.completions));
  TRY_STATUS(read_number(reader, parallelism, job.parallelism));
  if (job.completions < 1 || job.completions > kCompletionsMax)
    return reader.fail(completions, "'completions' must be 1 to " + std::to_string(kCompletionsMax));
  if (job.parallelism < 1 || job.parallelism > kParallelismMax)
    return reader.fail(parallelism, "'parallelism' must be 1 to " + std::to_string(kParallelismMax));
  if (job.parallelism > job.completions)
    return reader.fail(parallelism,
                       "'parallelism' is more than 'completions', which is " + std::to_string(job.completions));
  return ok();
}

Result<JobConfig> read_job(const ConfigReader& reader, const ScheduledNodes& nodes, const Config& config) {
  JobConfig job;
  job.name = nodes.name.Scalar();
  TRY_STATUS(check_scheduled_name(reader, nodes, kNameBytesMax));
  if (config.find_query(job.name) != nullptr)
    return reader.fail(nodes.name,
                       "there is a query called '" + job.name + "', and commands name either; choose another");
  if (!nodes.map.IsMap()) return reader.fail(nodes.name, "job '" + job.name + "' needs 'schedule' and 'run'");
  TRY_STATUS(read_command(reader, nodes, job));
  TRY_STATUS(read_variables(reader, nodes, job));
  TRY_STATUS(read_files(reader, nodes.map["files"], job));
  TRY_STATUS(read_limits(reader, nodes, job.limits));
  TRY_STATUS(read_completions(reader, nodes, job));
  TRY(job.entry, read_entry(reader, nodes));
  return job;
}

}  // namespace

Status read_jobs(const ConfigReader& reader, const YAML::Node& node, Config& config,
                 std::vector<ScheduledNodes>& scheduled) {
  if (!node || !node.IsMap()) return ok();
  for (const auto& entry : node) {
    scheduled.push_back({"job", entry.first, entry.second});
    TRY(JobConfig job, read_job(reader, scheduled.back(), config));
    config.jobs.push_back(std::move(job));
  }
  return ok();
}

}  // namespace flytt::app
