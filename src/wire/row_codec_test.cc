// Encoder and decoder together, and both against the protobuf library's own reading and writing.

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <gtest/gtest.h>

#include "wire/decoded_columns.h"
#include "wire/internal/proto_bytes.h"
#include "wire/internal/random_table.h"
#include "wire/row_decoder.h"
#include "wire/row_encoder.h"

namespace flytt::wire {
namespace {

namespace pb = google::protobuf;
using data::Type;
using data::TypeKind;

data::TableSchema people() {
  data::TableSchema table;
  table.fields = {{"id", Type(TypeKind::kInt64), true, ""},
                  {"navn", Type(TypeKind::kString), false, ""},
                  {"født", Type(TypeKind::kDate), false, ""}};
  table.key = {0};
  return table;
}

data::TableSlice slice_of(const data::TableSchema& table) {
  auto shape = std::make_shared<data::SliceSchema>();
  shape->source_table = "public.person";
  shape->table = table;
  return data::TableSlice(shape);
}

std::vector<std::string> rows_in(std::string_view proto_rows) {
  auto rows = SerializedRows::make(proto_rows);
  EXPECT_TRUE(rows);
  std::vector<std::string> out;
  for (std::string_view row; rows->next(row);) out.emplace_back(row);
  EXPECT_EQ(out.size(), rows->count());
  return out;
}

TEST(RowEncoder, BytesOfOneUpsertAndOneDelete) {
  data::TableSlice slice = slice_of(people());
  slice.columns[0].append_int64(7);
  slice.columns[1].append_bytes("Kari");
  slice.columns[2].append_int64(-1);
  slice.columns[0].append_int64(300);
  slice.columns[1].append_bytes("gone");
  slice.columns[2].append_null();
  slice.kinds = {data::ChangeKind::kUpsert, data::ChangeKind::kDelete};
  slice.sequences = {data::Sequence::of(1, 0x16B3748, 3)};
  auto encoder = RowEncoder::make(people(), ChangeColumns::kTypeAndSequence);
  ASSERT_TRUE(encoder);
  RowBuffer out;
  ASSERT_EQ(encoder->encode(slice, 0, 2, 1'000'000, out).value(), 2U);
  const auto rows = rows_in(out.view());
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0],
            std::string("\x08\x07\x12\x04Kari\x18\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x22\x06UPSERT\x2A\x0B", 29) +
                "1/16B3748/3");
  EXPECT_EQ(rows[1], std::string("\x08\xAC\x02\x22\x06"
                                 "DELETE\x2A\x0B",
                                 13) +
                         "1/16B3748/3");
}

TEST(RowEncoder, StopsAtTheByteLimitAndSendsOneHugeRowAlone) {
  data::TableSlice slice = slice_of(people());
  for (const std::size_t size : {10U, 5000U, 10U, 10U}) {
    slice.columns[0].append_int64(1);
    slice.columns[1].append_bytes(std::string(size, 'x'));
    slice.columns[2].append_null();
  }
  slice.sequences = {data::Sequence{}};
  auto encoder = RowEncoder::make(people(), ChangeColumns::kTypeAndSequence);
  RowBuffer out;
  EXPECT_EQ(encoder->encode(slice, 0, 4, 1000, out).value(), 1U);
  out.clear();
  EXPECT_EQ(encoder->encode(slice, 1, 4, 1000, out).value(), 2U);
  EXPECT_GT(out.size(), 5000U);
  out.clear();
  EXPECT_EQ(encoder->encode(slice, 2, 4, 1000, out).value(), 4U);
}

