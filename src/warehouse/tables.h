#pragma once
// What the warehouse knows about a dataset and a table, in BigQuery's terms. Plain values: copy them.
//
// `properties` is a JSON object text with those members of the REST v2 resource that the warehouse keeps but does not
// interpret (timePartitioning, rangePartitioning, clustering, requirePartitionFilter, access, …; empty = none). Field
// details that data::Field has no place for (policy tags, default values, descriptions of nested fields) may be kept
// there by whoever owns the REST form. Times are microseconds since 1970-01-01 UTC.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "data/schema.h"

namespace flytt::warehouse {

struct DatasetPath {
  std::string project, dataset;
  friend bool operator==(const DatasetPath& a, const DatasetPath& b) {
    return a.project == b.project && a.dataset == b.dataset;
  }
  friend bool operator<(const DatasetPath& a, const DatasetPath& b) {
    return std::tie(a.project, a.dataset) < std::tie(b.project, b.dataset);
  }
};

struct DatasetInfo {
  DatasetPath path;
  std::int64_t created_micros = 0;   // set by the warehouse
  std::int64_t modified_micros = 0;  // set by the warehouse
  std::string etag;                  // set by the warehouse; changes with every modification
  std::string location;              // empty at creation: the warehouse's own
  std::string friendly_name, description;
  std::map<std::string, std::string> labels;
  std::string properties;
};

struct TableInfo {
  data::TablePath path;
  std::int64_t id = 0;               // set by the warehouse; never used twice, so a re-created table has another one
  std::int64_t created_micros = 0;   // set by the warehouse
  std::int64_t modified_micros = 0;  // set by the warehouse; of the description, not of the rows
  std::string etag;                  // set by the warehouse; changes with every modification of the description
  data::TableSchema schema;
  std::string friendly_name, description;
  std::map<std::string, std::string> labels;
  std::optional<std::int64_t> expiration_micros;
  std::string max_staleness;  // INTERVAL text "0-0 0 0:10:0"; empty = not set
  std::string properties;
};

// What changes; an absent member stays as it is.
struct DatasetChange {
  std::optional<std::string> friendly_name, description, properties;
  std::optional<std::map<std::string, std::string>> labels;
  std::optional<std::string> if_etag;  // kConflict, reason conditionNotMet, when the dataset has another one
};

struct TableChange {
  std::optional<data::TableSchema>
      schema;  // all fields in order; new ones NULLABLE or REPEATED at the end; REQUIRED may be relaxed
  std::optional<std::string> friendly_name, description, max_staleness, properties;
  std::optional<std::map<std::string, std::string>> labels;
  std::optional<std::int64_t> expiration_micros;  // 0 takes it away
  std::optional<std::string> if_etag;
};

// What is measured, not described. Cheap: no scan.
struct TableUsage {
  std::int64_t row_count = 0;        // of the base; changes that wait in the log are not counted
  std::int64_t byte_count = 0;       // on disk, of whole blocks
  std::int64_t waiting_changes = 0;  // log rows that apply has not taken
  std::int64_t modified_micros = 0;  // of the newest append since the warehouse was opened; 0 = none
};

}  // namespace flytt::warehouse
