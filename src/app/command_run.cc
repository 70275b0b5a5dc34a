#include <algorithm>
#include <cstdlib>
#include <cstdio>
#include <filesystem>

#include "app/commands.h"
#include "app/internal/admin.h"
#include "app/internal/destination.h"
#include "app/internal/origin_adapter.h"
#include "app/internal/progress.h"
#include "app/internal/session.h"
#include "app/internal/signals.h"
#include "app/internal/topic_origin_adapter.h"
#include "app/output.h"
#include "base/log.h"
#include "gateway/health.h"

namespace flytt::app {

namespace {

constexpr std::chrono::seconds kCloseMax{30};

// How one stream's share of the engine's memory is used: the channel, and a window of rows in flight for the stream and for
// each copy worker; of a stream of topics, what the client has fetched ahead. A batch that is being built and one that is being encoded come on top, so the parts stay below the whole.
struct MemoryPlan {
  std::size_t channel_bytes, window_bytes, prefetch_bytes;
};
MemoryPlan plan_memory(const Config& config) {
  const auto streams =
      static_cast<std::int64_t>(std::max<std::size_t>(config.streams.size() + config.topic_streams.size(), 1));
  const std::int64_t share = config.engine_memory_bytes / streams;
  const std::int64_t window = std::clamp<std::int64_t>(share / (2 * (config.copy_workers + 1)), 4LL << 20, 40LL << 20);
  const std::int64_t channel = std::clamp<std::int64_t>(share / 6, 2LL << 20, 32LL << 20);
  const std::int64_t prefetch = std::clamp<std::int64_t>(share / 4, 4LL << 20, 64LL << 20);
  return {static_cast<std::size_t>(channel), static_cast<std::size_t>(window), static_cast<std::size_t>(prefetch)};
}

// Everything that runs, in the order in which it is made; destroyed in the opposite order.
struct Running {
  std::unique_ptr<LocalService> local;
  std::unique_ptr<warehouse::FolderLock> lock;  // when the destination is remote
  BigQueryAccess access;
  std::unique_ptr<state::Store> store;
  base::SeededRandom random{random_seed()};
  std::vector<std::unique_ptr<PostgresOrigin>> origins;
  std::vector<std::unique_ptr<KafkaOrigin>> topic_origins;
  std::vector<std::unique_ptr<BigQueryDestination>> destinations;
  std::unique_ptr<pipeline::Engine> engine;
  std::unique_ptr<AdminHandler> admin_handler;
  std::unique_ptr<gateway::HttpServer> admin;
  std::unique_ptr<gateway::HealthHandler> health_handler;
  std::unique_ptr<gateway::HttpServer> health;
};

Status open_destination(Session& session, Running& running) {
  const Config& config = session.config;
  if (config.destination.kind == DestinationConfig::Kind::kLocal) {
    LocalServiceOptions options;
    options.folder = config.destination.folder;
    options.project = config.project;
    options.location = config.location;
    options.verb = "run";
    options.memory_bytes_max = config.warehouse_memory_bytes;
    options.sources = config.sources;
    options.rest_address = config.rest_address;
    options.grpc_address = config.grpc_address;
    TRY(running.local, LocalService::open(options, session.clock, session.metrics));
    TRY(running.access, running.local->access(session.clock, random_seed()));
    base::log_info(
        "warehouse open",
        {{"folder", options.folder}, {"rest", running.local->rest_address()}, {"grpc", running.local->grpc_address()}});
    return ok();
  }
  TRY(warehouse::FolderLock lock, warehouse::FolderLock::acquire(config.lock_folder(), "run", session.clock,
                                                                 session.clock.in(std::chrono::seconds(30))));
  running.lock = std::make_unique<warehouse::FolderLock>(std::move(lock));
  TRY(running.access, open_remote_access(config.destination, session.clock));
  return ok();
}

bool is_chosen(const RunOptions& options, const std::string& name) {
  return options.only.empty() || std::find(options.only.begin(), options.only.end(), name) != options.only.end();
}

pipeline::StreamConfig engine_config(const Config& config, const RunOptions& options, const MemoryPlan& memory,
                                     const std::string& name, const std::string& source) {
  pipeline::StreamConfig wanted;
  wanted.name = name;
  wanted.source = source;
  wanted.may_adopt_slot = options.adopt;
  wanted.ends_when_caught_up = options.once;
  wanted.channel_bytes = memory.channel_bytes;
  wanted.copy_workers = config.copy_workers;
  return wanted;
}

BigQueryDestination& add_destination(Session& session, Running& running, std::int64_t max_staleness_ms,
                                     std::size_t window_bytes) {
  running.destinations.push_back(std::make_unique<BigQueryDestination>(BigQueryDestination::Parts{
      running.access, session.clock, session.metrics, session.config.location, max_staleness_ms, window_bytes}));
  return *running.destinations.back();
}

Status add_topic_streams(Session& session, const RunOptions& options, const MemoryPlan& memory, Running& running) {
  const Config& config = session.config;
  for (const TopicStreamConfig& stream : config.topic_streams) {
    if (!is_chosen(options, stream.name)) continue;
    TRY(kafka::TopicSourceOptions topics, topic_options(config, stream));
    topics.prefetch_bytes_max = memory.prefetch_bytes;
    TRY_STATUS(name_member(*running.store, stream, session.clock.wall_micros(), running.random.next(), topics.group));
    running.topic_origins.push_back(
        std::make_unique<KafkaOrigin>(KafkaOrigin::Parts{std::move(topics), session.clock}));
    // Nothing is copied beside a stream of topics, so its window has the room of the workers, too.
    const std::size_t window = memory.window_bytes * static_cast<std::size_t>(config.copy_workers + 1) / 2;
    running.engine->add(engine_config(config, options, memory, stream.name, stream.from), *running.topic_origins.back(),
                        add_destination(session, running, stream.max_staleness_ms, window));
  }
  return ok();
}

Status add_streams(Session& session, const RunOptions& options, Running& running) {
  const Config& config = session.config;
  for (const std::string& name : options.only)
    if (!config.has_stream(name))
      return Error(ErrorCode::kConfig, "--only " + name + ": there is no such stream in " + config.path);
  const MemoryPlan memory = plan_memory(config);
  running.engine = std::make_unique<pipeline::Engine>(
      pipeline::Engine::Parts{*running.store, session.clock, running.random, session.metrics});
  for (const StreamConfig& stream : config.streams) {
    if (!is_chosen(options, stream.name)) continue;
    TRY(PostgresOrigin::Parts parts, origin_parts(config, stream, session.clock));
    running.origins.push_back(std::make_unique<PostgresOrigin>(std::move(parts)));
    running.engine->add(engine_config(config, options, memory, stream.name, stream.from), *running.origins.back(),
                        add_destination(session, running, stream.max_staleness_ms, memory.window_bytes));
  }
  TRY_STATUS(add_topic_streams(session, options, memory, running));
  if (running.destinations.empty())
    return Error(ErrorCode::kConfig, config.path + " has no streams; `flytt init` writes one");
  return ok();
}

gateway::Readiness readiness(const pipeline::Engine& engine) {
  for (const pipeline::PipelineStatus& stream : engine.status())
    if (stream.condition == pipeline::Condition::kStarting) return {false, "stream " + stream.stream + " is starting"};
  return {true, "ready"};
}

Status open_listeners(Session& session, Running& running) {
  running.admin_handler = std::make_unique<AdminHandler>(*running.engine, session.clock);
  TRY(running.admin, gateway::HttpServer::start({}, *running.admin_handler, session.clock));
  if (running.local) TRY_STATUS(running.local->announce(running.admin->address()));
  if (running.lock) TRY_STATUS(running.lock->set_endpoints({{"admin", running.admin->address()}}));
  if (session.config.health_address.empty()) return ok();
  pipeline::Engine& engine = *running.engine;
  running.health_handler =
      std::make_unique<gateway::HealthHandler>(session.metrics, [&engine] { return readiness(engine); });
  gateway::HttpServerOptions options;
  options.address = session.config.health_address;
  options.may_leave_loopback = true;
  TRY(running.health, gateway::HttpServer::start(options, *running.health_handler, session.clock));
  return ok();
}

// Until every pipeline has ended. True when a second signal cut it short.
bool wait_for_end(Session& session, const SignalWatch& signals, Running& running) {
  Progress progress(session.clock, stderr_is_terminal());
  bool is_stopping = false;
  while (!running.engine->wait(session.clock.in(std::chrono::milliseconds(100)))) {
    if (signals.wait(session.clock, base::Deadline::passed())) {
      if (is_stopping) {
        base::log_warning("second signal: stopping at once");
        return true;
      }
      is_stopping = true;
      base::log_info("draining; a second signal stops at once");
      running.engine->request_stop();
    }
    progress.show(running.engine->status());
  }
  return false;
}

// 0 when all ended well; errors are printed, those of the configuration make the status 2. A run that should end with
// everything has failed when a table was left out of it.
int exit_status(const std::vector<Error>& failures, const std::vector<pipeline::PipelineStatus>& streams,
                bool is_once) {
  int status = kExitDone;
  for (const Error& failure : failures) status = std::max(status, report(failure));
  if (!is_once) return status;
  for (const pipeline::PipelineStatus& stream : streams)
    for (const pipeline::TableStatus& table : stream.tables)
      if (table.record.phase == state::TablePhase::kDetached)
        status = std::max(status, report(Error(ErrorCode::kConflict, stream.stream + "." + table.record.source_table +
                                                                         " is not carried: " + table.record.reason)));
  return status;
}

Result<int> run(const CommonOptions& common, const RunOptions& options) {
  TRY_STATUS(prepare_process());
  TRY(const SignalWatch signals, SignalWatch::start());
  TRY(const auto session, open_session(common));
  Running running;
  TRY_STATUS(open_destination(*session, running));
  TRY(running.store, state::Store::open(session->config.state_file));
  TRY_STATUS(add_streams(*session, options, running));
  TRY_STATUS(open_listeners(*session, running));
  running.engine->start();
  base::log_info("running", {{"streams", static_cast<std::int64_t>(running.destinations.size())}});
  const bool is_cut_short = wait_for_end(*session, signals, running);
  if (is_cut_short) std::_Exit(kExitFailed);  // as safe as a crash, and no disk or server that hangs can hold it up
  const std::vector<Error> failures = running.engine->failures();
  const std::vector<pipeline::PipelineStatus> last = running.engine->status();
  if (options.once && running.local) TRY_STATUS(running.local->warehouse().apply_all());
  running.engine.reset();
  running.admin->stop(session->clock.in(std::chrono::seconds(5)));
  if (running.health) running.health->stop(session->clock.in(std::chrono::seconds(1)));
  if (running.local) TRY_STATUS(running.local->close(session->clock.in(kCloseMax)));
  base::log_info("stopped");
  return exit_status(failures, last, options.once);
}

}  // namespace

int run_run(const CommonOptions& common, const RunOptions& options) {
  const auto done = run(common, options);
  return done ? *done : report(done.error());
}

}  // namespace flytt::app