TEST(RowEncoder, RefusesNullElementsAndShapesThatCannotBeSent) {
  data::TableSchema table;
  table.fields = {{"a", Type::array(Type(TypeKind::kInt64)), false, ""}};
  data::TableSlice slice = slice_of(table);
  slice.columns[0].children()[0].append_null();
  slice.columns[0].close_list();
  RowBuffer out;
  EXPECT_EQ(RowEncoder::make(table, ChangeColumns::kNone)->encode(slice, 0, 1, 1000, out).error().code(),
            ErrorCode::kBug);
  table.fields[0].type = Type::array(Type::array(Type(TypeKind::kInt64)));
  EXPECT_EQ(RowEncoder::make(table, ChangeColumns::kNone).error().code(), ErrorCode::kSchema);
  table.fields[0].type = Type::structure({});
  EXPECT_EQ(RowEncoder::make(table, ChangeColumns::kNone).error().code(), ErrorCode::kSchema);
}

// A pool with one descriptor, and messages of it.
struct Library {
  explicit Library(const std::string& descriptor) {
    pb::FileDescriptorProto file;
    file.set_name("row.proto");
    file.set_syntax("proto2");
    EXPECT_TRUE(file.add_message_type()->ParseFromString(descriptor));
    const pb::FileDescriptor* built = pool.BuildFile(file);
    EXPECT_NE(built, nullptr) << "the library refuses the descriptor";
    if (built != nullptr) row = built->message_type(0);
  }
  std::unique_ptr<pb::Message> parse(const std::string& bytes) {
    std::unique_ptr<pb::Message> message(factory.GetPrototype(row)->New());
    EXPECT_TRUE(message->ParseFromString(bytes));
    return message;
  }
  pb::DescriptorPool pool;
  pb::DynamicMessageFactory factory{&pool};
  const pb::Descriptor* row = nullptr;
};

// Compares what the library reads with the cell that was encoded.
void expect_same(const pb::Message& message, const pb::FieldDescriptor* field, int index, const Type& type,
                 const data::Column& column, std::size_t row) {
  const pb::Reflection& r = *message.GetReflection();
  const auto int64 = [&] { return index < 0 ? r.GetInt64(message, field) : r.GetRepeatedInt64(message, field, index); };
  const auto text = [&] {
    return index < 0 ? r.GetString(message, field) : r.GetRepeatedString(message, field, index);
  };
  switch (type.kind) {
    case TypeKind::kInt64:
    case TypeKind::kTimestamp: EXPECT_EQ(int64(), column.int64(row)); break;
    case TypeKind::kTime: EXPECT_EQ(int64(), data::pack_time(column.int64(row))); break;
    case TypeKind::kDatetime: EXPECT_EQ(int64(), data::pack_datetime(column.int64(row))); break;
    case TypeKind::kDate:
      EXPECT_EQ(index < 0 ? r.GetInt32(message, field) : r.GetRepeatedInt32(message, field, index), column.int64(row));
      break;
    case TypeKind::kFloat64:
      EXPECT_EQ(index < 0 ? r.GetDouble(message, field) : r.GetRepeatedDouble(message, field, index),
                column.float64(row));
      break;
    case TypeKind::kBool:
      EXPECT_EQ(index < 0 ? r.GetBool(message, field) : r.GetRepeatedBool(message, field, index), column.boolean(row));
      break;
    case TypeKind::kNumeric: EXPECT_EQ(data::to_int128(*data::from_shortest_bytes(text())), column.int128(row)); break;
    case TypeKind::kBigNumeric: EXPECT_EQ(*data::from_shortest_bytes(text()), column.int256(row)); break;
    case TypeKind::kInterval: EXPECT_EQ(text(), data::format_interval(column.interval(row))); break;
    case TypeKind::kArray: {
      const std::size_t begin = column.list_begin(row), end = column.list_end(row);
      ASSERT_EQ(static_cast<std::size_t>(r.FieldSize(message, field)), end - begin);
      for (std::size_t i = begin; i < end; ++i)
        expect_same(message, field, static_cast<int>(i - begin), type.element.front(), column.children()[0], i);
      break;
    }
    case TypeKind::kStruct:
    case TypeKind::kRange: {
      const pb::Message& inner = index < 0 ? r.GetMessage(message, field) : r.GetRepeatedMessage(message, field, index);
      for (std::size_t i = 0; i < column.children().size(); ++i) {
        const pb::FieldDescriptor* inner_field = inner.GetDescriptor()->field(static_cast<int>(i));
        const Type& inner_type = type.is(TypeKind::kRange) ? type.element.front() : type.fields[i].type;
        if (!inner_field->is_repeated()) {
          ASSERT_EQ(inner.GetReflection()->HasField(inner, inner_field), !column.children()[i].is_null(row));
        }
        if (!column.children()[i].is_null(row))
          expect_same(inner, inner_field, -1, inner_type, column.children()[i], row);
      }
      break;
    }
    default: EXPECT_EQ(text(), column.bytes(row));
  }
}

