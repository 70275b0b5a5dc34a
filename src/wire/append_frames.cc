#include "wire/append_frames.h"

#include <google/cloud/bigquery/storage/v1/storage.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/impl/grpc_library.h>
#include <grpcpp/support/byte_buffer.h>

#include <array>
#include <cstdlib>

#include "wire/internal/slice_chain.h"
#include "wire/storage_schema.h"

namespace flytt::wire {
namespace {

namespace storage = google::cloud::bigquery::storage::v1;

// Byte buffers work only after gRPC's own start-up code has run, also where no channel is ever made.
const grpc::internal::GrpcLibraryInitializer& library() {
  static grpc::internal::GrpcLibraryInitializer initializer;
  return initializer;
}

Error malformed() { return Error(ErrorCode::kCorrupt, "the bytes are not an AppendRowsRequest"); }

// Field numbers of AppendRowsRequest and the messages inside it.
namespace request_field {
constexpr std::uint32_t kWriteStream = 1, kOffset = 2, kProtoRows = 4, kArrowRows = 5, kTraceId = 6, kMissingValues = 7,
                        kDefaultMissingValue = 8;
}
namespace proto_data_field {
constexpr std::uint32_t kWriterSchema = 1, kRows = 2;
}

class RequestReader {
 public:
  RequestReader(SliceChain& chain, AppendRequest& out) : chain_(chain), out_(out) {}

  bool read() {
    while (chain_.position() < chain_.total()) {
      std::uint32_t tag;
      if (!chain_.tag(tag)) return false;
      if (!read_field(tag)) return false;
    }
    return true;
  }
  const std::vector<std::string_view>& row_parts() const { return row_parts_; }

 private:
  bool read_field(std::uint32_t tag) {
    std::string_view bytes;
    std::uint64_t number;
    switch (tag) {
      case tag_of(request_field::kWriteStream, WireType::kBytes): return text(out_.head.write_stream);
      case tag_of(request_field::kTraceId, WireType::kBytes): return text(out_.head.trace_id);
      case tag_of(request_field::kOffset, WireType::kBytes): return sized(bytes) && read_offset(bytes);
      case tag_of(request_field::kMissingValues, WireType::kBytes): return sized(bytes) && read_missing_value(bytes);
      case tag_of(request_field::kDefaultMissingValue, WireType::kVarint):
        if (!chain_.varint(number)) return false;
        out_.head.default_missing_value = missing_value(number);
        return true;
      case tag_of(request_field::kProtoRows, WireType::kBytes):
        if (!chain_.varint(number) || number > chain_.total() - chain_.position()) return false;
        out_.has_proto_rows = true;
        out_.has_arrow_rows = false;
        return read_proto_data(chain_.position() + static_cast<std::size_t>(number));
      case tag_of(request_field::kArrowRows, WireType::kBytes):
        out_.has_proto_rows = false;
        out_.has_arrow_rows = true;
        return chain_.skip(tag);
      default: return chain_.skip(tag);
    }
  }

  bool sized(std::string_view& bytes) {
    std::uint64_t length;
    return chain_.varint(length) && length <= chain_.total() && chain_.bytes(static_cast<std::size_t>(length), bytes);
  }
  bool text(std::string& out) {
    std::string_view bytes;
    if (!sized(bytes)) return false;
    out.assign(bytes);
    return true;
  }
  static MissingValue missing_value(std::uint64_t number) {
    return number == 1 ? MissingValue::kNull : number == 2 ? MissingValue::kDefault : MissingValue::kUnspecified;
  }

  bool read_offset(std::string_view bytes) {
    std::uint64_t value = 0;
    for (ProtoCursor cursor(bytes); !cursor.done();) {
      std::uint32_t tag;
      if (!cursor.tag(tag) || !(tag == tag_of(1, WireType::kVarint) ? cursor.varint(value) : cursor.skip(tag)))
        return false;
    }
    out_.head.offset = static_cast<std::int64_t>(value);
    return true;
  }

  bool read_missing_value(std::string_view bytes) {
    std::string_view column;
    std::uint64_t value = 0;
    for (ProtoCursor cursor(bytes); !cursor.done();) {
      std::uint32_t tag;
      if (!cursor.tag(tag)) return false;
      const bool good = tag == tag_of(1, WireType::kBytes)    ? cursor.bytes(column)
                        : tag == tag_of(2, WireType::kVarint) ? cursor.varint(value)
                                                              : cursor.skip(tag);
      if (!good) return false;
    }
    out_.head.missing_values.emplace_back(column, missing_value(value));
    return true;
  }

