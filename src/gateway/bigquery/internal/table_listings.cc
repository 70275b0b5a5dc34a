#include "gateway/bigquery/internal/table_listings.h"

#include <algorithm>
#include <charconv>

#include "gateway/bigquery/internal/json.h"
#include "gateway/limits.h"

namespace flytt::gateway::internal {

namespace {

constexpr std::string_view kTokenPrefix = "table-";

std::string token_of(std::uint64_t number, std::int64_t offset) {
  return std::string(kTokenPrefix) + std::to_string(number) + "-" + std::to_string(offset);
}

template <typename T>
bool read_number(std::string_view text, T& value) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::string quoted(const std::string& name) { return "`" + name + "`"; }
std::string quoted(const data::TablePath& path) {
  return quoted(path.project) + "." + quoted(path.dataset) + "." + quoted(path.table);
}

}  // namespace

struct TableListings::Listing {
  std::mutex mutex;  // one request at a time
  std::uint64_t number = 0;
  data::TablePath table;
  std::shared_ptr<std::atomic<bool>> cancel = std::make_shared<std::atomic<bool>>(false);
  std::unique_ptr<warehouse::QueryResult> running;
  std::vector<data::Type> types;
  std::optional<warehouse::ResultPage> columns;  // being handed out
  std::size_t row = 0;                           // next of them
  std::int64_t offset = 0;                       // of that row in the table
  std::int64_t total_rows = -1;                  // -1: not counted yet
  std::int64_t given_offset = -1;                // the page that was given last
  TableDataPage given;
  base::SteadyTime used_at;  // guarded by the listings' mutex

