#include "gateway/bigquery/internal/query_jobs.h"

#include "base/log.h"
#include "gateway/bigquery/internal/error_mapping.h"
#include "gateway/limits.h"

namespace flytt::gateway::internal {

namespace {

Error no_such_job(const std::string& project, const std::string& id) {
  return Error(ErrorCode::kNotFound, "Not found: Job " + project + ":" + id).cause("notFound");
}

std::size_t fingerprint_of(const QueryRequest& request) { return std::hash<std::string>()(request.configuration); }

}  // namespace

QueryJobs::QueryJobs(warehouse::Warehouse& warehouse, const base::Clock& clock, std::string location, std::string user)
    : warehouse_(warehouse),
      clock_(clock),
      location_(std::move(location)),
      user_(std::move(user)),
      id_prefix_("job_" + std::to_string(clock.wall_micros()) + "_") {
  for (int i = 0; i < kQueryThreadsMax; ++i) threads_.emplace_back([this](std::stop_token stop) { work(stop); });
}

QueryJobs::~QueryJobs() {
  for (std::jthread& thread : threads_) thread.request_stop();
  {
    std::lock_guard lock(mutex_);
    for (auto& [key, active] : active_) active->cancel->store(true);
  }
  threads_.clear();  // joins
}

// The clock makes ids of one start differ from those of another, the number those of one start.
std::string QueryJobs::new_job_id() { return id_prefix_ + std::to_string(++ids_made_); }

warehouse::QueryOptions QueryJobs::options_of(const std::string& project, const QueryRequest& request) const {
  warehouse::QueryOptions options;
  options.project = project;
  options.default_dataset = request.default_dataset;
  options.parameters = request.parameters;
  options.destination = request.destination;
  options.bytes_billed_max = request.bytes_billed_max;
  if (request.job_timeout_ms.value_or(0) > 0)
    options.deadline =
        clock_.in(std::chrono::milliseconds(std::min<std::int64_t>(*request.job_timeout_ms, 86'400'000)));
  return options;
}

std::optional<std::string> QueryJobs::job_of_request(const std::string& project, const QueryRequest& request) {
  if (request.request_id.empty()) return std::nullopt;
  const auto found = requests_.find({project, request.request_id});
  if (found == requests_.end() || found->second.until < clock_.steady() ||
      found->second.fingerprint != fingerprint_of(request))
    return std::nullopt;
  return found->second.job_id;
}

void QueryJobs::remember(const std::string& project, const QueryRequest& request, const std::string& job_id) {
  if (request.request_id.empty()) return;
  if (requests_.size() >= kRequestIdsMax) {
    const base::SteadyTime now = clock_.steady();
    std::erase_if(requests_, [&](const auto& item) { return item.second.until < now; });
    if (requests_.size() >= kRequestIdsMax) requests_.erase(requests_.begin());
  }
  requests_.insert_or_assign({project, request.request_id},
                             Remembered{fingerprint_of(request), job_id, clock_.steady() + kRequestIdTime});
}

Result<warehouse::Job> QueryJobs::start(const std::string& project, const QueryRequest& request) {
  auto active = std::make_shared<Active>();
  active->request = request;
  warehouse::Job& job = active->job;
  job.project = project;
  job.location = location_;
  job.user = user_;
  job.created_micros = clock_.wall_micros();
  job.configuration = request.configuration;
  std::lock_guard lock(mutex_);
  if (const auto known = job_of_request(project, request))
    if (const auto found = warehouse_.jobs().find(project, *known)) return *found;
  if (waiting_.size() >= kQueriesWaitingMax)
    return Error(ErrorCode::kThrottled, "Exceeded rate limits: too many queries wait to run.")
        .cause("rateLimitExceeded");
  job.id = request.job_id.empty() ? new_job_id() : request.job_id;
  if (auto added = warehouse_.jobs().add(job); !added) {
    if (added.error().code() != ErrorCode::kConflict) return std::move(added).error();
    return Error(ErrorCode::kConflict, "Already Exists: Job " + project + ":" + location_ + "." + job.id)
        .cause("duplicate");
  }
  remember(project, request, job.id);
  const warehouse::Job copy = job;
  active_.emplace(JobKey{project, job.id}, active);
  waiting_.push_back(std::move(active));
  work_came_.notify_one();
  return copy;
}

Result<warehouse::Job> QueryJobs::find(const std::string& project, const std::string& id) const {
  auto found = warehouse_.jobs().find(project, id);
  if (!found) return no_such_job(project, id);
  return std::move(*found);
}

Result<warehouse::Job> QueryJobs::wait(const std::string& project, const std::string& id, base::Deadline deadline,
                                       std::stop_token stop) {
  const JobKey key{project, id};
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, clock_.left(deadline), [&] { return active_.find(key) == active_.end(); });
  }
  return find(project, id);
}

