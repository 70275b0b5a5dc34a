#pragma once
// GoogleSQL functions in C++, described without DuckDB: name, kinds of arguments and result, and a kernel over columns.
//
// warehouse/internal/sql_functions.cc registers every one of `native_functions()` and `native_aggregates()` with DuckDB.
// Kernels are pure and thread-safe. A function that can fail exists twice: `gs_x` fails the query with its sentence, and
// `gs_x_safe` gives NULL instead (the SAFE. prefix and SAFE_CAST).
//
// Cells lie as DuckDB's vectors lay them (duckdb.h, duckdb_vector_get_data): BOOL 1 byte, INT64/FLOAT64/TIME/TIMESTAMP
// 8 bytes, DATE 4 bytes, NUMERIC and INTERVAL 16 bytes, text and bytes TextCell, lists ListCell and a child column.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "data/civil.h"
#include "data/decimal.h"

namespace flytt::googlesql {

using data::Int128;
using data::Int256;
using data::Interval;

enum class NativeType : std::uint8_t {
  kBool,
  kInt64,
  kDouble,
  kText,
  kBytes,
  kDate,
  kTime,
  kTimestamp,
  kNumeric,
  kInterval,
  kHuge,
  kBoolList,
  kInt64List,
  kDoubleList,
  kTextList,
  kBytesList,
  kDateList,
  kTimestampList,
  kNumericList,
};

// Strong types, so that a C++ signature says which SQL types a function takes.
struct Bytes {
  std::string_view data;
};  // argument
struct ByteString {
  std::string data;
};  // result
struct Date {
  std::int32_t days;
};
struct Time {
  std::int64_t micros;
};
struct Timestamp {
  std::int64_t micros;
};  // TIMESTAMP and DATETIME
struct Numeric {
  Int128 scaled;
};  // × 10^9
struct Huge {
  Int128 value;
};  // HUGEINT: DuckDB's sums of integers, never a SQL value
struct BigNumeric {
  Int256 scaled;
};  // × 10^38, a BLOB of 32 ordered bytes

struct TextCell {  // duckdb_string_t
  std::uint32_t length;
  char inlined[12];  // or 4 bytes of prefix and a pointer when length > 12
  std::string_view view() const {
    if (length <= sizeof inlined) return {inlined, length};
    const char* pointer = nullptr;
    std::memcpy(&pointer, inlined + 4, sizeof pointer);
    return {pointer, length};
  }
};
struct ListCell {
  std::uint64_t offset, length;
};

struct Column {
  const void* data = nullptr;
  const std::uint64_t* validity = nullptr;  // one bit a row, 1 = not NULL; nullptr: no NULL at all
  const Column* child = nullptr;            // of a list
  bool is_null(std::size_t row) const { return validity != nullptr && ((validity[row / 64] >> (row % 64)) & 1) == 0; }
};

// Where a kernel puts its answers. Rows are set once, in ascending order.
class ResultColumn {
 public:
  virtual ~ResultColumn() = default;
  void* data = nullptr;  // for kinds of fixed width
  virtual void set_null(std::size_t row) = 0;
  virtual void set_text(std::size_t row, std::string_view text) = 0;
  // A list of `length` elements; `child` is resized so that rows [offset, offset + length) may be set.
  virtual ResultColumn& open_list(std::size_t row, std::size_t length, std::size_t& offset) = 0;
};

// A value, a NULL or a failure.
template <typename T>
class Answer {
 public:
  Answer(T value) : value_(std::move(value)) {}  // NOLINT: a value is an answer
  Answer(std::nullopt_t) : is_null_(true) {}     // NOLINT: NULL is an answer
  static Answer fail(std::string sentence) {
    Answer answer{std::nullopt};
    answer.sentence_ = std::move(sentence);
    return answer;
  }
  bool is_value() const { return !is_null_; }
  bool is_null() const { return is_null_ && sentence_.empty(); }
  bool is_failure() const { return !sentence_.empty(); }
  const T& value() const { return value_; }
  T& value() { return value_; }
  const std::string& sentence() const { return sentence_; }

