#pragma once
// google.cloud.bigquery.storage.v1.BigQueryWrite as a gRPC service: AppendRows by byte buffers, the unary methods with
// Google's messages. Slow to include.
//
// A unary method's failure has the StorageError among its details; BatchCommitWriteStreams tells of streams that stand in
// its way in stream_errors instead, and then has committed none.

#include <string>

#include "gateway/bigquery/internal/append_stream.h"
#include "google/cloud/bigquery/storage/v1/storage.grpc.pb.h"
#include "warehouse/warehouse.h"

namespace flytt::gateway::internal {

namespace storage = google::cloud::bigquery::storage::v1;

class WriteService final
    : public storage::BigQueryWrite::WithRawCallbackMethod_AppendRows<storage::BigQueryWrite::Service> {
 public:
  WriteService(warehouse::Warehouse& warehouse, const base::Clock& clock, base::Metrics& metrics, std::string location);

  void drain() { calls_.drain(); }

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* AppendRows(
      grpc::CallbackServerContext* context) override;
  grpc::Status GetWriteStream(grpc::ServerContext* context, const storage::GetWriteStreamRequest* request,
                              storage::WriteStream* response) override;
  grpc::Status CreateWriteStream(grpc::ServerContext* context, const storage::CreateWriteStreamRequest* request,
                                 storage::WriteStream* response) override;
  grpc::Status FinalizeWriteStream(grpc::ServerContext* context, const storage::FinalizeWriteStreamRequest* request,
                                   storage::FinalizeWriteStreamResponse* response) override;
  grpc::Status BatchCommitWriteStreams(grpc::ServerContext* context,
                                       const storage::BatchCommitWriteStreamsRequest* request,
                                       storage::BatchCommitWriteStreamsResponse* response) override;
  grpc::Status FlushRows(grpc::ServerContext* context, const storage::FlushRowsRequest* request,
                         storage::FlushRowsResponse* response) override;

 private:
  warehouse::Warehouse& warehouse_;
  const std::string location_;
  AppendCalls calls_;
};

}  // namespace flytt::gateway::internal