  bool read_proto_data(std::size_t end) {
    while (chain_.position() < end) {
      std::uint32_t tag;
      std::string_view bytes;
      if (!chain_.tag(tag)) return false;
      if (tag == tag_of(proto_data_field::kRows, WireType::kBytes)) {
        if (!sized(bytes)) return false;
        row_parts_.push_back(bytes);
      } else if (tag == tag_of(proto_data_field::kWriterSchema, WireType::kBytes)) {
        if (!sized(bytes) || !read_schema(bytes)) return false;
      } else if (!chain_.skip(tag)) {
        return false;
      }
    }
    return chain_.position() == end;
  }

  bool read_schema(std::string_view bytes) {
    if (!out_.head.descriptor) out_.head.descriptor.emplace();
    for (ProtoCursor cursor(bytes); !cursor.done();) {
      std::uint32_t tag;
      std::string_view descriptor;
      if (!cursor.tag(tag)) return false;
      const bool is_descriptor = tag == tag_of(1, WireType::kBytes);
      if (!(is_descriptor ? cursor.bytes(descriptor) : cursor.skip(tag))) return false;
      out_.head.descriptor->append(descriptor);
    }
    return true;
  }

  SliceChain& chain_;
  AppendRequest& out_;
  std::vector<std::string_view> row_parts_;
};

// What parsed rows point into.
struct RequestMemory {
  std::vector<grpc::Slice> slices;
  std::vector<std::shared_ptr<char[]>> copies;
};

void set_status(const AppendFailure& failure, google::rpc::Status& out) {
  out.set_code(failure.grpc_code);
  out.set_message(failure.message);
  if (failure.storage_code == StorageCode::kNone) return;
  storage::StorageError error;
  error.set_code(static_cast<storage::StorageError::StorageErrorCode>(failure.storage_code));
  error.set_entity(failure.entity);
  error.set_error_message(failure.message);
  out.add_details()->PackFrom(error);
}

AppendFailure failure_of(const google::rpc::Status& status) {
  AppendFailure out;
  out.grpc_code = status.code();
  out.message = status.message();
  for (const auto& detail : status.details()) {
    storage::StorageError error;
    if (!detail.Is<storage::StorageError>() || !detail.UnpackTo(&error)) continue;
    if (error.code() >= 0 && error.code() <= static_cast<int>(StorageCode::kKmsPermissionDenied))
      out.storage_code = static_cast<StorageCode>(error.code());
    out.entity = error.entity();
  }
  return out;
}

grpc::ByteBuffer buffer_of(std::string bytes) {
  library();
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

SharedBytes share(RowBuffer buffer) {
  const std::size_t size = buffer.size();
  const std::shared_ptr<const char> memory(buffer.release(),
                                           [](const char* bytes) { std::free(const_cast<char*>(bytes)); });
  return {{memory.get(), size}, memory};
}

grpc::ByteBuffer frame_append_request(const AppendRequestHead& head, const SharedBytes& rows) {
  library();
  std::string front;
  if (!head.write_stream.empty()) append_bytes_field(front, request_field::kWriteStream, head.write_stream);
  if (head.offset) {
    std::string value;
    append_tag(value, 1, WireType::kVarint);
    append_varint(value, static_cast<std::uint64_t>(*head.offset));
    append_bytes_field(front, request_field::kOffset, value);
  }
  if (!head.trace_id.empty()) append_bytes_field(front, request_field::kTraceId, head.trace_id);
  for (const auto& [column, value] : head.missing_values) {
    std::string entry;
    append_bytes_field(entry, 1, column);
    append_tag(entry, 2, WireType::kVarint);
    append_varint(entry, static_cast<std::uint64_t>(value));
    append_bytes_field(front, request_field::kMissingValues, entry);
  }
  if (head.default_missing_value != MissingValue::kUnspecified) {
    append_tag(front, request_field::kDefaultMissingValue, WireType::kVarint);
    append_varint(front, static_cast<std::uint64_t>(head.default_missing_value));
  }
  std::string data;  // ProtoData up to the rows, which come last
  if (head.descriptor) {
    std::string schema;
    append_bytes_field(schema, 1, *head.descriptor);
    append_bytes_field(data, proto_data_field::kWriterSchema, schema);
  }
  append_tag(data, proto_data_field::kRows, WireType::kBytes);
  append_varint(data, rows.bytes.size());
  append_tag(front, request_field::kProtoRows, WireType::kBytes);
  append_varint(front, data.size() + rows.bytes.size());
  front += data;
  auto* const owner = new std::shared_ptr<const void>(rows.owner);
  const std::array<grpc::Slice, 2> slices = {
      grpc::Slice(front), grpc::Slice(
                              const_cast<char*>(rows.bytes.data()), rows.bytes.size(),
                              [](void* held) { delete static_cast<std::shared_ptr<const void>*>(held); }, owner)};
  return grpc::ByteBuffer(slices.data(), slices.size());
}

Result<AppendRequest> parse_append_request(const grpc::ByteBuffer& message) {
  library();
  const auto memory = std::make_shared<RequestMemory>();
  if (!message.Dump(&memory->slices).ok()) return malformed();
  std::vector<std::string_view> pieces;
  for (const grpc::Slice& slice : memory->slices)
    pieces.emplace_back(reinterpret_cast<const char*>(slice.begin()), slice.size());
  SliceChain chain(std::move(pieces), memory->copies);
  AppendRequest out;
  RequestReader reader(chain, out);
  if (!reader.read()) return malformed();
  out.rows.owner = memory;
  if (reader.row_parts().size() == 1) out.rows.bytes = reader.row_parts().front();
  if (reader.row_parts().size() > 1) {
    std::string joined;
    for (const std::string_view part : reader.row_parts()) joined.append(part);
    auto owned = std::make_shared<const std::string>(std::move(joined));
    out.rows = {*owned, owned};
  }
  return out;
}

std::string_view to_string(StorageCode code) {
  static constexpr std::string_view kNames[] = {"",
                                                "TABLE_NOT_FOUND",
                                                "STREAM_ALREADY_COMMITTED",
                                                "STREAM_NOT_FOUND",
                                                "INVALID_STREAM_TYPE",
                                                "INVALID_STREAM_STATE",
                                                "STREAM_FINALIZED",
                                                "SCHEMA_MISMATCH_EXTRA_FIELDS",
                                                "OFFSET_ALREADY_EXISTS",
                                                "OFFSET_OUT_OF_RANGE",
                                                "CMEK_NOT_PROVIDED",
                                                "INVALID_CMEK_PROVIDED",
                                                "CMEK_ENCRYPTION_ERROR",
                                                "KMS_SERVICE_ERROR",
                                                "KMS_PERMISSION_DENIED"};
  return kNames[static_cast<std::size_t>(code)];
}

grpc::ByteBuffer frame_append_response(const AppendResponse& response) {
  storage::AppendRowsResponse out;
  if (response.failure.grpc_code != 0) {
    set_status(response.failure, *out.mutable_error());
  } else {
    auto& result = *out.mutable_append_result();
    if (response.offset) result.mutable_offset()->set_value(*response.offset);
  }
  for (const RowFault& fault : response.row_faults) {
    auto& error = *out.add_row_errors();
    error.set_index(fault.index);
    error.set_code(storage::RowError::FIELDS_ERROR);
    error.set_message(fault.message);
  }
  if (response.updated_schema) to_storage_schema(*response.updated_schema, *out.mutable_updated_schema());
  out.set_write_stream(response.write_stream);
  return buffer_of(out.SerializeAsString());
}

Result<AppendResponse> parse_append_response(const grpc::ByteBuffer& message) {
  library();
  grpc::Slice slice;
  storage::AppendRowsResponse in;
  if (!message.DumpToSingleSlice(&slice).ok() || !in.ParseFromArray(slice.begin(), static_cast<int>(slice.size()))) {
    return Error(ErrorCode::kCorrupt, "the bytes are not an AppendRowsResponse");
  }
  AppendResponse out;
  if (in.has_error()) out.failure = failure_of(in.error());
  if (in.has_append_result() && in.append_result().has_offset()) out.offset = in.append_result().offset().value();
  for (const auto& error : in.row_errors()) out.row_faults.push_back({error.index(), error.message()});
  if (in.has_updated_schema()) {
    TRY(out.updated_schema, from_storage_schema(in.updated_schema()));
  }
  out.write_stream = in.write_stream();
  return out;
}

std::string frame_failure_details(const AppendFailure& failure) {
  google::rpc::Status status;
  set_status(failure, status);
  return status.SerializeAsString();
}

AppendFailure parse_failure_details(int grpc_code, std::string message, std::string_view details) {
  google::rpc::Status status;
  AppendFailure out;
  if (!details.empty() && status.ParseFromArray(details.data(), static_cast<int>(details.size())))
    out = failure_of(status);
  out.grpc_code = grpc_code;
  out.message = std::move(message);
  return out;
}

}  // namespace flytt::wire
