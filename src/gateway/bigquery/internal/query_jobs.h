#pragma once
// Query jobs: run on threads of their own, waited for by whoever asked, kept in the warehouse's JobStore.
//
// Thread-safe. The destructor cancels what runs and waits for its end.

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "gateway/bigquery/internal/query_request.h"
#include "warehouse/warehouse.h"

namespace flytt::gateway::internal {

class QueryJobs {
 public:
  QueryJobs(warehouse::Warehouse& warehouse, const base::Clock& clock, std::string location, std::string user);
  ~QueryJobs();
  QueryJobs(const QueryJobs&) = delete;
  QueryJobs& operator=(const QueryJobs&) = delete;

  // Puts the query behind those that wait. kConflict (duplicate) when the request's job id is taken; kThrottled when too
  // many wait. A request id that was used within the last quarter of an hour for the same request gives the same job.
  Result<warehouse::Job> start(const std::string& project, const QueryRequest& request);
  // The job when it is done, or as it is when the deadline has passed or `stop` was asked for.
  Result<warehouse::Job> wait(const std::string& project, const std::string& id, base::Deadline deadline,
                              std::stop_token stop);
  // Asks a running job to stop; a finished one stays as it is.
  Result<warehouse::Job> cancel(const std::string& project, const std::string& id);
  Result<warehouse::Job> find(const std::string& project, const std::string& id) const;

  // The answer of a job that is done; null when it is no longer kept. Of one that is in a table the beginning is kept, and
  // rows from `offset` on are read from the table as it is now.
  Result<std::shared_ptr<const warehouse::StoredResult>> answer(const warehouse::Job& job, std::int64_t offset);

  warehouse::QueryOptions options_of(const std::string& project, const QueryRequest& request) const;

 private:
  using JobKey = std::pair<std::string, std::string>;  // project, id
  struct Active {
    warehouse::Job job;
    QueryRequest request;
    std::shared_ptr<std::atomic<bool>> cancel = std::make_shared<std::atomic<bool>>(false);
  };
  struct Remembered {
    std::size_t fingerprint;
    std::string job_id;
    base::SteadyTime until;
  };

  void work(std::stop_token stop);
  void run(Active& active);
  std::string new_job_id();
  // Needs the mutex.
  std::optional<std::string> job_of_request(const std::string& project, const QueryRequest& request);
  void remember(const std::string& project, const QueryRequest& request, const std::string& job_id);

  warehouse::Warehouse& warehouse_;
  const base::Clock& clock_;
  const std::string location_, user_;
  const std::string id_prefix_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;  // a job ended
  std::condition_variable_any work_came_;
  std::map<JobKey, std::shared_ptr<Active>> active_;  // waiting and running
  std::deque<std::shared_ptr<Active>> waiting_;
  std::map<JobKey, Remembered> requests_;  // project, request id
  std::uint64_t ids_made_ = 0;
  std::vector<std::jthread> threads_;
};

}  // namespace flytt::gateway::internal
