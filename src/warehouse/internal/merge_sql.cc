#include "warehouse/internal/merge_sql.h"

#include <algorithm>

#include "warehouse/internal/metadata.h"
#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

namespace {

using Names = std::vector<std::string>;

std::string joined(const Names& names, const std::string& prefix, const char* separator = ", ") {
  std::string sql;
  for (const std::string& name : names) sql += (sql.empty() ? "" : separator) + prefix + name;
  return sql;
}

// a.c0 = b.c0 AND a.c1 = b.c1
std::string same_key(const TableVersion& version, const std::string& a, const std::string& b) {
  std::string sql;
  for (const std::string& key : version.key_columns())
    sql += (sql.empty() ? "" : " AND ") + a + "." + key + " = " + b + "." + key;
  return sql;
}

std::string outranks(const std::string& a, const std::string& b) {
  return "(" + a + "._seq > " + b + "._seq OR (" + a + "._seq = " + b + "._seq AND " + a + "._ing > " + b + "._ing))";
}

// The newest log row of each key, with `names` and the rank.
std::string newest(const TableVersion& version, const Names& names, const std::string& condition = "") {
  return "(SELECT " + joined(names, "") + ", _seq, _ing, _kind FROM " + version.changes() + condition +
         " QUALIFY row_number() OVER (PARTITION BY " + joined(version.key_columns(), "") +
         " ORDER BY _seq DESC, _ing DESC) = 1)";
}

// The same without columns beside the key, but with where the row lies.
std::string newest_places(const TableVersion& version, const std::string& condition = "") {
  Names names = version.key_columns();
  names.push_back("rowid AS place");
  return newest(version, names, condition);
}

// Those log rows whose key and place are in the relation `places`. The key is compared, too, so that a condition on it
// reaches both sides.
std::string rows_at(const TableVersion& version, const Names& names, const std::string& places) {
  return "SELECT " + joined(names, "l.") + " FROM " + version.changes() + " l JOIN " + places +
         " w ON l.rowid = w.place AND " + same_key(version, "l", "w");
}

bool is_of_any_size(const data::Type& type) {
  using data::TypeKind;
  switch (type.kind) {
    case TypeKind::kString:
    case TypeKind::kBytes:
    case TypeKind::kJson:
    case TypeKind::kGeography:
    case TypeKind::kArray:
    case TypeKind::kStruct: return true;
    default: return false;
  }
}

// `names` without the key hold columns whose values may be large.
bool has_large(const TableVersion& version, const Names& names) {
  for (std::size_t i = 0; i < version.physical.size(); ++i) {
    if (!is_of_any_size(version.info.schema.fields[i].type)) continue;
    if (version.info.schema.is_key(static_cast<std::uint32_t>(i))) continue;
    if (std::find(names.begin(), names.end(), version.physical[i]) != names.end()) return true;
  }
  return false;
}

Names with_key(const TableVersion& version, const Names& names) {
  Names all = version.key_columns();
  for (const std::string& name : names)
    if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
  return all;
}

std::string base_condition(const ReadPlan& plan, const std::string& alias) {
  if (!plan.unverified_sequence) return "";
  return "(" + alias + "._seq <> " + decimal(plan.unverified_sequence->bits) + "::UHUGEINT OR " + alias +
         "._ing <= " + std::to_string(plan.verified_ing) + ")";
}

std::string where(const std::string& condition) { return condition.empty() ? "" : " WHERE " + condition; }

std::string ranked_sql(const TableVersion& version, const ReadPlan& plan, const Names& names) {
  const Names all = with_key(version, names);
  const std::string base = plan.unverified_sequence
                               ? "(SELECT * FROM " + version.base() + " r WHERE " + base_condition(plan, "r") + ")"
                               : version.base();
  const auto winners = [&](const std::string& columns, const std::string& log) {
    return "SELECT " + columns + " FROM " + log + " n LEFT JOIN " + base + " b ON " + same_key(version, "n", "b") +
           " LEFT JOIN " + version.tombstones() + " t ON " + same_key(version, "n", "t") +
           " WHERE n._kind = 0 AND (b._ing IS NULL OR " + outranks("n", "b") + ") AND (t._ing IS NULL OR " +
           outranks("n", "t") + ")";
  };
  const bool by_place = plan.is_log_large && has_large(version, names);
  const std::string of_log =
      by_place ? rows_at(version, names,
                         "(" + winners(joined(version.key_columns(), "n.") + ", n.place", newest_places(version)) + ")")
               : winners(joined(names, "n."), newest(version, all));
  return "(SELECT " + joined(names, "b.") + " FROM " + base + " b LEFT JOIN " + newest(version, version.key_columns()) +
         " n ON " + same_key(version, "b", "n") + " WHERE (n._ing IS NULL OR " + outranks("b", "n") + ")" +
         " UNION ALL " + of_log + ")";
}

// Keys of direct rows in (from, to], each once.
std::string direct_keys(const TableVersion& version, std::int64_t from, std::int64_t to) {
  return "(SELECT DISTINCT " + joined(version.key_columns(), "") + " FROM " + version.base() + " WHERE _ing > " +
         std::to_string(from) + " AND _ing <= " + std::to_string(to) + ")";
}

}  // namespace

