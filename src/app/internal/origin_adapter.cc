#include "app/internal/origin_adapter.h"

#include <algorithm>

#include "base/log.h"
#include "postgres/copy.h"
#include "postgres/slot.h"
#include "postgres/stream_source.h"

namespace flytt::app {

namespace {

constexpr std::chrono::seconds kAskMax{30};        // one look at the server
constexpr std::chrono::seconds kSlotAttempt{10};   // one try to make a slot; a stop is seen between two
constexpr std::chrono::seconds kHolderGrace{10};   // on top of wal_sender_timeout, for a dead reader's connection
constexpr std::chrono::minutes kCopyOpenMax{600};  // for older transactions to end
constexpr std::chrono::seconds kCopyRangeOpenMax{60};

std::string storage_text(const std::vector<postgres::CopyRange>& ranges) {
  return ranges.empty() ? std::string() : std::to_string(ranges.front().storage);
}

class AdaptedCopySession final : public pipeline::CopySession {
 public:
  AdaptedCopySession(std::unique_ptr<postgres::CopySession> session,
                     std::map<std::string, postgres::SourceTable> tables, std::uint16_t epoch, const base::Clock& clock)
      : session_(std::move(session)), tables_(std::move(tables)), epoch_(epoch), clock_(clock) {}

  data::Sequence consistent_point() const override {
    return data::Sequence::of(epoch_, session_->consistent_point().value, 0);
  }
  std::string consistent_point_text() const override { return postgres::format_lsn(session_->consistent_point()); }
  bool is_alive() override { return session_->is_alive(); }

  Result<pipeline::CopyPlan> plan(const pipeline::OriginTable& table) override {
    TRY(const postgres::SourceTable* source, find(table));
    TRY(const auto ranges, session_->plan_ranges(*source, clock_.in(kAskMax)));
    pipeline::CopyPlan plan;
    plan.identity = storage_text(ranges);
    const auto blocks = static_cast<double>(std::max<std::uint64_t>(source->size_bytes / 8192, 1));
    for (const postgres::CopyRange& range : ranges) {
      const double share = range.is_whole_table() || range.end_block == postgres::CopyRange::kOpenEnd
                               ? std::max(0.0, 1.0 - range.first_block / blocks)
                               : (range.end_block - range.first_block) / blocks;
      plan.ranges.push_back(
          {range.text(),
           static_cast<std::int64_t>(static_cast<double>(std::max<std::int64_t>(source->estimated_rows, 0)) * share)});
    }
    return plan;
  }

  Result<std::unique_ptr<flow::Source>> open_range(const pipeline::OriginTable& table, const std::string&,
                                                   const std::string& range) override {
    TRY(const postgres::SourceTable* source, find(table));
    TRY(const auto parsed, postgres::CopyRange::parse(range));
    return session_->open_range(*source, table.schema, parsed, clock_.in(kCopyRangeOpenMax));
  }

 private:
  Result<const postgres::SourceTable*> find(const pipeline::OriginTable& table) const {
    const auto found = tables_.find(table.schema->source_table);
    if (found == tables_.end())
      return Error(ErrorCode::kNotFound, table.schema->source_table + " is not in the source any more")
          .side(base::Side::kSource);
    return &found->second;
  }

