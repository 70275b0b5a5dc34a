#include "postgres/stream_source.h"

#include <algorithm>

#include "base/failpoint.h"
#include "postgres/internal/client.h"
#include "postgres/internal/stream_assembler.h"
#include "postgres/internal/stream_session.h"
#include "postgres/internal/values.h"
#include "postgres/internal/wire.h"
#include "postgres/slot.h"

namespace flytt::postgres {

namespace {

class SlotStream final : public PostgresStreamSource {
 public:
  SlotStream(const ConnectionSettings& settings, StreamOptions options, const base::Clock& clock)
      : options_(std::move(options)), clock_(clock), catalog_(settings, clock) {}

  Status start(const ConnectionSettings& settings, std::vector<StreamTable> tables, Lsn from, base::Deadline deadline);
  Result<std::optional<flow::Batch>> next(base::Deadline deadline) override;
  Status confirm(const flow::Position& durable) override;
  StreamProgress progress() const override {
    return {assembler_->restart(), durable_, server_end_, assembler_->ignored_rows(), binary_};
  }

 private:
  Result<CopyState> drain(base::Deadline deadline);
  Status handle(std::string_view frame);
  bool is_full() const;
  bool is_due() const;
  Result<flow::Batch> close_batch();
  Status keep_alive(bool ask_for_reply);
  Status send_status(bool ask_for_reply);
  base::Deadline next_wake(base::Deadline deadline) const;