std::string relation_sql(const TableVersion& version, const ReadPlan& plan, const std::vector<std::string>& physical) {
  const Names names = physical.empty() ? Names{version.physical.front()} : physical;
  if (!version.is_mirror() || (plan.shape == ReadShape::kBase && !plan.unverified_sequence)) return version.base();
  const std::string direct = base_condition(plan, "b");
  switch (plan.shape) {
    case ReadShape::kBase:
      return "(SELECT " + joined(names, "b.") + " FROM " + version.base() + " b" + where(direct) + ")";
    case ReadShape::kLogWins: {
      const bool by_place = plan.is_log_large && has_large(version, names);
      const std::string of_log = by_place ? rows_at(version, names, newest_places(version)) + " WHERE l._kind = 0"
                                          : "SELECT " + joined(names, "") + " FROM " +
                                                newest(version, with_key(version, names)) + " WHERE _kind = 0";
      return "(SELECT " + joined(names, "b.") + " FROM " + version.base() + " b ANTI JOIN " + version.changes() +
             " l ON " + same_key(version, "b", "l") + where(direct) + " UNION ALL " + of_log + ")";
    }
    case ReadShape::kRanked: break;
  }
  return ranked_sql(version, plan, names);
}

std::string row_bytes_sql(const TableVersion& version) {
  std::size_t fixed = kLogRowBytes;
  std::string sql;
  for (std::size_t i = 0; i < version.physical.size(); ++i) {
    const data::Type& type = version.info.schema.fields[i].type;
    const std::string& name = version.physical[i];
    if (!is_of_any_size(type))
      fixed += 8;
    else if (type.is(data::TypeKind::kBytes))
      sql += " + coalesce(octet_length(" + name + "), 0)";
    else
      sql += " + coalesce(strlen(" + name + "::VARCHAR), 0)";
  }
  return std::to_string(fixed) + sql;
}

std::string excess_sql(const TableVersion& version, std::int64_t from, std::int64_t to) {
  if (from == 0) {
    const std::string key = joined(version.key_columns(), "");
    return "SELECT (SELECT count(*) FROM " + version.base() + ") - (SELECT count(*) FROM (SELECT DISTINCT " + key +
           " FROM " + version.base() + ")) + (SELECT count(*) FROM " + version.tombstones() + " t SEMI JOIN " +
           version.base() + " b ON " + same_key(version, "t", "b") + ")";
  }
  const std::string keys = direct_keys(version, from, to);
  return "SELECT (SELECT count(*) FROM " + version.base() + " b SEMI JOIN " + keys + " k ON " +
         same_key(version, "b", "k") + ") + " + "(SELECT count(*) FROM " + version.tombstones() + " t SEMI JOIN " +
         keys + " k ON " + same_key(version, "t", "k") + ") - " + "(SELECT count(*) FROM " + keys + ")";
}

