#pragma once
// ExternalScans: the rows of EXTERNAL_QUERY as a table function of DuckDB, flytt_external(id).
//
// A scan is registered under an id while the statement is translated and lives as long as its Use. DuckDB's threads open
// and read it; a Use that ends, a cancelled question and a passed deadline end the reading within kExternalPatience.

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "warehouse/external.h"
#include "warehouse/internal/duck.h"

namespace flytt::warehouse::internal {

struct ExternalScan {
  std::shared_ptr<ExternalRows> rows;
  std::vector<int> columns;  // never empty
  base::Deadline deadline;
  std::shared_ptr<std::atomic<bool>> cancel;  // may be null
  std::atomic<bool> is_over{false};
};

// A database in memory beside the file, for rows that are fetched before they are written. It spills as queries do.
inline constexpr const char* kSpool = "flytt_spool";

std::string external_column(int index);  // of the function, for the column of the call

// Thread-safe; outlives the connections that its function is registered on.
class ExternalScans {
 public:
  explicit ExternalScans(const base::Clock& clock) : clock_(clock) {}
  Status register_function(const Connection& connection);

  class Use {
   public:
    Use(ExternalScans& scans, std::int64_t id) : scans_(&scans), id_(id) {}
    Use(Use&& other) noexcept : scans_(std::exchange(other.scans_, nullptr)), id_(other.id_) {}
    Use& operator=(Use&&) = delete;
    ~Use() {
      if (scans_ != nullptr) scans_->end(id_);
    }
    std::int64_t id() const { return id_; }

   private:
    ExternalScans* scans_;
    std::int64_t id_;
  };
  Use begin(std::shared_ptr<ExternalScan> scan);
  // For closing: all that run end, and so does what begins later.
  void end_all();

  std::shared_ptr<ExternalScan> find(std::int64_t id);
  const base::Clock& clock() const { return clock_; }

 private:
  void end(std::int64_t id);

  const base::Clock& clock_;
  std::mutex mutex_;
  std::map<std::int64_t, std::shared_ptr<ExternalScan>> scans_;
  std::int64_t next_id_ = 1;
  bool is_closed_ = false;
};

}  // namespace flytt::warehouse::internal
