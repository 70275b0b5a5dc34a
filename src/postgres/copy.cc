#include "postgres/copy.h"

#include <algorithm>
#include <charconv>

#include "postgres/internal/client.h"
#include "postgres/internal/copy_source.h"
#include "postgres/internal/row_builder.h"
#include "postgres/limits.h"

namespace flytt::postgres {

namespace {

// Who keeps a slot from being made: the transactions that its walsender waits for, oldest first.
SlotWait diagnose_wait(const ConnectionSettings& settings, int walsender, const base::Clock& clock,
                       base::Deadline deadline) {
  SlotWait wait;
  auto client = Client::connect(settings, Client::Mode::kNormal, clock, deadline);
  if (!client) return wait;
  const auto rows = (*client)->query(
      "SELECT b.pid, coalesce(extract(epoch FROM now() - a.xact_start), 0)::bigint, a.application_name, a.usename "
      "FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(" +
          std::to_string(walsender) +
          ")) b(pid) "
          "LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid ORDER BY a.xact_start NULLS LAST LIMIT 1",
      deadline, "find out which transaction a new slot waits for");
  if (!rows || rows->size() == 0) return wait;
  wait.pid = static_cast<int>(rows->number(0, 0));
  wait.age = std::chrono::seconds(rows->number(0, 1));
  wait.application = rows->text(0, 2);
  wait.user = rows->text(0, 3);
  return wait;
}

// All files of a table and its partitions as one number.
std::string storage_sql(const SourceTable& table) {
  return "SELECT ('x' || "
         "pg_catalog.substr(pg_catalog.md5(pg_catalog.string_agg(pg_catalog.pg_relation_filenode(t.relid)::text, ',' "
         "ORDER BY t.relid)), 1, 15))::bit(60)::bigint "
         "FROM (SELECT " +
         std::to_string(table.oid) + "::oid AS relid UNION SELECT relid FROM pg_catalog.pg_partition_tree(" +
         std::to_string(table.oid) +
         ")) t "
         "WHERE pg_catalog.pg_relation_filenode(t.relid) IS NOT NULL";
}

Error rewritten(const SourceTable& table) {
  return Error(ErrorCode::kConflict, "the files of " + table.full_name() +
                                         " were rewritten while it was being copied (VACUUM FULL, CLUSTER, TRUNCATE or "
                                         "ALTER TABLE); its copy must start again")
      .side(base::Side::kSource)
      .retry(base::Retry::kAfterBackoff);
}

class SnapshotSession final : public CopySession {
 public:
  SnapshotSession(ConnectionSettings settings, CopyOptions options, const base::Clock& clock)
      : settings_(std::move(settings)), options_(std::move(options)), clock_(clock) {}

  Status start(base::Deadline deadline, const std::function<bool(const SlotWait&)>& on_wait);
  Lsn consistent_point() const override { return consistent_point_; }
  // A look at the socket: the server says nothing on this connection unless it goes away.
  bool is_alive() override {
    return walsender_->usable() && walsender_->wait_input(base::Deadline::passed()).has_value();
  }
  Result<std::vector<CopyRange>> plan_ranges(const SourceTable& table, base::Deadline deadline) const override;
  Result<std::unique_ptr<flow::Source>> open_range(const SourceTable& table,
                                                   std::shared_ptr<const data::SliceSchema> schema,
                                                   const CopyRange& range, base::Deadline deadline) const override;

 private:
  Result<Rows> wait_for_slot(base::Deadline deadline, const std::function<bool(const SlotWait&)>& on_wait);
  Status check_shape(Client& client, const SourceTable& table, const std::string& select,
                     base::Deadline deadline) const;

