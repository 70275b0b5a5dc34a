#include <cstdio>
#include <filesystem>

#include "app/commands.h"
#include "app/internal/leader.h"
#include "app/internal/origin_adapter.h"
#include "app/internal/session.h"
#include "app/internal/source_state.h"
#include "app/output.h"
#include "postgres/setup.h"

namespace flytt::app {

namespace {

constexpr std::chrono::seconds kSetupMax{120};

Result<const StreamConfig*> stream_of(const Config& config, const std::string& source) {
  if (config.find_source(source) == nullptr)
    return Error(ErrorCode::kConfig, config.path + " has no source '" + source + "'");
  for (const StreamConfig& stream : config.streams)
    if (stream.from == source) return &stream;
  return Error(ErrorCode::kConfig, "no stream reads from source '" + source + "' yet; add one to " + config.path +
                                       " so that it is known which tables to publish");
}

void print_manual(const std::vector<postgres::SetupStep>& steps) {
  if (steps.empty()) return;
  std::printf("\nSomebody with more rights must run:\n");
  for (const postgres::SetupStep& step : steps) std::printf("  %s\n", step.sql.c_str());
}

Status apply(Session& session, const std::string& source, const postgres::ConnectionSettings& settings,
             const postgres::SetupPlan& plan) {
  if (plan.is_done()) {
    std::printf("source '%s' is set up already; nothing to do\n", source.c_str());
    return ok();
  }
  // What is about to be made is remembered first, so that teardown never forgets a thing.
  TRY(const auto store, open_source_state(session));
  for (const auto* steps : {&plan.steps, &plan.privileged})
    for (const postgres::SetupStep& step : *steps)
      for (const postgres::MadeObject& object : step.makes)
        TRY_STATUS(store->save_made(source, to_state(object, session.clock.wall_micros())));
  auto outcome = postgres::apply_setup(settings, plan, session.clock, session.clock.in(kSetupMax));
  if (!outcome) {
    for (const postgres::SetupStep& step : plan.steps)
      for (const postgres::MadeObject& object : step.makes) TRY_STATUS(store->forget_made(source, to_state(object, 0)));
    return std::move(outcome).error();
  }
  for (const postgres::SetupStep& step : outcome->manual)
    for (const postgres::MadeObject& object : step.makes) TRY_STATUS(store->forget_made(source, to_state(object, 0)));
  for (const std::string& sentence : outcome->done) std::printf("%s\n", sentence.c_str());
  print_manual(outcome->manual);
  std::printf("Next: flytt run (it makes the replication slot, copies the tables and follows them)\n");
  return ok();
}

Status setup(const CommonOptions& common, const SetupOptions& options) {
  TRY(const auto session, open_session(common));
  TRY(const StreamConfig* stream, stream_of(session->config, options.source));
  TRY(const PostgresOrigin::Parts parts, origin_parts(session->config, *stream, session->clock));
  const base::Deadline deadline = session->clock.in(kSetupMax);
  TRY(const auto catalog,
      postgres::inspect_tables(parts.settings, parts.selection, parts.publication, session->clock, deadline));
  postgres::SetupOptions wanted{parts.publication, "", ""};
  if (!options.print.empty()) {
    const auto style = options.print == "flyway" ? postgres::MigrationStyle::kFlyway : postgres::MigrationStyle::kPlain;
    if (const auto endpoint = postgres::parse_endpoint(parts.settings)) wanted.role = endpoint->user;
    const std::string text = postgres::print_migration(wanted, catalog.tables, style);
    std::fwrite(text.data(), 1, text.size(), stdout);
    return ok();
  }
  TRY(const auto plan, postgres::plan_setup(parts.settings, wanted, catalog.tables, session->clock, deadline));
  return apply(*session, options.source, parts.settings, plan);
}

Status teardown(const CommonOptions& common, const TeardownOptions& options) {
  TRY(const auto session, open_session(common));
  TRY(const StreamConfig* stream, stream_of(session->config, options.source));
  TRY(const auto running, find_running(session->config.lock_folder()));
  if (running && running->verb == "run")
    return Error(ErrorCode::kConflict,
                 "flytt runs (pid " + std::to_string(running->pid) + "); stop it first, then tear down");
  if (session->config.has_shared_state()) {
    TRY(const state::LeaseRow leader, read_leader(session->config));
    if (leader.is_held())
      return Error(ErrorCode::kConflict, leader_text(leader) + ", runs flytt; stop all replicas first, then tear down");
  }
  TRY(const PostgresOrigin::Parts parts, origin_parts(session->config, *stream, session->clock));
  TRY(const auto store, open_source_state(*session));
  TRY(const auto remembered, store->made(options.source));
  std::vector<postgres::MadeObject> made;
  for (const state::MadeObject& object : remembered) {
    TRY(const auto parsed, from_state(object));
    made.push_back(parsed);
  }
  if (made.empty()) {
    std::printf("flytt made nothing in source '%s', so nothing is taken away\n", options.source.c_str());
    return ok();
  }
  TRY(const auto outcome, postgres::teardown(parts.settings, made, session->clock, session->clock.in(kSetupMax)));
  for (const std::string& sentence : outcome.done) std::printf("%s\n", sentence.c_str());
  for (const postgres::MadeObject& object : outcome.gone)
    TRY_STATUS(store->forget_made(options.source, to_state(object, 0)));
  if (outcome.gone.size() != made.size())
    return Error(ErrorCode::kConflict, "some of what flytt made is still there; run teardown again when it is free");
  TRY_STATUS(store->forget_stream(stream->name));
  std::printf("destination tables stay as they are\n");
  return ok();
}

}  // namespace

int run_setup(const CommonOptions& common, const SetupOptions& options) {
  const auto done = setup(common, options);
  return done ? kExitDone : report(done.error());
}

int run_teardown(const CommonOptions& common, const TeardownOptions& options) {
  const auto done = teardown(common, options);
  return done ? kExitDone : report(done.error());
}

}  // namespace flytt::app
