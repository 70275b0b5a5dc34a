#pragma once
// The rows of INFORMATION_SCHEMA's views. A row has one value for each column of its view, in order: text, a number
// (TIMESTAMP: microseconds), a list of texts, or null.

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "data/type.h"
#include "warehouse/internal/information_schema.h"

namespace flytt::warehouse::internal {

using InformationRow = std::vector<nlohmann::json>;
using InformationRows = std::vector<InformationRow>;

struct InformationColumn {
  const char* name;
  enum class Type { kString, kInt64, kTimestamp, kStrings, kJson } type = Type::kString;
};

struct InformationView {
  std::string_view name;
  std::vector<InformationColumn> columns;
  // Exactly one of these, or none: a kind of object that the warehouse never has.
  void (*dataset_rows)(const DatasetInfo& dataset, InformationRows& rows) = nullptr;
  void (*table_rows)(const TableInfo& table, const Described& all, InformationRows& rows) = nullptr;
  bool is_of_project = false;  // about datasets, so it is never asked of one
};

// Null when there is no such view here; `name` in upper case.
const InformationView* find_view(std::string_view name);

}  // namespace flytt::warehouse::internal
