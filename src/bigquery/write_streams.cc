#include "bigquery/write_streams.h"

#include <google/cloud/bigquery/storage/v1/storage.grpc.pb.h>
#include <grpcpp/client_context.h>

#include "bigquery/internal/append_call.h"
#include "bigquery/internal/errors.h"
#include "wire/grpc_channel_native.h"

namespace flytt::bigquery {
namespace {

namespace storage = google::cloud::bigquery::storage::v1;
using Stub = storage::BigQueryWrite::Stub;

std::string table_name(const data::TablePath& path) {
  return "projects/" + path.project + "/datasets/" + path.dataset + "/tables/" + path.table;
}

std::int64_t micros_of(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1'000'000 + time.nanos() / 1'000;
}

WriteStreamInfo info_of(const storage::WriteStream& stream) {
  WriteStreamInfo out;
  out.name = stream.name();
  out.kind = static_cast<WriteStreamKind>(stream.type());
  out.created_micros = micros_of(stream.create_time());
  out.committed_micros = micros_of(stream.commit_time());
  return out;
}

}  // namespace

template <typename Request, typename Response, typename Method>
Result<Response> WriteStreams::call(Method method, const Request& request, const std::string& routing,
                                    const std::string& object) {
  const auto stub = storage::BigQueryWrite::NewStub(wire::native_channel(parts_.channel));
  return retrier_.run(
      true, object,
      [&](base::Deadline deadline) -> Result<Response> {
        grpc::ClientContext context;
        context.AddMetadata("x-goog-request-params", routing);
        if (parts_.channel.native()->has_tls) {
          TRY(const HttpHeaders headers, sign_in(parts_.credentials));
          for (const auto& [name, value] : headers) context.AddMetadata(name, value);
        }
        const auto left = parts_.clock.left(deadline).count();
        context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(left, GPR_TIMESPAN)));
        Response response;
        const grpc::Status status = (stub.get()->*method)(&context, request, &response);
        if (status.ok()) return response;
        return error_of_stream(
            wire::parse_failure_details(status.error_code(), status.error_message(), status.error_details()), object);
      },
      [](const Error&) {});
}

Result<WriteStreamInfo> WriteStreams::create(const data::TablePath& table, WriteStreamKind kind) {
  storage::CreateWriteStreamRequest request;
  request.set_parent(table_name(table));
  request.mutable_write_stream()->set_type(static_cast<storage::WriteStream::Type>(kind));
  TRY(const auto made, (call<storage::CreateWriteStreamRequest, storage::WriteStream>(
                           &Stub::CreateWriteStream, request, "parent=" + routing_value(request.parent()),
                           "a new write stream of table " + table.text())));
  if (made.name().empty())
    return Error(ErrorCode::kCorrupt, "BigQuery's answer names no write stream of table " + table.text())
        .side(base::Side::kSink);
  return info_of(made);
}

Result<WriteStreamInfo> WriteStreams::get(const std::string& name) {
  storage::GetWriteStreamRequest request;
  request.set_name(name);
  TRY(const auto found, (call<storage::GetWriteStreamRequest, storage::WriteStream>(
                            &Stub::GetWriteStream, request, "name=" + routing_value(name), "write stream " + name)));
  return info_of(found);
}

Result<std::optional<std::int64_t>> WriteStreams::finalize(const std::string& name) {
  storage::FinalizeWriteStreamRequest request;
  request.set_name(name);
  const auto done = call<storage::FinalizeWriteStreamRequest, storage::FinalizeWriteStreamResponse>(
      &Stub::FinalizeWriteStream, request, "name=" + routing_value(name), "write stream " + name);
  if (done) return std::optional<std::int64_t>(done->row_count());
  // An earlier try, or whoever had the stream, has ended it already.
  if (done.error().code() == ErrorCode::kConflict) return std::optional<std::int64_t>();
  return done.error();
}

Result<std::int64_t> WriteStreams::flush(const std::string& name, std::int64_t offset) {
  storage::FlushRowsRequest request;
  request.set_write_stream(name);
  request.mutable_offset()->set_value(offset);
  TRY(const auto done, (call<storage::FlushRowsRequest, storage::FlushRowsResponse>(
                           &Stub::FlushRows, request, "write_stream=" + routing_value(name), "write stream " + name)));
  return done.offset();
}

Result<std::int64_t> WriteStreams::batch_commit(const data::TablePath& table, const std::vector<std::string>& names) {
  storage::BatchCommitWriteStreamsRequest request;
  request.set_parent(table_name(table));
  for (const std::string& name : names) request.add_write_streams(name);
  TRY(const auto done, (call<storage::BatchCommitWriteStreamsRequest, storage::BatchCommitWriteStreamsResponse>(
                           &Stub::BatchCommitWriteStreams, request, "parent=" + routing_value(request.parent()),
                           "the commit of write streams of table " + table.text())));
  if (done.has_commit_time()) return micros_of(done.commit_time());
  // Without a commit time nothing was committed by this call: fine only if all of them were before.
  int committed_before = 0;
  const storage::StorageError* other = nullptr;
  for (const storage::StorageError& error : done.stream_errors()) {
    if (error.code() == storage::StorageError::STREAM_ALREADY_COMMITTED)
      ++committed_before;
    else if (other == nullptr)
      other = &error;
  }
  if (other == nullptr && committed_before == static_cast<int>(names.size())) return std::int64_t{0};
  const std::string object =
      other == nullptr ? "the commit of write streams of table " + table.text() : "write stream " + other->entity();
  return Error(ErrorCode::kConflict, "BigQuery has not committed " + object)
      .side(base::Side::kSink)
      .cause(other == nullptr ? "some of its streams were committed before"
                              : std::string(wire::to_string(static_cast<wire::StorageCode>(other->code()))) + ": " +
                                    without_quoted(other->error_message()));
}

}  // namespace flytt::bigquery
