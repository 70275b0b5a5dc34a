#pragma once
// tabledata.insertAll: rows of one request, durable and visible when it is answered.
//
// Rows with an insertId that was stored during the last minute are taken for a repetition and left out. That is the best
// that the service promises, too: the memory is bounded, and a restart forgets it.
//
// Thread-safe. What a table needs to be written to is kept between requests.

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "gateway/bigquery/internal/insert_rows.h"
#include "warehouse/warehouse.h"
#include "wire/row_encoder.h"

namespace flytt::gateway::internal {

// Which insertIds were stored lately. Not thread-safe.
class InsertIds {
 public:
  bool knows(const std::string& key, base::SteadyTime now);
  void remember(const std::string& key, base::SteadyTime now);

 private:
  void forget_old(base::SteadyTime now);
  std::unordered_map<std::string, base::SteadyTime> stored_;
  std::deque<std::pair<base::SteadyTime, std::string>> order_;
};

class InsertAll {
 public:
  InsertAll(warehouse::Warehouse& warehouse, const base::Clock& clock) : warehouse_(warehouse), clock_(clock) {}

  // The answer's body, also when rows were refused.
  Result<std::string> insert(const data::TablePath& path, std::string_view body);

 private:
  struct Target;

  Result<std::shared_ptr<Target>> target(const data::TablePath& path);
  Result<std::unique_ptr<warehouse::AppendSession>> take_session(Target& target);
  void give_back(const std::shared_ptr<Target>& target, std::unique_ptr<warehouse::AppendSession> session);
  // Marks rows that are repetitions of stored ones or of earlier ones of the same request.
  std::vector<bool> find_repeated(const Target& target, const InsertRows& rows);
  void remember(const Target& target, const InsertRows& rows, const std::vector<bool>& left_out);
  // Stores the rows that are not left out; tells of those that the warehouse refused.
  Result<std::vector<InsertFault>> store(const std::shared_ptr<Target>& target, const InsertRows& rows,
                                         std::vector<bool>& left_out);

  warehouse::Warehouse& warehouse_;
  const base::Clock& clock_;
  std::mutex mutex_;
  std::map<data::TablePath, std::shared_ptr<Target>> targets_;
  InsertIds ids_;
};

}  // namespace flytt::gateway::internal
