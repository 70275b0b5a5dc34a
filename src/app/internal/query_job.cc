#include "app/internal/query_job.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "app/internal/query_staging.h"
#include "app/internal/query_target.h"
#include "app/output.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "bigquery/query_jobs.h"
#include "data/civil.h"
#include "state/schedule_ledger.h"

namespace flytt::app {

namespace {

using bigquery::JobRequest;
using bigquery::WriteDisposition;
using scheduler::RunContext;
using scheduler::RunOutcome;
using state::QueryPhase;
using state::QueryRunRecord;

constexpr std::size_t kLabelBytesMax = 63;            // BigQuery
constexpr std::size_t kStagingNameMax = 40;           // of the query's name in that of the staging table
constexpr std::int64_t kBytesBilledMin = 10LL << 20;  // BigQuery bills no less for a query that reads
constexpr std::string_view kInvalidQuery = "invalidQuery: ";

// FNV-1a, 64 bits: names must be the same in every process.
std::string fingerprint(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (int shift = 60; shift >= 0; shift -= 4) out += kHex[hash >> shift & 15];
  return out;
}

std::string plain_name(std::string_view name) {
  std::string out(name.substr(0, kStagingNameMax));
  for (char& c : out)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) c = '_';
  return out;
}

std::int64_t date_of(std::int64_t micros) {
  return (micros >= 0 ? micros : micros - data::kMicrosPerDay + 1) / data::kMicrosPerDay;
}

// The request itself was turned down: no job came of it. After any other error one may have.
bool was_refused(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kConfig:
    case ErrorCode::kAuth:
    case ErrorCode::kNotFound:
    case ErrorCode::kConflict:
    case ErrorCode::kSchema:
    case ErrorCode::kBadData:
    case ErrorCode::kUnsupported: return true;
    default: return false;
  }
}

// A statement that fails while it runs may quote the value at which it failed; what comes before it is kept.
Error without_value(Error error, const std::string& job_id) {
  if (!error.cause().starts_with(kInvalidQuery)) return error;
  const std::string& whole = error.cause();
  const std::size_t end =
      std::min(whole.find_first_of("'\"`", kInvalidQuery.size()), whole.find(": ", kInvalidQuery.size()));
  const std::string cause = whole.substr(0, end);
  return Error(error.code(),
               error.sentence() + "; the destination's whole message, which may hold values, is in job " + job_id)
      .retry(error.retry())
      .side(error.side())
      .cause(cause);
}

// One run. Made and used by one thread.
class QueryRun {
 public:
  QueryRun(const QueryConfig& query, const PostgresSourceConfig* source, const QueryParts& parts,
           const RunContext& context)
      : query_(query), source_(source), parts_(parts), context_(context), jobs_(parts.client), runs_(parts.store) {
    record_.key = {context.schedule, context.slot_micros, context.trigger == "manual"};
  }

  Result<RunOutcome> go() {
    TRY_STATUS(clear_others());
    TRY(auto known, runs_.find(record_.key));
    if (known) {
      record_ = std::move(*known);
      TRY(auto done, go_on());
      if (done) return std::move(*done);
      drop_staging();
    }
    record_ = {record_.key, context_.run_id, record_.tries + 1};
    auto done = source_ != nullptr ? from_postgres() : in_destination();
    if (!done) give_up(done.error());
    return done;
  }

  std::int64_t rows() const { return record_.rows; }
  std::int64_t bytes() const { return record_.bytes; }

 private:
  Status save() { return runs_.save(record_); }
  std::string name_of_try() const { return record_.run_id + "-" + std::to_string(record_.tries); }
  data::TablePath staging() const { return {record_.project, record_.dataset, record_.staging}; }

  // What an earlier attempt of this slot has done. nullopt: nothing that counts.
  Result<std::optional<RunOutcome>> go_on() {
    const auto as_done = [](RunOutcome outcome) { return std::optional(std::move(outcome)); };
    if (record_.phase == QueryPhase::kDone) {
      drop_staging();
      return as_done({record_.message});
    }
    if (record_.phase == QueryPhase::kJob) {
      auto ended = end_of_job();
      if (ended) return as_done(std::move(*ended));
      // It may still take effect, so nothing else may; or it is to stop.
      if (record_.phase == QueryPhase::kJob || context_.stop.stop_requested()) return std::move(ended).error();
    }
    if (!context_.is_resumed || record_.write_stream.empty()) return std::optional<RunOutcome>();
    const auto stream = parts_.streams.get(record_.write_stream);
    if (!stream && stream.error().code() != ErrorCode::kNotFound) return stream.error();
    if (!stream || stream->committed_micros == 0) return std::optional<RunOutcome>();
    base::log_info("the rows of the run are there already", {{"query", query_.name}, {"run", context_.run_id}});
    ++record_.tries;
    auto done = put_staged_rows();
    if (!done) {
      give_up(done.error());
      return std::move(done).error();
    }
    return as_done(std::move(*done));
  }

