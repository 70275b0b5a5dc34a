#include "warehouse/internal/metadata.h"

#include <algorithm>

#include "googlesql/physical_type.h"
#include "warehouse/internal/merge_sql.h"
#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

namespace {

using googlesql::physical_type;

std::string text_of(const std::optional<std::string>& cell) { return cell ? *cell : std::string(); }

std::string key_list(const TableVersion& version) {
  std::string sql;
  for (std::size_t i = 0; i < version.physical.size(); ++i)
    if (version.info.schema.is_key(static_cast<std::uint32_t>(i))) sql += ", " + stored_column(version, i);
  return sql;
}

// A column of the base. DuckDB's own choice for text, a dictionary with FSST, costs a load three times the CPU of zstd for
// files of the same size; keys are read by every apply and keep it. A table that expires is not worth either.
std::string base_column(const TableVersion& version, std::size_t i) {
  if (version.info.expiration_micros) return passing_column(version, i);
  const bool is_text = physical_type(version.info.schema.fields[i].type) == "VARCHAR" &&
                       !version.info.schema.is_key(static_cast<std::uint32_t>(i));
  return stored_column(version, i) + (is_text ? " USING COMPRESSION zstd" : "");
}

std::string create_base(const TableVersion& version) {
  std::string columns;
  if (version.is_mirror()) columns = std::string("_seq ") + version.sequence_type() + ", _ing BIGINT";
  for (std::size_t i = 0; i < version.physical.size(); ++i)
    columns += (columns.empty() ? "" : ", ") + base_column(version, i);
  return "CREATE TABLE " + version.base() + "(" + columns + ")";
}

std::string create_changes(const TableVersion& version) {
  std::string columns = std::string("_seq ") + version.sequence_type() + ", _ing BIGINT, _kind UTINYINT";
  for (std::size_t i = 0; i < version.physical.size(); ++i) columns += ", " + passing_column(version, i);
  return "CREATE TABLE " + version.changes() + "(" + columns + ")";
}

Status renew(Connection& connection, const std::string& table, const std::string& create) {
  TRY_STATUS(connection.run("CREATE TEMP TABLE renewed AS FROM " + table));
  TRY_STATUS(connection.run("DROP TABLE " + table));
  TRY_STATUS(connection.run(create));
  TRY_STATUS(connection.run("INSERT INTO " + table + " FROM temp.renewed"));
  return connection.run("DROP TABLE temp.renewed");
}

// The log in parts of about kLogSegmentBytes.
Result<std::vector<LogSegment>> recover_log(Connection& connection, const TableVersion& version, base::SteadyTime now) {
  const std::string least = version.wide ? "'0'" : "min(_seq)::VARCHAR";
  const std::string newest = version.wide ? "'0'" : "max(_seq)::VARCHAR";
  TRY(const auto parts,
      connection.rows("SELECT min(_ing)::VARCHAR, max(_ing)::VARCHAR, count(*)::VARCHAR, sum(size)::VARCHAR, " + least +
                      ", " + newest + " FROM (SELECT _ing, _seq, size, sum(size) OVER (ORDER BY _ing) // " +
                      std::to_string(kLogSegmentBytes) + " AS part FROM (SELECT _ing, _seq, " + row_bytes_sql(version) +
                      " AS size FROM " + version.changes() + ")) GROUP BY part ORDER BY min(_ing)"));
  std::vector<LogSegment> segments;
  for (const TextRow& row : parts) {
    LogSegment& segment = segments.emplace_back();
    segment.first_ing = std::stoll(text_of(row[0]));
    segment.last_ing = std::stoll(text_of(row[1]));
    segment.rows = std::stoll(text_of(row[2]));
    segment.bytes = std::stoll(text_of(row[3]));
    segment.least = {data::Sequence{parse_decimal(text_of(row[4]))}, segment.first_ing};
    segment.newest = data::Sequence{parse_decimal(text_of(row[5]))};
    segment.committed = true;
    segment.committed_at = now;
  }
  return segments;
}

}  // namespace

std::string decimal(unsigned __int128 value) {
  std::string text;
  do {
    text += static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  } while (value != 0);
  std::reverse(text.begin(), text.end());
  return text;
}

unsigned __int128 parse_decimal(const std::string& text) {
  unsigned __int128 value = 0;
  for (const char c : text) value = value * 10 + static_cast<unsigned>(c - '0');
  return value;
}

