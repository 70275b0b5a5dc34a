#include "wire/append_frames.h"

#include <google/cloud/bigquery/storage/v1/storage.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/impl/grpc_library.h>
#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>

#include <random>

#include "wire/row_decoder.h"

namespace flytt::wire {
namespace {

namespace storage = google::cloud::bigquery::storage::v1;

grpc::internal::GrpcLibraryInitializer initializer;

std::string flat(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  EXPECT_TRUE(buffer.DumpToSingleSlice(&slice).ok());
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

// Cuts bytes into pieces of random size, as a network does.
grpc::ByteBuffer scattered(const std::string& bytes, std::mt19937_64& random) {
  std::vector<grpc::Slice> slices;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min<std::size_t>(bytes.size() - at, random() % 40);
    slices.emplace_back(bytes.data() + at, size);
    at += size;
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

storage::AppendRowsRequest full_request() {
  storage::AppendRowsRequest request;
  request.set_write_stream("projects/p/datasets/d/tables/t/streams/_default");
  request.mutable_offset()->set_value(17);
  request.set_trace_id("flytt");
  request.set_default_missing_value_interpretation(storage::AppendRowsRequest::NULL_VALUE);
  (*request.mutable_missing_value_interpretations())["a"] = storage::AppendRowsRequest::DEFAULT_VALUE;
  auto& data = *request.mutable_proto_rows();
  data.mutable_writer_schema()->mutable_proto_descriptor()->set_name("Row");
  data.mutable_rows()->add_serialized_rows("first row");
  data.mutable_rows()->add_serialized_rows("");
  data.mutable_rows()->add_serialized_rows(std::string(3000, 'x'));
  return request;
}

void expect_full(const AppendRequest& request) {
  EXPECT_EQ(request.head.write_stream, "projects/p/datasets/d/tables/t/streams/_default");
  EXPECT_EQ(request.head.offset, 17);
  EXPECT_EQ(request.head.trace_id, "flytt");
  EXPECT_EQ(request.head.default_missing_value, MissingValue::kNull);
  ASSERT_EQ(request.head.missing_values.size(), 1U);
  EXPECT_EQ(request.head.missing_values[0].first, "a");
  EXPECT_EQ(request.head.missing_values[0].second, MissingValue::kDefault);
  EXPECT_EQ(request.head.descriptor, "\x0A\x03Row");
  auto rows = SerializedRows::make(request.rows.bytes);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->count(), 3U);
  std::string_view row;
  ASSERT_TRUE(rows->next(row));
  EXPECT_EQ(row, "first row");
}

TEST(AppendFrames, RequestsOfTheLibraryAreRead) {
  const std::string bytes = full_request().SerializeAsString();
  const grpc::Slice slice(bytes);
  auto parsed = parse_append_request(grpc::ByteBuffer(&slice, 1));
  ASSERT_TRUE(parsed);
  expect_full(*parsed);
  EXPECT_TRUE(parsed->has_proto_rows);
  std::mt19937_64 random(7);
  for (int i = 0; i < 200; ++i) {
    auto again = parse_append_request(scattered(bytes, random));
    ASSERT_TRUE(again);
    expect_full(*again);
  }
}

TEST(AppendFrames, OurRequestsAreReadByTheLibrary) {
  const storage::AppendRowsRequest expected = full_request();
  RowBuffer buffer;
  buffer.append(expected.proto_rows().rows().SerializeAsString());
  AppendRequestHead head;
  head.write_stream = expected.write_stream();
  head.offset = 17;
  head.trace_id = "flytt";
  head.default_missing_value = MissingValue::kNull;
  head.missing_values = {{"a", MissingValue::kDefault}};
  head.descriptor = expected.proto_rows().writer_schema().proto_descriptor().SerializeAsString();
  storage::AppendRowsRequest parsed;
  ASSERT_TRUE(parsed.ParseFromString(flat(frame_append_request(head, share(std::move(buffer))))));
  EXPECT_EQ(parsed.SerializeAsString(), expected.SerializeAsString());
}

TEST(AppendFrames, RowsPassThroughOneProcessWithoutACopy) {
  RowBuffer buffer;
  buffer.append(full_request().proto_rows().rows().SerializeAsString());
  const char* const memory = buffer.data();
  SharedBytes rows = share(std::move(buffer));
  std::optional<AppendRequest> parsed;
  {
    const grpc::ByteBuffer message =
        frame_append_request(AppendRequestHead{"s", {}, "", {}, {}, MissingValue::kUnspecified}, rows);
    rows = {};
    parsed = parse_append_request(message).value();
  }
  EXPECT_EQ(parsed->rows.bytes.data(), memory);
  EXPECT_EQ(SerializedRows::make(parsed->rows.bytes)->count(), 3U);
}

TEST(AppendFrames, SplitMessagesAreMerged) {
  storage::AppendRowsRequest first, second;
  first.mutable_proto_rows()->mutable_rows()->add_serialized_rows("a");
  second.mutable_proto_rows()->mutable_rows()->add_serialized_rows("b");
  const std::string bytes = first.SerializeAsString() + second.SerializeAsString();
  const grpc::Slice slice(bytes);
  auto parsed = parse_append_request(grpc::ByteBuffer(&slice, 1));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(SerializedRows::make(parsed->rows.bytes)->count(), 2U);
}

TEST(AppendFrames, TruncatedRequestsAreCorrupt) {
  const std::string bytes = full_request().SerializeAsString();
  storage::AppendRowsRequest reference;
  std::mt19937_64 random(3);
  for (std::size_t size = 0; size < bytes.size(); size += size < 200 ? 1 : 37) {
    const std::string part = bytes.substr(0, size);
    EXPECT_EQ(parse_append_request(scattered(part, random)).has_value(), reference.ParseFromString(part)) << size;
  }
}

TEST(AppendFrames, ResponsesBothWays) {
  AppendResponse response;
  response.failure = {3, "Errors found while processing rows.", StorageCode::kNone, ""};
  response.row_faults = {{4, "Field a: wrong"}, {9, "Field b: wrong"}};
  response.write_stream = "stream";
  auto back = parse_append_response(frame_append_response(response));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->failure.grpc_code, 3);
  ASSERT_EQ(back->row_faults.size(), 2U);
  EXPECT_EQ(back->row_faults[1].index, 9);
  EXPECT_EQ(back->row_faults[1].message, "Field b: wrong");
  EXPECT_EQ(back->write_stream, "stream");

  AppendResponse good;
  good.offset = 5;
  good.updated_schema.emplace();
  good.updated_schema->fields = {{"id", data::Type(data::TypeKind::kInt64), true, "key"},
                                 {"tags", data::Type::array(data::Type(data::TypeKind::kString)), false, ""},
                                 {"span", data::Type::range(data::Type(data::TypeKind::kDate)), false, ""}};
  storage::AppendRowsResponse reference;
  const grpc::ByteBuffer framed = frame_append_response(good);
  ASSERT_TRUE(reference.ParseFromString(flat(framed)));
  EXPECT_EQ(reference.append_result().offset().value(), 5);
  EXPECT_EQ(reference.updated_schema().fields(1).mode(), storage::TableFieldSchema::REPEATED);
  back = parse_append_response(framed);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->failure.grpc_code, 0);
  EXPECT_EQ(back->offset, 5);
  EXPECT_EQ(*back->updated_schema, *good.updated_schema);
}

TEST(AppendFrames, StorageErrorsTravelInStatusDetails) {
  const AppendFailure failure{5, "Requested entity was not found.", StorageCode::kTableNotFound,
                              "projects/p/datasets/d/tables/t"};
  const std::string details = frame_failure_details(failure);
  google::rpc::Status status;
  ASSERT_TRUE(status.ParseFromString(details));
  EXPECT_EQ(status.details(0).type_url(), "type.googleapis.com/google.cloud.bigquery.storage.v1.StorageError");
  const AppendFailure back = parse_failure_details(5, "Requested entity was not found.", details);
  EXPECT_EQ(back.storage_code, StorageCode::kTableNotFound);
  EXPECT_EQ(back.entity, failure.entity);
  EXPECT_EQ(to_string(back.storage_code), "TABLE_NOT_FOUND");
  EXPECT_EQ(parse_failure_details(14, "gone", "\xFF\xFF").grpc_code, 14);
  AppendResponse response;
  response.failure = failure;
  EXPECT_EQ(parse_append_response(frame_append_response(response))->failure.storage_code, StorageCode::kTableNotFound);
}

}  // namespace
}  // namespace flytt::wire
