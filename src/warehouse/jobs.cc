#include "warehouse/jobs.h"

#include <algorithm>

#include "warehouse/limits.h"

namespace flytt::warehouse {

Status JobStore::add(Job job) {
  std::lock_guard lock(mutex_);
  const auto key = std::make_pair(job.project, job.id);
  if (entries_.count(key) != 0)
    return Error(ErrorCode::kConflict, "Already Exists: Job " + job.project + ":" + job.location + "." + job.id)
        .cause("duplicate");
  entries_[key] = Entry{std::move(job), nullptr, next_number_++};
  evict();
  return ok();
}

void JobStore::update(const Job& job, std::shared_ptr<const StoredResult> result) {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find({job.project, job.id});
  if (found == entries_.end()) return;
  found->second.job = job;
  if (result) {
    if (found->second.result) result_bytes_ -= found->second.result->byte_size;
    result_bytes_ += result->byte_size;
    found->second.result = std::move(result);
  }
  evict();
}

std::optional<Job> JobStore::find(const std::string& project, const std::string& id) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find({project, id});
  if (found == entries_.end()) return std::nullopt;
  return found->second.job;
}

std::shared_ptr<const StoredResult> JobStore::result(const std::string& project, const std::string& id) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find({project, id});
  if (found == entries_.end()) return nullptr;
  if (found->second.job.ended_micros + kResultSecondsMax * 1'000'000 < clock_.wall_micros()) return nullptr;
  return found->second.result;
}

std::vector<Job> JobStore::list(const std::string& project) const {
  std::lock_guard lock(mutex_);
  std::vector<const Entry*> found;
  for (const auto& [key, entry] : entries_)
    if (key.first == project) found.push_back(&entry);
  std::sort(found.begin(), found.end(), [](const Entry* a, const Entry* b) { return a->number > b->number; });
  std::vector<Job> jobs;
  for (const Entry* entry : found) jobs.push_back(entry->job);
  return jobs;
}

bool JobStore::remove(const std::string& project, const std::string& id) {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find({project, id});
  if (found == entries_.end()) return false;
  if (found->second.result) result_bytes_ -= found->second.result->byte_size;
  entries_.erase(found);
  return true;
}

// Answers first: those past their time, then the oldest until the bound holds; then the oldest finished jobs.
void JobStore::evict() {
  const std::int64_t now = clock_.wall_micros();
  std::vector<Entry*> finished;
  for (auto& [key, entry] : entries_)
    if (entry.job.state == Job::State::kDone) finished.push_back(&entry);
  if (result_bytes_ <= kResultBytesMax && entries_.size() <= kJobsMax && finished.size() < 64) return;
  std::sort(finished.begin(), finished.end(), [](const Entry* a, const Entry* b) { return a->number < b->number; });
  for (Entry* entry : finished) {
    const bool is_old = entry->job.ended_micros + kResultSecondsMax * 1'000'000 < now;
    if (!entry->result || (!is_old && result_bytes_ <= kResultBytesMax)) continue;
    result_bytes_ -= entry->result->byte_size;
    entry->result.reset();
  }
  std::size_t excess = entries_.size() > kJobsMax ? entries_.size() - kJobsMax : 0;
  for (Entry* entry : finished) {
    if (excess == 0) break;
    if (entry->result) result_bytes_ -= entry->result->byte_size;
    entries_.erase({entry->job.project, entry->job.id});
    --excess;
  }
}

Result<std::shared_ptr<const StoredResult>> collect(QueryResult& running, std::size_t bytes_max) {
  auto stored = std::make_shared<StoredResult>();
  stored->columns = running.columns();
  const std::optional<std::int64_t> in_table = running.summary().destination_rows;
  const auto part = [&] {
    stored->row_count = std::max(stored->row_count, *in_table);
    return std::shared_ptr<const StoredResult>(std::move(stored));
  };
  while (true) {
    Result<std::optional<ResultPage>> next = running.next();
    if (!next && in_table) return part();
    TRY(std::optional<ResultPage> page, std::move(next));
    if (!page) return std::shared_ptr<const StoredResult>(std::move(stored));
    for (const data::Column& column : page->columns) stored->byte_size += column.byte_size();
    if (stored->byte_size > bytes_max && in_table) return part();
    stored->row_count += static_cast<std::int64_t>(page->row_count());
    stored->rows_kept = stored->row_count;
    if (stored->byte_size > bytes_max)
      return Error(ErrorCode::kUnsupported,
                   "Response too large to return. Ask for fewer rows or columns, or write the answer to a table.")
          .cause("responseTooLarge");
    stored->pages.push_back(std::move(*page));
  }
}

}  // namespace flytt::warehouse