Status prepare_file(Connection& connection) {
  TRY(std::vector<TextRow> there,
      connection.rows("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'flytt' AND table_name = 'format'"));
  if (there.empty()) {
    TRY_STATUS(
        connection.run("BEGIN;"
                       "CREATE SCHEMA flytt;"
                       "CREATE TABLE flytt.format(version INTEGER, next_id BIGINT);"
                       "INSERT INTO flytt.format VALUES (" +
                       std::to_string(kFormatVersion) +
                       ", 1);"
                       "CREATE TABLE flytt.datasets(project VARCHAR, dataset VARCHAR, doc VARCHAR);"
                       "CREATE TABLE flytt.tables(id BIGINT, doc VARCHAR);"
                       "CREATE TABLE flytt.loads(id BIGINT, sequence VARCHAR, is_open BOOLEAN);"
                       "CREATE TABLE flytt.verified(id BIGINT, ing BIGINT);"
                       "COMMIT"));
    return ok();
  }
  TRY(const std::optional<std::int64_t> version, connection.number("SELECT version::BIGINT FROM flytt.format"));
  if (!version) return Error(ErrorCode::kCorrupt, "the warehouse file does not tell its format");
  if (*version > kFormatVersion)
    return Error(ErrorCode::kConfig, "the warehouse file has format " + std::to_string(*version) +
                                         ", this flytt knows formats up to " + std::to_string(kFormatVersion) +
                                         ": use the newer flytt that wrote it");
  return ok();
}

Result<Loaded> load(Connection& connection) {
  Loaded loaded;
  TRY(const std::optional<std::int64_t> next_id, connection.number("SELECT next_id FROM flytt.format"));
  loaded.next_id = next_id.value_or(1);
  TRY(const std::vector<TextRow> datasets, connection.rows("SELECT doc FROM flytt.datasets"));
  for (const TextRow& row : datasets) {
    TRY(DatasetInfo dataset, parse_dataset_document(text_of(row[0])));
    loaded.datasets.push_back(std::move(dataset));
  }
  TRY(const std::vector<TextRow> tables, connection.rows("SELECT doc FROM flytt.tables"));
  for (const TextRow& row : tables) {
    TRY(TableVersion version, parse_table_document(text_of(row[0])));
    loaded.tables.push_back(std::move(version));
  }
  return loaded;
}

Result<TableState::Recovered> recover(Connection& connection, const TableVersion& version, base::SteadyTime now) {
  TableState::Recovered recovered;
  const std::string id = std::to_string(version.info.id);
  if (!version.is_mirror()) {
    TRY(const auto rows, connection.number("SELECT count(*) FROM " + version.base()));
    recovered.base_rows = rows.value_or(0);
    return recovered;
  }
  // A wide table's sequences have no Rank; zero is not used, because its log never claims to win.
  const auto facts = [&](const std::string& table, const char* extreme) {
    return "SELECT count(*)::VARCHAR, coalesce(max(_ing), 0)::VARCHAR, coalesce(min(_ing), 0)::VARCHAR, " +
           (version.wide ? std::string("'0'") : "coalesce(" + std::string(extreme) + "(_seq), 0)::VARCHAR") +
           (version.wide ? std::string(", '0'") : std::string(", coalesce(max(_seq), 0)::VARCHAR")) + " FROM " + table;
  };
  TRY(const auto base, connection.rows(facts(version.base(), "max")));
  TRY(const auto dead, connection.rows(facts(version.tombstones(), "max")));
  TRY(const auto log, connection.rows(facts(version.changes(), "min")));
  recovered.base_rows = std::stoll(text_of(base[0][0]));
  recovered.has_tombstones = text_of(dead[0][0]) != "0";
  const std::int64_t base_ing = std::stoll(text_of(base[0][1])), dead_ing = std::stoll(text_of(dead[0][1]));
  recovered.base_newest = {
      data::Sequence{std::max(parse_decimal(text_of(base[0][3])), parse_decimal(text_of(dead[0][3])))},
      std::max(base_ing, dead_ing)};
  const std::int64_t log_ing = std::stoll(text_of(log[0][1]));
  recovered.next_ing = std::max({base_ing, dead_ing, log_ing}) + 1;
  if (log_ing > 0) {
    TRY(recovered.log, recover_log(connection, version, now));
  }
  TRY(const auto loads, connection.rows("SELECT sequence, is_open::VARCHAR FROM flytt.loads WHERE id = " + id));
  if (loads.empty()) return recovered;
  recovered.load_sequence = data::Sequence{parse_decimal(text_of(loads[0][0]))};
  recovered.loading = text_of(loads[0][1]) == "true" && recovered.load_sequence->bits != 0;
  TRY(const auto direct, connection.number("SELECT max(_ing) FROM " + version.base() +
                                           " WHERE _seq = " + text_of(loads[0][0]) + "::UHUGEINT"));
  TRY(const auto verified, connection.number("SELECT max(ing) FROM flytt.verified WHERE id = " + id));
  recovered.direct_ing = direct.value_or(0);
  recovered.verified_ing = verified.value_or(0);
  return recovered;
}

Status insert_dataset(Connection& connection, const DatasetInfo& dataset) {
  return connection.run_with("INSERT INTO flytt.datasets VALUES ($1, $2, $3)",
                             {dataset.path.project, dataset.path.dataset, to_document(dataset)});
}

