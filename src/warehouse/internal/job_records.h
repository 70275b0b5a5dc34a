#pragma once
// Jobs that changed rows, in the database file: flytt.jobs(project, id, ended, doc).
//
// A record is written in the transaction of its job's rows: a job whose id is there has done its work, and one whose id
// is not there has done nothing, whatever ended the process. Records go at an opening, kSavedJobMicros after their end.

#include <vector>

#include "base/result.h"
#include "warehouse/internal/duck.h"
#include "warehouse/jobs.h"

namespace flytt::warehouse::internal {

// Makes the table when it is not there, takes old records away, and gives the others.
Result<std::vector<Job>> open_job_records(Connection& connection, std::int64_t now_micros);
// Inside a transaction of the caller.
Status insert_job_record(Connection& connection, const Job& job);
Status remove_job_record(Connection& connection, const std::string& project, const std::string& id);

}  // namespace flytt::warehouse::internal
