#pragma once
// Random tables and rows for tests: every column type, NULLs, limits of ranges, nesting.

#include <random>
#include <string>

#include "data/civil.h"
#include "data/table_slice.h"

namespace flytt::wire {

class RandomTable {
 public:
  explicit RandomTable(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(random_);
  }
  bool chance(int percent) { return below(100) < static_cast<std::uint64_t>(percent); }

  data::Type type(int depth, bool may_repeat) {
    using data::Type;
    using data::TypeKind;
    const std::uint64_t pick = below(depth > 0 ? 17 : 14);
    if (pick < 14) return Type(static_cast<TypeKind>(pick));
    if (pick == 14 && may_repeat) return Type::array(type(depth - 1, false));
    if (pick == 15) {
      static constexpr TypeKind kElements[] = {TypeKind::kDate, TypeKind::kDatetime, TypeKind::kTimestamp};
      return Type::range(kElements[below(3)]);
    }
    std::vector<data::StructField> fields;
    for (std::uint64_t i = 0, n = 1 + below(4); i < n; ++i) fields.push_back({name(i), type(depth - 1, true)});
    return Type::structure(std::move(fields));
  }

  data::TableSchema schema() {
    data::TableSchema out;
    out.fields.push_back({"id", data::Type(data::TypeKind::kInt64), true, ""});
    for (std::uint64_t i = 0, n = 1 + below(12); i < n; ++i) out.fields.push_back({name(i), type(3, true), false, ""});
    out.key = {0};
    return out;
  }

  data::TableSlice slice(const data::TableSchema& table, std::size_t rows) {
    auto shape = std::make_shared<data::SliceSchema>();
    shape->source_table = "public.random";
    shape->table = table;
    data::TableSlice out(shape);
    for (std::size_t row = 0; row < rows; ++row) {
      const bool deletes = chance(20);
      out.kinds.push_back(deletes ? data::ChangeKind::kDelete : data::ChangeKind::kUpsert);
      out.sequences.push_back(
          data::Sequence::of(static_cast<std::uint16_t>(below(65536)), random_(), below(data::Sequence::kOrdinalMax)));
      out.columns[0].append_int64(static_cast<std::int64_t>(random_()));
      for (std::size_t i = 1; i < table.fields.size(); ++i) cell(table.fields[i].type, out.columns[i], !deletes);
    }
    return out;
  }

 private:
  static std::string name(std::uint64_t i) {
    static constexpr const char* kNames[] = {"plain",   "Mixed_Case", "æøå", "with space", "9digit", "Type2",
                                             "column3", "a-b",        "_x",  "order",      "last",   "z"};
    return std::string(kNames[i]);
  }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    if (chance(10)) return chance(50) ? low : high;
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  data::Int256 int256() {
    data::Int256 out;
    const std::uint64_t limbs = 1 + below(4);
    for (std::uint64_t i = 0; i < limbs; ++i) out.limb[i] = random_();
    out.limb[3] &= 0x3FFF'FFFF'FFFF'FFFFULL;
    return chance(50) ? out.negated() : out;
  }
  std::string text() {
    static constexpr const char* kParts[] = {"a", "blåbær", "日本", "\xF0\x9F\x98\x80", " ", "the quick brown fox", ""};
    std::string out;
    for (std::uint64_t i = 0, n = below(8); i < n; ++i) out += kParts[below(7)];
    return out;
  }

  void cell(const data::Type& type, data::Column& out, bool may_have_value) {
    using data::TypeKind;
    if (type.is(TypeKind::kArray)) {
      for (std::uint64_t i = 0, n = may_have_value ? below(5) : 0; i < n; ++i)
        element(type.element.front(), out.children()[0]);
      return out.close_list();
    }
    if (!may_have_value || chance(20)) return out.append_null();
    element(type, out);
  }

  void element(const data::Type& type, data::Column& out) {
    using data::TypeKind;
    switch (type.kind) {
      case TypeKind::kInt64: return out.append_int64(between(INT64_MIN, INT64_MAX));
      case TypeKind::kFloat64: return out.append_double(std::uniform_real_distribution<double>(-1e300, 1e300)(random_));
      case TypeKind::kBool: return out.append_bool(chance(50));
      case TypeKind::kDate: return out.append_int64(between(data::kDateMin, data::kDateMax));
      case TypeKind::kTime: return out.append_int64(between(0, data::kMicrosPerDay - 1));
      case TypeKind::kDatetime:
      case TypeKind::kTimestamp: return out.append_int64(between(data::kTimestampMin, data::kTimestampMax));
      case TypeKind::kNumeric:
        return out.append_int128(static_cast<data::Int128>(static_cast<std::int64_t>(random_())) *
                                 static_cast<std::int64_t>(below(1'000'000'000'000)));
      case TypeKind::kBigNumeric: return out.append_int256(int256());
      case TypeKind::kInterval:
        return out.append_interval({static_cast<std::int32_t>(between(-120'000, 120'000)),
                                    static_cast<std::int32_t>(between(-3'660'000, 3'660'000)),
                                    between(-316'224'000'000'000'000 + 1, 316'224'000'000'000'000 - 1)});
      case TypeKind::kString:
      case TypeKind::kGeography:
      case TypeKind::kBytes: return out.append_bytes(text());
      case TypeKind::kJson:
        return out.append_bytes("{\"k\": [" + std::to_string(below(1000)) + ", \"" + text() + "\"]}");
      case TypeKind::kArray: return;
      case TypeKind::kRange: return range(type.element.front(), out);
      case TypeKind::kStruct:
        for (std::size_t i = 0; i < type.fields.size(); ++i) cell(type.fields[i].type, out.children()[i], true);
        return out.close_struct();
    }
  }

  void range(const data::Type& element_type, data::Column& out) {
    const std::int64_t low = element_type.is(data::TypeKind::kDate) ? data::kDateMin : data::kTimestampMin;
    const std::int64_t start = between(low, low / 2);
    if (chance(20))
      out.children()[0].append_null();
    else
      out.children()[0].append_int64(start);
    if (chance(20))
      out.children()[1].append_null();
    else
      out.children()[1].append_int64(between(low / 2 + 1, -low / 4));
    out.close_struct();
  }

  std::mt19937_64 random_;
};

}  // namespace flytt::wire
