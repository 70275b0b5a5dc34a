#pragma once
// A DuckDB SELECT under construction. Generated columns are named c<column id>; ids are unique in the whole statement, so
// names never clash and correlated references bind by DuckDB's own scoping.
//
// Clauses are added to the same SELECT while that keeps its meaning; otherwise the SELECT becomes a subquery of a new one.
// ORDER BY and LIMIT stay outermost: a projection above an ordered SELECT joins it, because DuckDB promises the order of
// the outermost SELECT only.

#include <string>
#include <vector>

namespace flytt::googlesql::internal {

struct Item {
  std::string sql;
  std::string alias;
  bool is_plain() const { return sql == alias; }
};

struct Select {
  std::string with;  // "w1 AS (…), w2 AS (…)" or empty
  bool with_recursive = false;
  std::vector<Item> items;
  std::string from;                // one relation or a chain of joins; never empty
  bool is_join = false;            // `from` must be nested before it can be the right side of a join
  std::vector<std::string> where;  // all must hold
  std::string group_by;            // after GROUP BY, or empty
  bool is_aggregate = false;       // items are aggregates, with or without group_by
  std::string order_by;
  std::string limit, offset;
  std::string natural_order;  // a column of `from` with the order of an array's elements, or empty

  bool items_are_plain() const;
  bool is_ordered() const { return !order_by.empty(); }
  bool is_limited() const { return !limit.empty() || !offset.empty(); }
  // Nothing but items that pass columns of `from` through.
  bool is_bare() const;
  std::string render() const;
};

// Makes names s1, s2, … for subqueries of one statement.
class SelectNames {
 public:
  std::string next() { return "s" + std::to_string(++count_); }

 private:
  int count_ = 0;
};

// The same rows as a SELECT with plain items from a subquery, unless it is one already.
Select nested(Select select, SelectNames& names);
// A relation for the left or right side of a join.
std::string relation(Select& select, SelectNames& names, bool may_be_join);
// SELECT without FROM cannot carry every clause: this is a source with one row.
Select one_row(SelectNames& names);

void add_where(Select& select, std::string condition, SelectNames& names);
// Replaces the items. Their texts speak of the columns of select.items.
void project(Select& select, std::vector<Item> items, SelectNames& names);
void add_order(Select& select, std::string order_by, SelectNames& names);
void add_limit(Select& select, std::string limit, std::string offset, SelectNames& names);
// Makes `from` offer the columns of select.items, with nothing else than an order and a limit on top.
void rebase(Select& select, SelectNames& names);

}  // namespace flytt::googlesql::internal
