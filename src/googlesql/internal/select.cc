#include "googlesql/internal/select.h"

#include <utility>

namespace flytt::googlesql::internal {

bool Select::items_are_plain() const {
  for (const Item& item : items)
    if (!item.is_plain()) return false;
  return true;
}

bool Select::is_bare() const {
  return with.empty() && where.empty() && group_by.empty() && !is_aggregate && order_by.empty() && !is_limited() &&
         items_are_plain();
}

std::string Select::render() const {
  std::string out = with.empty() ? "" : (with_recursive ? "WITH RECURSIVE " : "WITH ") + with + " ";
  out += "SELECT ";
  if (items.empty()) out += is_aggregate && group_by.empty() ? "count(*) AS nothing" : "0 AS nothing";
  for (const Item& item : items) {
    if (&item != &items.front()) out += ", ";
    out += item.is_plain() ? item.sql : item.sql + " AS " + item.alias;
  }
  out += " FROM " + from;
  for (const std::string& condition : where)
    out += (&condition == &where.front() ? " WHERE (" : " AND (") + condition + ")";
  if (!group_by.empty()) out += " GROUP BY " + group_by;
  if (!order_by.empty()) out += " ORDER BY " + order_by;
  if (!limit.empty()) out += " LIMIT " + limit;
  if (!offset.empty()) out += " OFFSET " + offset;
  return out;
}

namespace {

std::vector<Item> plain_items(const std::vector<Item>& items) {
  std::vector<Item> out;
  out.reserve(items.size());
  for (const Item& item : items) out.push_back({item.alias, item.alias});
  return out;
}

}  // namespace

Select nested(Select select, SelectNames& names) {
  if (select.is_bare()) return select;
  Select outer;
  outer.items = plain_items(select.items);
  if (!select.natural_order.empty() && !select.is_aggregate) {
    outer.natural_order = select.natural_order;
    bool offered = false;
    for (const Item& item : select.items) offered = offered || item.alias == select.natural_order;
    if (!offered) select.items.push_back({select.natural_order, select.natural_order});
  }
  outer.from = "(" + select.render() + ") AS " + names.next();
  return outer;
}

std::string relation(Select& select, SelectNames& names, bool may_be_join) {
  select = nested(std::move(select), names);
  if (!select.is_join || may_be_join) return select.from;
  return "(SELECT * FROM " + select.from + ") AS " + names.next();
}

Select one_row(SelectNames& names) {
  Select select;
  select.from = "(VALUES (0)) AS " + names.next() + "(nothing)";
  return select;
}

void add_where(Select& select, std::string condition, SelectNames& names) {
  const bool fits = select.items_are_plain() && !select.is_aggregate && !select.is_limited();
  if (!fits) select = nested(std::move(select), names);
  select.where.push_back(std::move(condition));
}

void rebase(Select& select, SelectNames& names) {
  if (select.items_are_plain() && !select.is_aggregate) return;
  if (select.order_by.empty()) {
    select = nested(std::move(select), names);
    return;
  }
  // The order's keys are columns of the present `from`; they must stay reachable beside the computed columns.
  std::string columns = "*";
  for (const Item& item : select.items)
    if (!item.is_plain()) columns += ", " + item.sql + " AS " + item.alias;
  select.items = plain_items(select.items);
  Select inner;
  inner.from = std::move(select.from);
  inner.where = std::move(select.where);
  std::string text = inner.render();
  text.replace(0, sizeof("SELECT 0 AS nothing") - 1, "SELECT " + columns);
  select.where.clear();
  select.from = "(" + text + ") AS " + names.next();
  select.is_join = false;
}

void project(Select& select, std::vector<Item> items, SelectNames& names) {
  rebase(select, names);
  select.items = std::move(items);
}

void add_order(Select& select, std::string order_by, SelectNames& names) {
  const bool fits = select.items_are_plain() && !select.is_aggregate && !select.is_limited();
  if (!fits) select = nested(std::move(select), names);
  select.order_by = std::move(order_by);
}

void add_limit(Select& select, std::string limit, std::string offset, SelectNames& names) {
  if (select.is_limited()) select = nested(std::move(select), names);
  select.limit = std::move(limit);
  select.offset = std::move(offset);
}

}  // namespace flytt::googlesql::internal
