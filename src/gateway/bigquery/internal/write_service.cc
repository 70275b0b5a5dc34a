#include "gateway/bigquery/internal/write_service.h"

#include <cctype>

#include "wire/storage_schema.h"

namespace flytt::gateway::internal {

namespace {

grpc::Status status_of(int code, const std::string& message, wire::StorageCode storage_code,
                       const std::string& entity) {
  const wire::AppendFailure failure{code, message, storage_code, entity};
  return {static_cast<grpc::StatusCode>(code), message, wire::frame_failure_details(failure)};
}

grpc::Status only_default_streams(const char* method) {
  return {grpc::StatusCode::UNIMPLEMENTED, std::string(method) +
                                               " is not in this version: only default streams "
                                               "(projects/P/datasets/D/tables/T/streams/_default) can be written to."};
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

WriteService::WriteService(warehouse::Warehouse& warehouse, const base::Clock& clock, base::Metrics& metrics,
                           std::string location)
    : warehouse_(warehouse),
      location_(lower(std::move(location))),
      calls_([&warehouse](const data::TablePath& path,
                          const std::string& descriptor) { return warehouse.open_append(path, descriptor); },
             clock, metrics) {}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* WriteService::AppendRows(grpc::CallbackServerContext*) {
  return calls_.start();
}

grpc::Status WriteService::GetWriteStream(grpc::ServerContext*, const storage::GetWriteStreamRequest* request,
                                          storage::WriteStream* response) {
  const auto name = parse_stream_name(request->name());
  if (!name || !name->is_default())
    return status_of(grpc::StatusCode::INVALID_ARGUMENT, "Invalid stream name. Entity: " + request->name(),
                     wire::StorageCode::kStreamNotFound, request->name());
  const auto table = warehouse_.table(name->table);
  if (!table) {
    const wire::AppendFailure failure = append_failure_of(table.error(), request->name());
    return status_of(failure.grpc_code, failure.message, failure.storage_code, failure.entity);
  }
  response->set_name(name->text());
  response->set_type(storage::WriteStream::COMMITTED);
  response->set_location(location_);
  if (request->view() == storage::WriteStreamView::FULL)
    wire::to_storage_schema(table->schema, *response->mutable_table_schema());
  return grpc::Status::OK;
}

grpc::Status WriteService::CreateWriteStream(grpc::ServerContext*, const storage::CreateWriteStreamRequest*,
                                             storage::WriteStream*) {
  return only_default_streams("CreateWriteStream");
}

grpc::Status WriteService::FinalizeWriteStream(grpc::ServerContext*, const storage::FinalizeWriteStreamRequest* request,
                                               storage::FinalizeWriteStreamResponse*) {
  const auto name = parse_stream_name(request->name());
  if (name && name->is_default())
    return status_of(grpc::StatusCode::NOT_FOUND, "Requested entity was not found. Entity: " + request->name(),
                     wire::StorageCode::kStreamNotFound, request->name());
  return only_default_streams("FinalizeWriteStream");
}

grpc::Status WriteService::BatchCommitWriteStreams(grpc::ServerContext*, const storage::BatchCommitWriteStreamsRequest*,
                                                   storage::BatchCommitWriteStreamsResponse*) {
  return only_default_streams("BatchCommitWriteStreams");
}

grpc::Status WriteService::FlushRows(grpc::ServerContext*, const storage::FlushRowsRequest*,
                                     storage::FlushRowsResponse*) {
  return only_default_streams("FlushRows");
}

}  // namespace flytt::gateway::internal
