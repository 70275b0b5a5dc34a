#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstdio>
#include <filesystem>

#include "app/commands.h"
#include "app/internal/admin.h"
#include "app/internal/destination.h"
#include "app/internal/origin_adapter.h"
#include "app/internal/progress.h"
#include "app/internal/replica.h"
#include "app/internal/run_folders.h"
#include "app/internal/running_schedules.h"
#include "app/internal/schedule_status.h"
#include "app/internal/session.h"
#include "app/internal/signals.h"
#include "app/internal/stop_bounds.h"
#include "app/internal/topic_origin_adapter.h"
#include "app/output.h"
#include "base/log.h"
#include "gateway/health.h"

namespace flytt::app {

namespace {

constexpr std::chrono::milliseconds kLook{100};
constexpr std::chrono::seconds kOnceStandbyMax{30};  // until the replica that leads has ended

// How one stream's share of the engine's memory is used: the channel, and a window of rows in flight for the stream and for
// each copy worker; of a stream of topics, what the client has fetched ahead. A batch that is being built and one that is being encoded come on top, so the parts stay below the whole.
struct MemoryPlan {
  std::size_t channel_bytes, window_bytes, prefetch_bytes;
};
// All queries together count as one stream.
std::int64_t share_of_memory(const Config& config) {
  const std::size_t users = config.streams.size() + config.topic_streams.size() + (config.queries.empty() ? 0 : 1);
  return config.engine_memory_bytes / static_cast<std::int64_t>(std::max<std::size_t>(users, 1));
}
MemoryPlan plan_memory(const Config& config) {
  const std::int64_t share = share_of_memory(config);
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
  std::unique_ptr<Replica> replica;  // with a shared state
  std::unique_ptr<state::Store> store;
  base::SeededRandom random{random_seed()};
  std::vector<std::unique_ptr<PostgresOrigin>> origins;
  std::vector<std::unique_ptr<KafkaOrigin>> topic_origins;
  std::vector<std::unique_ptr<BigQueryDestination>> destinations;
  std::unique_ptr<pipeline::Engine> engine;
  std::unique_ptr<RunningSchedules> schedules;  // null when there are none
  std::unique_ptr<AdminHandler> admin_handler;
  std::unique_ptr<gateway::HttpServer> admin;
  std::atomic<bool> stands_by{false};
  std::atomic<const pipeline::Engine*> watched{nullptr};  // the engine, as long as `health` may look at it
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
  TRY(running.access, open_remote_access(config.destination, session.clock));
  if (config.has_shared_state()) return ok();
  TRY(warehouse::FolderLock lock, warehouse::FolderLock::acquire(config.lock_folder(), "run", session.clock,
                                                                 session.clock.in(std::chrono::seconds(30))));
  running.lock = std::make_unique<warehouse::FolderLock>(std::move(lock));
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
    topics.on_dead_letter = [&metrics = session.metrics, name = stream.name](std::string_view topic) {
      metrics.counter("flytt_dead_letters_total",
                      "stream=" + base::json_quote(name) + ",topic=" + base::json_quote(topic)) += 1;
    };
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
    if (!config.has_stream(name) && config.find_query(name) == nullptr && config.find_job(name) == nullptr)
      return Error(ErrorCode::kConfig, "--only " + name + ": there is no such stream, query or job in " + config.path);
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
  return add_topic_streams(session, options, memory, running);
}

Status add_schedules(Session& session, const RunOptions& options, Running& running) {
  RunningSchedules::Chosen chosen;
  for (const QueryConfig& query : session.config.queries)
    if (is_chosen(options, query.name)) chosen.queries.push_back(&query);
  for (const JobConfig& job : session.config.jobs)
    if (is_chosen(options, job.name)) chosen.jobs.push_back(&job);
  const Status removed = remove_gone_runs(session.config, *running.store, session.clock.wall_micros());
  if (!removed)
    base::log_failure(base::LogLevel::kWarning, "runs of jobs that are gone could not be removed", removed.error());
  const bool has_schedules = !chosen.queries.empty() || !chosen.jobs.empty();
  if (!has_schedules && running.destinations.empty())
    return Error(ErrorCode::kConfig,
                 session.config.path + " has no streams, queries or jobs; `flytt init` writes one with streams");
  if (!has_schedules) return ok();
  TRY(running.schedules,
      RunningSchedules::make({session, running.access, *running.store, running.random, *running.engine,
                              share_of_memory(session.config), running.replica ? &running.replica->lease() : nullptr},
                             chosen));
  return ok();
}

gateway::Readiness readiness(const Running& running) {
  if (running.stands_by) return {true, "standing by"};
  const pipeline::Engine* engine = running.watched;
  if (engine == nullptr) return {false, "starting"};
  for (const pipeline::PipelineStatus& stream : engine->status())
    if (stream.condition == pipeline::Condition::kStarting) return {false, "stream " + stream.stream + " is starting"};
  return {true, "ready"};
}

Status open_health(Session& session, Running& running) {
  if (session.config.health_address.empty()) return ok();
  running.health_handler =
      std::make_unique<gateway::HealthHandler>(session.metrics, [&running] { return readiness(running); });
  gateway::HttpServerOptions options;
  options.address = session.config.health_address;
  options.may_leave_loopback = true;
  TRY(running.health, gateway::HttpServer::start(options, *running.health_handler, session.clock));
  return ok();
}

// With a shared state one replica goes on from here, the others stay here. False: it was asked to end.
Result<bool> open_state(Session& session, const SignalWatch& signals, bool is_once, Running& running) {
  if (!session.config.has_shared_state()) {
    TRY(running.store, state::Store::open(session.config.state_file));
    return true;
  }
  running.stands_by = true;
  TRY_STATUS(open_health(session, running));
  TRY(running.replica, Replica::join(session, running.random.next()));
  const base::Deadline deadline = is_once ? session.clock.in(kOnceStandbyMax) : base::Deadline::never();
  TRY(const bool leads, running.replica->wait_to_lead(signals, deadline));
  if (!leads) return false;
  running.stands_by = false;
  TRY(running.store, running.replica->open_store());
  return true;
}

Status open_listeners(Session& session, Running& running) {
  const auto schedules = [&session, &running] {
    return schedules_json(
        running.store.get(), session.config,
        running.schedules ? running.schedules->scheduler().status() : std::vector<scheduler::ScheduleStatus>(),
        session.clock.wall_micros());
  };
  running.admin_handler = std::make_unique<AdminHandler>(*running.engine, session.clock, schedules,
                                                         running.replica ? running.replica->lease().holder() : "");
  TRY(running.admin, gateway::HttpServer::start({}, *running.admin_handler, session.clock));
  if (running.local) TRY_STATUS(running.local->announce(running.admin->address()));
  if (running.lock) TRY_STATUS(running.lock->set_endpoints({{"admin", running.admin->address()}}));
  if (running.replica) running.replica->announce(running.admin->address());
  running.watched = running.engine.get();
  return running.health ? ok() : open_health(session, running);
}

// Waits for the end of everything that runs.
class EndWatch {
 public:
  EndWatch(Session& session, const SignalWatch& signals, Running& running, bool is_once)
      : clock_(session.clock), signals_(signals), running_(running), is_once_(is_once) {}

