#include "postgres/catalog.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "postgres/internal/client.h"
#include "postgres/internal/table_problems.h"
#include "postgres/internal/type_cache.h"
#include "postgres/limits.h"

namespace flytt::postgres {

namespace {

// What carries a table in a publication: the publication itself when it is FOR ALL TABLES, else rows of the table or of its
// schema. The oldest of several: as long as that one stays nothing was missed, whatever came and went beside it.
std::string membership_sql(int server_version) {
  std::string rows = "SELECT r.oid FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = b.oid AND r.prrelid = c.oid";
  if (server_version >= kSchemaPublicationVersionMin)
    rows +=
        " UNION ALL SELECT s.oid FROM pg_catalog.pg_publication_namespace s WHERE s.pnpubid = b.oid AND s.pnnspid = "
        "c.relnamespace";
  return "CASE WHEN b.puballtables THEN b.oid ELSE (SELECT min(m.oid) FROM (" + rows + ") m) END";
}

constexpr std::string_view kTablesSql = R"(
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident, c.relpersistence,
       CASE WHEN c.relkind = 'p' THEN (SELECT sum(p.reltuples) FILTER (WHERE p.reltuples >= 0) FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class p ON p.oid = t.relid)
            ELSE c.reltuples END::bigint,
       CASE WHEN c.relkind = 'p' THEN (SELECT sum(pg_catalog.pg_relation_size(t.relid)) FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf)
            ELSE pg_catalog.pg_relation_size(c.oid) END::bigint,
       pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
       EXISTS (SELECT FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class p ON p.oid = t.relid WHERE t.isleaf AND p.relreplident = 'n')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY n.nspname, c.relname)";

bool glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = pattern.npos, star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != pattern.npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool fits(const std::string& pattern, std::string_view full_name) {
  return pattern.find('.') == pattern.npos ? glob("public." + pattern, full_name) : glob(pattern, full_name);
}

const std::vector<std::string>& includes_of(const TableSelection& selection) {
  static const std::vector<std::string> all_of_public = {"public.*"};
  return selection.include.empty() ? all_of_public : selection.include;
}

std::string oid_list(const std::vector<SourceTable>& tables) {
  std::string out = "ARRAY[";
  for (const SourceTable& table : tables) {
    if (out.back() != '[') out += ',';
    out += std::to_string(table.oid);
  }
  return out + "]::oid[]";
}

// What is read on the way and not kept.
struct Reading {
  Client& client;
  base::Deadline deadline;
  std::vector<SourceTable> tables;
  std::map<std::uint32_t, std::size_t> by_oid;
  std::vector<TableTraits> traits;  // beside `tables`
};

Status read_tables(Reading& reading, const TableSelection& selection) {
  TRY(const Rows rows, reading.client.query(kTablesSql, reading.deadline, "read the list of tables"));
  for (int row = 0; row < rows.size(); ++row) {
    SourceTable table;
    table.oid = static_cast<std::uint32_t>(rows.number(row, 0));
    table.schema = rows.text(row, 1);
    table.name = rows.text(row, 2);
    if (!selection.chooses(table.schema, table.name)) continue;
    table.partitioned = rows.view(row, 3) == "p";
    table.identity = static_cast<ReplicaIdentity>(rows.view(row, 4).front());
    table.estimated_rows = rows.is_null(row, 6) ? -1 : rows.number(row, 6);
    table.size_bytes = static_cast<std::uint64_t>(rows.number(row, 7));
    table.readable = rows.flag(row, 8);
    TableTraits traits;
    traits.unlogged = rows.view(row, 5) == "u";
    traits.partition_without_identity = rows.flag(row, 9);
    reading.by_oid.emplace(table.oid, reading.tables.size());
    reading.tables.push_back(std::move(table));
    reading.traits.push_back(std::move(traits));
  }
  return ok();
}

Status read_columns(Reading& reading) {
  const std::string sql =
      "SELECT a.attrelid, a.attname, a.attnum, a.attnotnull, a.attgenerated <> '', (a.atthasdef AND a.attgenerated = "
      "'') OR a.atthasmissing, "
      "a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a "
      "WHERE a.attrelid = ANY (" +
      oid_list(reading.tables) + ") AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum";
  TRY(const Rows rows, reading.client.query(sql, reading.deadline, "read the columns"));
  std::vector<std::uint32_t> oids;
  for (int row = 0; row < rows.size(); ++row) oids.push_back(static_cast<std::uint32_t>(rows.number(row, 6)));
  std::sort(oids.begin(), oids.end());
  oids.erase(std::unique(oids.begin(), oids.end()), oids.end());
  TypeCache types;
  TRY_STATUS(types.load(reading.client, oids, reading.deadline));
  for (int row = 0; row < rows.size(); ++row) {
    const std::size_t at = reading.by_oid.at(static_cast<std::uint32_t>(rows.number(row, 0)));
    SourceTable& table = reading.tables[at];
    SourceColumn column;
    column.name = rows.text(row, 1);
    column.number = static_cast<int>(rows.number(row, 2));
    column.not_null = rows.flag(row, 3);
    column.has_default = rows.flag(row, 5);
    if (rows.flag(row, 4)) {
      table.left_out.push_back(column.name);
      continue;
    }
    auto type = types.resolve(static_cast<std::uint32_t>(rows.number(row, 6)),
                              static_cast<std::int32_t>(rows.number(row, 7)), rows.text(row, 8));
    if (!type)
      return Error(ErrorCode::kUnavailable, "the type of " + table.full_name() + "." + column.name +
                                                " changed while it was looked at; try again")
          .side(base::Side::kSource);
    column.type = std::move(*type);
    column.mapping = map_type(column.type);
    table.columns.push_back(std::move(column));
  }
  return ok();
}

Status read_publication(Reading& reading, const std::string& name, PublicationFacts& facts) {
  if (name.empty()) return ok();
  TRY(const Rows rows, reading.client.query("SELECT puballtables, pubviaroot, pubinsert, pubupdate, pubdelete, "
                                            "pubtruncate, pg_catalog.pg_get_userbyid(pubowner) "
                                            "FROM pg_catalog.pg_publication WHERE pubname = $1",
                                            reading.deadline, "read the publication", {name}));
  if (rows.size() == 0) return ok();
  facts = {true,
           rows.flag(0, 0),
           rows.flag(0, 1),
           rows.flag(0, 2),
           rows.flag(0, 3),
           rows.flag(0, 4),
           rows.flag(0, 5),
           rows.text(0, 6)};
  const bool filters = reading.client.server_version() >= kFilterVersionMin;
  const std::string sql =
      std::string("SELECT c.oid, ") +
      (filters ? "p.rowfilter, pg_catalog.array_to_string(p.attnames, E'\\x01')" : "NULL, NULL") + ", " +
      membership_sql(reading.client.server_version()) +
      " FROM pg_catalog.pg_publication_tables p JOIN pg_catalog.pg_publication b ON b.pubname = p.pubname "
      "JOIN pg_catalog.pg_namespace n ON n.nspname = p.schemaname "
      "JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename WHERE p.pubname = $1";
  TRY(const Rows members, reading.client.query(sql, reading.deadline, "read the publication's tables", {name}));
  for (int row = 0; row < members.size(); ++row) {
    const auto found = reading.by_oid.find(static_cast<std::uint32_t>(members.number(row, 0)));
    if (found == reading.by_oid.end()) continue;
    SourceTable& table = reading.tables[found->second];
    table.published = true;
    table.membership = members.is_null(row, 3) ? 0 : static_cast<std::uint32_t>(members.number(row, 3));
    table.row_filter = members.text(row, 1);
    if (members.is_null(row, 2)) continue;
    std::set<std::string> published;
    for (std::string_view rest = members.view(row, 2);;) {
      const auto end = rest.find('\x01');
      published.emplace(rest.substr(0, end));
      if (end == rest.npos) break;
      rest.remove_prefix(end + 1);
    }
    const auto dropped = std::stable_partition(table.columns.begin(), table.columns.end(),
                                               [&](const SourceColumn& c) { return published.count(c.name) != 0; });
    for (auto column = dropped; column != table.columns.end(); ++column) table.left_out.push_back(column->name);
    table.columns.erase(dropped, table.columns.end());
  }
  return ok();
}

Status read_keys(Reading& reading) {
  const std::string sql =
      "SELECT i.indrelid, i.indisprimary, i.indisreplident, ic.relname, "
      "(SELECT pg_catalog.string_agg(a.attname, E'\\x01' ORDER BY k.place) FROM pg_catalog.unnest(i.indkey::int2[]) "
      "WITH ORDINALITY k(number, place) "
      " JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number WHERE k.place <= "
      "i.indnkeyatts) "
      "FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid "
      "WHERE i.indrelid = ANY (" +
      oid_list(reading.tables) +
      ") AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL "
      "AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY "
      "(i.indkey::int2[]) AND NOT a.attnotnull) "
      "ORDER BY i.indrelid, i.indisprimary DESC, i.indnkeyatts, ic.relname";
  TRY(const Rows rows, reading.client.query(sql, reading.deadline, "read the keys"));
  for (int row = 0; row < rows.size(); ++row) {
    TableTraits& traits = reading.traits[reading.by_oid.at(static_cast<std::uint32_t>(rows.number(row, 0)))];
    const SourceTable& table = reading.tables[reading.by_oid.at(static_cast<std::uint32_t>(rows.number(row, 0)))];
    const bool primary = rows.flag(row, 1), identity = rows.flag(row, 2);
    std::vector<std::string> names;
    for (std::string_view rest = rows.view(row, 4);;) {
      const auto end = rest.find('\x01');
      names.emplace_back(rest.substr(0, end));
      if (end == rest.npos) break;
      rest.remove_prefix(end + 1);
    }
    const bool wanted = table.identity == ReplicaIdentity::kIndex ? identity : primary;
    if (wanted)
      traits.key_columns = std::move(names);
    else if (traits.unique_index.empty() && !primary)
      traits.unique_index = rows.text(row, 3);
  }
  return ok();
}

}  // namespace

