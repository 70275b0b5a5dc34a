#pragma once
// A Storage Write server for tests that does as it is told, request by request. Left alone it is honest: it keeps the
// rows of streams that were made here at their offsets.

#include <google/cloud/bigquery/storage/v1/storage.grpc.pb.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <map>
#include <mutex>
#include <optional>
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
  std::string stream;
  std::optional<std::int64_t> offset;
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
  // Rows of a stream that was made here, in their order.
  std::vector<std::string> rows_of(const std::string& stream) {
    std::lock_guard lock(mutex_);
    return streams_[stream].rows;
  }
  bool is_committed(const std::string& stream) {
    std::lock_guard lock(mutex_);
    return streams_[stream].is_committed;
  }
  // The next unary calls fail so.
  void fail_calls(std::vector<wire::AppendFailure> failures) {
    std::lock_guard lock(mutex_);
    call_failures_.insert(call_failures_.end(), failures.begin(), failures.end());
  }
  void finalize(const std::string& stream) {
    std::lock_guard lock(mutex_);
    streams_[stream].is_final = true;
  }
  std::vector<std::string> routing_headers() {
    std::lock_guard lock(mutex_);
    return routing_headers_;
  }
  // Addresses that append calls came from.
  std::set<std::string> peers() {
    std::lock_guard lock(mutex_);
    return peers_;
  }
  // Values of authorization and x-goog-user-project, as they came.
  std::vector<std::string> sign_ins() {
    std::lock_guard lock(mutex_);
    return sign_ins_;
  }
  bool saw_authorization() {
    std::lock_guard lock(mutex_);
    return saw_authorization_;
  }

 private:
  using Stream = grpc::ServerReaderWriter<storage::AppendRowsResponse, storage::AppendRowsRequest>;

  struct OwnStream {
    std::vector<std::string> rows;
    bool is_final = false, is_pending = false, is_committed = false;
  };

  grpc::Status AppendRows(grpc::ServerContext* context, Stream* stream) override {
    const int connection = greet(*context);
    {
      std::lock_guard lock(mutex_);
      peers_.insert(context->peer());
    }
    std::string name;
    storage::AppendRowsRequest request;
    while (stream->Read(&request)) {
      const PeerStep step = keep(name, request, record(connection, name, request));
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
    for (const auto& [name, value] : context.client_metadata()) {
      if (name == "x-goog-request-params") routing_headers_.emplace_back(value.data(), value.size());
      saw_authorization_ |= name == "authorization";
      if (name == "authorization" || name == "x-goog-user-project") sign_ins_.emplace_back(value.data(), value.size());
    }
    return ++connections_;
  }

  PeerStep record(int connection, std::string& name, const storage::AppendRowsRequest& request) {
    std::lock_guard lock(mutex_);
    SeenRequest seen;
    seen.connection = connection;
    seen.has_stream = !request.write_stream().empty();
    if (seen.has_stream) name = request.write_stream();
    const auto begin = name.find("/tables/") + 8;
    const std::string table = name.substr(begin, name.find("/streams/") - begin);
    seen.table = table;
    seen.stream = name;
    if (request.has_offset()) seen.offset = request.offset().value();
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

  // What becomes of a request for a stream that was made here. A request is kept unless it fails; one whose connection is
  // closed with UNAVAILABLE is kept, too: its answer is lost.
  PeerStep keep(const std::string& name, const storage::AppendRowsRequest& request, PeerStep step) {
    std::lock_guard lock(mutex_);
    const auto found = streams_.find(name);
    if (found == streams_.end() || step.kind == PeerStep::Kind::kFail || step.kind == PeerStep::Kind::kRefuseRows)
      return step;
    const auto fail = [](int code, const char* message, wire::StorageCode storage_code) {
      return PeerStep{PeerStep::Kind::kFail, {code, message, storage_code, ""}, {}};
    };
    auto& rows = found->second.rows;
    const std::int64_t end = static_cast<std::int64_t>(rows.size());
    if (found->second.is_final) return fail(3, "The stream is final.", wire::StorageCode::kStreamFinalized);
    if (request.has_offset() && request.offset().value() < end)
      return fail(6, "The offset is there.", wire::StorageCode::kOffsetAlreadyExists);
    if (request.has_offset() && request.offset().value() > end)
      return fail(11, "The offset is beyond.", wire::StorageCode::kOffsetOutOfRange);
    const auto& sent = request.proto_rows().rows().serialized_rows();
    rows.insert(rows.end(), sent.begin(), sent.end());
    return step;
  }

  // -- unary calls

  std::optional<grpc::Status> scripted_failure(const grpc::ServerContext& context) {
    greet(context);
    std::lock_guard lock(mutex_);
    if (call_failures_.empty()) return std::nullopt;
    const wire::AppendFailure failure = std::move(call_failures_.front());
    call_failures_.pop_front();
    return failed(failure);
  }
  static grpc::Status failed(const wire::AppendFailure& failure) {
    return {static_cast<grpc::StatusCode>(failure.grpc_code), failure.message, wire::frame_failure_details(failure)};
  }
  static grpc::Status unknown() {
    return failed({3, "Invalid stream name. Entity: x", wire::StorageCode::kStreamNotFound, ""});
  }

  grpc::Status CreateWriteStream(grpc::ServerContext* context, const storage::CreateWriteStreamRequest* request,
                                 storage::WriteStream* made) override {
    if (auto failure = scripted_failure(*context)) return *failure;
    std::lock_guard lock(mutex_);
    made->set_name(request->parent() + "/streams/s" + std::to_string(streams_.size()));
    made->set_type(request->write_stream().type());
    made->mutable_create_time()->set_seconds(1'700'000'000);
    streams_[made->name()].is_pending = request->write_stream().type() == storage::WriteStream::PENDING;
    return grpc::Status::OK;
  }
  grpc::Status GetWriteStream(grpc::ServerContext* context, const storage::GetWriteStreamRequest* request,
                              storage::WriteStream* found) override {
    if (auto failure = scripted_failure(*context)) return *failure;
    std::lock_guard lock(mutex_);
    if (!streams_.contains(request->name())) return unknown();
    found->set_name(request->name());
    found->set_type(streams_[request->name()].is_pending ? storage::WriteStream::PENDING
                                                         : storage::WriteStream::COMMITTED);
    return grpc::Status::OK;
  }
  grpc::Status FinalizeWriteStream(grpc::ServerContext* context, const storage::FinalizeWriteStreamRequest* request,
                                   storage::FinalizeWriteStreamResponse* done) override {
    if (auto failure = scripted_failure(*context)) return *failure;
    std::lock_guard lock(mutex_);
    if (!streams_.contains(request->name())) return unknown();
    streams_[request->name()].is_final = true;
    done->set_row_count(static_cast<std::int64_t>(streams_[request->name()].rows.size()));
    return grpc::Status::OK;
  }
  grpc::Status FlushRows(grpc::ServerContext* context, const storage::FlushRowsRequest* request,
                         storage::FlushRowsResponse* done) override {
    if (auto failure = scripted_failure(*context)) return *failure;
    done->set_offset(request->offset().value());
    return grpc::Status::OK;
  }
  grpc::Status BatchCommitWriteStreams(grpc::ServerContext* context,
                                       const storage::BatchCommitWriteStreamsRequest* request,
                                       storage::BatchCommitWriteStreamsResponse* done) override {
    if (auto failure = scripted_failure(*context)) return *failure;
    std::lock_guard lock(mutex_);
    for (const std::string& name : request->write_streams()) {
      const OwnStream& stream = streams_[name];
      if (stream.is_final && !stream.is_committed) continue;
      storage::StorageError& error = *done->add_stream_errors();
      error.set_code(stream.is_committed ? storage::StorageError::STREAM_ALREADY_COMMITTED
                                         : storage::StorageError::INVALID_STREAM_STATE);
      error.set_entity(name);
    }
    if (done->stream_errors_size() != 0) return grpc::Status::OK;
    for (const std::string& name : request->write_streams()) streams_[name].is_committed = true;
    done->mutable_commit_time()->set_seconds(1'700'000'001);
    return grpc::Status::OK;
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
  std::map<std::string, OwnStream> streams_;
  std::deque<wire::AppendFailure> call_failures_;
  std::vector<SeenRequest> seen_;
  std::vector<std::string> routing_headers_;
  std::set<std::string> peers_;
  bool is_released_ = false, saw_authorization_ = false;
  std::vector<std::string> sign_ins_;
  int connections_ = 0;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace flytt::bigquery