  std::unique_ptr<postgres::CopySession> session_;
  const std::map<std::string, postgres::SourceTable> tables_;
  const std::uint16_t epoch_;
  const base::Clock& clock_;
};

}  // namespace

PostgresOrigin::PostgresOrigin(Parts parts) : parts_(std::move(parts)) {}
PostgresOrigin::~PostgresOrigin() = default;

base::Deadline PostgresOrigin::soon() const { return parts_.clock.in(kAskMax); }

Result<pipeline::OriginIdentity> PostgresOrigin::identity() {
  TRY(const auto facts, postgres::read_server_facts(parts_.settings, parts_.clock, soon()));
  if (facts.wal_level != "logical")
    return Error(ErrorCode::kConfig, "wal_level of the server is '" + facts.wal_level +
                                         "'; run ALTER SYSTEM SET wal_level = 'logical' and restart it")
        .side(base::Side::kSource)
        .retry(base::Retry::kAfterOperator);
  if (facts.behind_pooler)
    return Error(ErrorCode::kConfig,
                 "a connection pooler answers instead of PostgreSQL, and poolers cannot carry replication; use the "
                 "server's own address")
        .side(base::Side::kSource);
  return pipeline::OriginIdentity{std::to_string(facts.system_identifier), facts.timeline, facts.version};
}

Result<postgres::Catalog> PostgresOrigin::look() const {
  return postgres::inspect_tables(parts_.settings, parts_.selection, parts_.publication, parts_.clock, soon());
}

Result<pipeline::OriginTables> PostgresOrigin::describe(const postgres::Catalog& catalog,
                                                        bool must_be_published) const {
  TRY(const auto names, postgres::destination_names(catalog.tables));
  pipeline::OriginTables out;
  for (std::size_t i = 0; i < catalog.tables.size(); ++i) {
    const postgres::SourceTable& source = catalog.tables[i];
    const std::string name = source.full_name();
    pipeline::OriginTable table;
    table.schema =
        postgres::make_slice_schema(source, {parts_.project, parts_.dataset, names[i]}, data::SchemaVersion(1));
    table.rows_estimated = std::max<std::int64_t>(source.estimated_rows, 0);
    table.bytes_estimated = static_cast<std::int64_t>(source.size_bytes);
    table.identity = source.presence();
    if (!source.problem.empty()) {
      table.refusal = source.problem + (source.remedy.empty() ? "" : "; " + source.remedy);
    } else if (!source.readable) {
      table.refusal = "no right to read " + name + "; GRANT SELECT ON " + name + " TO the role of this source";
    } else if (must_be_published && !source.published) {
      table.refusal = name + " is not in publication " + parts_.publication + "; ALTER PUBLICATION " +
                      parts_.publication + " ADD TABLE " + name + " (or `flytt setup postgres`)";
    }
    out.push_back(std::move(table));
  }
  return out;
}

Result<pipeline::OriginTables> PostgresOrigin::list() {
  TRY(const postgres::Catalog catalog, look());
  return describe(catalog, false);
}

Result<pipeline::OriginTables> PostgresOrigin::tables() {
  TRY(const postgres::Catalog catalog, look());
  const auto fail = [](std::string sentence) {
    return Error(ErrorCode::kConfig, std::move(sentence)).side(base::Side::kSource).retry(base::Retry::kAfterOperator);
  };
  if (!catalog.publication.exists)
    return fail("publication " + parts_.publication +
                " does not exist; `flytt setup postgres` makes it (CREATE PUBLICATION)");
  if (std::none_of(catalog.tables.begin(), catalog.tables.end(), [](const auto& table) { return table.published; }))
    return fail("publication " + parts_.publication +
                " holds none of the chosen tables; `flytt setup postgres` adds them (ALTER PUBLICATION " +
                parts_.publication + " ADD TABLE)");
  TRY(auto out, describe(catalog, true));
  std::lock_guard lock(mutex_);
  known_.clear();
  for (const postgres::SourceTable& source : catalog.tables) known_.emplace(source.full_name(), source);
  return out;
}

Result<flow::Position> PostgresOrigin::end_position() {
  TRY(const auto facts, postgres::read_server_facts(parts_.settings, parts_.clock, soon()));
  return postgres::to_position(facts.wal_end);
}

Result<pipeline::SlotFacts> PostgresOrigin::slot() {
  TRY(const auto found, postgres::inspect_slot(parts_.settings, parts_.slot, parts_.clock, soon()));
  pipeline::SlotFacts out;
  if (!found) return out;
  out.exists = true;
  out.is_lost = found->is_lost();
  out.is_active = found->is_active();
  out.confirmed = postgres::to_position(found->confirmed_flush);
  if (!found->is_active()) return out;
  out.is_held_by_flytt = found->active_application.rfind("flytt", 0) == 0;
  out.holder = "pid " + std::to_string(found->active_pid) +
               (found->active_application.empty() ? "" : ", application " + found->active_application);
  TRY(const auto facts, postgres::read_server_facts(parts_.settings, parts_.clock, soon()));
  out.release_wait = std::chrono::milliseconds(facts.wal_sender_timeout_ms) + kHolderGrace;
  return out;
}

Result<flow::Position> PostgresOrigin::create_slot(std::stop_token stop) {
  bool is_said = false;
  while (true) {
    auto made = postgres::create_slot(parts_.settings, parts_.slot, parts_.clock, parts_.clock.in(kSlotAttempt));
    if (made) return postgres::to_position(*made);
    if (made.error().code() != ErrorCode::kTimeout) return std::move(made).error();
    if (stop.stop_requested()) return Error(ErrorCode::kCancelled, "stopped while the slot was being made");
    if (!is_said)
      base::log_warning("making the replication slot waits for older transactions to end", {{"slot", parts_.slot}});
    is_said = true;
  }
}

Status PostgresOrigin::drop_slot() {
  TRY([[maybe_unused]] const bool was_there, postgres::drop_slot(parts_.settings, parts_.slot, parts_.clock, soon()));
  return ok();
}

Result<std::unique_ptr<flow::Source>> PostgresOrigin::open_stream(const flow::Position& from, std::uint16_t epoch,
                                                                  const pipeline::OriginTables& tables) {
  postgres::StreamOptions options;
  options.slot = parts_.slot;
  options.publication = parts_.publication;
  options.epoch = epoch;
  options.batch_age = std::chrono::milliseconds(parts_.freshness_ms);
  std::vector<postgres::StreamTable> wanted;
  {
    std::lock_guard lock(mutex_);
    for (const pipeline::OriginTable& table : tables) {
      const auto found = known_.find(table.schema->source_table);
      if (found != known_.end())
        wanted.push_back({found->second, table.schema, postgres::Lsn(table.covered_until.position())});
    }
  }
  TRY(auto source,
      postgres::PostgresStreamSource::open(parts_.settings, options, std::move(wanted), from, parts_.clock, soon()));
  return std::unique_ptr<flow::Source>(std::move(source));
}

Result<std::unique_ptr<pipeline::CopySession>> PostgresOrigin::open_copy(const pipeline::OriginTables&,
                                                                         std::uint16_t epoch, std::stop_token stop) {
  postgres::CopyOptions options;
  // The server's slots share one space of names; a session's slot must not meet one of an earlier life.
  options.slot_name = parts_.slot + "_copy_" + std::to_string(parts_.clock.wall_micros() % 1'000'000'000);
  options.epoch = epoch;
  bool is_said = false;
  TRY(auto session,
      postgres::CopySession::open(parts_.settings, options, parts_.clock, parts_.clock.in(kCopyOpenMax),
                                  [&](const postgres::SlotWait& wait) {
                                    if (!is_said)
                                      base::log_warning("the copy waits for its snapshot", {{"why", wait.text()}});
                                    is_said = true;
                                    return !stop.stop_requested();
                                  }));
  std::lock_guard lock(mutex_);
  return std::unique_ptr<pipeline::CopySession>(
      std::make_unique<AdaptedCopySession>(std::move(session), known_, epoch, parts_.clock));
}

std::string PostgresOrigin::text(const flow::Position& position) const {
  const auto lsn = postgres::to_lsn(position);
  return lsn ? postgres::format_lsn(*lsn) : std::string();
}

std::uint64_t PostgresOrigin::number(const flow::Position& position) const {
  const auto lsn = postgres::to_lsn(position);
  return lsn ? lsn->value : 0;
}

data::Sequence PostgresOrigin::sequence_at(const flow::Position& position, std::uint16_t epoch) const {
  return data::Sequence::of(epoch, number(position), 0);
}

bool PostgresOrigin::reached(const flow::Position& at, const flow::Position& goal) const {
  return number(at) >= number(goal);
}

Result<PostgresOrigin::Parts> origin_parts(const Config& config, const StreamConfig& stream, const base::Clock& clock) {
  const PostgresSourceConfig* source = config.find_source(stream.from);
  CHECK(source != nullptr);
  if (!source->url_problem.empty()) return Error(ErrorCode::kConfig, source->url_problem);
  postgres::ConnectionSettings settings{source->url, "flytt_" + stream.name};
  return PostgresOrigin::Parts{settings,
                               {stream.include, stream.exclude},
                               source->publication,
                               source->slot,
                               config.project,
                               stream.dataset,
                               stream.freshness_ms,
                               clock};
}

}  // namespace flytt::app