  Result<RunOutcome> from_postgres() {
    TRY(const data::TablePath table, target_table(query_, parts_.project, context_.slot_micros));
    TRY(auto rows, QueryStaging::open(parts_, query_, *source_));
    TRY_STATUS(prepare(table, rows->columns()));
    TRY_STATUS(make_staging(table, rows->columns()));
    TRY(const StagedRows staged, rows->fill(
                                     staging(),
                                     [&](const std::string& stream) {
                                       record_.write_stream = stream;
                                       return save();
                                     },
                                     context_.stop));
    record_.rows = staged.rows;
    record_.bytes = staged.bytes;
    TRY_STATUS(save());
    rows.reset();  // its transaction holds back what the server may clean up
    return put_staged_rows();
  }

  Status make_staging(const data::TablePath& table, const std::vector<ResultColumn>& columns) {
    name_target(table);
    record_.staging = "_flytt_stage_" + plain_name(query_.name) + "_" + fingerprint(name_of_try());
    TRY_STATUS(save());
    return make_staging_table(parts_, query_, staging(), columns);
  }

  void name_target(const data::TablePath& table) {
    record_.project = table.project;
    record_.dataset = table.dataset;
    record_.table = table.table;
  }

  Status prepare(const data::TablePath& table, const std::vector<ResultColumn>& columns) {
    TRY(target_,
        prepare_target(parts_.client, parts_.store, parts_.location, query_, table, columns, context_.slot_micros));
    return ok();
  }

  // The rows are in the staging table, all of them.
  Result<RunOutcome> put_staged_rows() {
    if (target_.columns.empty()) {
      TRY(const bigquery::TableInfo info, parts_.client.get_table(staging()));
      std::vector<ResultColumn> columns;
      for (const data::Field& field : info.schema.fields) columns.push_back({field, ""});
      TRY_STATUS(prepare({record_.project, record_.dataset, record_.table}, columns));
    }
    if (query_.write == QueryWrite::kUpsert) TRY_STATUS(check_keys());
    return run_statement(write_statement(target_, query_, quoted_table(staging())));
  }

  Status check_keys() {
    bigquery::QueryRequest request;
    request.project = parts_.project;
    request.location = parts_.location;
    request.sql = key_check_statement(query_, quoted_table(staging()));
    TRY(bigquery::QueryResult result, parts_.client.query(request));
    TRY(const auto rows, result.next_page());
    if (rows.size() != 1 || rows[0].size() != 2)
      return Error(ErrorCode::kCorrupt, "the answer about the keys of query " + query_.name + " cannot be read");
    const std::string& nulls = rows[0][0].text;
    const std::string& repeated = rows[0][1].text;
    if (nulls != "0")
      return Error(ErrorCode::kBadData, "query " + query_.name + ": " + nulls +
                                            (nulls == "1" ? " row has" : " rows have") +
                                            " NULL in a key column; leave out such rows in the query")
          .side(base::Side::kSource);
    if (repeated != "0")
      return Error(ErrorCode::kBadData, "query " + query_.name + ": " + repeated +
                                            (repeated == "1" ? " key is" : " keys are") +
                                            " there more than once; let the query return one row for each key")
          .side(base::Side::kSource);
    return ok();
  }

  Result<RunOutcome> in_destination() {
    TRY(const data::TablePath table, target_table(query_, parts_.project, context_.slot_micros));
    JobRequest question = request();
    question.sql = query_.sql;
    const auto analyzed = jobs_.dry_run(question);
    if (!analyzed && !was_refused(analyzed.error())) return analyzed.error();
    if (!analyzed) return error_of(query_, statement_problem(query_, analyzed.error())).retry(analyzed.error().retry());
    const bigquery::DryRun& seen = *analyzed;
    if (seen.statement_type != "SELECT")
      return Error(ErrorCode::kConfig,
                   "query " + query_.name + " is a " + seen.statement_type +
                       " statement; it must be one SELECT, which 'to' and 'write' put into a table");
    TRY_STATUS(check_cost(seen));
    std::vector<ResultColumn> columns;
    for (const data::Field& field : seen.schema.fields) columns.push_back({field, ""});
    TRY_STATUS(prepare(table, columns));
    const std::string sql = write_statement(target_, query_, as_rows(query_.sql));
    if (query_.bytes_max && !is_written_by_job(target_, query_)) {
      question.sql = sql;  // it reads the target, too
      TRY(const bigquery::DryRun whole, jobs_.dry_run(question));
      TRY_STATUS(check_cost(whole));
    }
    if (query_.write != QueryWrite::kUpsert) {
      name_target(table);
      return run_statement(sql);
    }
    TRY_STATUS(make_staging(table, columns));
    TRY_STATUS(fill_in_destination());
    return put_staged_rows();
  }

