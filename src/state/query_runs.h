#pragma once
// QueryRuns: how far the newest attempt of a query's slot has come, so that whoever comes after it does not do it twice.
//
// A slot has one record, from before its first effect at the destination until the slot is over. It names what that attempt
// has made there: the staging table and its write stream while rows are written, and the one statement that puts them where
// they belong. From kJob on the statement may have taken effect: its id is asked before anything else is done for that slot.
//
// Rules of Store: thread-safe, each function is one transaction that survives a crash. The store is open for writing.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "state/schedule_ledger.h"

namespace flytt::state {

enum class QueryPhase {
  kStaging,  // rows are written into the staging table, where nobody sees them; or nothing is done yet
  kJob,      // the statement is started, or is about to be
  kDone,     // it has succeeded
};

struct QueryRunRecord {
  SlotKey key;
  std::string run_id;  // of the attempt
  int tries = 0;       // how often the slot's work was begun from the start; part of every name that it makes
  QueryPhase phase = QueryPhase::kStaging;
  std::string staging;                  // table in the target's dataset; empty: none
  std::string write_stream;             // into it; empty: none was made
  std::string project, dataset, table;  // the target
  std::string disposition;              // of kJob: "truncate", "append"; empty: the statement writes by itself
  std::string job_id;                   // of kJob
  std::string sql;                      // of kJob
  std::int64_t rows = 0, bytes = 0;     // staged
  std::string message;                  // of kDone: what the run said
  friend bool operator==(const QueryRunRecord&, const QueryRunRecord&) = default;
};

// A view of the Store, which must outlive it.
class QueryRuns {
 public:
  explicit QueryRuns(Store& store) : store_(store) {}

  Result<std::optional<QueryRunRecord>> find(const SlotKey& key);
  Result<std::vector<QueryRunRecord>> of_schedule(std::string_view schedule);  // oldest slot first
  // Takes the place of what was known of the slot.
  Status save(const QueryRunRecord& record);
  Status forget(const SlotKey& key);

 private:
  Store& store_;
};

}  // namespace flytt::state
