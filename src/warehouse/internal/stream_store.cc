#include "warehouse/internal/stream_store.h"

#include "warehouse/internal/metadata.h"

namespace flytt::warehouse::internal {

namespace {

std::string where(const StreamState& stream) { return " WHERE number = " + std::to_string(stream.number); }

std::int64_t number_of(const std::optional<std::string>& cell) { return cell ? std::stoll(*cell) : 0; }

}  // namespace

Status prepare_streams(Connection& connection) {
  TRY_STATUS(connection.run(
      "CREATE TABLE IF NOT EXISTS flytt.write_streams(number BIGINT, table_id BIGINT, kind BIGINT, created BIGINT, "
      "used BIGINT, rows BIGINT, flushed BIGINT, finalized BIGINT, committed BIGINT)"));
  TRY_STATUS(
      connection.run("CREATE TABLE IF NOT EXISTS flytt.write_stream_ends(number BIGINT, rows BIGINT, used BIGINT)"));
  TRY(const auto ends, connection.number("SELECT count(*) FROM flytt.write_stream_ends"));
  if (ends.value_or(0) == 0) return ok();
  TRY_STATUS(connection.run("BEGIN"));
  TRY_STATUS(fold_stream_ends(connection));
  return connection.run("COMMIT");
}

Result<std::vector<SavedStream>> load_streams(Connection& connection) {
  TRY(const std::vector<TextRow> rows,
      connection.rows("SELECT number::VARCHAR, table_id::VARCHAR, kind::VARCHAR, created::VARCHAR, used::VARCHAR, "
                      "rows::VARCHAR, flushed::VARCHAR, finalized::VARCHAR, committed::VARCHAR "
                      "FROM flytt.write_streams"));
  std::vector<SavedStream> streams;
  for (const TextRow& row : rows) {
    SavedStream stream;
    stream.number = number_of(row[0]);
    stream.table_id = number_of(row[1]);
    const std::int64_t kind = number_of(row[2]);
    if (kind < 1 || kind > 3) return Error(ErrorCode::kCorrupt, "a write stream in the warehouse file has no kind");
    stream.kind = static_cast<StreamKind>(kind);
    stream.created_micros = number_of(row[3]);
    stream.facts.used_micros = number_of(row[4]);
    stream.facts.rows = number_of(row[5]);
    stream.facts.flushed = number_of(row[6]);
    stream.facts.finalized = number_of(row[7]) != 0;
    stream.facts.committed_micros = number_of(row[8]);
    streams.push_back(stream);
  }
  return streams;
}

Status insert_stream(Connection& connection, const StreamState& stream) {
  const StreamFacts facts = stream.facts();
  const std::int64_t values[] = {stream.number,         stream.table->id,  static_cast<std::int64_t>(stream.kind),
                                 stream.created_micros, facts.used_micros, facts.rows,
                                 facts.flushed,         facts.finalized,   facts.committed_micros};
  std::string list;
  for (const std::int64_t value : values) list += (list.empty() ? "" : ", ") + std::to_string(value);
  TRY_STATUS(connection.run("INSERT INTO flytt.write_streams VALUES (" + list + ")"));
  TRY_STATUS(connection.run("UPDATE flytt.format SET next_id = " + std::to_string(stream.number + 1)));
  if (!stream.is_staged()) return ok();
  const auto version = stream.table->version();
  std::string columns = "_offset BIGINT";
  for (std::size_t i = 0; i < version->physical.size(); ++i) columns += ", " + passing_column(*version, i);
  return connection.run("CREATE TABLE " + stream.staging() + "(" + columns + ")");
}

Status save_stream(Connection& connection, const StreamState& stream, const StreamFacts& facts) {
  return connection.run("UPDATE flytt.write_streams SET used = " + std::to_string(facts.used_micros) +
                        ", rows = " + std::to_string(facts.rows) + ", flushed = " + std::to_string(facts.flushed) +
                        ", finalized = " + (facts.finalized ? "1" : "0") +
                        ", committed = " + std::to_string(facts.committed_micros) + where(stream));
}

Status remove_stream(Connection& connection, const StreamState& stream) {
  TRY_STATUS(drop_staging(connection, stream));
  return connection.run("DELETE FROM flytt.write_streams" + where(stream));
}

Status fold_stream_ends(Connection& connection) {
  TRY_STATUS(connection.run(
      "UPDATE flytt.write_streams SET rows = greatest(write_streams.rows, ends.rows), "
      "used = greatest(write_streams.used, ends.used) FROM (SELECT number, max(rows) AS rows, max(used) AS used "
      "FROM flytt.write_stream_ends GROUP BY number) AS ends WHERE write_streams.number = ends.number"));
  return connection.run("DELETE FROM flytt.write_stream_ends");
}

Status add_staged_columns(Connection& connection, const StreamState& stream, const TableVersion& now,
                          std::size_t first_new) {
  if (!stream.is_staged() || stream.facts().committed_micros != 0) return ok();
  for (std::size_t i = first_new; i < now.physical.size(); ++i)
    TRY_STATUS(connection.run("ALTER TABLE " + stream.staging() + " ADD COLUMN " + passing_column(now, i)));
  return ok();
}

Status show_rows(Connection& connection, const StreamState& stream, std::int64_t from, std::int64_t to) {
  TableState& table = *stream.table;
  const auto version = table.version();
  std::string names, cells;
  if (version->is_mirror()) {
    // Numbers follow the offsets, so the rows keep their order without being sorted.
    names = "_seq, _ing, ";
    cells = std::string(version->wide ? "''::BLOB" : "0::UHUGEINT") + ", _offset + " +
            std::to_string(table.next_ing - from) + ", ";
  }
  std::string columns;
  for (const std::string& column : version->physical) columns += (columns.empty() ? "" : ", ") + column;
  const std::string range = " WHERE _offset >= " + std::to_string(from) + " AND _offset < " + std::to_string(to);
  TRY(const std::int64_t shown,
      connection.changed("INSERT INTO " + version->base() + " (" + names + columns + ") SELECT " + cells + columns +
                         " FROM " + stream.staging() + range));
  if (shown != to - from)
    return Error(ErrorCode::kCorrupt, "write stream " + stream.id + " of table " + version->info.path.text() + " has " +
                                          std::to_string(shown) + " waiting rows where " + std::to_string(to - from) +
                                          " were appended");
  if (!version->is_mirror()) return ok();
  table.end_load();
  table.next_ing += shown;
  table.before_plain_commit({data::Sequence{}, table.next_ing - 1});
  return ok();
}

Status remove_shown_rows(Connection& connection, const StreamState& stream, std::int64_t to) {
  return connection.run("DELETE FROM " + stream.staging() + " WHERE _offset < " + std::to_string(to));
}

Status drop_staging(Connection& connection, const StreamState& stream) {
  if (!stream.is_staged()) return ok();
  return connection.run("DROP TABLE IF EXISTS " + stream.staging());
}

}  // namespace flytt::warehouse::internal
