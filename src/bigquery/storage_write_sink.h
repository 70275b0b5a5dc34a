#pragma once
// StorageWriteSink: keeps batches in BigQuery (Storage Write API).
//
// Rows go to the default stream of their table. A table with a key gets change columns ("Stream table updates with change
// data capture"): repeating its rows is harmless, because each carries its sequence. A table without one gets plain rows,
// each at least once.
// Rows of a lane that was opened here (flow/lanes.h) go into that lane's own COMMITTED stream instead, at offsets that are
// counted from 0: each exactly once, in order. A new stream is nobody else's, so the count starts with the lane.
//
// Owned and called by one thread, the writer; rows are encoded there. One thread of its own talks to gRPC for all tables.
// One connection per table, opened when it is first written. At most kWindowBytes of encoded rows are in flight; while
// the window is full, `submit` waits until its deadline and then leaves the batch with the caller.
//
// A Receipt means that every request of its batch was acknowledged, with these exceptions, which the caller settles:
//   - refused rows: a row that the destination refuses for its content is taken out of its request and the rest is sent
//     again. The row is handed out by `take_refused`; the receipt waits until `resolve` says that it is in quarantine.
//   - failed tables: a table that cannot be written (it is gone, a right is missing, its schema does not fit) is
//     reported once by `take_failures`. Receipts of batches with its rows wait until `drop_table`. Other tables go on.
//   - lost lanes: the stream of a lane was ended by somebody, or is gone. Its rows without an answer are given up and
//     later ones are not sent; receipts come all the same. It is reported by `take_lost`, which must be asked before
//     receipts are believed.
// Passing trouble (connection lost, server restarts, throttling) is repeated inside, with growing pauses and a new
// connection; rows without an answer are sent again. Trouble that does not pass within the limits below, and credentials
// that are refused, end the sink: submit and collect return the error from then on.
//
// The destructor gives up what is in flight, at once; nothing is completed.

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "bigquery/credentials.h"
#include "bigquery/limits.h"
#include "flow/sink.h"
#include "wire/grpc_channel.h"

namespace flytt::bigquery {

struct StorageWriteOptions {
  std::string trace_id = "flytt";
  std::size_t window_bytes = kWindowBytes;
  std::size_t request_bytes = kRequestBytesTarget;
  std::chrono::milliseconds transient_patience = kTransientPatience;
  std::chrono::milliseconds throttle_patience = kThrottlePatience;
  std::chrono::milliseconds missing_table_patience = kMissingTablePatience;
  std::chrono::milliseconds schema_patience = kSchemaPatience;
  std::chrono::milliseconds answer_timeout = kAnswerTimeout;
  std::chrono::milliseconds backoff_min = kAppendBackoffMin;
  std::chrono::milliseconds backoff_max = kAppendBackoffMax;
  std::chrono::milliseconds throttle_backoff_min = kThrottleBackoffMin;
  std::chrono::milliseconds throttle_backoff_max = kThrottleBackoffMax;
};

struct RefusedRow {
  flow::BatchSequence batch;
  std::shared_ptr<const data::SliceSchema> schema;
  data::Rejection rejection;  // `raw` is a JSON object of the row's columns
};

struct TableFailure {
  data::TablePath table;
  Error error;
};

struct LostLane {
  std::uint32_t lane = 0;
  Error error;
};

class StorageWriteSink final : public flow::Sink {
 public:
  struct Parts {
    wire::GrpcChannel channel;
    Credentials& credentials;  // its tokens go only over TLS
    const base::Clock& clock;  // real time: gRPC's own waits follow it
    base::Random& random;
    base::Metrics& metrics;
  };
  static std::unique_ptr<StorageWriteSink> make(Parts parts, StorageWriteOptions options = {});
  ~StorageWriteSink() override;

  // Everything here is called by the writer thread.
  Status submit(flow::Batch& batch, base::Deadline deadline) override;
  // Also returns early, maybe with an empty list, when refused rows or failed tables were found.
  Result<std::vector<flow::Receipt>> collect(base::Deadline deadline) override;
  std::vector<RefusedRow> take_refused();
  std::vector<TableFailure> take_failures();
  std::vector<LostLane> take_lost();
  // All refused rows of this batch that were taken so far are kept elsewhere.
  void resolve(flow::BatchSequence batch);
  // Rows of this table that have no answer are given up, and later ones are not sent.
  void drop_table(const data::TablePath& table);
  // Rows of `lane` for `table` go into `write_stream` from now on: a COMMITTED stream that is new and nobody else's.
  // A lane that is opened again goes on with the new stream; nothing may be in flight in the old one.
  void open_lane(std::uint32_t lane, const data::TablePath& table, const std::string& write_stream);
  // The lane's rows without an answer are given up, and so are those that still come.
  void close_lane(std::uint32_t lane);

 private:
  class Impl;
  explicit StorageWriteSink(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace flytt::bigquery
