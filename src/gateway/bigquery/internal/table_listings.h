#pragma once
// tabledata.list: the rows of a table, page by page, all pages of one list from one snapshot.
//
// A list that does not end with its first page stays open as a running query; its page tokens name it and a place in it.
// The last page that was given can be asked for again. A list that nobody asks for during kListingIdleMax is closed, and
// the oldest one is closed when there are too many: their tokens are then refused with a clear sentence.
//
// Thread-safe. Owns one thread that closes idle lists.

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "warehouse/rest_json.h"
#include "warehouse/warehouse.h"

namespace flytt::gateway::internal {

struct TableDataRequest {
  data::TablePath table;
  std::vector<std::string> columns;  // top-level columns to show; empty = all
  std::string page_token;            // empty = the first page
  std::int64_t start_index = 0;      // of the first page
  std::optional<std::int64_t> rows_max;
  warehouse::TimestampForm timestamps = warehouse::TimestampForm::kFloatSeconds;
};

struct TableDataPage {
  std::int64_t total_rows = 0;
  std::string rows;  // {"f":…},… without brackets
  std::int64_t row_count = 0;
  std::string next_token;  // empty on the last page
};

class TableListings {
 public:
  TableListings(warehouse::Warehouse& warehouse, const base::Clock& clock);
  ~TableListings();
  TableListings(const TableListings&) = delete;
  TableListings& operator=(const TableListings&) = delete;

  Result<TableDataPage> page(const TableDataRequest& request, std::stop_token stop);

 private:
  struct Listing;

  Result<std::shared_ptr<Listing>> open(const TableDataRequest& request);
  Result<std::int64_t> count_rows(const data::TablePath& table);
  Result<std::pair<std::shared_ptr<Listing>, std::int64_t>> find(const std::string& token);
  void keep(std::shared_ptr<Listing> listing);
  void close_idle();

  warehouse::Warehouse& warehouse_;
  const base::Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any tick_;
  std::map<std::uint64_t, std::shared_ptr<Listing>> open_;  // by number: the first is the oldest
  std::uint64_t numbers_made_ = 0;
  std::jthread closer_;
};

}  // namespace flytt::gateway::internal