 private:
  T value_{};
  bool is_null_ = false;
  std::string sentence_;
};

struct Failure {  // converts into any failed Answer
  std::string sentence;
  template <typename T>
  operator Answer<T>() const {
    return Answer<T>::fail(sentence);
  }  // NOLINT: a failure is an answer
};

template <typename T>
using List = std::vector<std::optional<T>>;

// ---- reading and writing cells -------------------------------------------------------------------------------------

template <typename T>
struct Cells;

template <typename T, typename Raw, NativeType kKind>
struct FixedCells {
  static constexpr NativeType kType = kKind;
  static T read(const Column& column, std::size_t row) {
    Raw raw;
    std::memcpy(&raw, static_cast<const char*>(column.data) + row * sizeof(Raw), sizeof(Raw));
    if constexpr (std::is_same_v<T, Raw>)
      return raw;
    else
      return T{raw};
  }
  static void write(ResultColumn& out, std::size_t row, const T& value) {
    static_assert(sizeof(T) == sizeof(Raw));
    std::memcpy(static_cast<char*>(out.data) + row * sizeof(Raw), &value, sizeof(Raw));
  }
};
template <>
struct Cells<bool> : FixedCells<bool, bool, NativeType::kBool> {};
template <>
struct Cells<std::int64_t> : FixedCells<std::int64_t, std::int64_t, NativeType::kInt64> {};
template <>
struct Cells<double> : FixedCells<double, double, NativeType::kDouble> {};
template <>
struct Cells<Date> : FixedCells<Date, std::int32_t, NativeType::kDate> {};
template <>
struct Cells<Time> : FixedCells<Time, std::int64_t, NativeType::kTime> {};
template <>
struct Cells<Timestamp> : FixedCells<Timestamp, std::int64_t, NativeType::kTimestamp> {};
template <>
struct Cells<Numeric> : FixedCells<Numeric, Int128, NativeType::kNumeric> {};
template <>
struct Cells<Huge> : FixedCells<Huge, Int128, NativeType::kHuge> {};
template <>
struct Cells<Interval> : FixedCells<Interval, Interval, NativeType::kInterval> {};

inline std::string_view text_at(const Column& column, std::size_t row) {
  return static_cast<const TextCell*>(column.data)[row].view();
}
template <>
struct Cells<std::string_view> {
  static constexpr NativeType kType = NativeType::kText;
  static std::string_view read(const Column& column, std::size_t row) { return text_at(column, row); }
};
template <>
struct Cells<Bytes> {
  static constexpr NativeType kType = NativeType::kBytes;
  static Bytes read(const Column& column, std::size_t row) { return {text_at(column, row)}; }
};
template <>
struct Cells<std::string> {
  static constexpr NativeType kType = NativeType::kText;
  static void write(ResultColumn& out, std::size_t row, const std::string& value) { out.set_text(row, value); }
};
template <>
struct Cells<ByteString> {
  static constexpr NativeType kType = NativeType::kBytes;
  static void write(ResultColumn& out, std::size_t row, const ByteString& value) { out.set_text(row, value.data); }
};
template <>
struct Cells<BigNumeric> {
  static constexpr NativeType kType = NativeType::kBytes;
  static BigNumeric read(const Column& column, std::size_t row) {
    char ordered[32] = {};
    const std::string_view bytes = text_at(column, row);
    std::memcpy(ordered, bytes.data(), bytes.size() < sizeof ordered ? bytes.size() : sizeof ordered);
    return {data::from_ordered_bytes(ordered)};
  }
  static void write(ResultColumn& out, std::size_t row, const BigNumeric& value) {
    char ordered[32];
    data::to_ordered_bytes(value.scaled, ordered);
    out.set_text(row, {ordered, sizeof ordered});
  }
};

template <typename T>
constexpr NativeType list_type() {
  using enum NativeType;
  switch (Cells<T>::kType) {
    case kBool: return kBoolList;
    case kInt64: return kInt64List;
    case kDouble: return kDoubleList;
    case kText: return kTextList;
    case kDate: return kDateList;
    case kTimestamp: return kTimestampList;
    case kNumeric: return kNumericList;
    default: return kBytesList;
  }
}
template <typename T>
struct Cells<List<T>> {
  static constexpr NativeType kType = list_type<T>();
  static List<T> read(const Column& column, std::size_t row) {
    const ListCell cell = static_cast<const ListCell*>(column.data)[row];
    List<T> list(cell.length);
    for (std::size_t i = 0; i < cell.length; ++i) {
      const std::size_t at = cell.offset + i;
      if (!column.child->is_null(at)) list[i] = Cells<T>::read(*column.child, at);
    }
    return list;
  }
  static void write(ResultColumn& out, std::size_t row, const List<T>& list) {
    std::size_t offset = 0;
    ResultColumn& child = out.open_list(row, list.size(), offset);
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (list[i])
        Cells<T>::write(child, offset + i, *list[i]);
      else
        child.set_null(offset + i);
    }
  }
};

