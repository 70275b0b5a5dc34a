#pragma once
// What is known about a living table besides its description: which rows wait where, so that readers can choose the
// shortest correct SQL without asking the database.
//
// Every row of a mirror table has a rank: the pair (sequence, ingestion number). The row with the greatest rank of a key is
// the one that is seen, over base ∪ tombstones ∪ log. Three facts make reading cheap, and each is kept conservatively:
//   has_changes   the log may hold rows                 set before their COMMIT, cleared after the apply's COMMIT
//   log_wins      every log row outranks every row of base and tombstones
//   direct rows   rows of a first load, put straight into base; those with numbers in (verified_ing, direct_ing] may
//                 hold a key twice until verification has looked at them
// A reader calls `read_state` before its snapshot is taken and again after it. Facts that are equal both times, with an
// equal epoch, held for the snapshot; otherwise it assumes the worst or starts again.
//
// Thread-safe. `maintenance` is held by whoever rewrites the table (verification, apply, DDL), never by the writer thread;
// DDL takes it before it goes to the writer.

#include <compare>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "data/sequence.h"
#include "warehouse/internal/key_spans.h"
#include "warehouse/internal/table_version.h"

namespace flytt::warehouse::internal {

struct Rank {
  data::Sequence sequence;
  std::int64_t ing = 0;
  friend bool operator<(const Rank& a, const Rank& b) {
    return a.sequence.bits != b.sequence.bits ? a.sequence.bits < b.sequence.bits : a.ing < b.ing;
  }
};

// Consecutive log rows of one commit, which may have several of them.
struct LogSegment {
  std::int64_t first_ing = 0, last_ing = 0;
  std::int64_t rows = 0;
  std::int64_t bytes = 0;           // about
  Rank least;                       // a lower bound
  data::Sequence newest;            // an upper bound
  base::SteadyTime committed_at{};  // for the age
  bool committed = false;
};

struct ReadState {
  std::uint64_t epoch = 0;
  bool dropped = false;
  bool has_changes = false;
  bool log_wins = false;
  std::int64_t log_rows = 0, log_bytes = 0;
  std::int64_t direct_ing = 0;            // of the newest direct row that may be committed
  std::int64_t direct_committed_ing = 0;  // … that is committed
  std::int64_t verified_ing = 0;
  std::optional<data::Sequence> load_sequence;  // of direct rows, when there ever were any
  bool has_unverified() const { return direct_committed_ing > verified_ing; }
};

class TableState {
 public:
  explicit TableState(std::shared_ptr<const TableVersion> version)
      : id(version->info.id), version_(std::move(version)) {}

  const std::int64_t id;
  std::mutex maintenance;

  std::shared_ptr<const TableVersion> version() const;
  void publish(std::shared_ptr<const TableVersion> version);
  void mark_dropped();
  ReadState read_state() const;

  // -- Written by the writer thread around its COMMIT
  // A first load: rows with exactly this sequence go straight to base.
  void start_load(data::Sequence sequence);
  void end_load();                // no further direct rows; those that exist stay to be verified
  bool has_load_to_save() const;  // one of both happened and is not yet in the file
  void load_saved();
  std::optional<data::Sequence> loading() const;  // rows of which sequence go to base now
  // Keys of one chunk of direct rows, before their COMMIT; none when the key is not a single INT64 column.
  void note_direct_keys(const std::int64_t* keys, std::size_t count);
  void before_direct_commit(const Rank& newest);
  void after_direct_commit(bool kept);
  void before_plain_commit(const Rank& newest);            // rows that are neither changes nor direct
  void before_log_commit(const LogSegment& segment);       // segments in order of numbers
  void after_log_commit(bool kept, base::SteadyTime now);  // of all segments since the last one
  void after_append(std::int64_t rows, std::int64_t wall_micros);
  bool is_virgin() const;  // nothing was ever put into it
  // Rows came with change columns: what is seen is then no longer the base alone, and statements must not change it.
  bool takes_changes() const;
  void after_rewrite(std::int64_t gone, std::int64_t come, std::int64_t wall_micros);  // of the base, by a statement

  // -- Written by maintenance
  // Committed segments from the oldest on, up to `rows_max` rows and `bytes_max` bytes (at least one segment): their last
  // number and newest sequence.
  struct Applicable {
    std::int64_t last_ing = 0;
    std::int64_t rows = 0, bytes = 0;
    data::Sequence newest;
  };
  std::optional<Applicable> applicable(std::int64_t rows_max, std::int64_t bytes_max) const;
  // The log is long in rows, relative to the base, or in bytes, or it is old, or it holds up a read.
  bool is_apply_due(base::SteadyTime now, bool has_slow_read) const;
  void before_apply_commit(const Applicable& taken);
  // All rows in base are direct rows and their order shows that no key is there twice: nothing has to be counted.
  bool has_distinct_keys() const;
  void after_apply_commit(const Applicable& taken, std::int64_t base_rows_gone, std::int64_t base_rows_come);
  // Which of its tables hold many bytes of dead rows and few of living ones.
  struct Worn {
    bool log = false, base = false;
  };
  Worn worn() const;
  void after_renewal(Worn renewed);  // by the writer thread, after its COMMIT
  void after_verification(std::int64_t verified_ing, std::int64_t removed_rows);
  void forget_load();  // all direct rows are verified and there will be no others

  // -- At opening
  struct Recovered {
    std::int64_t next_ing = 1, base_rows = 0;
    Rank base_newest;  // upper bound over base and tombstones
    bool has_tombstones = false;
    std::vector<LogSegment> log;
    std::optional<data::Sequence> load_sequence;
    bool loading = false;
    std::int64_t direct_ing = 0, verified_ing = 0;
  };
  void recover(const Recovered& recovered);

  std::int64_t base_rows() const;
  std::int64_t modified_micros() const;
  std::int64_t next_ing = 1;  // writer thread only

 private:
  void refresh_locked();  // recomputes log_wins_ and bumps the epoch when a fact changed

  mutable std::mutex mutex_;
  std::shared_ptr<const TableVersion> version_;
  std::uint64_t epoch_ = 1;
  bool dropped_ = false, used_ = false, loading_ = false, load_to_save_ = false, changed_ = false;
  bool has_changes_ = false, log_wins_ = false;
  std::optional<data::Sequence> load_sequence_;
  std::int64_t direct_ing_ = 0, direct_committed_ing_ = 0, verified_ing_ = 0;
  Rank base_newest_;
  KeySpans direct_keys_;
  std::deque<LogSegment> segments_;
  std::int64_t log_dead_bytes_ = 0, base_dead_bytes_ = 0, base_row_bytes_ = 0;  // the last is of the newest apply
  std::int64_t log_rows_ = 0, log_bytes_ = 0, base_rows_ = 0, modified_micros_ = 0;
};

}  // namespace flytt::warehouse::internal
