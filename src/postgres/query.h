#pragma once
// Queries: the rows of statements that somebody wrote, read-only and in one snapshot.
//
// A QuerySession holds a READ ONLY, REPEATABLE READ transaction and its exported snapshot on a connection of its own. It
// describes statements; their rows come on connections of their own, each under the same snapshot, by COPY (…) TO STDOUT
// (FORMAT binary). The statement is first prepared alone, so it is exactly one statement; whatever else it holds (a second
// one, parentheses that close ours) does not get that far, and what writes is refused by the transaction.
//
// A session is owned by one thread; `open_rows` is const and may be called from any. Names are found by the role's own
// search_path, its row policies and timeouts hold, and text has the forms of client.h (UTC, ISO dates).

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "data/schema.h"
#include "flow/source.h"
#include "postgres/connection.h"

namespace flytt::postgres {

enum class QueryTypes {
  kMirror,     // types.h; no type is an error
  kFederated,  // those of BigQuery's federated queries; a type that it does not take is kSchema
};

enum class DecimalType { kNumeric, kBigNumeric, kFloat64, kString };  // of numeric, with kFederated

struct QueryColumn {
  data::Field field;
  std::string type_name;  // PostgreSQL's: "uuid", "numeric(10,2)"
  std::uint32_t type_oid = 0;
  bool is_supported = true;  // false only with kFederated
};

// What a statement returns. Immutable; of one session.
class QueryShape {
 public:
  virtual ~QueryShape() = default;
  virtual const std::vector<QueryColumn>& columns() const = 0;
};

class QuerySession {
 public:
  virtual ~QuerySession() = default;

  static Result<std::unique_ptr<QuerySession>> open(const ConnectionSettings& settings, const base::Clock& clock,
                                                    base::Deadline deadline);

  // Parses the statement; nothing of it is run. kConfig with PostgreSQL's own sentence as the cause when it is not one
  // statement that returns rows, or two columns have one name.
  virtual Result<std::shared_ptr<const QueryShape>> describe(const std::string& sql, QueryTypes types,
                                                             DecimalType decimals, base::Deadline deadline) = 0;

  // Begins to run the statement of `shape` and returns a bounded source of its rows, with the columns at these indexes, in
  // this order (none: one column whose values mean nothing). `schema` has a field for each of them. Batches carry an empty
  // Position; a value that its type cannot hold is NULL and a rejection. Destroying the source before its end ends the
  // statement at the server.
  virtual Result<std::unique_ptr<flow::Source>> open_rows(std::shared_ptr<const QueryShape> shape,
                                                          const std::vector<int>& columns,
                                                          std::shared_ptr<const data::SliceSchema> schema,
                                                          base::Deadline deadline) const = 0;
};

}  // namespace flytt::postgres
