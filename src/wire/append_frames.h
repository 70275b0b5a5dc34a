#pragma once
// AppendRowsRequest and AppendRowsResponse (google/cloud/bigquery/storage/v1/storage.proto) as gRPC byte buffers, made and
// read by hand, so that the rows of a request are neither copied nor turned into objects.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "data/schema.h"
#include "wire/row_buffer.h"

namespace grpc {
class ByteBuffer;
}

namespace flytt::wire {

enum class MissingValue : std::uint8_t { kUnspecified = 0, kNull = 1, kDefault = 2 };

// Everything of a request but its rows.
struct AppendRequestHead {
  std::string write_stream;            // may be empty after the first request of a connection
  std::optional<std::int64_t> offset;  // never set on a default stream
  std::string trace_id;
  std::optional<std::string> descriptor;                             // ProtoSchema.proto_descriptor, serialised
  std::vector<std::pair<std::string, MissingValue>> missing_values;  // by top-level column
  MissingValue default_missing_value = MissingValue::kUnspecified;
};

// Immutable bytes with shared ownership: keeping `owner` keeps `bytes`.
struct SharedBytes {
  std::string_view bytes;
  std::shared_ptr<const void> owner;
};
SharedBytes share(RowBuffer buffer);

// `rows` is the content of a ProtoRows message, as RowEncoder makes it; it is referenced, not copied.
grpc::ByteBuffer frame_append_request(const AppendRequestHead& head, const SharedBytes& rows);

struct AppendRequest {
  AppendRequestHead head;
  bool has_proto_rows = false;  // the oneof: proto_rows, arrow_rows, or neither
  bool has_arrow_rows = false;
  SharedBytes rows;  // content of ProtoRows; outlives the byte buffer
};
// kCorrupt when the bytes are not a message. Unknown fields are skipped. Rows that lie in one slice are not copied.
Result<AppendRequest> parse_append_request(const grpc::ByteBuffer& message);

// StorageError.StorageErrorCode
enum class StorageCode : std::uint8_t {
  kNone = 0,
  kTableNotFound = 1,
  kStreamAlreadyCommitted = 2,
  kStreamNotFound = 3,
  kInvalidStreamType = 4,
  kInvalidStreamState = 5,
  kStreamFinalized = 6,
  kSchemaMismatchExtraFields = 7,
  kOffsetAlreadyExists = 8,
  kOffsetOutOfRange = 9,
  kCmekNotProvided = 10,
  kInvalidCmekProvided = 11,
  kCmekEncryptionError = 12,
  kKmsServiceError = 13,
  kKmsPermissionDenied = 14,
};
std::string_view to_string(StorageCode code);  // "TABLE_NOT_FOUND"

struct RowFault {
  std::int64_t index;
  std::string message;
};

// google.rpc.Status with the StorageError among its details.
struct AppendFailure {
  int grpc_code = 0;  // 0 = no failure
  std::string message;
  StorageCode storage_code = StorageCode::kNone;
  std::string entity;
};

struct AppendResponse {
  std::optional<std::int64_t> offset;  // of the first row, when offsets are used
  AppendFailure failure;               // grpc_code 0: the rows are durable
  std::vector<RowFault> row_faults;
  std::optional<data::TableSchema> updated_schema;  // the table's columns changed; no key inside
  std::string write_stream;
};
grpc::ByteBuffer frame_append_response(const AppendResponse& response);
Result<AppendResponse> parse_append_response(const grpc::ByteBuffer& message);

// The same failure as the value of a grpc-status-details-bin trailer (a serialised google.rpc.Status), for failures that
// end a stream or a unary call, and back. A malformed trailer yields only what code and message say.
std::string frame_failure_details(const AppendFailure& failure);
AppendFailure parse_failure_details(int grpc_code, std::string message, std::string_view details);

}  // namespace flytt::wire