TEST(RowEncoder, TheLibraryReadsWhatWasEncoded) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomTable random(seed);
    const data::TableSchema table = random.schema();
    const data::TableSlice slice = random.slice(table, 40);
    auto encoder = RowEncoder::make(table, ChangeColumns::kTypeAndSequence);
    ASSERT_TRUE(encoder) << encoder.error().text();
    Library library(encoder->descriptor());
    ASSERT_NE(library.row, nullptr);
    RowBuffer out;
    ASSERT_EQ(encoder->encode(slice, 0, 40, SIZE_MAX, out).value(), 40U);
    const auto rows = rows_in(out.view());
    ASSERT_EQ(rows.size(), 40U);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const auto message = library.parse(rows[row]);
      EXPECT_TRUE(message->GetReflection()->GetUnknownFields(*message).empty());
      const bool deletes = slice.kind(row) == data::ChangeKind::kDelete;
      for (std::size_t i = 0; i < table.fields.size(); ++i) {
        const pb::FieldDescriptor* field = library.row->field(static_cast<int>(i));
        const bool expected = !slice.columns[i].is_null(row) && (!deletes || i == 0);
        if (field->is_repeated()) {
          if (deletes) {
            EXPECT_EQ(message->GetReflection()->FieldSize(*message, field), 0);
          }
        } else {
          ASSERT_EQ(message->GetReflection()->HasField(*message, field), expected);
        }
        if (expected) expect_same(*message, field, -1, table.fields[i].type, slice.columns[i], row);
      }
      const int columns = static_cast<int>(table.fields.size());
      EXPECT_EQ(message->GetReflection()->GetString(*message, library.row->field(columns)),
                deletes ? "DELETE" : "UPSERT");
      EXPECT_EQ(message->GetReflection()->GetString(*message, library.row->field(columns + 1)),
                slice.sequence(row).sections());
    }
  }
}

void expect_equal(const Type& type, const data::Column& a, const data::Column& b, std::size_t row_a,
                  std::size_t row_b) {
  ASSERT_EQ(a.is_null(row_a), b.is_null(row_b)) << type.sql_name();
  if (a.is_null(row_a)) return;
  switch (a.layout()) {
    case data::Layout::kInt64: EXPECT_EQ(a.int64(row_a), b.int64(row_b)); break;
    case data::Layout::kBool: EXPECT_EQ(a.boolean(row_a), b.boolean(row_b)); break;
    case data::Layout::kDouble: EXPECT_EQ(a.float64(row_a), b.float64(row_b)); break;
    case data::Layout::kInt128: EXPECT_TRUE(a.int128(row_a) == b.int128(row_b)); break;
    case data::Layout::kInt256: EXPECT_TRUE(a.int256(row_a) == b.int256(row_b)); break;
    case data::Layout::kInterval: EXPECT_EQ(a.interval(row_a), b.interval(row_b)); break;
    case data::Layout::kBytes: EXPECT_EQ(a.bytes(row_a), b.bytes(row_b)); break;
    case data::Layout::kList: {
      const std::size_t count = a.list_end(row_a) - a.list_begin(row_a);
      ASSERT_EQ(count, b.list_end(row_b) - b.list_begin(row_b));
      for (std::size_t i = 0; i < count; ++i)
        expect_equal(type.element.front(), a.children()[0], b.children()[0], a.list_begin(row_a) + i,
                     b.list_begin(row_b) + i);
      break;
    }
    case data::Layout::kStruct:
      for (std::size_t i = 0; i < a.children().size(); ++i)
        expect_equal(type.is(TypeKind::kRange) ? type.element.front() : type.fields[i].type, a.children()[i],
                     b.children()[i], row_a, row_b);
      break;
  }
}

