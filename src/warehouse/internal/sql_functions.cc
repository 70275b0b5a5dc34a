#include "warehouse/internal/sql_functions.h"

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "googlesql/functions/native.h"

namespace flytt::warehouse {
namespace {

using googlesql::Batch;
using googlesql::Column;
using googlesql::NativeAggregate;
using googlesql::NativeFunction;
using googlesql::NativeType;

static_assert(sizeof(googlesql::TextCell) == sizeof(duckdb_string_t));
static_assert(sizeof(googlesql::ListCell) == sizeof(duckdb_list_entry));
static_assert(sizeof(googlesql::Interval) == sizeof(duckdb_interval));
static_assert(sizeof(bool) == 1);

bool is_list(NativeType type) { return type >= NativeType::kBoolList; }

NativeType element_of(NativeType type) {
  switch (type) {
    case NativeType::kBoolList: return NativeType::kBool;
    case NativeType::kInt64List: return NativeType::kInt64;
    case NativeType::kDoubleList: return NativeType::kDouble;
    case NativeType::kTextList: return NativeType::kText;
    case NativeType::kBytesList: return NativeType::kBytes;
    case NativeType::kDateList: return NativeType::kDate;
    case NativeType::kTimestampList: return NativeType::kTimestamp;
    default: return NativeType::kNumeric;
  }
}

duckdb_logical_type make_type(NativeType type) {
  if (is_list(type)) {
    duckdb_logical_type element = make_type(element_of(type));
    duckdb_logical_type list = duckdb_create_list_type(element);
    duckdb_destroy_logical_type(&element);
    return list;
  }
  switch (type) {
    case NativeType::kBool: return duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
    case NativeType::kInt64: return duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
    case NativeType::kDouble: return duckdb_create_logical_type(DUCKDB_TYPE_DOUBLE);
    case NativeType::kText: return duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    case NativeType::kBytes: return duckdb_create_logical_type(DUCKDB_TYPE_BLOB);
    case NativeType::kDate: return duckdb_create_logical_type(DUCKDB_TYPE_DATE);
    case NativeType::kTime: return duckdb_create_logical_type(DUCKDB_TYPE_TIME);
    case NativeType::kTimestamp: return duckdb_create_logical_type(DUCKDB_TYPE_TIMESTAMP);
    case NativeType::kHuge: return duckdb_create_logical_type(DUCKDB_TYPE_HUGEINT);
    case NativeType::kInterval: return duckdb_create_logical_type(DUCKDB_TYPE_INTERVAL);
    default: return duckdb_create_decimal_type(38, data::kNumericScale);
  }
}

// A DuckDB vector as a Column; lists have a child, which `children` owns.
Column view(duckdb_vector vector, NativeType type, std::vector<std::unique_ptr<Column>>& children) {
  Column column;
  column.data = duckdb_vector_get_data(vector);
  column.validity = duckdb_vector_get_validity(vector);
  if (is_list(type)) {
    children.push_back(
        std::make_unique<Column>(view(duckdb_list_vector_get_child(vector), element_of(type), children)));
    column.child = children.back().get();
  }
  return column;
}

class VectorResult final : public googlesql::ResultColumn {
 public:
  explicit VectorResult(duckdb_vector vector) : vector_(vector) { data = duckdb_vector_get_data(vector); }

  void set_null(std::size_t row) override {
    if (validity_ == nullptr) {
      duckdb_vector_ensure_validity_writable(vector_);
      validity_ = duckdb_vector_get_validity(vector_);
    }
    duckdb_validity_set_row_invalid(validity_, row);
  }
  void set_text(std::size_t row, std::string_view text) override {
    duckdb_vector_assign_string_element_len(vector_, row, text.data(), text.size());
  }
  googlesql::ResultColumn& open_list(std::size_t row, std::size_t length, std::size_t& offset) override {
    offset = duckdb_list_vector_get_size(vector_);
    duckdb_list_vector_reserve(vector_, offset + length);
    duckdb_list_vector_set_size(vector_, offset + length);
    static_cast<duckdb_list_entry*>(data)[row] = {offset, length};
    // Growing moves the child's memory, so its pointers are taken anew for each list.
    child_ = std::make_unique<VectorResult>(duckdb_list_vector_get_child(vector_));
    return *child_;
  }

 private:
  duckdb_vector vector_;
  std::uint64_t* validity_ = nullptr;
  std::unique_ptr<VectorResult> child_;
};

struct Columns {
  std::vector<Column> columns;
  std::vector<std::unique_ptr<Column>> children;
  Batch batch;

