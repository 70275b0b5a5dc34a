#pragma once
// Recent jobs and their answers, so that jobs.get, jobs.list and getQueryResults can be asked again.
//
// Thread-safe. Kept in memory within the bounds of limits.h: the oldest finished jobs and answers go first, and an
// answer goes kResultSecondsMax after its job ended. A job whose answer is gone still exists.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "warehouse/query.h"

namespace flytt::warehouse {

struct JobError {
  std::string reason, location, message;  // BigQuery's: "invalidQuery", "query", "Unrecognized name: x at [1:8]"
};

struct Job {
  std::string project, location, id;
  std::string user;
  enum class State { kPending, kRunning, kDone } state = State::kPending;
  std::int64_t created_micros = 0, started_micros = 0, ended_micros = 0;
  std::optional<JobError> error;
  StatementSummary summary;
  std::string configuration;  // JSON object text of the REST resource's `configuration`
};

// All rows of an answer.
struct StoredResult {
  std::vector<googlesql::OutputColumn> columns;
  std::vector<ResultPage> pages;
  std::int64_t rows_kept = 0;  // in `pages`; fewer than row_count when the answer is in a table and is large
  std::int64_t row_count = 0;
  std::size_t byte_size = 0;
};

class JobStore {
 public:
  explicit JobStore(const base::Clock& clock) : clock_(clock) {}

  // kConflict, reason duplicate, when the id is taken.
  Status add(Job job);
  // Replaces the job of the same project and id. Call it with kDone once; `result` may be null.
  void update(const Job& job, std::shared_ptr<const StoredResult> result = nullptr);
  std::optional<Job> find(const std::string& project, const std::string& id) const;
  std::shared_ptr<const StoredResult> result(const std::string& project, const std::string& id) const;
  std::vector<Job> list(const std::string& project) const;  // newest first
  bool remove(const std::string& project, const std::string& id);

 private:
  struct Entry {
    Job job;
    std::shared_ptr<const StoredResult> result;
    std::uint64_t number = 0;
  };
  void evict();

  const base::Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Entry> entries_;
  std::uint64_t next_number_ = 0;
  std::size_t result_bytes_ = 0;
};

// Takes all pages of `running`. kUnsupported (reason responseTooLarge) beyond `bytes_max`. An answer that is in its table
// already is kept as far as it goes instead, whatever fails.
Result<std::shared_ptr<const StoredResult>> collect(QueryResult& running, std::size_t bytes_max);

}  // namespace flytt::warehouse