  // True: it was cut short, by a second signal or because something does not end.
  Result<bool> wait() {
    Progress progress(clock_, stderr_is_terminal());
    while (true) {
      const bool streams_ended = running_.engine->wait(clock_.in(kLook));
      if (signals_.wait(clock_, streams_ended ? clock_.in(kLook) : base::Deadline::passed())) {
        if (began_to_end_) {
          base::log_warning("second signal: stopping at once");
          return true;
        }
        base::log_info("draining; a second signal stops at once");
        begin_to_end();
      }
      progress.show(running_.engine->status());
      if (!streams_ended) {
        if (began_to_end_ && running_.schedules) static_cast<void>(schedules_ended());
        continue;
      }
      if (!running_.schedules || schedules_ended()) return false;
      if (is_stuck()) return true;
      if (!began_to_end_ && is_once_) TRY_STATUS(go_on_once());
    }
  }

 private:
  void begin_to_end() {
    began_to_end_ = clock_.steady();
    running_.engine->request_stop();
  }
  bool schedules_ended() { return began_to_end_ && running_.schedules->stop(base::Deadline::passed()); }
  // When the streams have ended, schedules have their turn.
  Status go_on_once() {
    if (!std::exchange(schedules_started_, true)) return running_.schedules->start_once();
    TRY(const bool is_done, running_.schedules->is_done_once());
    if (is_done) begin_to_end();
    return ok();
  }
  bool is_stuck() {
    if (!began_to_end_) return false;
    const base::Duration since = clock_.steady() - *began_to_end_;
    if (since >= kSchedulesDrainMax) running_.schedules->cancel();
    if (since < kSchedulesDrainMax + kSchedulesCancelMax) return false;
    base::log_warning("a run does not end; it goes on when flytt runs again");
    return true;
  }