// ---- functions -----------------------------------------------------------------------------------------------------

struct Batch {
  const Column* columns = nullptr;
  std::size_t rows = 0;
};

// Fills `out`; the sentence of the first row that failed, when `safe` is false.
using Kernel = std::optional<std::string> (*)(const Batch& batch, ResultColumn& out, bool safe);

struct NativeFunction {
  std::string name;  // "gs_add"
  std::vector<NativeType> arguments;
  NativeType result;
  Kernel kernel = nullptr;
  bool can_fail = false;  // then also registered as name + "_safe", with safe = true
  bool is_volatile = false;
};

// One state per group, in memory of `state_bytes` that `init` fills. States are trivially destructible.
struct NativeAggregate {
  std::string name;
  std::vector<NativeType> arguments;
  NativeType result;
  std::size_t state_bytes = 0;
  void (*init)(void* state) = nullptr;
  std::optional<std::string> (*update)(const Batch& batch, void** states) = nullptr;
  void (*combine)(void** sources, void** targets, std::size_t count) = nullptr;
  std::optional<std::string> (*finish)(void** states, ResultColumn& out, std::size_t count,
                                       std::size_t offset) = nullptr;
};

const std::vector<NativeFunction>& native_functions();
const std::vector<NativeAggregate>& native_aggregates();

// ---- kernels from plain C++ functions ------------------------------------------------------------------------------

namespace internal {

template <typename T>
struct ArgumentTrait {
  using Plain = T;
  static constexpr bool kTakesNull = false;
  static bool blocks(const Column& column, std::size_t row) { return column.is_null(row); }
  static T read(const Column& column, std::size_t row) { return Cells<T>::read(column, row); }
};
template <typename T>
struct ArgumentTrait<std::optional<T>> {
  using Plain = T;
  static constexpr bool kTakesNull = true;
  static bool blocks(const Column&, std::size_t) { return false; }
  static std::optional<T> read(const Column& column, std::size_t row) {
    if (column.is_null(row)) return std::nullopt;
    return Cells<T>::read(column, row);
  }
};
template <typename T>
struct ResultTrait {
  using Plain = T;
  static constexpr bool kCanFail = false;
};
template <typename T>
struct ResultTrait<Answer<T>> {
  using Plain = T;
  static constexpr bool kCanFail = true;
};
template <typename T>
struct ResultTrait<std::optional<T>> {
  using Plain = T;
  static constexpr bool kCanFail = false;
};

template <typename R>
std::optional<std::string> put(R&& result, ResultColumn& out, std::size_t row, bool safe) {
  using Plain = typename ResultTrait<std::decay_t<R>>::Plain;
  if constexpr (ResultTrait<std::decay_t<R>>::kCanFail) {
    if (result.is_failure() && !safe) return result.sentence();
    if (!result.is_value()) {
      out.set_null(row);
      return std::nullopt;
    }
    Cells<Plain>::write(out, row, result.value());
  } else if constexpr (!std::is_same_v<std::decay_t<R>, Plain>) {
    if (!result) {
      out.set_null(row);
      return std::nullopt;
    }
    Cells<Plain>::write(out, row, *result);
  } else {
    Cells<Plain>::write(out, row, result);
  }
  return std::nullopt;
}

template <auto kFunction, typename R, typename... A, std::size_t... I>
std::optional<std::string> run(const Batch& batch, ResultColumn& out, bool safe, R (*)(A...),
                               std::index_sequence<I...>) {
  for (std::size_t row = 0; row < batch.rows; ++row) {
    if ((ArgumentTrait<std::decay_t<A>>::blocks(batch.columns[I], row) || ...)) {
      out.set_null(row);
      continue;
    }
    auto failure = put(kFunction(ArgumentTrait<std::decay_t<A>>::read(batch.columns[I], row)...), out, row, safe);
    if (failure) return failure;
  }
  return std::nullopt;
}

template <auto kFunction>
std::optional<std::string> kernel(const Batch& batch, ResultColumn& out, bool safe) {
  return []<typename R, typename... A>(const Batch& b, ResultColumn& o, bool s, R (*f)(A...)) {
    return run<kFunction>(b, o, s, f, std::index_sequence_for<A...>{});
  }(batch, out, safe, kFunction);
}

template <auto kFunction, typename R, typename... A>
NativeFunction describe(std::string name, R (*)(A...)) {
  return {std::move(name),
          {Cells<typename ArgumentTrait<std::decay_t<A>>::Plain>::kType...},
          Cells<typename ResultTrait<R>::Plain>::kType,
          &kernel<kFunction>,
          ResultTrait<R>::kCanFail,
          false};
}

}  // namespace internal