bool TableSelection::chooses(std::string_view schema, std::string_view table) const {
  const std::string full_name = std::string(schema) + "." + std::string(table);
  const auto fitting = [&](const std::string& pattern) { return fits(pattern, full_name); };
  const auto& includes = includes_of(*this);
  return std::any_of(includes.begin(), includes.end(), fitting) &&
         std::none_of(exclude.begin(), exclude.end(), fitting);
}

Result<Catalog> inspect_tables(const ConnectionSettings& settings, const TableSelection& selection,
                               const std::string& publication, const base::Clock& clock, base::Deadline deadline) {
  TRY(const auto client, Client::connect(settings, Client::Mode::kNormal, clock, deadline));
  Reading reading{*client, deadline, {}, {}, {}};
  Catalog catalog;
  // One snapshot, so that the lists agree with each other.
  TRY(const Rows begun,
      client->query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", deadline, "begin to read the catalog"));
  static_cast<void>(begun);
  TRY_STATUS(read_tables(reading, selection));
  TRY_STATUS(read_columns(reading));
  TRY_STATUS(read_publication(reading, publication, catalog.publication));
  TRY_STATUS(read_keys(reading));
  for (std::size_t i = 0; i < reading.tables.size(); ++i) judge_table(reading.tables[i], reading.traits[i]);
  catalog.tables = std::move(reading.tables);
  for (const std::string& pattern : includes_of(selection)) {
    const bool any = std::any_of(catalog.tables.begin(), catalog.tables.end(),
                                 [&](const SourceTable& table) { return fits(pattern, table.full_name()); });
    if (!any) catalog.unmatched_patterns.push_back(pattern);
  }
  return catalog;
}

Result<std::vector<std::string>> destination_names(const std::vector<SourceTable>& tables) {
  const bool one_schema = std::all_of(tables.begin(), tables.end(),
                                      [&](const SourceTable& table) { return table.schema == tables.front().schema; });
  std::vector<std::string> names;
  std::map<std::string, std::string> taken;
  for (const SourceTable& table : tables) {
    names.push_back(one_schema ? table.name : table.schema + "_" + table.name);
    const auto [place, fresh] = taken.emplace(names.back(), table.full_name());
    if (!fresh) {
      return Error(ErrorCode::kConfig, "tables " + place->second + " and " + table.full_name() +
                                           " would both be called " + names.back() +
                                           " at the destination; exclude one, or give them a names: template");
    }
  }
  return names;
}

std::shared_ptr<const data::SliceSchema> make_slice_schema(const SourceTable& table, const data::TablePath& destination,
                                                           data::SchemaVersion version) {
  auto schema = std::make_shared<data::SliceSchema>();
  schema->source_table = table.full_name();
  schema->version = version;
  schema->destination = destination;
  for (const SourceColumn& column : table.columns)
    schema->table.fields.push_back(data::Field{column.name, column.mapping.type, false, ""});
  schema->table.key = table.key;
  for (const std::uint32_t index : table.key) schema->table.fields[index].required = true;
  return schema;
}

}  // namespace flytt::postgres
