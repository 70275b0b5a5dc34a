#pragma once
// The SQL of reading, verifying and applying a mirror table. Pure text.

#include <optional>
#include <string>
#include <vector>

#include "data/sequence.h"
#include "warehouse/internal/table_version.h"

namespace flytt::warehouse::internal {

// How the rows that are seen can be computed, shortest first.
enum class ReadShape {
  kBase,     // nothing is in the log
  kLogWins,  // every log row outranks base and tombstones: base without the log's keys, and the log's newest upserts
  kRanked,   // anything: ranks are compared key by key
};

struct ReadPlan {
  ReadShape shape = ReadShape::kBase;
  // Set while rows of a first load are arriving: direct rows (with this sequence) above `verified_ing` are not looked at.
  std::optional<data::Sequence> unverified_sequence;
  std::int64_t verified_ing = 0;
  // The log's rows are large: they are ranked by key and row id alone, and large columns are fetched of the winners. That is
  // one more look at the log, but its values need not fit into memory to be sorted.
  bool is_log_large = false;
};

// The size of one log row in bytes, as an SQL expression over its columns.
std::string row_bytes_sql(const TableVersion& version);

// What stands after FROM: a table or a parenthesised SELECT with the columns `physical` (at least one column, whatever it is).
// Conditions on key columns are pushed by DuckDB into base, log and tombstones.
std::string relation_sql(const TableVersion& version, const ReadPlan& plan, const std::vector<std::string>& physical);

// Direct rows with numbers in (from, to]: how many of them, and how many keys they hold together with all other rows of
// base and tombstones in their way: the statement gives one BIGINT, the number of rows too many (0 = verified).
std::string excess_sql(const TableVersion& version, std::int64_t from, std::int64_t to);
// Removes every base row that another base row or a tombstone of the same key outranks, for keys of those direct rows.
std::vector<std::string> deduplicate_sql(const TableVersion& version, std::int64_t from, std::int64_t to);

// Moves log rows with numbers up to `last_ing` into base and tombstones, in order, inside one transaction.
// `log_wins`: every one of them outranks base and tombstones.
struct ApplyStatements {
  std::vector<std::string> prepare;  // temporary tables
  std::string delete_base;           // rows of base that go
  std::string insert_base;           // rows of base that come
  std::vector<std::string> finish;   // tombstones, log, temporary tables
};
ApplyStatements apply_sql(const TableVersion& version, std::int64_t last_ing, bool log_wins, std::int64_t now_micros);

}  // namespace flytt::warehouse::internal