  const base::Clock& clock_;
  const SignalWatch& signals_;
  Running& running_;
  const bool is_once_;
  bool schedules_started_ = false;
  std::optional<base::SteadyTime> began_to_end_;
};

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

// What is told of a run that came to its end.
struct Outcome {
  std::vector<Error> failures;
  std::vector<pipeline::PipelineStatus> streams;
};

// Nothing: it was asked to end before it led. Whatever it returns, `close` follows.
Result<std::optional<Outcome>> work(Session& session, const SignalWatch& signals, const RunOptions& options,
                                    Running& running) {
  TRY_STATUS(open_destination(session, running));
  TRY(const bool leads, open_state(session, signals, options.once, running));
  if (!leads) return std::optional<Outcome>();
  TRY_STATUS(add_streams(session, options, running));
  TRY_STATUS(add_schedules(session, options, running));
  TRY_STATUS(open_listeners(session, running));
  running.engine->start();
  if (running.schedules && !options.once) running.schedules->start();
  base::log_info("running",
                 {{"streams", static_cast<std::int64_t>(running.destinations.size())},
                  {"schedules",
                   static_cast<std::int64_t>(running.schedules ? running.schedules->scheduler().status().size() : 0)}});
  TRY(const bool is_cut_short, EndWatch(session, signals, running, options.once).wait());
  if (is_cut_short) std::_Exit(kExitFailed);  // as safe as a crash, and no disk or server that hangs can hold it up
  Outcome outcome{running.engine->failures(), running.engine->status()};
  if (running.schedules && options.once) {
    TRY(const std::vector<Error> of_schedules, running.schedules->failures_once());
    outcome.failures.insert(outcome.failures.end(), of_schedules.begin(), of_schedules.end());
  }
  if (options.once && running.local) TRY_STATUS(running.local->warehouse().apply_all());
  return std::optional(std::move(outcome));
}

// Also of what failed while it started. Another replica takes over at once when nothing of this one works any more.
Status close(Session& session, Running& running) {
  if (running.admin) running.admin->stop(session.clock.in(kAdminStopMax));
  if (running.health) running.health->stop(session.clock.in(kHealthStopMax));
  running.schedules.reset();
  running.engine.reset();
  running.store.reset();
  if (running.replica) running.replica->give_back();
  return running.local ? running.local->close(session.clock.in(kCloseMax)) : ok();
}

Result<int> run(const CommonOptions& common, const RunOptions& options) {
  TRY_STATUS(prepare_process());
  TRY(const SignalWatch signals, SignalWatch::start());
  TRY(const auto session, open_session_with_project(common));
  Running running;
  const auto outcome = work(*session, signals, options, running);
  const Status closed = close(*session, running);
  if (!outcome) {
    if (!closed) base::log_failure(base::LogLevel::kWarning, "the warehouse was not closed", closed.error());
    return outcome.error();
  }
  TRY_STATUS(closed);
  if (!*outcome) return kExitDone;
  base::log_info("stopped");
  return exit_status((*outcome)->failures, (*outcome)->streams, options.once);
}

}  // namespace

int run_run(const CommonOptions& common, const RunOptions& options) {
  const auto done = run(common, options);
  return done ? *done : report(done.error());
}

}  // namespace flytt::app
