#include "gateway/bigquery/internal/insert_all.h"

#include <algorithm>
#include <future>
#include <set>

#include "gateway/limits.h"
#include "wire/append_frames.h"
#include "wire/row_buffer.h"

namespace flytt::gateway::internal {

bool InsertIds::knows(const std::string& key, base::SteadyTime now) {
  forget_old(now);
  return stored_.find(key) != stored_.end();
}

void InsertIds::remember(const std::string& key, base::SteadyTime now) {
  stored_[key] = now;
  order_.emplace_back(now, key);
  forget_old(now);
}

void InsertIds::forget_old(base::SteadyTime now) {
  while (!order_.empty() && (order_.size() > kInsertIdsMax || now - order_.front().first > kInsertIdTime)) {
    const auto found = stored_.find(order_.front().second);
    if (found != stored_.end() && found->second == order_.front().first) stored_.erase(found);
    order_.pop_front();
  }
}

// A table as it was described when the encoder was made.
struct InsertAll::Target {
  std::int64_t table_id = 0;
  std::string etag;
  std::shared_ptr<const data::SliceSchema> schema;
  std::optional<wire::RowEncoder> encoder;
  std::vector<std::unique_ptr<warehouse::AppendSession>> idle;  // guarded by the mutex of all
};

Result<std::shared_ptr<InsertAll::Target>> InsertAll::target(const data::TablePath& path) {
  TRY(warehouse::TableInfo table, warehouse_.table(path));
  {
    std::lock_guard lock(mutex_);
    const auto found = targets_.find(path);
    if (found != targets_.end() && found->second->table_id == table.id && found->second->etag == table.etag)
      return found->second;
  }
  auto made = std::make_shared<Target>();
  made->table_id = table.id;
  made->etag = table.etag;
  auto schema = std::make_shared<data::SliceSchema>();
  schema->table = std::move(table.schema);
  schema->destination = path;
  made->schema = schema;
  TRY(made->encoder, wire::RowEncoder::make(schema->table, wire::ChangeColumns::kNone));
  std::lock_guard lock(mutex_);
  if (targets_.size() >= kInsertTargetsMax) targets_.clear();
  targets_[path] = made;
  return made;
}

Result<std::unique_ptr<warehouse::AppendSession>> InsertAll::take_session(Target& target) {
  {
    std::lock_guard lock(mutex_);
    if (!target.idle.empty()) {
      auto session = std::move(target.idle.back());
      target.idle.pop_back();
      return session;
    }
  }
  return warehouse_.open_append(target.schema->destination, target.encoder->descriptor());
}

void InsertAll::give_back(const std::shared_ptr<Target>& target, std::unique_ptr<warehouse::AppendSession> session) {
  std::lock_guard lock(mutex_);
  if (target->idle.size() < kInsertSessionsMax) target->idle.push_back(std::move(session));
}

std::vector<bool> InsertAll::find_repeated(const Target& target, const InsertRows& rows) {
  std::vector<bool> repeated(rows.rows.size(), false);
  const std::string prefix = std::to_string(target.table_id) + "/";
  const base::SteadyTime now = clock_.steady();
  std::set<std::string_view> seen;
  std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < repeated.size(); ++i)
    if (const std::string& id = rows.insert_ids[i]; !id.empty())
      repeated[i] = !seen.insert(id).second || ids_.knows(prefix + id, now);
  return repeated;
}

void InsertAll::remember(const Target& target, const InsertRows& rows, const std::vector<bool>& left_out) {
  const std::string prefix = std::to_string(target.table_id) + "/";
  const base::SteadyTime now = clock_.steady();
  std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < left_out.size(); ++i)
    if (!left_out[i] && !rows.insert_ids[i].empty()) ids_.remember(prefix + rows.insert_ids[i], now);
}

Result<std::vector<InsertFault>> InsertAll::store(const std::shared_ptr<Target>& target, const InsertRows& rows,
                                                  std::vector<bool>& left_out) {
  wire::RowBuffer buffer;
  std::vector<std::size_t> sent;  // rows of the slice, in order
  for (std::size_t row = 0; row < left_out.size(); ++row) {
    if (left_out[row]) continue;
    TRY(const std::size_t next, target->encoder->encode(rows.slice, row, row + 1, SIZE_MAX, buffer));
    CHECK(next == row + 1);
    sent.push_back(row);
  }
  std::vector<InsertFault> faults;
  if (sent.empty()) return faults;
  TRY(auto session, take_session(*target));
  const auto answered = std::make_shared<std::promise<warehouse::AppendOutcome>>();
  auto answer = answered->get_future();
  const wire::SharedBytes bytes = wire::share(std::move(buffer));
  session->append(
      bytes.bytes, bytes.owner,
      [answered](warehouse::AppendOutcome outcome) { answered->set_value(std::move(outcome)); },
      clock_.in(kAppendWaitMax));
  const warehouse::AppendOutcome outcome = answer.get();  // the warehouse answers every append
  if (outcome.status || !outcome.refused_rows.empty()) give_back(target, std::move(session));
  if (outcome.status) return faults;
  if (outcome.refused_rows.empty()) return Error(outcome.status.error());
  for (const warehouse::RefusedRow& refused : outcome.refused_rows) {
    const std::size_t row = sent[static_cast<std::size_t>(refused.index)];
    left_out[row] = true;
    faults.push_back({rows.rows[row], "invalid", "", refused.message});
  }
  return faults;
}

Result<std::string> InsertAll::insert(const data::TablePath& path, std::string_view body) {
  TRY(const std::shared_ptr<Target> target, this->target(path));
  TRY(InsertRows rows, parse_insert_rows(body, target->schema, clock_.wall_micros()));
  const auto by_row = [](const InsertFault& a, const InsertFault& b) { return a.row < b.row; };
  std::vector<bool> left_out = find_repeated(*target, rows);
  bool is_done = !rows.faults.empty() && !rows.skip_invalid_rows;
  while (!is_done) {
    TRY(const std::vector<InsertFault> refused, store(target, rows, left_out));
    rows.faults.insert(rows.faults.end(), refused.begin(), refused.end());
    is_done = refused.empty() || !rows.skip_invalid_rows;
    if (refused.empty()) remember(*target, rows, left_out);
  }
  std::stable_sort(rows.faults.begin(), rows.faults.end(), by_row);
  return insert_response(std::move(rows.faults), rows.row_count, rows.skip_invalid_rows);
}

}  // namespace flytt::gateway::internal
