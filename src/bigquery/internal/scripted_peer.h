#pragma once
// A Storage Write server for tests that does as it is told, request by request.

#include <google/cloud/bigquery/storage/v1/storage.grpc.pb.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "wire/append_frames.h"

namespace flytt::bigquery {

namespace storage = google::cloud::bigquery::storage::v1;

// What the peer does with one request.
struct PeerStep {
  enum class Kind { kAcknowledge, kFail, kRefuseRows, kClose, kStaySilent, kHold };
  Kind kind = Kind::kAcknowledge;
  wire::AppendFailure failure;             // kFail: in the answer; kClose: the status of the call
  std::vector<wire::RowFault> row_faults;  // kRefuseRows
};

// One request as it was received.
struct SeenRequest {
  int connection = 0;
  std::string table;  // "t" of the connection's stream
  bool has_stream = false, has_descriptor = false;
  std::string descriptor, trace_id;
  std::vector<std::string> rows;
};

class ScriptedPeer final : public storage::BigQueryWrite::Service {
 public:
  ScriptedPeer() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.SetMaxReceiveMessageSize(20 << 20);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~ScriptedPeer() override {
    release();
    server_->Shutdown(std::chrono::system_clock::time_point::min());
    server_->Wait();
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::shared_ptr<grpc::Channel> in_process() { return server_->InProcessChannel({}); }

  // Steps of a table's next requests, over all its connections; afterwards everything is acknowledged.
  void script(const std::string& table, std::vector<PeerStep> steps) {
    std::lock_guard lock(mutex_);
    auto& queue = steps_[table];
    queue.insert(queue.end(), steps.begin(), steps.end());
  }
  // Lets requests that are held go on.
  void release() {
    {
      std::lock_guard lock(mutex_);
      is_released_ = true;
    }
    changed_.notify_all();
  }
  std::vector<SeenRequest> seen() {
    std::lock_guard lock(mutex_);
    return seen_;
  }
  // Waits until so many requests came.
  bool wait_for_requests(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return seen_.size() >= count; });
  }
  std::vector<std::string> routing_headers() {
    std::lock_guard lock(mutex_);
    return routing_headers_;
  }
  // Addresses of the connections that calls came over.
  std::set<std::string> peers() {
    std::lock_guard lock(mutex_);
    return peers_;
  }
  bool saw_authorization() {
    std::lock_guard lock(mutex_);
    return saw_authorization_;
  }

 private:
  using Stream = grpc::ServerReaderWriter<storage::AppendRowsResponse, storage::AppendRowsRequest>;

  grpc::Status AppendRows(grpc::ServerContext* context, Stream* stream) override {
    const int connection = greet(*context);
    std::string table;
    storage::AppendRowsRequest request;
    while (stream->Read(&request)) {
      const PeerStep step = record(connection, table, request);
      if (step.kind == PeerStep::Kind::kStaySilent) continue;
      if (step.kind == PeerStep::Kind::kHold && !hold(*context)) return grpc::Status::CANCELLED;
      if (step.kind == PeerStep::Kind::kClose) {
        return {static_cast<grpc::StatusCode>(step.failure.grpc_code), step.failure.message,
                wire::frame_failure_details(step.failure)};
      }
      if (!stream->Write(answer(step))) break;
    }
    return grpc::Status::OK;
  }

  int greet(const grpc::ServerContext& context) {
    std::lock_guard lock(mutex_);
    peers_.insert(context.peer());
    for (const auto& [name, value] : context.client_metadata()) {
      if (name == "x-goog-request-params") routing_headers_.emplace_back(value.data(), value.size());
      saw_authorization_ |= name == "authorization";
    }
    return ++connections_;
  }

  PeerStep record(int connection, std::string& table, const storage::AppendRowsRequest& request) {
    std::lock_guard lock(mutex_);
    SeenRequest seen;
    seen.connection = connection;
    seen.has_stream = !request.write_stream().empty();
    if (seen.has_stream) {
      const auto begin = request.write_stream().find("/tables/") + 8;
      table = request.write_stream().substr(begin, request.write_stream().find("/streams/") - begin);
    }
    seen.table = table;
    seen.has_descriptor = request.proto_rows().has_writer_schema();
    seen.descriptor = request.proto_rows().writer_schema().proto_descriptor().SerializeAsString();
    seen.trace_id = request.trace_id();
    seen.rows.assign(request.proto_rows().rows().serialized_rows().begin(),
                     request.proto_rows().rows().serialized_rows().end());
    seen_.push_back(std::move(seen));
    changed_.notify_all();
    auto& steps = steps_[table];
    if (steps.empty()) return {};
    PeerStep step = std::move(steps.front());
    steps.pop_front();
    return step;
  }

  bool hold(const grpc::ServerContext& context) {
    std::unique_lock lock(mutex_);
    while (!is_released_ && !context.IsCancelled()) changed_.wait_for(lock, std::chrono::milliseconds(20));
    return is_released_;
  }

  static storage::AppendRowsResponse answer(const PeerStep& step) {
    wire::AppendResponse response;
    response.failure = step.failure;
    if (step.kind == PeerStep::Kind::kRefuseRows) {
      response.failure = {3, "Errors found while processing rows. Please refer to the row_errors field for details.",
                          wire::StorageCode::kNone, ""};
      response.row_faults = step.row_faults;
    }
    const grpc::ByteBuffer framed = wire::frame_append_response(response);
    grpc::Slice slice;
    storage::AppendRowsResponse out;
    if (framed.DumpToSingleSlice(&slice).ok()) out.ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
    return out;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::deque<PeerStep>> steps_;
  std::vector<SeenRequest> seen_;
  std::vector<std::string> routing_headers_;
  std::set<std::string> peers_;
  bool is_released_ = false, saw_authorization_ = false;
  int connections_ = 0;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace flytt::bigquery
