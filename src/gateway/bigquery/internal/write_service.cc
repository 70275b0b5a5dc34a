#include "gateway/bigquery/internal/write_service.h"

#include <cctype>
#include <optional>

#include "wire/storage_schema.h"

namespace flytt::gateway::internal {

namespace {

grpc::Status status_of(const wire::AppendFailure& failure) {
  return {static_cast<grpc::StatusCode>(failure.grpc_code), failure.message, wire::frame_failure_details(failure)};
}

grpc::Status status_of(const Error& error, const std::string& entity) {
  return status_of(append_failure_of(error, entity));
}

grpc::Status refuse(grpc::StatusCode code, const std::string& sentence, const std::string& entity,
                    wire::StorageCode storage_code = wire::StorageCode::kNone) {
  return status_of(wire::AppendFailure{code, sentence + " Entity: " + entity, storage_code, entity});
}

grpc::Status bad_stream_name(const std::string& name) {
  return refuse(grpc::StatusCode::INVALID_ARGUMENT, "Invalid stream name.", name, wire::StorageCode::kStreamNotFound);
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

void set_time(std::int64_t micros, google::protobuf::Timestamp& out) {
  out.set_seconds(micros / 1'000'000);
  out.set_nanos(static_cast<std::int32_t>(micros % 1'000'000 * 1'000));
}

std::optional<warehouse::StreamKind> kind_of(storage::WriteStream::Type type) {
  switch (type) {
    case storage::WriteStream::COMMITTED: return warehouse::StreamKind::kCommitted;
    case storage::WriteStream::PENDING: return warehouse::StreamKind::kPending;
    case storage::WriteStream::BUFFERED: return warehouse::StreamKind::kBuffered;
    default: return std::nullopt;
  }
}

void describe(const warehouse::WriteStream& stream, storage::WriteStream& out) {
  out.set_name(StreamName{stream.path.table, stream.path.id}.text());
  out.set_type(static_cast<storage::WriteStream::Type>(stream.kind));
  set_time(stream.created_micros, *out.mutable_create_time());
  // Rows of a COMMITTED stream are committed as they come, so the service shows its birth here.
  const bool is_committed = stream.kind == warehouse::StreamKind::kCommitted;
  const std::int64_t committed = is_committed ? stream.created_micros : stream.committed_micros;
  if (committed != 0) set_time(committed, *out.mutable_commit_time());
}

warehouse::StreamPath path_of(const StreamName& name) { return {name.table, name.id}; }

}  // namespace

WriteService::WriteService(warehouse::Warehouse& warehouse, const base::Clock& clock, base::Metrics& metrics,
                           std::string location)
    : warehouse_(warehouse),
      location_(lower(std::move(location))),
      calls_(
          [&warehouse](const StreamName& name, const std::string& descriptor) {
            return name.is_default() ? warehouse.open_append(name.table, descriptor)
                                     : warehouse.open_stream_append(path_of(name), descriptor);
          },
          clock, metrics) {}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* WriteService::AppendRows(grpc::CallbackServerContext*) {
  return calls_.start();
}

grpc::Status WriteService::GetWriteStream(grpc::ServerContext*, const storage::GetWriteStreamRequest* request,
                                          storage::WriteStream* response) {
  const auto name = parse_stream_name(request->name());
  if (!name) return bad_stream_name(request->name());
  const auto table = warehouse_.table(name->table);
  if (!table) return status_of(table.error(), request->name());
  if (name->is_default()) {
    response->set_name(name->text());
    response->set_type(storage::WriteStream::COMMITTED);
  } else {
    const auto stream = warehouse_.stream(path_of(*name));
    if (!stream) return status_of(stream.error(), request->name());
    describe(*stream, *response);
  }
  response->set_location(location_);
  if (request->view() == storage::WriteStreamView::FULL)
    wire::to_storage_schema(table->schema, *response->mutable_table_schema());
  return grpc::Status::OK;
}

grpc::Status WriteService::CreateWriteStream(grpc::ServerContext*, const storage::CreateWriteStreamRequest* request,
                                             storage::WriteStream* response) {
  const auto table = parse_table_name(request->parent());
  if (!table) return refuse(grpc::StatusCode::INVALID_ARGUMENT, "Invalid table name.", request->parent());
  const auto kind = kind_of(request->write_stream().type());
  if (!kind)
    return refuse(grpc::StatusCode::INVALID_ARGUMENT, "The stream's type must be COMMITTED, PENDING or BUFFERED.",
                  request->parent(), wire::StorageCode::kInvalidStreamType);
  const auto stream = warehouse_.create_stream(*table, *kind);
  if (!stream) return status_of(stream.error(), request->parent());
  const auto described = warehouse_.table(*table);
  if (!described) return status_of(described.error(), request->parent());
  describe(*stream, *response);
  wire::to_storage_schema(described->schema, *response->mutable_table_schema());
  return grpc::Status::OK;
}

grpc::Status WriteService::FinalizeWriteStream(grpc::ServerContext*, const storage::FinalizeWriteStreamRequest* request,
                                               storage::FinalizeWriteStreamResponse* response) {
  const auto name = parse_stream_name(request->name());
  if (!name) return bad_stream_name(request->name());
  if (name->is_default())
    return refuse(grpc::StatusCode::NOT_FOUND, "Requested entity was not found.", request->name(),
                  wire::StorageCode::kStreamNotFound);
  const auto rows = warehouse_.finalize_stream(path_of(*name));
  if (!rows) return status_of(rows.error(), request->name());
  response->set_row_count(*rows);
  return grpc::Status::OK;
}

grpc::Status WriteService::BatchCommitWriteStreams(grpc::ServerContext*,
                                                   const storage::BatchCommitWriteStreamsRequest* request,
                                                   storage::BatchCommitWriteStreamsResponse* response) {
  const auto table = parse_table_name(request->parent());
  if (!table) return refuse(grpc::StatusCode::INVALID_ARGUMENT, "Invalid table name.", request->parent());
  std::vector<std::string> ids;
  for (const std::string& text : request->write_streams()) {
    const auto name = parse_stream_name(text);
    if (!name) return bad_stream_name(text);
    if (!(name->table == *table))
      return refuse(grpc::StatusCode::INVALID_ARGUMENT,
                    "The stream belongs to another table than the parent of this request.", text);
    ids.push_back(name->id);
  }
  const auto commit = warehouse_.commit_streams(*table, ids);
  if (!commit) return status_of(commit.error(), request->parent());
  for (const auto& [id, error] : commit->refused) {
    const wire::AppendFailure failure = append_failure_of(error, StreamName{*table, id}.text());
    storage::StorageError& out = *response->add_stream_errors();
    out.set_code(static_cast<storage::StorageError::StorageErrorCode>(failure.storage_code));
    out.set_entity(failure.entity);
    out.set_error_message(failure.message);
  }
  if (commit->refused.empty()) set_time(commit->committed_micros, *response->mutable_commit_time());
  return grpc::Status::OK;
}

grpc::Status WriteService::FlushRows(grpc::ServerContext*, const storage::FlushRowsRequest* request,
                                     storage::FlushRowsResponse* response) {
  const auto name = parse_stream_name(request->write_stream());
  if (!name) return bad_stream_name(request->write_stream());
  if (name->is_default())
    return refuse(grpc::StatusCode::INVALID_ARGUMENT, "The default stream has no rows to flush.",
                  request->write_stream(), wire::StorageCode::kInvalidStreamType);
  if (!request->has_offset())
    return refuse(grpc::StatusCode::INVALID_ARGUMENT, "The request has no offset up to which rows are flushed.",
                  request->write_stream());
  const auto flushed = warehouse_.flush_stream(path_of(*name), request->offset().value());
  if (!flushed) return status_of(flushed.error(), request->write_stream());
  response->set_offset(*flushed);
  return grpc::Status::OK;
}

}  // namespace flytt::gateway::internal