// Describes a plain function. Its arguments are int64_t, double, bool, string_view, Bytes, Date, Time, Timestamp, Numeric,
// BigNumeric, Interval or List<…>; a std::optional argument takes NULL, all others make the result NULL. Its result is
// such a type (std::string, ByteString for text), a std::optional of it, or an Answer of it.
template <auto kFunction>
NativeFunction native(std::string name) {
  return internal::describe<kFunction>(std::move(name), kFunction);
}

namespace internal {

template <typename State, typename... A, std::size_t... I>
std::optional<std::string> update_states(const Batch& batch, void** states, void (State::*)(A...),
                                         std::index_sequence<I...>) {
  for (std::size_t row = 0; row < batch.rows; ++row) {
    if ((ArgumentTrait<std::decay_t<A>>::blocks(batch.columns[I], row) || ...)) continue;
    static_cast<State*>(states[row])->add(ArgumentTrait<std::decay_t<A>>::read(batch.columns[I], row)...);
  }
  return std::nullopt;
}
template <typename State, typename... A>
NativeAggregate describe_aggregate(std::string name, void (State::*)(A...)) {
  static_assert(std::is_trivially_destructible_v<State>);
  using R = decltype(std::declval<const State&>().finish());
  NativeAggregate aggregate;
  aggregate.name = std::move(name);
  aggregate.arguments = {Cells<typename ArgumentTrait<std::decay_t<A>>::Plain>::kType...};
  aggregate.result = Cells<typename ResultTrait<R>::Plain>::kType;
  aggregate.state_bytes = sizeof(State);
  aggregate.init = [](void* state) { new (state) State(); };
  aggregate.update = [](const Batch& batch, void** states) {
    return update_states<State>(batch, states, &State::add, std::index_sequence_for<A...>{});
  };
  aggregate.combine = [](void** sources, void** targets, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      static_cast<State*>(targets[i])->merge(*static_cast<const State*>(sources[i]));
  };
  aggregate.finish = [](void** states, ResultColumn& out, std::size_t count,
                        std::size_t offset) -> std::optional<std::string> {
    for (std::size_t i = 0; i < count; ++i) {
      auto failure = put(static_cast<const State*>(states[i])->finish(), out, offset + i, false);
      if (failure) return failure;
    }
    return std::nullopt;
  };
  return aggregate;
}

}  // namespace internal

// State has `void add(arguments…)`, `void merge(const State&)` and `finish() const`, and skips rows with a NULL.
template <typename State>
NativeAggregate native_aggregate(std::string name) {
  return internal::describe_aggregate<State>(std::move(name), &State::add);
}

}  // namespace flytt::googlesql
