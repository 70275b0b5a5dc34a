// What a process may need. The bounds of the configuration, and what comes on top of them:
//   program   72 MiB resident after the start (14 of them its own, the rest pages of files), measured on x86-64
//   analyzer  a process of its own beside a local warehouse: 47 MiB resident after the first query, measured
//   margin    a quarter of the bounds: a batch that is built while another is encoded, and what the allocator keeps

#include <algorithm>
#include <cstdio>

#include "app/internal/render_plan.h"

namespace flytt::app {

namespace {

constexpr std::int64_t kMebibyte = 1 << 20;
constexpr std::int64_t kProgramBytes = 96 * kMebibyte;
constexpr std::int64_t kAnalyzerBytes = 64 * kMebibyte;
constexpr std::int64_t kCommandBytes = 256 * kMebibyte;  // of a command without a bound
constexpr std::int64_t kSupervisorBytes = 16 * kMebibyte;
constexpr std::int64_t kStepBytes = 32 * kMebibyte;

}  // namespace

std::vector<MemoryPart> memory_of(const Config& config, const std::vector<const JobConfig*>& jobs, bool moves_rows) {
  const bool is_local = config.destination.kind == DestinationConfig::Kind::kLocal;
  std::vector<MemoryPart> parts;
  if (moves_rows) parts.push_back({"memory.engine", config.engine_memory_bytes});
  if (is_local) parts.push_back({"memory.warehouse", config.warehouse_memory_bytes});
  std::int64_t bounds = 0;
  for (const MemoryPart& part : parts) bounds += part.bytes;
  if (bounds > 0) parts.push_back({"a quarter of these", bounds / 4});
  if (is_local) parts.push_back({"the analyzer of statements", kAnalyzerBytes});
  for (const JobConfig* job : jobs) {
    const std::int64_t bytes =
        job->limits.memory_bytes_max > 0 ? static_cast<std::int64_t>(job->limits.memory_bytes_max) : kCommandBytes;
    parts.push_back({"job " + job->name + (job->parallelism > 1 ? " x " + std::to_string(job->parallelism) : ""),
                     (bytes + kSupervisorBytes) * job->parallelism});
  }
  parts.push_back({"the program", kProgramBytes});
  return parts;
}

std::int64_t memory_bytes(const std::vector<MemoryPart>& parts) {
  std::int64_t sum = 0;
  for (const MemoryPart& part : parts) sum += part.bytes;
  return (sum + kStepBytes - 1) / kStepBytes * kStepBytes;
}

std::string memory_sentence(const std::vector<MemoryPart>& parts) {
  const auto mebibytes = [](std::int64_t bytes) {
    return std::to_string((bytes + kMebibyte - 1) / kMebibyte) + " MiB";
  };
  std::string out;
  for (const MemoryPart& part : parts) out += (out.empty() ? "" : ", ") + part.what + " " + mebibytes(part.bytes);
  return "memory: " + out + "; together, in steps of 32 MiB, " + mebibytes(memory_bytes(parts));
}

}  // namespace flytt::app