  ConnectionSettings settings_;
  CopyOptions options_;
  const base::Clock& clock_;
  std::unique_ptr<Client> walsender_;
  Lsn consistent_point_;
  std::string snapshot_;
  ValueRules rules_;
  std::uint32_t block_size_ = 8192;
};

Status SnapshotSession::start(base::Deadline deadline, const std::function<bool(const SlotWait&)>& on_wait) {
  TRY(const ServerFacts facts, read_server_facts(settings_, clock_, deadline));
  rules_.money_decimals = facts.money_decimals;
  rules_.check_utf8 = facts.server_encoding == "SQL_ASCII";
  block_size_ = facts.block_size_bytes;
  TRY(walsender_, Client::connect(settings_, Client::Mode::kReplication, clock_, deadline));
  TRY_STATUS(walsender_->send(
      "CREATE_REPLICATION_SLOT " + quote_identifier(options_.slot_name) + " TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT",
      "create the temporary replication slot " + options_.slot_name));
  auto created = wait_for_slot(deadline, on_wait);
  if (!created) {
    end_backend(settings_, walsender_->backend_pid(), clock_);
    return std::move(created).error();
  }
  const Rows& rows = *created;
  if (rows.size() != 1 || rows.columns() < 3)
    return Error(ErrorCode::kCorrupt, "the server's answer to CREATE_REPLICATION_SLOT has an unknown form")
        .side(base::Side::kSource);
  TRY(consistent_point_, parse_lsn(rows.view(0, 1)));
  snapshot_ = rows.text(0, 2);
  return ok();
}

Result<Rows> SnapshotSession::wait_for_slot(base::Deadline deadline,
                                            const std::function<bool(const SlotWait&)>& on_wait) {
  const base::SteadyTime begun = clock_.steady();
  base::Deadline notice = clock_.in(options_.notice_after);
  for (;;) {
    TRY(std::optional<Rows> rows, walsender_->receive(notice.earlier(deadline)));
    if (rows) return std::move(*rows);
    SlotWait wait = diagnose_wait(settings_, walsender_->backend_pid(), clock_, clock_.in(5s));
    wait.waited = std::chrono::duration_cast<std::chrono::seconds>(clock_.steady() - begun);
    if (clock_.is_past(deadline))
      return Error(ErrorCode::kTimeout, wait.text()).side(base::Side::kSource).retry(base::Retry::kAfterBackoff);
    if (on_wait && !on_wait(wait))
      return Error(ErrorCode::kCancelled, "stopped while waiting for a replication slot").side(base::Side::kSource);
    notice = clock_.in(1s);
  }
}

Result<std::vector<CopyRange>> SnapshotSession::plan_ranges(const SourceTable& table, base::Deadline deadline) const {
  const std::string doing = "plan the copy of " + table.full_name();
  TRY(const auto client, Client::connect(settings_, Client::Mode::kNormal, clock_, deadline));
  TRY(const Rows storage, client->query(storage_sql(table), deadline, doing));
  CopyRange whole;
  whole.storage = storage.size() == 0 ? 0 : static_cast<std::uint64_t>(storage.number(0, 0));
  if (table.partitioned || client->server_version() < kTidRangeScanVersionMin) return std::vector<CopyRange>{whole};
  TRY(const Rows size,
      client->query("SELECT pg_catalog.pg_relation_size(" + std::to_string(table.oid) + "::oid)", deadline, doing));
  const std::uint64_t blocks = static_cast<std::uint64_t>(size.number(0, 0)) / block_size_;
  const std::uint64_t per_range =
      std::max<std::uint64_t>(kRangeBytesTarget / block_size_, blocks / kRangesPerTableMax + 1);
  std::vector<CopyRange> ranges;
  for (std::uint64_t first = 0; first == 0 || first < blocks; first += per_range) {
    CopyRange range = whole;
    range.first_block = static_cast<std::uint32_t>(first);
    range.end_block = first + per_range < blocks ? static_cast<std::uint32_t>(first + per_range) : CopyRange::kOpenEnd;
    ranges.push_back(range);
  }
  return ranges;
}

// The types of the select list, compared with what the plan will decode: the table is locked, so they stay.
Status SnapshotSession::check_shape(Client& client, const SourceTable& table, const std::string& select,
                                    base::Deadline deadline) const {
  constexpr std::uint32_t kTextOid = 25;
  TRY(const Rows shape, client.describe(select, deadline, "look at the columns of " + table.full_name()));
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const SourceColumn& column = table.columns[i];
    // A result column shows a domain's base type.
    const std::uint32_t expected = column.mapping.binary ? column.type.base.oid : kTextOid;
    if (shape.type_of(static_cast<int>(i)) == expected) continue;
    return Error(ErrorCode::kSchema, "the type of " + table.full_name() + "." + column.name +
                                         " was changed just now; its copy must start again with the new one")
        .side(base::Side::kSource)
        .retry(base::Retry::kAfterBackoff);
  }
  return ok();
}

Result<std::unique_ptr<flow::Source>> SnapshotSession::open_range(const SourceTable& table,
                                                                  std::shared_ptr<const data::SliceSchema> schema,
                                                                  const CopyRange& range,
                                                                  base::Deadline deadline) const {
  const std::string doing = "copy " + table.full_name();
  auto plan = make_row_plan(table, std::move(schema), rules_);
  TRY(auto client, Client::connect(settings_, Client::Mode::kNormal, clock_, deadline));
  TRY(const Rows begun, client->query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", deadline, doing));
  static_cast<void>(begun);
  if (const auto snapshot = client->query("SET TRANSACTION SNAPSHOT " + quote_literal(snapshot_), deadline, doing);
      !snapshot) {
    return Error(ErrorCode::kUnavailable,
                 "the snapshot of the copy session is gone (its connection ended); a new session is needed")
        .side(base::Side::kSource)
        .cause(snapshot.error().cause());
  }
  const std::string name = quote_table(table.schema, table.name);
  TRY(const Rows storage, client->query("LOCK TABLE " + std::string(table.partitioned ? "" : "ONLY ") + name +
                                            " IN ACCESS SHARE MODE; " + storage_sql(table),
                                        deadline, doing));
  if (storage.size() == 0 || static_cast<std::uint64_t>(storage.number(0, 0)) != range.storage) return rewritten(table);

  std::string select = "SELECT ";
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    select += (i == 0 ? "" : ", ") + copy_expression(table.columns[i].name, plan->codecs[i]);
  select += std::string(" FROM ") + (table.partitioned ? "" : "ONLY ") + name;
  std::string where;
  const auto add = [&](const std::string& condition) { where += (where.empty() ? " WHERE " : " AND ") + condition; };
  if (range.first_block > 0) add("ctid >= '(" + std::to_string(range.first_block) + ",0)'::pg_catalog.tid");
  if (range.end_block != CopyRange::kOpenEnd)
    add("ctid < '(" + std::to_string(range.end_block) + ",0)'::pg_catalog.tid");
  if (!table.row_filter.empty()) add("(" + table.row_filter + ")");
  select += where;
  TRY_STATUS(check_shape(*client, table, select, deadline));
  TRY(auto reader,
      CopyReader::start(std::move(client), "COPY (" + select + ") TO STDOUT (FORMAT binary)", deadline, doing));
  const auto sequence = data::Sequence::of(options_.epoch, consistent_point_.value, 0);
  return std::unique_ptr<flow::Source>(std::make_unique<CopySource>(std::move(reader), std::move(plan), sequence));
}

}  // namespace

std::string SlotWait::text() const {
  const std::string waited_text =
      "creating a replication slot has waited " + std::to_string(waited.count()) + " s for running transactions to end";
  if (pid == 0)
    return waited_text + " (a prepared transaction, see pg_prepared_xacts, or one that this role may not see)";
  return waited_text + "; the oldest is of pid " + std::to_string(pid) +
         (application.empty() ? "" : " (" + application + ")") + (user.empty() ? "" : ", user " + user) +
         (age.count() > 0 ? ", " + std::to_string(age.count()) + " s old" : "") +
         "; end it, or SELECT pg_terminate_backend(" + std::to_string(pid) + ");";
}

std::string CopyRange::text() const {
  char hex[20];
  const auto end = std::to_chars(hex, hex + sizeof hex, storage, 16).ptr;
  return std::to_string(first_block) + "-" + (end_block == kOpenEnd ? "" : std::to_string(end_block)) + "@" +
         std::string(hex, end);
}

Result<CopyRange> CopyRange::parse(std::string_view text) {
  const Error wrong(ErrorCode::kCorrupt, "a saved copy range has an unknown form: '" + std::string(text) + "'");
  CopyRange range;
  const char* const end = text.data() + text.size();
  auto step = std::from_chars(text.data(), end, range.first_block);
  if (step.ec != std::errc() || step.ptr == end || *step.ptr != '-') return wrong;
  const char* at = step.ptr + 1;
  if (at != end && *at != '@') {
    step = std::from_chars(at, end, range.end_block);
    if (step.ec != std::errc()) return wrong;
    at = step.ptr;
  }
  if (at == end || *at != '@') return wrong;
  step = std::from_chars(at + 1, end, range.storage, 16);
  if (step.ec != std::errc() || step.ptr != end || range.end_block <= range.first_block) return wrong;
  return range;
}

Result<std::unique_ptr<CopySession>> CopySession::open(const ConnectionSettings& settings, const CopyOptions& options,
                                                       const base::Clock& clock, base::Deadline deadline,
                                                       const std::function<bool(const SlotWait&)>& on_wait) {
  auto session = std::make_unique<SnapshotSession>(settings, options, clock);
  TRY_STATUS(session->start(deadline, on_wait));
  return std::unique_ptr<CopySession>(std::move(session));
}

}  // namespace flytt::postgres
