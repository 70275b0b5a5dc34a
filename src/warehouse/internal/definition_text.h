#pragma once
// Datasets and tables as GoogleSQL text: their options, and the statement that would make them. Pure text.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "warehouse/tables.h"

namespace flytt::warehouse::internal {

// A column or a nested field with what the REST form kept of it.
struct FieldDetails {
  std::string description, default_value, rounding_mode;
  bool required = false;
  std::vector<std::string> policy_tags;
};

// The column `column` (an index) and all fields below it, parents first. `path` is "a.b.c".
struct FieldPath {
  std::string path;
  data::Type type;
  FieldDetails details;
};
std::vector<FieldPath> field_paths(const TableInfo& table, std::size_t column);

// How the rows are laid out, as `properties` says.
struct Partitioning {
  enum class Kind { kNone, kTime, kRange } kind = Kind::kNone;
  std::string field;                          // empty with kTime: by ingestion
  std::string unit;                           // of kTime: DAY, HOUR, MONTH, YEAR
  std::int64_t start = 0, end = 0, step = 0;  // of kRange
};
Partitioning partitioning_of(const TableInfo& table);
std::vector<std::string> clustering_of(const TableInfo& table);

struct ForeignKey {
  std::string name;  // as BigQuery names it
  data::TablePath referenced;
  std::vector<std::pair<std::string, std::string>> columns;  // of this table, of the referenced one
};
std::vector<ForeignKey> foreign_keys_of(const TableInfo& table);

struct ShownOption {
  std::string name, type, value;  // {"description", "STRING", "\"orders\""}
};
std::vector<ShownOption> shown_options(const TableInfo& table);
std::vector<ShownOption> shown_options(const DatasetInfo& dataset);

std::string create_text(const TableInfo& table);
std::string create_text(const DatasetInfo& dataset);

}  // namespace flytt::warehouse::internal