  // The statement may give other rows each time, so those whose keys are checked are those that are merged. A job in doubt
  // needs no record: it writes into this table alone, and fails when the table is gone.
  Status fill_in_destination() {
    JobRequest wanted = request();
    wanted.job_id = "flytt_" + name_of_try() + "-rows";
    wanted.sql = query_.sql;
    wanted.destination = bigquery::JobDestination{staging(), WriteDisposition::kAppend, false};
    auto done = jobs_.run(wanted, base::Deadline::never(), context_.stop);
    if (!done) return without_value(std::move(done).error(), wanted.job_id);
    record_.rows = done->output_rows.value_or(0);
    record_.bytes = done->bytes_processed;
    FAILPOINT_ERROR("query.finish.after");
    return save();
  }

  Status check_cost(const bigquery::DryRun& seen) const {
    const auto problem = cost_problem(query_, seen.bytes_processed);
    return problem ? Status(error_of(query_, *problem)) : ok();
  }

  // What all requests of this run have in common.
  JobRequest request() const {
    JobRequest out;
    out.project = parts_.project;
    out.location = parts_.location;
    out.labels = query_.labels;
    out.labels["flytt_query"] = label_text(query_.name);
    out.labels["flytt_slot"] = label_text(data::format_datetime(context_.slot_micros) + "z");
    out.labels["flytt_attempt"] = std::to_string(context_.attempt);
    if (source_ != nullptr) return out;
    out.parameters = {
        {"run_time", data::Type(data::TypeKind::kTimestamp), data::format_datetime(context_.slot_micros, ' ') + "+00"},
        {"run_date", data::Type(data::TypeKind::kDate), data::format_date(date_of(context_.slot_micros))}};
    if (query_.bytes_max) out.bytes_billed_max = std::max(*query_.bytes_max, kBytesBilledMin);
    return out;
  }

  Result<RunOutcome> run_statement(const std::string& sql) {
    record_.sql = sql;
    record_.disposition = !is_written_by_job(target_, query_)     ? ""
                          : query_.write == QueryWrite::kTruncate ? "truncate"
                                                                  : "append";
    record_.job_id = "flytt_" + name_of_try();
    record_.phase = QueryPhase::kJob;
    TRY_STATUS(save());
    FAILPOINT_ERROR("query.job.before");
    return end_of_job();
  }

  // Starts the recorded job or goes on with it. After an error the record says kJob while it is not known what the job did,
  // and kStaging when it did nothing.
  Result<RunOutcome> end_of_job() {
    JobRequest wanted = request();
    wanted.job_id = record_.job_id;
    wanted.sql = record_.sql;
    const data::TablePath table{record_.project, record_.dataset, record_.table};
    // Of one partition, WRITE_TRUNCATE leaves all else about the table as it is.
    const auto replace = partition_of(table).empty() ? WriteDisposition::kTruncateData : WriteDisposition::kTruncate;
    if (!record_.disposition.empty())
      wanted.destination =
          bigquery::JobDestination{table, record_.disposition == "append" ? WriteDisposition::kAppend : replace, false};
    auto done = jobs_.run(wanted, base::Deadline::never(), context_.stop);
    if (!done) {
      Error error = std::move(done).error();
      // Under a conflict the id is that of a job with another statement, which says nothing about this one.
      const auto look = error.code() == ErrorCode::kConflict
                            ? Result<bigquery::JobLook>(error)
                            : jobs_.look(record_.project, parts_.location, record_.job_id);
      const bool is_unknown_there =
          !look && (look.error().code() == ErrorCode::kNotFound || look.error().code() == ErrorCode::kConflict);
      if (look ? look->failure.has_value() : is_unknown_there && was_refused(error))
        return did_nothing(std::move(error));
      if (!look || !look->outcome) return error;
      done = *look->outcome;
    }
    FAILPOINT_ERROR("query.job.after");
    return settle(*done);
  }

  Error did_nothing(Error error) {
    const std::string job_id = std::exchange(record_.job_id, "");
    record_.phase = QueryPhase::kStaging;
    if (const Status saved = save(); !saved) return saved.error();
    return without_value(std::move(error), job_id);
  }