TEST(RowCodec, WhatIsEncodedIsDecoded) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomTable random(seed * 7919);
    const data::TableSchema table = random.schema();
    const std::size_t count = 1 + random.below(200);
    const data::TableSlice slice = random.slice(table, count);
    auto encoder = RowEncoder::make(table, ChangeColumns::kTypeAndSequence);
    ASSERT_TRUE(encoder);
    auto decoder = RowDecoder::make(encoder->descriptor(), table);
    ASSERT_TRUE(decoder) << decoder.error().text();
    RowBuffer out;
    ASSERT_EQ(encoder->encode(slice, 0, count, SIZE_MAX, out).value(), count);
    auto rows = SerializedRows::make(out.view());
    DecodedColumns columns(table, count);
    RowChanges changes;
    CellArena arena;
    std::vector<RowError> errors;
    // In uneven runs, so that cells of one vector come from several calls.
    std::size_t at = 0;
    while (at < count)
      at += decoder->decode(*rows, 1 + random.below(70), columns.targets(), at, changes, arena, errors);
    for (const RowError& error : errors) ADD_FAILURE() << error.index << ": " << error.message;
    for (std::size_t i = 0; i < table.fields.size(); ++i) {
      data::Column back(table.fields[i].type);
      columns.copy_to(i, count, back);
      for (std::size_t row = 0; row < count; ++row) {
        SCOPED_TRACE(table.fields[i].name);
        if (slice.kind(row) == data::ChangeKind::kUpsert || i == 0) {
          if (!slice.columns[i].is_null(row))
            expect_equal(table.fields[i].type, slice.columns[i], back, row, row);
          else
            EXPECT_TRUE(back.is_null(row));
        } else if (!table.fields[i].type.is(TypeKind::kArray)) {
          EXPECT_TRUE(back.is_null(row));
        }
      }
    }
    for (std::size_t row = 0; row < count; ++row) {
      EXPECT_EQ(changes.types[row],
                slice.kind(row) == data::ChangeKind::kDelete ? ChangeType::kDelete : ChangeType::kUpsert);
      EXPECT_EQ(changes.sequences[row], slice.sequence(row));
    }
  }
}

TEST(RowCodec, LongStringsAreNotCopied) {
  data::TableSlice slice = slice_of(people());
  slice.columns[0].append_int64(1);
  slice.columns[1].append_bytes("a text that is longer than twelve bytes");
  slice.columns[2].append_null();
  slice.sequences = {data::Sequence{}};
  auto encoder = RowEncoder::make(people(), ChangeColumns::kTypeAndSequence);
  RowBuffer out;
  ASSERT_TRUE(encoder->encode(slice, 0, 1, 1000, out));
  auto decoder = RowDecoder::make(encoder->descriptor(), people());
  auto rows = SerializedRows::make(out.view());
  DecodedColumns columns(people(), 1);
  RowChanges changes;
  CellArena arena;
  std::vector<RowError> errors;
  ASSERT_EQ(decoder->decode(*rows, 1, columns.targets(), 0, changes, arena, errors), 1U);
  const auto& cell = static_cast<const StringCell*>(columns.targets()[1]->cells)[0];
  EXPECT_GE(cell.view().data(), out.data());
  EXPECT_LT(cell.view().data(), out.data() + out.size());
  EXPECT_EQ(std::string_view(cell.prefix, 4), "a te");
  EXPECT_EQ(arena.byte_size(), 0U);
}

}  // namespace
}  // namespace flytt::wire
