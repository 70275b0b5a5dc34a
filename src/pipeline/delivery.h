#pragma once
// Delivery: brings batches into a sink and says when they are settled: every row durable, in quarantine, or of a table
// that is detached in saved state (delivery.md §5).
//
// It numbers batches itself, so that entries for quarantine, which are batches of their own, can go between those of the
// source. It follows added columns, leaves out tables that are not written, sets refused rows aside and detaches tables
// that fail. Owned and called by one thread: the stream's writer, or a copy worker. After an error it is of no further
// use; whatever it held is read again from the checkpoint.

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "pipeline/destination.h"
#include "pipeline/quarantine.h"
#include "pipeline/table_book.h"
#include "pipeline/watermark.h"

namespace flytt::pipeline {

// What a stream of topics adds to the way of its batches; called by the writer (lane_book.h).
class LaneGate {
 public:
  virtual ~LaneGate() = default;
  // A slice of a table, maybe without rows, before anything else: the table is there and its shape known afterwards. False
  // when it is not to be written.
  virtual Result<bool> bring_table(const data::TableSlice& slice) = 0;
  // Leaves only rows that are to be written.
  virtual Status keep(data::TableSlice& slice) = 0;
  virtual void lost(std::uint32_t lane, const Error& error) = 0;
  // The table is detached: its rows are receipted unwritten.
  virtual Status dropped(const data::TablePath& path, const std::string& reason) = 0;
};

class Delivery {
 public:
  struct Parts {
    TableBook& book;
    Destination& destination;
    Quarantine& quarantine;
    const base::Clock& clock;
    base::Metrics& metrics;
    LaneGate* gate = nullptr;  // of kTopics
  };
  // A stream's delivery obeys `valid_after` and counts what it saw; a copy's rows are all newer than that. Those of topics
  // have no such history.
  enum class Kind { kStream, kCopy, kTopics };

  Delivery(Kind kind, Parts parts, std::unique_ptr<TableSink> sink);

  // Prepares a batch of the source. Only when can_accept(). Blocks for requests to the destination when a schema changed
  // or quarantine is used for the first time.
  Status accept(flow::Batch batch, base::SteadyTime read_at);
  bool can_accept() const { return waiting_.empty(); }

  // Submits what waits and collects receipts, waiting at most until `deadline` for either.
  Status pump(base::Deadline deadline);
  bool is_settled() const { return waiting_.empty() && watermark_.outstanding() == 0; }

  // The newest place up to which everything is settled, when it has grown.
  std::optional<Watermark::Passed> advance() { return watermark_.advance(); }
  std::optional<base::SteadyTime> oldest_read_at() const { return watermark_.oldest_read_at(); }
  TableSink& sink() { return *sink_; }
  std::int64_t quarantined() const { return quarantined_; }

 private:
  // Rows of one batch that are being set aside: how many batches of entries still lack their receipt.
  struct SettingAside {
    std::set<std::string> tables;                 // whose rows they are
    std::optional<flow::BatchSequence> resolves;  // refused by the sink: the batch that waits for them
  };

  Status take_events(const flow::Batch& batch);
  // Brings the slice into the shape in which it can be submitted; false when nothing of it is to be written.
  Result<bool> prepare_slice(data::TableSlice& slice, std::vector<QuarantineEntry>& entries);
  Result<bool> follow_schema(const data::TableSlice& slice);
  Result<bool> add_columns(const data::SliceSchema& schema, const data::TableSchema& there,
                           const std::vector<data::Field>& fields);
  // Slices of entries for the quarantines of their datasets; a table whose quarantine cannot be used is detached.
  Status add_entries(flow::Batch& batch, const std::map<data::TablePath, std::vector<QuarantineEntry>>& entries);
  void enqueue(flow::Batch batch, Watermark::Passed passed, base::SteadyTime read_at, SettingAside aside);
  Status submit_waiting(base::Deadline deadline);
  Status collect(base::Deadline deadline);
  Status settle(flow::BatchSequence sequence);
  Status take_refused();
  Status take_failures();
  // The end of a sentence about a table that is detached.
  std::string advice(const std::string& source_table) const;
  Status detach(const std::string& source_table, const data::TablePath& path, data::Sequence at, std::string reason);
  // The tables whose entries are under way, all or those of one batch, are detached: their rows have no place to go.
  Status quarantine_failed(const Error& error, std::optional<flow::BatchSequence> batch);
  Result<bool> writes(const std::string& source_table) const;

  const Kind kind_;
  const Parts parts_;
  const std::unique_ptr<TableSink> sink_;
  Watermark watermark_;
  flow::Position last_end_;
  base::SteadyTime last_read_at_{};
  std::deque<flow::Batch> waiting_;
  std::map<std::uint64_t, SettingAside> setting_aside_;  // by the sequence of the batch of entries
  std::map<std::uint64_t, int> unresolved_;              // refused batches: batches of entries without receipt
  std::map<std::string, std::shared_ptr<const data::SliceSchema>, std::less<>>
      followed_;                                  // whose shape was last compared
  std::map<data::TablePath, std::string> names_;  // destination → source table
  std::set<data::TablePath> dropped_;             // detached while this sink lives
  std::int64_t quarantined_ = 0;
};

}  // namespace flytt::pipeline
