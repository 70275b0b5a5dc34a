// AppendRowsRequest and AppendRowsResponse from anybody. A request must read the same however it is cut into slices, and
// the same again after it was framed by us.
//
// Input: one byte (size of the slices), then the message.

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "wire/append_frames.h"

namespace {

grpc::ByteBuffer cut(const std::uint8_t* data, std::size_t size, std::size_t piece) {
  std::vector<grpc::Slice> slices;
  for (std::size_t at = 0; at < size; at += piece) slices.emplace_back(data + at, std::min(piece, size - at));
  return grpc::ByteBuffer(slices.data(), slices.size());
}

void require(bool condition) {
  if (!condition) std::abort();
}

void require_same(const flytt::wire::AppendRequest& a, const flytt::wire::AppendRequest& b) {
  require(a.head.write_stream == b.head.write_stream && a.head.offset == b.head.offset &&
          a.head.trace_id == b.head.trace_id);
  require(a.head.descriptor == b.head.descriptor && a.head.missing_values == b.head.missing_values);
  require(a.head.default_missing_value == b.head.default_missing_value && a.rows.bytes == b.rows.bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flytt::wire;
  if (size == 0) return 0;
  // Starts gRPC before the first byte buffer is made here.
  static const grpc::ByteBuffer start = frame_append_response({});
  const std::size_t piece = std::size_t{data[0]} + 1;
  const grpc::ByteBuffer whole = cut(data + 1, size - 1, size);
  const auto request = parse_append_request(whole);
  const auto again = parse_append_request(cut(data + 1, size - 1, piece));
  require(request.has_value() == again.has_value());
  if (request) {
    require_same(*request, *again);
    const auto framed = parse_append_request(frame_append_request(request->head, request->rows));
    require(framed.has_value());
    require_same(*request, *framed);
  }
  if (const auto response = parse_append_response(whole)) {
    const auto back = parse_append_response(frame_append_response(*response));
    require(back.has_value() && back->row_faults.size() == response->row_faults.size());
  }
  return 0;
}
