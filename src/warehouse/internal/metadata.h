#pragma once
// The descriptions in the database file, and the DuckDB tables behind each of them.
//
// Functions here run inside a transaction of the caller (the writer thread), except `prepare_file` and `load`.
//   flytt.format(version, next_id)   one row; next_id is the id of the next table
//   flytt.datasets(project, dataset, doc)   flytt.tables(id, doc)
//   flytt.loads(id, sequence, is_open)   the first load; open while rows with its sequence (decimal text) go straight to base
//   flytt.verified(id, ing)          direct rows up to this number are known to be distinct

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "warehouse/internal/duck.h"
#include "warehouse/internal/table_state.h"
#include "warehouse/internal/table_version.h"

namespace flytt::warehouse::internal {

// Makes the metadata tables in an empty file. kConfig when the file was written by a newer format.
Status prepare_file(Connection& connection);

struct Loaded {
  std::int64_t next_id = 1;
  std::vector<DatasetInfo> datasets;
  std::vector<TableVersion> tables;
};
Result<Loaded> load(Connection& connection);
// What TableState has to know about rows that are already there.
Result<TableState::Recovered> recover(Connection& connection, const TableVersion& version, base::SteadyTime now);

Status insert_dataset(Connection& connection, const DatasetInfo& dataset);
Status replace_dataset(Connection& connection, const DatasetInfo& dataset);
Status remove_dataset(Connection& connection, const DatasetPath& path);

Status insert_table(Connection& connection, const TableVersion& version);   // description and DuckDB tables
Status replace_table(Connection& connection, const TableVersion& version);  // description only
Status remove_table(Connection& connection, const TableVersion& version);
// Name and type of a column as DuckDB's DDL has them. A row that knows nothing of an ARRAY has an empty one: it is never NULL.
std::string stored_column(const TableVersion& version, std::size_t i);
// The same of a log, or of rows that wait to be shown. DuckDB's own choice for long text is zstd, and of that it can only read
// 2,048 values at once, whatever a question wants; of uncompressed text it reads the rows of its filter. And rows that do not
// stay are not worth the work.
std::string passing_column(const TableVersion& version, std::size_t i);
Status add_columns(Connection& connection, const TableVersion& now, std::size_t first_new);
// The same rows in a table without dead ones.
Status renew_base(Connection& connection, const TableVersion& version);
Status renew_changes(Connection& connection, const TableVersion& version);
Status widen_sequences(Connection& connection, const TableVersion& version);

Status save_load(Connection& connection, std::int64_t table_id, data::Sequence sequence, bool is_open);

// Decimal text of an unsigned 128-bit number, and back (only digits).
std::string decimal(unsigned __int128 value);
unsigned __int128 parse_decimal(const std::string& text);

}  // namespace flytt::warehouse::internal
