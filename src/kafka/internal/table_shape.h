#pragma once
// TableShape: one destination table as messages fill it: its columns, what each of them gets, and how it grows.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/table_slice.h"
#include "kafka/config.h"
#include "kafka/internal/json_rows.h"
#include "kafka/schema.h"

namespace flytt::kafka {

enum class ColumnRole : unsigned char {
  kPayload,
  kTopic,
  kPartition,
  kOffset,
  kTimestamp,
  kKey,
  kHeaders,
  kRest,
  kOther,  // the destination has it, messages do not fill it
};

UnknownFields unknown_fields(const PayloadSettings& settings);  // never kDefault

// The columns beside the payload, with their roles.
struct ExtraColumn {
  data::Field field;
  ColumnRole role;
};
std::vector<ExtraColumn> extra_columns(const PayloadSettings& settings);

// The columns that come from the payload of kText and kBytes, or are declared.
std::vector<data::Field> declared_columns(const PayloadSettings& settings);

class TableShape {
 public:
  // `known`: the table as the destination has it, or null. kSchema when it cannot take what is declared.
  static Result<TableShape> make(const PayloadSettings& settings, std::string source_table, data::TablePath destination,
                                 const data::SliceSchema* known, const std::vector<SampledMessage>& samples);

  const std::shared_ptr<const data::SliceSchema>& schema() const { return schema_; }
  ColumnRole role(std::size_t column) const { return roles_[column]; }
  const std::vector<ColumnRole>& roles() const { return roles_; }
  JsonRows& rows() { return *rows_; }
  const std::vector<FieldPlan>& payload() const { return rows_->fields(); }

  // Makes room for the members of a JSON object that have none. False when nothing changed (or the table is full).
  bool grow(const PayloadSettings& settings, std::string_view payload);

 private:
  void plan(const PayloadSettings& settings);

  std::shared_ptr<const data::SliceSchema> schema_;
  std::vector<ColumnRole> roles_;
  std::unique_ptr<JsonRows> rows_;
};

}  // namespace flytt::kafka
