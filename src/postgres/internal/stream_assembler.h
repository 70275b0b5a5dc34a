#pragma once
// StreamAssembler: pgoutput messages become slices, events and a restart place. It does no input or output of its own.
//
// Sequences: epoch / Begin.final_lsn / ordinal, where ordinal = 1 + 2 × the index of the row message in its
// transaction. Every insert, update, delete and truncate of every table counts as one, whether it is wanted or not, so
// a repeated transaction has the same numbers. An update that changes the key is a delete with the ordinal and an
// upsert with the next one.

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "flow/batch.h"
#include "postgres/internal/large_values.h"
#include "postgres/internal/pgoutput.h"
#include "postgres/internal/row_builder.h"
#include "postgres/stream_source.h"

namespace flytt::postgres {

class StreamAssembler {
 public:
  // Looks the named columns of a table up in the catalog as it is now; leaves out those that are not there any more.
  using ColumnLookup =
      std::function<Result<std::vector<SourceColumn>>(const SourceTable& table, const std::vector<std::string>& names)>;

  StreamAssembler(std::vector<StreamTable> tables, ValueRules rules, std::uint16_t epoch, Lsn start, bool binary,
                  ColumnLookup lookup);

  Status apply(std::string_view message);
  // A keepalive's place: everything before it was sent. Ignored inside a transaction.
  void advance(Lsn lsn);

  bool in_transaction() const { return in_transaction_; }
  Lsn restart() const { return restart_; }
  std::size_t rows() const { return rows_; }
  std::size_t bytes() const { return bytes_; }
  std::size_t waiting_rows() const { return waiting_rows_; }
  bool has_output() const { return rows_ > 0 || !events_.empty() || !open_.empty() || !finished_.empty(); }
  bool has_events() const { return !events_.empty(); }
  std::uint64_t ignored_rows() const { return ignored_rows_; }

  struct Output {
    std::vector<SliceInMaking> slices;
    std::vector<flow::TableEvent> events;
    std::int64_t newest_commit_micros = 0;
  };
  Output take();
  // No more slices of this table.
  void stop(const std::string& table);

 private:
  struct TableState {
    std::shared_ptr<const SourceTable> table;
    std::shared_ptr<const RowPlan> plan;
    Lsn covered_until;
    std::size_t columns_sent = 0;  // by the newest relation message; the rest are NULL
    bool stopped = false;          // an event said so
    bool skipped = false;          // its shape does not fit, but a copy covers it
    std::unique_ptr<RowBuilder> builder;
    std::vector<WaitingRow> waiting;
    bool is_open = false;
  };

  Status apply_relation(const PgOutputMessage& message);
  Result<std::string> follow_shape(TableState& state, const PgOutputMessage& message);
  Result<std::string> follow_added(TableState& state, const PgOutputMessage& message);
  Result<std::string> follow_missing(TableState& state, const PgOutputMessage& message);
  std::string compare_keys(const TableState& state, const PgOutputMessage& message) const;
  void adopt(TableState& state, SourceTable table);
  void refuse(TableState& state, std::string reason);

  Status apply_row(const PgOutputMessage& message);
  Status apply_insert(TableState& state, data::Sequence sequence);
  Status apply_update(TableState& state, const PgOutputMessage& message, data::Sequence sequence, data::Sequence next);
  Status apply_delete(TableState& state, const PgOutputMessage& message, data::Sequence sequence);
  void apply_truncate(const PgOutputMessage& message);
  Status check_width(const TableState& state, const std::vector<Cell>& cells) const;
  Status append_upsert(TableState& state, const std::vector<Cell>& cells, data::Sequence sequence,
                       std::optional<std::uint32_t> moved_from);
  Result<bool> append_delete(TableState& state, const std::vector<Cell>& cells, data::Sequence sequence);
  RowBuilder& open(TableState& state);
  void finish(TableState& state);
  data::Sequence next_sequence();

  ValueRules rules_;
  std::uint16_t epoch_;
  bool binary_;
  ColumnLookup lookup_;
  std::vector<std::unique_ptr<TableState>> tables_;
  std::unordered_map<std::string, TableState*> by_name_;
  std::unordered_map<std::uint32_t, TableState*> by_oid_;  // nullptr: known and not wanted

  PgOutputMessage message_;
  std::vector<Cell> cells_, key_cells_;
  bool in_transaction_ = false;
  Lsn commit_lsn_, restart_;
  std::uint64_t row_index_ = 0;
  std::int64_t commit_micros_ = 0, newest_commit_micros_ = 0;

  std::vector<TableState*> open_;  // in the order in which their slices were opened
  std::vector<SliceInMaking> finished_;
  std::vector<flow::TableEvent> events_;
  std::size_t rows_ = 0, bytes_ = 0, waiting_rows_ = 0;
  std::uint64_t ignored_rows_ = 0;
};

}  // namespace flytt::postgres
