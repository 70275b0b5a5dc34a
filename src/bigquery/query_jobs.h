#pragma once
// QueryJobs: statements that are run as jobs under ids of the caller's choice (REST v2, jobs.insert).
//
// The id is what makes a job happen once: whatever is lost on the way, a request is sent again with the same id, and
// BigQuery answers 409 for a job that it has; then that job is gone on with. So a caller that saves the id first may call
// `run` again after a crash and gets the outcome of the job that was started then.
//
// Thread-safe; calls block. Requests go through the Client, which is not owned, with its retries; `Client::cancel` ends all
// waits with kCancelled and leaves jobs running. Errors carry side kSink, the job, and Google's own sentence as the cause.

#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "bigquery/client.h"
#include "data/schema.h"

namespace flytt::bigquery {

enum class WriteDisposition { kEmpty, kAppend, kTruncate, kTruncateData };

struct JobDestination {
  data::TablePath table;
  WriteDisposition write = WriteDisposition::kEmpty;
  bool may_create = true;
};

// A named parameter (@name). The text is REST's form of a scalar type's value: INT64 "12", DATE "2024-02-29",
// TIMESTAMP "2024-02-29 12:00:00+00".
struct JobParameter {
  std::string name;
  data::Type type;
  std::optional<std::string> text;  // nullopt = NULL
};

struct JobRequest {
  std::string project;
  std::string job_id;    // letters, digits, '_', '-'; not empty except for a dry run
  std::string location;  // empty = the service decides
  std::string sql;       // one GoogleSQL statement
  std::string default_dataset;
  std::map<std::string, std::string> labels;
  std::vector<JobParameter> parameters;
  std::optional<JobDestination> destination;  // of a SELECT
  std::optional<std::int64_t> bytes_billed_max;
  std::optional<std::int64_t> timeout_ms;  // after which the service itself stops the job
};

// A job that has ended well.
struct JobOutcome {
  std::string job_id, location;
  std::string statement_type;  // "SELECT", "MERGE", …
  std::int64_t bytes_processed = 0, bytes_billed = 0;
  std::optional<std::int64_t> affected_rows;                              // of DML
  std::optional<std::int64_t> inserted_rows, updated_rows, deleted_rows;  // of DML, where the service tells
  std::optional<std::int64_t> output_rows;                                // written into the destination
  std::int64_t created_ms = 0, started_ms = 0, ended_ms = 0;              // since 1970
  bool was_known = false;  // the id was taken: an earlier request has started it
};

// What is known of a job. Neither `outcome` nor `failure`: it has not ended.
struct JobLook {
  std::optional<JobOutcome> outcome;
  std::optional<Error> failure;  // it has ended badly, and did nothing
};

struct DryRun {
  std::int64_t bytes_processed = 0;
  std::string statement_type;
  data::TableSchema schema;  // without fields for a statement without rows
};

class QueryJobs {
 public:
  explicit QueryJobs(Client& client) : client_(client) {}

  // Analyzes only; needs no id.
  Result<DryRun> dry_run(const JobRequest& request);

  // Starts the job, or goes on with the one that has its id, and waits for its end. When the deadline passes or `stop` is
  // asked for, the job is told to stop and its end is awaited for kJobCancelPatience: kTimeout or kCancelled, or its
  // outcome when it had ended well before. kConflict when the id belongs to a job with another statement or destination.
  // kUnavailable (after back-off) when an accepted job is no longer known: calling again starts it again.
  Result<JobOutcome> run(const JobRequest& request, base::Deadline deadline, std::stop_token stop = {});

  // How a job stands now; kNotFound when there is none (yet: a request that was lost may still arrive).
  Result<JobLook> look(const std::string& project, const std::string& location, const std::string& job_id);

  // Tells a job to stop and waits for its end; kNotFound when there is none. Ok when it has ended, in whatever way.
  Status cancel(const std::string& project, const std::string& location, const std::string& job_id,
                base::Deadline deadline);

 private:
  struct Seen;
  Result<Seen> insert(const JobRequest& request);
  Result<Seen> get(const std::string& project, const std::string& location, const std::string& job_id);
  Result<Seen> end_of(Seen seen, const std::string& project, base::Deadline deadline, std::stop_token stop);
  Status tell_to_stop(const std::string& project, const std::string& location, const std::string& job_id);
  Result<Seen> stopped(const Seen& seen, const std::string& project);

  Client& client_;
};

}  // namespace flytt::bigquery
