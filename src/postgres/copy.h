#pragma once
// Copies: the rows of tables as they were at one place of the log (first load, resume, added tables, resync).
//
// A CopySession holds a temporary replication slot's exported snapshot on a connection of its own, which stays idle
// while the session lives; the slot goes with it. Its ranges are read by sources on connections of their own, each
// under the same snapshot. Every row carries the sequence epoch / consistent point / 0, so that any change committed
// later wins over it.
//
// The session is owned by one thread; `open_range` is const and may be called from any. When the session is destroyed
// or its connection breaks, sources that are open go on, and new ones fail with kUnavailable: open another session and
// copy the ranges that are not done.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "flow/source.h"
#include "postgres/catalog.h"
#include "postgres/connection.h"
#include "postgres/limits.h"

namespace flytt::postgres {

struct CopyOptions {
  std::string slot_name;                          // of the temporary slot; free in the whole server
  std::uint16_t epoch = 1;                        // the first part of each row's sequence
  base::Duration notice_after = kSlotWaitNotice;  // of a wait for the slot
};

// A part of a table. `end_block` is exclusive; kWholeTable has no bounds. `storage` tells the table's files: a range of
// a table that was rewritten since (VACUUM FULL, TRUNCATE) is no range of it any more.
struct CopyRange {
  static constexpr std::uint32_t kOpenEnd = 0xFFFFFFFF;
  std::uint32_t first_block = 0, end_block = kOpenEnd;
  std::uint64_t storage = 0;
  bool is_whole_table() const { return first_block == 0 && end_block == kOpenEnd; }
  // "0-32768@7f3a…": for the state store.
  std::string text() const;
  static Result<CopyRange> parse(std::string_view text);
  friend bool operator==(const CopyRange& a, const CopyRange& b) {
    return a.first_block == b.first_block && a.end_block == b.end_block && a.storage == b.storage;
  }
};

// Creating a slot waits until transactions that were running have ended.
struct SlotWait {
  std::chrono::seconds waited{0};
  int pid = 0;                  // 0: a prepared transaction, or not visible to our role
  std::chrono::seconds age{0};  // of that transaction; 0 when not visible
  std::string application, user;
  std::string text() const;  // a sentence with the next step
};

class CopySession {
 public:
  virtual ~CopySession() = default;

  // Blocks until the slot is there, the deadline passes (kTimeout) or `on_wait` returns false (kCancelled); `on_wait`
  // is called about every second once the wait has lasted `notice_after`.
  static Result<std::unique_ptr<CopySession>> open(const ConnectionSettings& settings, const CopyOptions& options,
                                                   const base::Clock& clock, base::Deadline deadline,
                                                   const std::function<bool(const SlotWait&)>& on_wait);

  virtual Lsn consistent_point() const = 0;
  // False once the session's connection is lost, and the snapshot with it. Only by the thread that owns the session.
  virtual bool is_alive() = 0;
  // The parts of a table, in order and without gaps: block ranges of about kRangeBytesTarget; one range for a
  // partitioned table, and before PostgreSQL 14.
  virtual Result<std::vector<CopyRange>> plan_ranges(const SourceTable& table, base::Deadline deadline) const = 0;
  // A bounded source of the rows of one range. Its batches carry an empty Position: progress is the finished range.
  // kConflict when the table was rewritten since it was planned, kSchema when its columns are others than `table` says.
  virtual Result<std::unique_ptr<flow::Source>> open_range(const SourceTable& table,
                                                           std::shared_ptr<const data::SliceSchema> schema,
                                                           const CopyRange& range, base::Deadline deadline) const = 0;
};

}  // namespace flytt::postgres
