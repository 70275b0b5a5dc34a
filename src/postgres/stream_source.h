#pragma once
// PostgresStreamSource: the changes of chosen tables from a logical replication slot, as batches in commit order.
//
// Owned and called by one thread. It holds a replication connection and, when it must look something up (the type of an
// added column, a large value that an update did not carry), an ordinary one. Its Position is Commit.end_lsn of the
// last whole transaction (lsn.h): starting again from it repeats whole transactions, with the same sequences.
//
// * A transaction larger than a batch spans several; all but the last carry the restart place before it.
// * While no transaction is open, keepalives of the server move the position, and batches without tables tell it; so a
//   quiet slot releases its log without any write to the source database.
// * Tables that are not given are counted and left out. A table whose shape changes in a way that cannot be followed
//   becomes a TableEvent, and no more slices of it follow until the source is built anew.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "flow/source.h"
#include "postgres/catalog.h"
#include "postgres/connection.h"
#include "postgres/limits.h"

namespace flytt::postgres {

// A table as its destination knows it when the stream starts.
struct StreamTable {
  SourceTable table;
  std::shared_ptr<const data::SliceSchema> schema;
  // Changes committed before it are also in a copy, so there a shape that does not fit only leaves them out.
  Lsn covered_until;
};

struct StreamOptions {
  std::string slot, publication;
  std::uint16_t epoch = 1;
  base::Duration batch_age = kStreamBatchAgeDefault;  // of the oldest row in a batch, whole transactions
  std::size_t batch_rows_max = kStreamBatchRowsMax;
  std::size_t batch_bytes_max = kStreamBatchBytesMax;  // as the server sent them
};

// For status and metrics.
struct StreamProgress {
  Lsn received;                    // the newest place whose transactions have been read whole
  Lsn confirmed;                   // what the server was last told is durable
  Lsn server_end;                  // the newest place that the server spoke of
  std::uint64_t ignored_rows = 0;  // of tables that were not asked for
  bool binary = false;
};

class PostgresStreamSource : public flow::Source {
 public:
  // Starts from `from`, or from where the slot stands when that is empty. kNotFound: no such slot. kConflict: the slot is
  // held by another process (retry after_backoff when it looks like an earlier life of ours, by its application name,
  // else never), or it stands behind `from`'s past (what lies between is lost; retry after_operator).
  static Result<std::unique_ptr<PostgresStreamSource>> open(const ConnectionSettings& settings, StreamOptions options,
                                                            std::vector<StreamTable> tables, const flow::Position& from,
                                                            const base::Clock& clock, base::Deadline deadline);

  virtual StreamProgress progress() const = 0;
};

}  // namespace flytt::postgres