  // Makes `columns` hold an unread row; false at the end.
  Result<bool> has_row() {
    while (!columns || row == columns->row_count()) {
      TRY(columns, running->next());
      row = 0;
      if (!columns) return false;
    }
    return true;
  }
};

TableListings::TableListings(warehouse::Warehouse& warehouse, const base::Clock& clock)
    : warehouse_(warehouse), clock_(clock) {
  closer_ = std::jthread([this](std::stop_token stop) {
    while (!stop.stop_requested()) {
      close_idle();
      std::unique_lock lock(mutex_);
      tick_.wait_for(lock, stop, kListingTick, [] { return false; });
    }
  });
}

TableListings::~TableListings() {
  std::lock_guard lock(mutex_);
  for (auto& [number, listing] : open_) listing->cancel->store(true);
}

void TableListings::close_idle() {
  std::vector<std::shared_ptr<Listing>> closed;  // destroyed without the mutex
  std::lock_guard lock(mutex_);
  const base::SteadyTime now = clock_.steady();
  for (auto item = open_.begin(); item != open_.end();) {
    if (now - item->second->used_at < kListingIdleMax) {
      ++item;
      continue;
    }
    closed.push_back(std::move(item->second));
    item = open_.erase(item);
  }
}

Result<std::shared_ptr<TableListings::Listing>> TableListings::open(const TableDataRequest& request) {
  TRY(const warehouse::TableInfo table, warehouse_.table(request.table));
  std::string names;
  for (const std::string& column : request.columns) {
    const auto index = table.schema.find(column);
    if (!index) return invalid("Invalid selectedFields: no such field: " + column.substr(0, kFieldNameCharsMax));
    names += (names.empty() ? "" : ", ") + quoted(table.schema.fields[*index].name);
  }
  if (names.empty()) names = "*";
  std::string sql = "SELECT " + names + " FROM " + quoted(request.table);
  if (request.start_index > 0) sql += " LIMIT 9223372036854775807 OFFSET " + std::to_string(request.start_index);
  auto listing = std::make_shared<Listing>();
  warehouse::QueryOptions options;
  options.project = request.table.project;
  options.cancel = listing->cancel;
  TRY(listing->running, warehouse_.query(sql, options));
  for (const auto& column : listing->running->columns()) listing->types.push_back(column.type);
  listing->table = request.table;
  listing->offset = request.start_index;
  std::lock_guard lock(mutex_);
  listing->number = ++numbers_made_;
  return listing;
}

Result<std::int64_t> TableListings::count_rows(const data::TablePath& table) {
  warehouse::QueryOptions options;
  options.project = table.project;
  TRY(const auto running, warehouse_.query("SELECT COUNT(*) FROM " + quoted(table), options));
  TRY(const auto page, running->next());
  if (!page || page->row_count() != 1)
    return Error(ErrorCode::kBug, "counting the rows of " + table.text() + " gave no row");
  return page->columns.front().int64(0);
}

Result<std::pair<std::shared_ptr<TableListings::Listing>, std::int64_t>> TableListings::find(const std::string& token) {
  const std::string_view rest = std::string_view(token).substr(std::min(token.size(), kTokenPrefix.size()));
  const auto dash = rest.find('-');
  std::uint64_t number = 0;
  std::int64_t offset = 0;
  const bool is_token = token.compare(0, kTokenPrefix.size(), kTokenPrefix) == 0 && dash != rest.npos &&
                        read_number(rest.substr(0, dash), number) && read_number(rest.substr(dash + 1), offset);
  if (!is_token) return invalid("Invalid value for 'pageToken': it is not a token of this list.");
  std::lock_guard lock(mutex_);
  const auto found = open_.find(number);
  if (found == open_.end())
    return invalid("The pageToken is no longer valid: the list was not read on for some time. Start again without it.");
  found->second->used_at = clock_.steady();
  return std::make_pair(found->second, offset);
}

void TableListings::keep(std::shared_ptr<Listing> listing) {
  std::shared_ptr<Listing> closed;  // destroyed without the mutex
  std::lock_guard lock(mutex_);
  listing->used_at = clock_.steady();
  const std::uint64_t number = listing->number;
  open_.insert_or_assign(number, std::move(listing));
  if (open_.size() <= kListingsMax) return;
  closed = std::move(open_.begin()->second);
  open_.erase(open_.begin());
}

Result<TableDataPage> TableListings::page(const TableDataRequest& request, std::stop_token stop) {
  std::shared_ptr<Listing> listing;
  std::int64_t offset = request.start_index;
  if (request.page_token.empty()) {
    TRY(listing, open(request));
  } else {
    TRY(auto found, find(request.page_token));
    listing = std::move(found.first);
    offset = found.second;
  }
  std::lock_guard lock(listing->mutex);
  if (!(listing->table == request.table)) return invalid("The pageToken belongs to another table.");
  if (offset == listing->given_offset && !request.page_token.empty()) return listing->given;
  if (offset != listing->offset)
    return invalid("The pageToken is no longer valid: the list has been read on. Start again without it.");
  const std::stop_callback cancel_on_stop(stop, [flag = listing->cancel] { flag->store(true); });

  TableDataPage page;
  const std::int64_t rows_max = std::min(request.rows_max.value_or(kPageRowsMax), kPageRowsMax);
  bool has_more = true;
  while (page.row_count < rows_max && page.rows.size() < kPageBytesMax) {
    TRY(has_more, listing->has_row());
    if (!has_more) break;
    if (page.row_count > 0) page.rows += ',';
    warehouse::append_row_json(listing->types, listing->columns->columns, listing->row, request.timestamps, page.rows);
    ++listing->row;
    ++listing->offset;
    ++page.row_count;
  }
  if (has_more) {
    TRY(has_more, listing->has_row());
  }
  if (listing->total_rows < 0) {
    if (has_more || request.start_index > 0) {
      TRY(listing->total_rows, count_rows(request.table));
    } else {
      listing->total_rows = listing->offset;
    }
  }
  page.total_rows = listing->total_rows;
  if (has_more) page.next_token = token_of(listing->number, listing->offset);
  listing->given_offset = offset;
  if (request.page_token.empty() && !has_more) return page;  // the whole list: nothing to keep
  listing->given = page;
  keep(listing);
  return page;
}

}  // namespace flytt::gateway::internal