Result<warehouse::Job> QueryJobs::cancel(const std::string& project, const std::string& id) {
  {
    std::lock_guard lock(mutex_);
    if (const auto found = active_.find({project, id}); found != active_.end()) found->second->cancel->store(true);
  }
  return find(project, id);
}

Result<std::shared_ptr<const warehouse::StoredResult>> QueryJobs::answer(const warehouse::Job& job,
                                                                         std::int64_t offset) {
  auto stored = warehouse_.jobs().result(job.project, job.id);
  const std::string& sql = job.summary.destination_sql;
  if (!stored || sql.empty() || offset < stored->rows_kept || stored->rows_kept == stored->row_count) return stored;
  warehouse::QueryOptions options;
  options.project = job.project;
  options.deadline = clock_.in(kQueryWaitMax);
  TRY(const auto rows, warehouse_.query(sql, options));
  TRY(stored, warehouse::collect(*rows, kQueryResultBytesMax));
  warehouse_.jobs().update(job, stored);
  return stored;
}

void QueryJobs::work(std::stop_token stop) {
  while (true) {
    std::shared_ptr<Active> active;
    {
      std::unique_lock lock(mutex_);
      if (!work_came_.wait(lock, stop, [this] { return !waiting_.empty(); }) || stop.stop_requested()) return;
      active = std::move(waiting_.front());
      waiting_.pop_front();
    }
    run(*active);
    {
      std::lock_guard lock(mutex_);
      active_.erase({active->job.project, active->job.id});
    }
    changed_.notify_all();
  }
}

void QueryJobs::run(Active& active) {
  warehouse::Job job = active.job;
  job.state = warehouse::Job::State::kRunning;
  job.started_micros = clock_.wall_micros();
  warehouse_.jobs().update(job);

  warehouse::QueryOptions options = options_of(job.project, active.request);
  options.cancel = active.cancel;
  options.job = std::make_shared<const warehouse::Job>(job);
  std::shared_ptr<const warehouse::StoredResult> stored;
  const auto answer = [&]() -> Status {
    if (active.cancel->load())
      return Error(ErrorCode::kCancelled, "Job execution was cancelled: User requested cancellation").cause("stopped");
    TRY(const auto running, warehouse_.query(active.request.sql, options));
    TRY(stored, warehouse::collect(*running, running->summary().destination_sql.empty() ? kQueryResultBytesMax
                                                                                        : kTableAnswerBytesMax));
    job.summary = running->summary();
    return ok();
  };
  if (const Status status = answer(); !status) {
    const GoogleError error = google_error_of(status.error());
    job.error = warehouse::JobError{error.reason, error.location, error.message};
    if (status.error().code() == ErrorCode::kBug || status.error().code() == ErrorCode::kCorrupt)
      base::log_failure(base::LogLevel::kError, "a query failed", status.error(), {{"job", job.id}});
  }
  job.state = warehouse::Job::State::kDone;
  job.ended_micros = clock_.wall_micros();
  warehouse_.jobs().update(job, std::move(stored));
}

}  // namespace flytt::gateway::internal
