#pragma once
// JsonRows: one JSON object → one cell in each payload column, in one forward pass (simdjson On-Demand). Messages of the
// usual form go a shorter way (plain_json.h); after one that does not, the next kPlainPause go the long way at once.
//
// Cost of the long way: the payload is copied once, because the parser reads beyond its end. A member is matched first with the one that
// followed its predecessor in the column order, by comparing bytes; only a surprise looks it up. Values are parsed by
// the column's type straight into its builder; strings are unescaped into a buffer that the parser keeps.
//
// A row is appended whole or not at all. Of members with the same name the last one counts. One thread.

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/column.h"
#include "data/schema.h"
#include "kafka/config.h"
#include "kafka/internal/text_values.h"
#include "kafka/internal/verdict.h"

namespace flytt::kafka {

// A member of an object and where its value goes. `children`: the fields of a STRUCT, or the one element of an ARRAY.
struct FieldPlan {
  std::string key;
  std::string path;  // the column's name, below a STRUCT with dots
  data::Type type;
  bool is_required = false;
  std::uint32_t column = 0;  // index into the columns that are given to decode(), or into a STRUCT's children
  std::vector<FieldPlan> children;
};
FieldPlan plan_field(std::string key, std::string path, const data::Type& type, std::uint32_t column);

enum class UnknownMember { kPassOver, kCollect, kReport };

class JsonRows {
 public:
  // `rest_column` is where kCollect puts unknown members of the top level, as one JSON object or NULL.
  JsonRows(std::vector<FieldPlan> fields, ValueRules rules, UnknownMember unknown, std::uint32_t rest_column);
  ~JsonRows();

  // `columns` are those of the slice. kUnknownField (only with kReport): a member that is neither null nor an empty
  // array has no column.
  Refusal decode(std::string_view payload, std::vector<data::Column>& columns);
  static constexpr unsigned kPlainPause = 15;

  const std::vector<FieldPlan>& fields() const { return fields_; }

 private:
  struct Parser;
  struct Pass;
  bool decode_plain(std::string_view payload, std::vector<data::Column>& columns);
  Refusal decode_long(std::string_view payload, std::vector<data::Column>& columns);

  std::vector<FieldPlan> fields_;
  ValueRules rules_;
  UnknownMember unknown_;
  std::uint32_t rest_column_;
  bool has_plain_names_;
  unsigned plain_pause_ = 0;  // messages left that go the long way
  std::unique_ptr<Parser> parser_;
};

// Takes cells back until `rows` are left, also half-built ones of nested columns.
void roll_back(data::Column& column, std::size_t rows);

}  // namespace flytt::kafka
