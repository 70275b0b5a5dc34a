#pragma once
// TableBook: what is known of each table of one stream, in memory and in state.
//
// Shared by the supervisor, the stream's writer and the copy workers of one pipeline; thread-safe. What a crash must not
// forget is saved before it is believed: a table counts as detached, copied or attached once state holds it.
//
// Three rules live here. (1) Changes are written while a table is copying or streaming, and only those after
// `valid_after`, so that history which a later copy has overtaken cannot come back. (2) Work for a copy carries that
// copy's generation; when the table was detached or is to be copied anew the generation is no longer current and the
// work is void. (3) A table is emptied only while no copy worker holds one of its ranges.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "data/table_slice.h"
#include "pipeline/watermark.h"
#include "state/store.h"

namespace flytt::pipeline {

struct CopyProgress {
  std::int64_t rows_done = 0;  // durable ranges and what is under way
  std::int64_t rows_estimated = 0;
  std::uint32_t ranges_done = 0, ranges = 0;
  double rows_per_second = 0;      // since this process works on it; 0 = not known yet
  std::int64_t seconds_left = -1;  // -1 = not known
  std::string trouble;             // why it waits at the moment; empty when it moves
};

struct TableStatus {
  state::TableRecord record;
  std::int64_t rows_streamed = 0;    // changes written since the process started
  std::optional<CopyProgress> copy;  // while it is copying
  std::string newest_change;  // sequence text of the newest change before the saved position; empty: none was seen
};

class TableBook {
 public:
  TableBook(std::string stream, state::Store& store, const base::Clock& clock, base::Metrics& metrics);

  const std::string& stream() const { return stream_; }
  Status load();
  std::optional<state::TableRecord> find(std::string_view source_table) const;
  std::vector<state::TableRecord> records() const;
  std::vector<TableStatus> status() const;

  // -- for the supervisor. The phase's begin is filled in here when the phase changes.
  Status save(state::TableRecord record);
  Status save_all(const state::Checkpoint& checkpoint, std::vector<state::TableRecord> records);
  Status settle_resync(const state::ResyncRequest& request, std::vector<state::TableRecord> records);

  // -- for whoever writes
  struct Verdict {
    bool is_known = false;
    bool writes = false;
    data::Sequence valid_after;
    std::int64_t generation = 0;
  };
  Verdict verdict(std::string_view source_table) const;
  void count_streamed(std::string_view source_table, std::int64_t rows);
  // The stream's position in its checkpoint, with the newest change before it of each table that has one since the last call.
  Status save_position(std::string_view position, const TableChanges& changes);
  // The greatest sequence that the stream has shown since the process started: where a table is detached that fails.
  void saw(data::Sequence sequence);
  data::Sequence seen() const;
  // Saves that the table is not written any more. `generation` limits it to that copy; a table that is detached already
  // keeps its reason and only remembers the greater `at`; one that is about to be copied anew stays so.
  Status detach(std::string_view source_table, data::Sequence at, std::string reason,
                std::optional<std::int64_t> generation = {});

  // The shape of the destination table as far as we know; nullopt before set_shape.
  std::optional<data::TableSchema> shape(std::string_view source_table) const;
  bool has_shape(std::string_view source_table) const;
  void set_shape(std::string_view source_table, data::TableSchema shape);
  void forget_shape(std::string_view source_table);
  // Counts failed attempts at one table, to change it or to copy it; true when the budget is spent. Success resets it.
  bool spend_attempt(std::string_view source_table);

  // -- for copies
  bool is_current(std::string_view source_table, std::int64_t generation) const;
  Result<std::vector<state::CopyRange>> saved_ranges(std::string_view source_table) const {
    return store_.ranges(stream_, source_table);
  }
  // Starts a copy or goes on with it: saves plan and ranges under the record's generation.
  Status begin_copy(const state::TableRecord& record, const std::vector<state::CopyRange>& ranges);
  bool claim_range(std::string_view source_table, std::int64_t generation);  // false: void
  void release_range(std::string_view source_table);
  bool is_claimed(std::string_view source_table) const;
  void count_copied(std::string_view source_table, std::int64_t rows);  // negative when work is given up
  Status finish_range(std::string_view source_table, std::int64_t generation, std::uint32_t index, std::int64_t rows);
  Status finish_copy(std::string_view source_table, std::int64_t generation);
  void set_copy_trouble(std::string_view source_table, std::string trouble);

 private:
  struct Entry {
    state::TableRecord record;
    data::Sequence valid_after;
    std::optional<data::TableSchema> shape;
    int attempts = 0;
    int claims = 0;
    std::int64_t rows_streamed = 0;
    std::int64_t rows_copied = 0;
    std::int64_t rows_at_start = 0;
    base::SteadyTime copy_started{};
    std::uint32_t ranges = 0, ranges_done = 0;
    std::string trouble;
    std::string newest_change;
  };
  Entry* entry(std::string_view source_table);
  const Entry* entry(std::string_view source_table) const;
  void stamp(state::TableRecord& record) const;
  void keep(state::TableRecord record);
  CopyProgress progress(const Entry& entry) const;

  const std::string stream_;
  state::Store& store_;
  const base::Clock& clock_;
  base::Metrics& metrics_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_;
  data::Sequence seen_;
};

// The sequence of a record's text; zero for an empty one.
data::Sequence parse_sequence(std::string_view text);

}  // namespace flytt::pipeline