std::vector<std::string> deduplicate_sql(const TableVersion& version, std::int64_t from, std::int64_t to) {
  const std::string keys = joined(version.key_columns(), "");
  const std::string direct = direct_keys(version, from, to);
  return {
      "DELETE FROM " + version.base() +
          " WHERE rowid IN (SELECT r FROM (SELECT rowid AS r, row_number() OVER (PARTITION BY " + keys +
          " ORDER BY _seq DESC, _ing DESC) AS place FROM " + version.base() + " b SEMI JOIN " + direct + " k ON " +
          same_key(version, "b", "k") + ") WHERE place > 1)",
      "DELETE FROM " + version.base() + " b USING " + version.tombstones() + " t WHERE " + same_key(version, "b", "t") +
          " AND " + outranks("t", "b"),
      "DELETE FROM " + version.tombstones() + " t USING " + version.base() + " b WHERE " + same_key(version, "b", "t") +
          " AND " + outranks("b", "t"),
  };
}

ApplyStatements apply_sql(const TableVersion& version, std::int64_t last_ing, bool log_wins, std::int64_t now_micros) {
  const std::string moved = "temp.moved_" + version.base_name(),
                    kept = log_wins ? moved : "temp.kept_" + version.base_name();
  const std::string key_join = same_key(version, "b", "m");
  const std::string all = joined(version.physical, ""), keys = joined(version.key_columns(), "");
  const std::string limit = " WHERE _ing <= " + std::to_string(last_ing);
  const std::string beaten = log_wins ? key_join : key_join + " AND NOT " + outranks("b", "m");
  ApplyStatements sql;
  // Keys, ranks and row ids alone: the values go from the log to the base without a stop.
  sql.prepare.push_back("CREATE TEMP TABLE moved_" + version.base_name() + " AS FROM " + newest_places(version, limit));
  sql.delete_base = "DELETE FROM " + version.base() + " b USING " + moved + " m WHERE " + beaten;
  sql.insert_base = "INSERT INTO " + version.base() + " (_seq, _ing, " + all + ") SELECT l._seq, l._ing, " +
                    joined(version.physical, "l.") + " FROM " + version.changes() + " l JOIN " + kept +
                    " w ON l.rowid = w.place WHERE w._kind = 0 AND l._ing <= " + std::to_string(last_ing);
  sql.finish.push_back("DELETE FROM " + version.tombstones() + " b USING " + moved + " m WHERE " + beaten);
  if (!log_wins) {
    // What is left of the same keys outranks the log: those log rows are history.
    sql.prepare.push_back("CREATE TEMP TABLE kept_" + version.base_name() + " AS SELECT m.* FROM " + moved +
                          " m WHERE NOT EXISTS (SELECT 1 FROM " + version.base() + " b WHERE " + key_join + " AND " +
                          outranks("b", "m") + ") AND NOT EXISTS (SELECT 1 FROM " + version.tombstones() + " b WHERE " +
                          key_join + " AND " + outranks("b", "m") + ")");
    sql.finish.push_back("DROP TABLE temp.kept_" + version.base_name());
  }
  const std::string deaths = "INSERT INTO " + version.tombstones() + " (_seq, _ing, _applied, " + keys +
                             ") SELECT _seq, _ing, " + std::to_string(now_micros) + ", " + keys + " FROM " + kept +
                             " WHERE _kind = 1";
  sql.finish.insert(sql.finish.begin() + 1, deaths);
  sql.finish.push_back("DELETE FROM " + version.changes() + limit);
  sql.finish.push_back("DELETE FROM " + version.tombstones() + " WHERE _applied < " +
                       std::to_string(now_micros - kTombstoneMicros));
  sql.finish.push_back("DROP TABLE " + moved);
  return sql;
}

}  // namespace flytt::warehouse::internal
