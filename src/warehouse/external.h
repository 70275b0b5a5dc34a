#pragma once
// Rows of databases elsewhere, for EXTERNAL_QUERY. Given by whoever knows the connections.
//
// Errors of `describe` are BigQuery's sentences, "Invalid table-valued function EXTERNAL_QUERY … at [1:15]".

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "data/schema.h"
#include "flow/source.h"
#include "googlesql/catalog.h"

namespace flytt::warehouse {

// What one call answers with.
class ExternalRows {
 public:
  virtual ~ExternalRows() = default;
  virtual const std::vector<data::Field>& columns() const = 0;
  // Runs the query and reads the columns at these indexes; never none. By any thread, also several times: each time the
  // rows of the same snapshot. A rejection in its slices fails the statement.
  virtual Result<std::unique_ptr<flow::Source>> open(const std::vector<int>& columns, base::Deadline deadline) = 0;
};

// The calls of one statement; those of one connection see one snapshot. One thread. Its rows may outlive it.
class ExternalSession {
 public:
  virtual ~ExternalSession() = default;
  virtual Result<std::shared_ptr<ExternalRows>> describe(const googlesql::ExternalCall& call,
                                                         base::Deadline deadline) = 0;
};

// Thread-safe.
class ExternalQueries {
 public:
  virtual ~ExternalQueries() = default;
  virtual std::unique_ptr<ExternalSession> begin(const std::string& project) = 0;
};

}  // namespace flytt::warehouse