  Columns(duckdb_data_chunk input, const std::vector<NativeType>& types) {
    for (std::size_t i = 0; i < types.size(); ++i) {
      columns.push_back(view(duckdb_data_chunk_get_vector(input, i), types[i], children));
    }
    batch = {columns.data(), duckdb_data_chunk_get_size(input)};
  }
};

template <bool kSafe>
void call_function(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
  const auto* function = static_cast<const NativeFunction*>(duckdb_scalar_function_get_extra_info(info));
  try {
    const Columns columns(input, function->arguments);
    VectorResult result(output);
    if (auto failure = function->kernel(columns.batch, result, kSafe))
      duckdb_scalar_function_set_error(info, failure->c_str());
  } catch (const std::exception& failure) {
    duckdb_scalar_function_set_error(info, failure.what());
  }
}

base::Status register_function(duckdb_connection connection, const NativeFunction& function, const std::string& name,
                               bool safe) {
  duckdb_scalar_function handle = duckdb_create_scalar_function();
  duckdb_scalar_function_set_name(handle, name.c_str());
  for (const NativeType type : function.arguments) {
    duckdb_logical_type argument = make_type(type);
    duckdb_scalar_function_add_parameter(handle, argument);
    duckdb_destroy_logical_type(&argument);
  }
  duckdb_logical_type result = make_type(function.result);
  duckdb_scalar_function_set_return_type(handle, result);
  duckdb_destroy_logical_type(&result);
  duckdb_scalar_function_set_special_handling(handle);
  if (function.is_volatile) duckdb_scalar_function_set_volatile(handle);
  duckdb_scalar_function_set_extra_info(handle, const_cast<NativeFunction*>(&function), nullptr);
  duckdb_scalar_function_set_function(handle, safe ? &call_function<true> : &call_function<false>);
  const duckdb_state state = duckdb_register_scalar_function(connection, handle);
  duckdb_destroy_scalar_function(&handle);
  if (state != DuckDBSuccess) return base::Error(base::ErrorCode::kBug, "DuckDB refuses the function " + name + ".");
  return base::ok();
}

const NativeAggregate& aggregate_of(duckdb_function_info info) {
  return *static_cast<const NativeAggregate*>(duckdb_aggregate_function_get_extra_info(info));
}
void** states_of(duckdb_aggregate_state* states) { return reinterpret_cast<void**>(states); }

idx_t state_size(duckdb_function_info info) { return aggregate_of(info).state_bytes; }
void state_init(duckdb_function_info info, duckdb_aggregate_state state) { aggregate_of(info).init(state); }
void state_update(duckdb_function_info info, duckdb_data_chunk input, duckdb_aggregate_state* states) {
  const NativeAggregate& aggregate = aggregate_of(info);
  try {
    const Columns columns(input, aggregate.arguments);
    if (auto failure = aggregate.update(columns.batch, states_of(states))) {
      duckdb_aggregate_function_set_error(info, failure->c_str());
    }
  } catch (const std::exception& failure) {
    duckdb_aggregate_function_set_error(info, failure.what());
  }
}
void state_combine(duckdb_function_info info, duckdb_aggregate_state* source, duckdb_aggregate_state* target,
                   idx_t count) {
  aggregate_of(info).combine(states_of(source), states_of(target), count);
}
void state_finish(duckdb_function_info info, duckdb_aggregate_state* source, duckdb_vector output, idx_t count,
                  idx_t offset) {
  try {
    VectorResult result(output);
    if (auto failure = aggregate_of(info).finish(states_of(source), result, count, offset)) {
      duckdb_aggregate_function_set_error(info, failure->c_str());
    }
  } catch (const std::exception& failure) {
    duckdb_aggregate_function_set_error(info, failure.what());
  }
}

base::Status register_aggregate(duckdb_connection connection, const NativeAggregate& aggregate) {
  duckdb_aggregate_function handle = duckdb_create_aggregate_function();
  duckdb_aggregate_function_set_name(handle, aggregate.name.c_str());
  for (const NativeType type : aggregate.arguments) {
    duckdb_logical_type argument = make_type(type);
    duckdb_aggregate_function_add_parameter(handle, argument);
    duckdb_destroy_logical_type(&argument);
  }
  duckdb_logical_type result = make_type(aggregate.result);
  duckdb_aggregate_function_set_return_type(handle, result);
  duckdb_destroy_logical_type(&result);
  duckdb_aggregate_function_set_special_handling(handle);
  duckdb_aggregate_function_set_functions(handle, &state_size, &state_init, &state_update, &state_combine,
                                          &state_finish);
  duckdb_aggregate_function_set_extra_info(handle, const_cast<NativeAggregate*>(&aggregate), nullptr);
  const duckdb_state state = duckdb_register_aggregate_function(connection, handle);
  duckdb_destroy_aggregate_function(&handle);
  if (state != DuckDBSuccess)
    return base::Error(base::ErrorCode::kBug, "DuckDB refuses the aggregate " + aggregate.name + ".");
  return base::ok();
}

}  // namespace

base::Status register_sql_functions(duckdb_connection connection) {
  for (const NativeFunction& function : googlesql::native_functions()) {
    TRY_STATUS(register_function(connection, function, function.name, false));
    if (function.can_fail) TRY_STATUS(register_function(connection, function, function.name + "_safe", true));
  }
  for (const NativeAggregate& aggregate : googlesql::native_aggregates())
    TRY_STATUS(register_aggregate(connection, aggregate));
  return base::ok();
}

}  // namespace flytt::warehouse
