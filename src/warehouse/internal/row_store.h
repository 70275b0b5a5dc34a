#pragma once
// Rows of batches into DuckDB's appenders, inside one transaction. Used by the writer thread only.

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "warehouse/internal/row_chunks.h"
#include "warehouse/internal/table_appender.h"

namespace flytt::warehouse::internal {

// Batches of one table that wait for their commit, in order.
struct Lane {
  std::shared_ptr<TableState> table;
  std::shared_ptr<StreamState> staged;  // rows of a stream that wait until they are shown; null = rows of the table
  std::deque<std::unique_ptr<RowBatch>> batches;
  std::size_t next_chunk = 0;   // of the first batch: chunks before it are stored
  bool has_noted_keys = false;  // of that chunk, as the tail of one that was split
  std::int64_t rows = 0;        // not stored yet
  std::size_t bytes = 0;
  base::SteadyTime oldest{}, newest{};
  bool direct = false;  // rows go straight to base, in bulk: they may wait for a whole row group
  bool hurry = false;   // something later depends on them: commit at the next opportunity
};

// What a transaction holds, so that it can be answered or undone.
struct Transaction {
  std::vector<std::unique_ptr<RowBatch>> finished;                   // stored to their last row
  std::vector<Lane*> torn;                                           // the first batch is stored in part
  std::vector<std::pair<std::unique_ptr<RowBatch>, Error>> refused;  // by their stream
  std::vector<std::shared_ptr<StreamState>> streams;                 // that gave offsets to rows of this
  struct Part {
    std::shared_ptr<TableState> table;
    std::int64_t base_rows = 0;
    bool has_log = false;
    bool saved_load = false;
    bool has_direct = false;
  };
  std::vector<Part> parts;
  std::int64_t rows = 0;
};

class RowStore {
 public:
  explicit RowStore(Connection& connection) : connection_(connection), appenders_(connection) {}

  // Whether all of these lanes goes to DuckDB as one append, which is a transaction by itself: no BEGIN, no COMMIT. Each of
  // these two takes DuckDB as long as a small append does.
  static bool is_one_append(const std::vector<Lane*>& lanes, std::int64_t rows_max);
  // Stores rows of the lane until `rows_max` or its end, and tells the table before they can be seen. A mirror's lane stops
  // at exactly `rows_max`; a plain table's after the batch in which it is passed.
  Status store(Lane& lane, std::int64_t rows_max, Transaction& transaction);
  // Once, when all lanes of the transaction are stored: the ends of its streams, and everything to DuckDB.
  Status finish(const Transaction& transaction, std::int64_t now_micros);
  void abandon() { appenders_.abandon(); }
  void forget(std::int64_t id) { appenders_.forget(id); }

 private:
  Status store_staged(Lane& lane, std::int64_t rows_max, Transaction& transaction);
  // Gives the lane's first batch its place in its stream. False: it was refused, and is no longer in the lane.
  static bool take_offset(Lane& lane, Transaction& transaction);
  static void finish_front(Lane& lane, Transaction& transaction);
  Status store_batch(Lane& lane, bool log, std::int64_t rows_max, std::int64_t& stored);
  Result<TableAppender*> appender(const RowBatch& batch, const TableVersion& now, bool log);

  Connection& connection_;
  AppenderCache appenders_;
  std::size_t ends_appended_ = 0;  // since they were folded
};

}  // namespace flytt::warehouse::internal