Status replace_dataset(Connection& connection, const DatasetInfo& dataset) {
  return connection.run_with("UPDATE flytt.datasets SET doc = $3 WHERE project = $1 AND dataset = $2",
                             {dataset.path.project, dataset.path.dataset, to_document(dataset)});
}

Status remove_dataset(Connection& connection, const DatasetPath& path) {
  return connection.run_with("DELETE FROM flytt.datasets WHERE project = $1 AND dataset = $2",
                             {path.project, path.dataset});
}

Status insert_table(Connection& connection, const TableVersion& version) {
  const std::string id = std::to_string(version.info.id);
  TRY_STATUS(connection.run(create_base(version)));
  if (version.is_mirror()) {
    TRY_STATUS(connection.run(create_changes(version)));
    TRY_STATUS(connection.run("CREATE TABLE " + version.tombstones() + "(_seq " + version.sequence_type() +
                              ", _ing BIGINT, _applied BIGINT" + key_list(version) + ")"));
  }
  TRY_STATUS(connection.run_with("INSERT INTO flytt.tables VALUES (" + id + ", $1)", {to_document(version)}));
  return connection.run("UPDATE flytt.format SET next_id = " + std::to_string(version.info.id + 1));
}

Status replace_table(Connection& connection, const TableVersion& version) {
  return connection.run_with("UPDATE flytt.tables SET doc = $1 WHERE id = " + std::to_string(version.info.id),
                             {to_document(version)});
}

Status remove_table(Connection& connection, const TableVersion& version) {
  const std::string id = std::to_string(version.info.id);
  TRY_STATUS(connection.run("DROP TABLE " + version.base()));
  if (version.is_mirror()) {
    TRY_STATUS(connection.run("DROP TABLE " + version.changes()));
    TRY_STATUS(connection.run("DROP TABLE " + version.tombstones()));
  }
  for (const char* table : {"tables", "loads", "verified"})
    TRY_STATUS(connection.run("DELETE FROM flytt." + std::string(table) + " WHERE id = " + id));
  return ok();
}

std::string passing_column(const TableVersion& version, std::size_t i) {
  const std::string type = physical_type(version.info.schema.fields[i].type);
  return stored_column(version, i) + (type == "VARCHAR" || type == "BLOB" ? " USING COMPRESSION uncompressed" : "");
}

std::string stored_column(const TableVersion& version, std::size_t i) {
  const data::Type& type = version.info.schema.fields[i].type;
  // A constant, which [] is not: DuckDB computes others for each row, and a second column added behind such a one in the same
  // transaction fails at its COMMIT.
  return version.physical[i] + " " + physical_type(type) + (type.is(data::TypeKind::kArray) ? " DEFAULT '[]'" : "");
}

Status add_columns(Connection& connection, const TableVersion& now, std::size_t first_new) {
  for (std::size_t i = first_new; i < now.physical.size(); ++i) {
    TRY_STATUS(connection.run("ALTER TABLE " + now.base() + " ADD COLUMN " + base_column(now, i)));
    if (now.is_mirror())
      TRY_STATUS(connection.run("ALTER TABLE " + now.changes() + " ADD COLUMN " + passing_column(now, i)));
  }
  return replace_table(connection, now);
}

Status renew_base(Connection& connection, const TableVersion& version) {
  return renew(connection, version.base(), create_base(version));
}

Status renew_changes(Connection& connection, const TableVersion& version) {
  return renew(connection, version.changes(), create_changes(version));
}

Status widen_sequences(Connection& connection, const TableVersion& version) {
  // Three sections of 16, 64 and 48 bits become three times eight big-endian bytes (wire::ordered_sequence_bytes).
  const std::string hex =
      "lpad(lower(to_hex((_seq >> 112)::UBIGINT)), 16, '0') || "
      "lpad(lower(to_hex(((_seq >> 48) & 18446744073709551615::UHUGEINT)::UBIGINT)), 16, '0') || "
      "lpad(lower(to_hex((_seq & 281474976710655::UHUGEINT)::UBIGINT)), 16, '0')";
  for (const std::string& table : {version.base(), version.changes(), version.tombstones()})
    TRY_STATUS(
        connection.run("ALTER TABLE " + table + " ALTER COLUMN _seq SET DATA TYPE BLOB USING from_hex(" + hex + ")"));
  return ok();
}

Status save_load(Connection& connection, std::int64_t table_id, data::Sequence sequence, bool is_open) {
  const std::string id = std::to_string(table_id);
  TRY_STATUS(connection.run("DELETE FROM flytt.loads WHERE id = " + id));
  return connection.run("INSERT INTO flytt.loads VALUES (" + id + ", '" + decimal(sequence.bits) + "', " +
                        (is_open ? "true" : "false") + ")");
}

}  // namespace flytt::warehouse::internal