  Result<RunOutcome> settle(const bigquery::JobOutcome& job) {
    if (record_.staging.empty()) {
      record_.rows = job.inserted_rows ? *job.inserted_rows + job.updated_rows.value_or(0)
                                       : job.affected_rows.value_or(job.output_rows.value_or(0));
      record_.bytes = job.bytes_processed;
    }
    record_.message = human_count(record_.rows) + (record_.rows == 1 ? " row" : " rows") + ", " +
                      human_bytes(record_.bytes) + (source_ != nullptr ? " moved into " : " read for ") +
                      record_.dataset + "." + record_.table;
    if (query_.write == QueryWrite::kUpsert && job.inserted_rows && job.updated_rows)
      record_.message +=
          " (" + human_count(*job.inserted_rows) + " new, " + human_count(*job.updated_rows) + " changed)";
    record_.phase = QueryPhase::kDone;
    TRY_STATUS(save());
    FAILPOINT_ERROR("query.drop.before");
    drop_staging();
    return RunOutcome{record_.message};
  }

  // After an error. What may still take effect is left to whoever comes next, and so is what a stopped run can go on with.
  void give_up(const Error& error) {
    if (record_.phase != QueryPhase::kStaging || error.code() == ErrorCode::kCancelled) return;
    drop_staging();
  }

  void drop_staging() {
    if (record_.staging.empty()) return;
    if (!drop(record_)) return;
    record_.staging.clear();
    record_.write_stream.clear();
    if (const Status saved = save(); !saved)
      base::log_failure(base::LogLevel::kWarning, "the end of a staging table could not be saved", saved.error());
  }

  bool drop(const QueryRunRecord& record) {
    const data::TablePath table{record.project, record.dataset, record.staging};
    const Status dropped = parts_.client.delete_table(table);
    if (!dropped)
      base::log_failure(base::LogLevel::kWarning, "a staging table could not be removed; it expires after a day",
                        dropped.error(), {{"table", table.text()}});
    return dropped.has_value();
  }

  // Records of other slots of this query that are over, with the tables that they left behind.
  Status clear_others() {
    state::ScheduleLedger ledger(parts_.store);
    TRY(const auto records, runs_.of_schedule(context_.schedule));
    for (const QueryRunRecord& record : records) {
      // A job in doubt speaks for its slot for good: a backfill must not do its work a second time.
      if (record.key == record_.key || record.phase == QueryPhase::kJob) continue;
      TRY(const auto slot, ledger.slot(record.key));
      const bool is_over =
          !slot || (slot->state != state::SlotState::kDue && slot->state != state::SlotState::kRunning);
      const bool speaks = slot && slot->state == state::SlotState::kFailed && record.phase == QueryPhase::kDone;
      if (!is_over || (!record.staging.empty() && !drop(record)) || speaks) continue;
      TRY_STATUS(runs_.forget(record.key));
    }
    return ok();
  }

  const QueryConfig& query_;
  const PostgresSourceConfig* source_;
  const QueryParts& parts_;
  const RunContext& context_;
  bigquery::QueryJobs jobs_;
  state::QueryRuns runs_;
  QueryRunRecord record_;
  QueryTarget target_;
};

std::string outcome_word(const Result<RunOutcome>& result) {
  if (result) return "succeeded";
  return result.error().code() == ErrorCode::kCancelled ? "stopped" : "failed";
}

}  // namespace

std::string label_text(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kLabelBytesMax)) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    const bool is_upper = c >= 'A' && c <= 'Z';
    out += is_plain ? c : is_upper ? static_cast<char>(c - 'A' + 'a') : '_';
  }
  return out;
}

Result<RunOutcome> QueryJob::run(const RunContext& context) {
  const base::SteadyTime began = parts_.clock.steady();
  QueryRun run(query_, source_, parts_, context);
  Result<RunOutcome> result = run.go();
  const std::string labels = "schedule=" + base::json_quote(context.schedule);
  parts_.metrics.counter("flytt_schedule_runs_total", labels + ",outcome=" + base::json_quote(outcome_word(result))) +=
      1;
  if (!result) return result;
  const std::chrono::duration<double> seconds = parts_.clock.steady() - began;
  base::log_info("query written", {{"query", query_.name},
                                   {"run", context.run_id},
                                   {"rows", run.rows()},
                                   {"bytes", run.bytes()},
                                   {"seconds", seconds.count()}});
  parts_.metrics.counter("flytt_schedule_rows_total", labels) += run.rows();
  parts_.metrics.counter("flytt_schedule_bytes_total", labels) += run.bytes();
  parts_.metrics.gauge("flytt_schedule_last_success_seconds", labels) = parts_.clock.wall_micros() / 1'000'000;
  return result;
}

}  // namespace flytt::app
