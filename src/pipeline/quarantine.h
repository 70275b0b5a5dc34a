#pragma once
// Quarantine: rows and values that the destination cannot represent, as rows of `_flytt_quarantine` in the dataset of
// their table (delivery.md §7).
//
// An entry is an upsert whose key is (source, table, position, column, key): written again after a crash it is the same
// row. The table is made when it is first needed. Thread-safe; one object for each pipeline.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "data/table_slice.h"
#include "pipeline/destination.h"

namespace flytt::pipeline {

inline constexpr std::string_view kQuarantineTable = "_flytt_quarantine";

struct QuarantineEntry {
  std::string source_table;
  bool is_refused_by_destination = false;  // else the source could not represent it
  data::Rejection rejection;
};

class Quarantine {
 public:
  Quarantine(std::string source, Destination& destination, const base::Clock& clock)
      : source_(std::move(source)), destination_(destination), clock_(clock) {}

  // The schema of the quarantine table beside `table`, which exists afterwards. Blocks for requests on first use.
  Result<std::shared_ptr<const data::SliceSchema>> beside(const data::TablePath& table);
  data::TableSlice slice(std::shared_ptr<const data::SliceSchema> schema,
                         const std::vector<QuarantineEntry>& entries) const;

  static data::TableSchema table_schema();
  static bool is_quarantine(const data::TablePath& path) { return path.table == kQuarantineTable; }

 private:
  const std::string source_;
  Destination& destination_;
  const base::Clock& clock_;
  std::mutex mutex_;
  std::map<data::TablePath, std::shared_ptr<const data::SliceSchema>> ready_;
};

}  // namespace flytt::pipeline
