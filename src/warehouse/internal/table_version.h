#pragma once
// One table as it is between two changes of its description: what callers see, and where it lies in DuckDB.
//
// Tables in schema `flytt`, by table id, so a re-created table never meets its predecessor's rows:
//   t<ID>             base         mirror: _seq, _ing, c…        else: c…
//   t<ID>_changes     the log      _seq, _ing, _kind (0 upsert, 1 delete), c…
//   t<ID>_tombstones  deleted      _seq, _ing, _applied (µs), key columns
// User columns are c0, c1, … in order of birth, so names are free and may change. Hidden columns come first because
// ALTER TABLE adds at the end. _seq is UHUGEINT (data::Sequence) in a narrow table, or BLOB
// (wire::ordered_sequence_bytes) in a wide one. _ing counts all rows that the table ever took, from 1.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "warehouse/tables.h"

namespace flytt::warehouse::internal {

struct TableVersion {
  TableInfo info;
  std::vector<std::string> physical;  // by field: "c0"
  std::uint32_t next_column = 0;      // number of the next column to be born
  bool wide = false;

  bool is_mirror() const { return !info.schema.key.empty(); }
  std::string base_name() const { return "t" + std::to_string(info.id); }
  std::string changes_name() const { return base_name() + "_changes"; }
  std::string tombstones_name() const { return base_name() + "_tombstones"; }
  std::string base() const { return "flytt." + base_name(); }
  std::string changes() const { return "flytt." + changes_name(); }
  std::string tombstones() const { return "flytt." + tombstones_name(); }
  std::vector<std::string> key_columns() const;
  const char* sequence_type() const { return wide ? "BLOB" : "UHUGEINT"; }
};

// Documents that the metadata tables hold, one JSON object each. Unknown members are kept out; missing ones are kCorrupt.
std::string to_document(const TableVersion& version);
Result<TableVersion> parse_table_document(const std::string& text);
std::string to_document(const DatasetInfo& dataset);
Result<DatasetInfo> parse_dataset_document(const std::string& text);

}  // namespace flytt::warehouse::internal
