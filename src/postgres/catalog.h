#pragma once
// What lies in a PostgreSQL database: tables, columns, types, keys, publications.
//
// The results are values. Partitioned tables appear as their root (publications are made with
// publish_via_partition_root); partitions, views, foreign and temporary tables do not appear.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "data/table_slice.h"
#include "postgres/connection.h"
#include "postgres/types.h"

namespace flytt::postgres {

struct SourceColumn {
  std::string name;
  SourceType type;
  TypeMapping mapping;
  int number = 0;  // pg_attribute.attnum
  bool not_null = false;
  bool has_default = false;  // rows from before the column was added may show a value that no change carries
};

enum class ReplicaIdentity : char { kDefault = 'd', kNothing = 'n', kFull = 'f', kIndex = 'i' };

struct SourceTable {
  std::uint32_t oid = 0;
  std::string schema, name;
  std::vector<SourceColumn> columns;  // those that are copied and streamed, in the table's order
  std::vector<std::uint32_t> key;     // indexes into columns, in the order of the key's index
  ReplicaIdentity identity = ReplicaIdentity::kDefault;
  bool partitioned = false;
  std::int64_t estimated_rows = -1;   // of the planner's statistics; -1 = never analysed
  std::uint64_t size_bytes = 0;       // main fork, partitions included
  bool readable = true;               // our role may SELECT from it
  bool published = false;             // it is in the publication that was asked for
  std::uint32_t membership = 0;       // … by the row with this oid: another one after it was removed and added again
  std::string row_filter;             // of the publication (PostgreSQL 15), SQL; empty = all rows
  std::vector<std::string> left_out;  // columns that are generated or not published
  std::string problem;                // why it cannot be mirrored, as a sentence; empty = it can
  std::string remedy;                 // SQL that mends the problem

  std::string full_name() const { return schema + "." + name; }
  // "RELATION/MEMBERSHIP": stays for as long as every change of this very table was published.
  std::string presence() const { return std::to_string(oid) + "/" + std::to_string(membership); }
};

// Patterns are "schema.table" with * and ?, both also across the dot; a pattern without a dot means schema public.
// A table is chosen when an include pattern and no exclude pattern fits. No include pattern = "public.*".
struct TableSelection {
  std::vector<std::string> include, exclude;
  bool chooses(std::string_view schema, std::string_view table) const;
};

struct PublicationFacts {
  bool exists = false;
  bool all_tables = false;
  bool via_root = false;
  bool inserts = false, updates = false, deletes = false, truncates = false;
  std::string owner;
};

struct Catalog {
  std::vector<SourceTable> tables;              // chosen ones, by schema and name
  std::vector<std::string> unmatched_patterns;  // include patterns that no table fits
  PublicationFacts publication;                 // of the one that was asked for
};

// Looks once, on one ordinary connection. `publication` may be empty: then nothing is filtered by it.
Result<Catalog> inspect_tables(const ConnectionSettings& settings, const TableSelection& selection,
                               const std::string& publication, const base::Clock& clock, base::Deadline deadline);

// Names at the destination, in the order of `tables`: the table's own name when all lie in one schema, else
// "schema_table". kConfig when two would be equal.
Result<std::vector<std::string>> destination_names(const std::vector<SourceTable>& tables);

// The rows' shape as the destination sees it. Key columns are REQUIRED, all others NULLABLE.
std::shared_ptr<const data::SliceSchema> make_slice_schema(const SourceTable& table, const data::TablePath& destination,
                                                           data::SchemaVersion version);

}  // namespace flytt::postgres