  StreamOptions options_;
  const base::Clock& clock_;
  CatalogLookup catalog_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<StreamAssembler> assembler_;
  flow::BatchSequence sequence_;
  Lsn durable_, told_, server_end_;
  bool binary_ = false, reply_wanted_ = false;
  base::Deadline age_limit_ = base::Deadline::never();
  base::Deadline idle_limit_ = base::Deadline::passed();  // when the position alone is worth a batch
  base::Deadline status_limit_ = base::Deadline::passed();
  base::Deadline ask_limit_ = base::Deadline::passed();
};

Status SlotStream::start(const ConnectionSettings& settings, std::vector<StreamTable> tables, Lsn from,
                         base::Deadline deadline) {
  TRY(const ServerFacts facts, read_server_facts(settings, clock_, deadline));
  TRY(const auto slot, inspect_slot(settings, options_.slot, clock_, deadline));
  TRY_STATUS(check_slot(options_.slot, slot, from));
  binary_ = facts.version_num >= kBinaryStreamVersionMin &&
            std::all_of(tables.begin(), tables.end(), [](const StreamTable& t) {
              return std::all_of(t.table.columns.begin(), t.table.columns.end(),
                                 [](const SourceColumn& c) { return c.mapping.binary; });
            });
  const ValueRules rules{facts.money_decimals, facts.server_encoding == "SQL_ASCII"};
  const Lsn start = std::max(from, slot->confirmed_flush);
  assembler_ =
      std::make_unique<StreamAssembler>(std::move(tables), rules, options_.epoch, start, binary_,
                                        [this](const SourceTable& table, const std::vector<std::string>& names) {
                                          return catalog_.columns(table, names);
                                        });
  durable_ = told_ = start;
  server_end_ = facts.wal_end;
  TRY(client_, Client::connect(settings, Client::Mode::kReplication, clock_, deadline));
  const std::string sql = "START_REPLICATION SLOT " + quote_identifier(options_.slot) + " LOGICAL " +
                          format_lsn(start) + " (proto_version '1', publication_names " +
                          quote_publication(options_.publication) + (binary_ ? ", binary 'true')" : ")");
  if (Status started = client_->start_copy(sql, deadline, "start the change stream of slot " + options_.slot);
      !started) {
    // Between the look at the slot and now somebody may have taken it.
    TRY(const auto again, inspect_slot(settings, options_.slot, clock_, deadline));
    if (again && again->is_active()) return slot_is_held(*again);
    return started;
  }
  status_limit_ = clock_.in(kStatusInterval);
  return send_status(true);
}

bool SlotStream::is_full() const {
  return assembler_->rows() >= options_.batch_rows_max || assembler_->bytes() >= options_.batch_bytes_max ||
         assembler_->waiting_rows() >= catalog_.waiting_rows_max(options_.batch_bytes_max) || assembler_->has_events();
}

// XLogData: 'w', Int64 start, Int64 end of log, Int64 time, message. Keepalive: 'k', Int64 end of log, Int64 time, Int8
// reply wanted (PostgreSQL manual, "Streaming Replication Protocol").
Status SlotStream::handle(std::string_view frame) {
  WireReader in(frame);
  const char kind = in.character();
  if (kind == 'w') {
    in.number<std::uint64_t>();
    server_end_ = std::max(server_end_, Lsn(in.number<std::uint64_t>()));
    in.number<std::uint64_t>();
    if (!in.failed()) return assembler_->apply(in.bytes(in.left()));
  } else if (kind == 'k') {
    const Lsn end(in.number<std::uint64_t>());
    in.number<std::uint64_t>();
    reply_wanted_ = in.character() != 0 || reply_wanted_;
    if (!in.failed()) {
      server_end_ = std::max(server_end_, end);
      assembler_->advance(end);
      return ok();
    }
  }
  return Error(ErrorCode::kCorrupt, "the change stream has a frame of an unknown form")
      .side(base::Side::kSource)
      .retry(base::Retry::kAfterBackoff);
}

Result<CopyState> SlotStream::drain(base::Deadline deadline) {
  for (unsigned count = 1; !is_full(); ++count) {
    std::string_view frame;
    TRY(const CopyState state, client_->read_copy(frame));
    if (state != CopyState::kRow) return state;
    TRY_STATUS(handle(frame));
    // Changes of other tables never fill a batch, so the clock must be looked at in between.
    if (count % 1'024 == 0 && (clock_.is_past(deadline) || clock_.is_past(status_limit_))) break;
  }
  return CopyState::kRow;
}

// Rows wait until they are old enough and their transaction is whole; the position alone waits for its interval.
bool SlotStream::is_due() const {
  if (assembler_->in_transaction()) return false;
  if (assembler_->has_output()) return clock_.is_past(age_limit_);
  return assembler_->restart() > told_ && clock_.is_past(idle_limit_);
}

Result<flow::Batch> SlotStream::close_batch() {
  StreamAssembler::Output output = assembler_->take();
  flow::Batch batch;
  for (SliceInMaking& making : output.slices) {
    const std::string table = making.table->full_name();
    // An error of this connection is the stream's; what comes after it is the table's.
    if (!making.waiting.empty()) TRY_STATUS(catalog_.connect());
    if (const Status filled = catalog_.fill(making); !filled) {
      const bool of_table = filled.error().code() == ErrorCode::kAuth ||
                            filled.error().code() == ErrorCode::kNotFound ||
                            filled.error().code() == ErrorCode::kSchema;
      if (!of_table) return filled.error();
      assembler_->stop(table);
      const data::Sequence sequence = making.slice.sequences.empty() ? data::Sequence{} : making.slice.sequences.back();
      const std::string mend =
          filled.error().code() == ErrorCode::kAuth ? "; GRANT SELECT ON " + table + " TO the role of this source" : "";
      batch.events.push_back({flow::TableEvent::Kind::kUnreadable, table, sequence, filled.error().text() + mend});
      continue;
    }
    if (making.slice.row_count() > 0 || !making.slice.rejections.empty())
      batch.tables.push_back(std::move(making.slice));
  }
  for (flow::TableEvent& event : output.events) batch.events.push_back(std::move(event));
  batch.sequence = sequence_;
  sequence_ = sequence_.next();
  batch.end = to_position(assembler_->restart());
  batch.newest_commit_micros = output.newest_commit_micros;
  told_ = assembler_->restart();
  age_limit_ = base::Deadline::never();
  idle_limit_ = clock_.in(kIdlePositionInterval);
  return batch;
}

base::Deadline SlotStream::next_wake(base::Deadline deadline) const {
  base::Deadline wake = deadline.earlier(status_limit_).earlier(ask_limit_);
  if (assembler_->in_transaction()) return wake;
  if (assembler_->has_output()) return wake.earlier(age_limit_);
  return assembler_->restart() > told_ ? wake.earlier(idle_limit_) : wake;
}

Result<std::optional<flow::Batch>> SlotStream::next(base::Deadline deadline) {
  for (;;) {
    TRY(const CopyState state, drain(deadline));
    if (state == CopyState::kEnd)
      return Error(ErrorCode::kUnavailable, "the server ended the change stream of slot " + options_.slot)
          .side(base::Side::kSource);
    if (assembler_->has_output() && age_limit_.is_never()) age_limit_ = clock_.in(options_.batch_age);
    TRY_STATUS(keep_alive(state == CopyState::kWait));
    if (is_full() || is_due()) {
      TRY(flow::Batch batch, close_batch());
      return std::optional<flow::Batch>(std::move(batch));
    }
    if (clock_.is_past(deadline)) return std::optional<flow::Batch>();
    if (state == CopyState::kRow) continue;
    TRY(const bool arrived, client_->wait_input(next_wake(deadline)));
    static_cast<void>(arrived);
  }
}

// Tells the server that we live. While nothing comes it is asked for its place about every second, so that the position
// of a quiet stream moves.
Status SlotStream::keep_alive(bool idle) {
  const bool ask = idle && clock_.is_past(ask_limit_);
  if (!ask && !reply_wanted_ && !clock_.is_past(status_limit_)) return ok();
  return send_status(ask);
}

// Standby status update: 'r', Int64 written, Int64 flushed, Int64 applied, Int64 time, Int8 reply wanted. All three
// places are the durable one: the server may forget what lies before them.
Status SlotStream::send_status(bool ask_for_reply) {
  std::string frame = "r";
  for (int i = 0; i < 3; ++i) append_big_endian(frame, durable_.value);
  append_big_endian(frame, clock_.wall_micros() - kMicrosTo2000);
  frame += ask_for_reply ? '\1' : '\0';
  TRY_STATUS(client_->write_copy(frame));
  reply_wanted_ = false;
  status_limit_ = clock_.in(kStatusInterval);
  ask_limit_ = clock_.in(kIdlePositionInterval);
  return ok();
}

Status SlotStream::confirm(const flow::Position& position) {
  TRY(const Lsn lsn, to_lsn(position));
  const bool moved = lsn > durable_;
  if (!moved && !clock_.is_past(status_limit_)) return ok();
  FAILPOINT_ERROR("postgres.confirm.before");
  durable_ = std::max(durable_, lsn);
  TRY_STATUS(send_status(false));
  FAILPOINT_ERROR("postgres.confirm.after");
  return ok();
}

}  // namespace

Result<std::unique_ptr<PostgresStreamSource>> PostgresStreamSource::open(
    const ConnectionSettings& settings, StreamOptions options, std::vector<StreamTable> tables,
    const flow::Position& from, const base::Clock& clock, base::Deadline deadline) {
  TRY(const Lsn start, to_lsn(from));
  auto stream = std::make_unique<SlotStream>(settings, std::move(options), clock);
  TRY_STATUS(stream->start(settings, std::move(tables), start, deadline));
  return std::unique_ptr<PostgresStreamSource>(std::move(stream));
}

}  // namespace flytt::postgres
