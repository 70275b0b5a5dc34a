#pragma once
// The shape of a table and where it lies.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/strong.h"
#include "data/type.h"

namespace flytt::data {

// Where a table lies in BigQuery's terms.
struct TablePath {
  std::string project, dataset, table;
  std::string text() const { return project + "." + dataset + "." + table; }
  friend bool operator==(const TablePath& a, const TablePath& b) {
    return a.project == b.project && a.dataset == b.dataset && a.table == b.table;
  }
  friend bool operator<(const TablePath& a, const TablePath& b) {
    return std::tie(a.project, a.dataset, a.table) < std::tie(b.project, b.dataset, b.table);
  }
};

// A top-level column. REPEATED is an ARRAY type; `required` is never set together with ARRAY.
struct Field {
  std::string name;
  Type type;
  bool required = false;
  std::string description;
  friend bool operator==(const Field& a, const Field& b) {
    return a.name == b.name && a.type == b.type && a.required == b.required && a.description == b.description;
  }
};

struct TableSchema {
  std::vector<Field> fields;
  std::vector<std::uint32_t> key;  // indexes into fields; empty = no primary key

  // Column names are compared without case, as BigQuery does.
  std::optional<std::uint32_t> find(std::string_view name) const;
  bool is_key(std::uint32_t index) const;
  friend bool operator==(const TableSchema& a, const TableSchema& b) { return a.fields == b.fields && a.key == b.key; }
};

// Counts the shapes that one stream has seen of one table; a higher one came later.
using SchemaVersion = base::Strong<struct SchemaVersionTag, std::uint32_t>;

}  // namespace flytt::data
