#pragma once
// Client: BigQuery's REST API v2, as far as flytt needs it: datasets, tables, queries.
//
// Thread-safe; calls block. A call repeats requests that failed for a passing reason, if repeating them is harmless,
// with full jitter, for at most kCallTimeout; `cancel` ends all waits for good (kCancelled). Errors carry side kSink,
// what happened to which object, and Google's own message as the cause.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "bigquery/credentials.h"
#include "bigquery/http_transport.h"
#include "bigquery/retrier.h"
#include "data/schema.h"

namespace flytt::bigquery {

struct DatasetInfo {
  std::string project, dataset;
  std::string location;
  std::string description;
  std::map<std::string, std::string> labels;
  std::string etag;             // only from the server
  std::int64_t created_ms = 0;  // only from the server, since 1970
};

struct TableInfo {
  data::TablePath path;
  data::TableSchema schema;  // with its primary key
  std::string description;
  std::map<std::string, std::string> labels;
  std::string max_staleness;    // an INTERVAL, "0-0 0 0:10:0"; empty = not set
  std::int64_t expires_ms = 0;  // since 1970, when the service removes the table; 0 = never
  // Only from the server:
  std::string type;            // "TABLE", "VIEW", …
  std::string partition_unit;  // "DAY", "HOUR", "MONTH", "YEAR", or "RANGE" of integers; empty = not partitioned
  std::string etag;
  std::int64_t created_ms = 0;
  std::int64_t modified_ms = 0;  // of rows or description
  std::optional<std::int64_t> row_count;
  bool has_streaming_buffer = false;
};

// A value of a result. NULL, or text in REST's form of its type (bigquery REST v2: INT64 "123", BYTES base64, TIMESTAMP
// microseconds since 1970), or for STRUCT its fields and for ARRAY its elements.
struct Cell {
  bool is_null = true;
  std::string text;
  std::vector<Cell> children;
};
using ResultRow = std::vector<Cell>;

struct QueryRequest {
  std::string project;
  std::string sql;              // GoogleSQL
  std::string location;         // empty = the service decides
  std::string default_dataset;  // empty = none
  bool is_dry_run = false;
  std::int64_t page_rows = 0;  // 0 = as the service likes, at most kPageRowsMax
};

class Client;

// A query that is done, and its rows page by page. Owned by one thread; the client outlives it.
class QueryResult {
 public:
  const data::TableSchema& schema() const { return schema_; }  // without fields for a statement without rows
  std::int64_t total_rows() const { return total_rows_; }
  std::optional<std::int64_t> affected_rows() const { return affected_rows_; }  // of a DML statement
  std::int64_t total_bytes_processed() const { return total_bytes_processed_; }
  const std::string& job_id() const { return job_id_; }
  // The next rows; an empty list at the end. Blocks for a request except for the first page.
  Result<std::vector<ResultRow>> next_page();

 private:
  friend class Client;
  Client* client_ = nullptr;
  QueryRequest request_;
  std::string job_id_, location_, page_token_;
  data::TableSchema schema_;
  std::int64_t total_rows_ = 0, total_bytes_processed_ = 0;
  std::optional<std::int64_t> affected_rows_;
  std::optional<std::vector<ResultRow>> ready_;
};

class Client {
 public:
  struct Parts {
    HttpTransport& transport;
    Credentials& credentials;
    const base::Clock& clock;
    base::Random& random;
  };
  explicit Client(Parts parts) : parts_(parts), retrier_(parts.clock, parts.random) {}

  // kNotFound when there is none.
  Result<DatasetInfo> get_dataset(const std::string& project, const std::string& dataset);
  // kConflict when it exists.
  Result<DatasetInfo> insert_dataset(const DatasetInfo& dataset);
  // Sets description and labels; labels that are not named stay. An etag that no longer holds is kConflict.
  Result<DatasetInfo> patch_dataset(const DatasetInfo& dataset);

  Result<TableInfo> get_table(const data::TablePath& path);
  Result<TableInfo> insert_table(const TableInfo& table);
  // Replaces the schema (BigQuery takes added columns and relaxed modes only) and, when they are not empty, description,
  // labels and max_staleness. With an etag the change happens only if the table is still that one; else kConflict.
  Result<TableInfo> patch_table(const TableInfo& table);
  // Absent already is ok.
  Status delete_table(const data::TablePath& path);
  // tabledata.insertAll of one row, a JSON object; kBadData when the table does not take it. May leave the row twice.
  Status insert_row(const data::TablePath& path, const std::string& row);

  // Runs a statement and waits for its end. kCancelled after cancel(); a mistake in the SQL is kConfig with BigQuery's own
  // sentence. The same statement is never run twice by a retry.
  Result<QueryResult> query(const QueryRequest& request);

  // Any thread: calls that wait return kCancelled, and so do all later ones.
  void cancel() { retrier_.cancel(); }

 private:
  friend class QueryResult;
  friend class QueryJobs;
  struct Call;
  Result<HttpResponse> exchange(const Call& call);
  Result<HttpResponse> attempt(const Call& call, base::Deadline deadline);
  Status fill_result(QueryResult& result, const std::string& body, bool& is_complete);
  Status fetch_page(QueryResult& result, bool& is_complete);

  const Parts parts_;
  Retrier retrier_;
};

}  // namespace flytt::bigquery
