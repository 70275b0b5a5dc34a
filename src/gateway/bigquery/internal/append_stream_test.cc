#include "gateway/bigquery/internal/append_stream.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <thread>

#include "base/failpoint.h"
#include "gateway/limits.h"
#include "google/cloud/bigquery/storage/v1/storage.grpc.pb.h"
#include "wire/limits.h"

namespace flytt::gateway::internal {
namespace {

namespace storage = google::cloud::bigquery::storage::v1;

// Takes rows on a thread of its own, and lets a test hold them back.
class SlowWarehouse {
 public:
  SlowWarehouse() : writer_([this](std::stop_token stop) { work(stop); }) {}

  Result<std::unique_ptr<warehouse::AppendSession>> open() {
    return std::unique_ptr<warehouse::AppendSession>(std::make_unique<Session>(*this));
  }
  void hold() {
    std::lock_guard lock(mutex_);
    is_held_ = true;
  }
  void let_go() {
    std::lock_guard lock(mutex_);
    is_held_ = false;
    changed_.notify_all();
  }
  void wait_taken(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return taken_ >= count; });
  }
  std::size_t taken() {
    std::lock_guard lock(mutex_);
    return taken_;
  }
  std::size_t waiting_max() {
    std::lock_guard lock(mutex_);
    return waiting_max_;
  }

 private:
  class Session final : public warehouse::AppendSession {
   public:
    explicit Session(SlowWarehouse& owner) : owner_(owner) {}
    void append(std::string_view, std::shared_ptr<const void> memory, std::optional<std::int64_t>,
                warehouse::AppendDone done, base::Deadline) override {
      std::lock_guard lock(owner_.mutex_);
      ++owner_.taken_;
      owner_.waiting_.emplace_back(std::move(memory), std::move(done));
      owner_.waiting_max_ = std::max(owner_.waiting_max_, owner_.waiting_.size());
      owner_.changed_.notify_all();
    }
    data::TableSchema schema() const override { return {}; }
    std::string schema_etag() const override { return "1"; }

   private:
    SlowWarehouse& owner_;
  };

  void work(std::stop_token stop) {
    while (true) {
      std::pair<std::shared_ptr<const void>, warehouse::AppendDone> item;
      {
        std::unique_lock lock(mutex_);
        if (!changed_.wait(lock, stop, [this] { return !waiting_.empty() && !is_held_; })) return;
        item = std::move(waiting_.front());
        waiting_.pop_front();
      }
      item.second(warehouse::AppendOutcome{});
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::pair<std::shared_ptr<const void>, warehouse::AppendDone>> waiting_;
  std::size_t taken_ = 0, waiting_max_ = 0;
  bool is_held_ = false;
  std::jthread writer_;
};

class Service final : public storage::BigQueryWrite::WithRawCallbackMethod_AppendRows<storage::BigQueryWrite::Service> {
 public:
  Service(SlowWarehouse& warehouse, const base::Clock& clock, base::Metrics& metrics)
      : calls([&warehouse](const StreamName&, const std::string&) { return warehouse.open(); }, clock, metrics) {}
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* AppendRows(grpc::CallbackServerContext*) override {
    return calls.start();
  }
  AppendCalls calls;
};

constexpr const char* kStream = "projects/p/datasets/d/tables/t/streams/_default";

// Once over a socket, once in process.
class AppendStreamTest : public ::testing::TestWithParam<bool> {
 protected:
  AppendStreamTest() : service_(warehouse_, clock_, metrics_) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.SetMaxReceiveMessageSize(static_cast<int>(wire::kAppendRequestBytesMax));
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    const std::shared_ptr<grpc::Channel> channel =
        GetParam() ? server_->InProcessChannel({})
                   : grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
    stub_ = storage::BigQueryWrite::NewStub(channel);
    call_ = stub_->AppendRows(&context_);
  }
  ~AppendStreamTest() override {
    server_->Shutdown(gpr_time_0(GPR_TIMESPAN));
    server_->Wait();
  }

  static storage::AppendRowsRequest request(std::size_t row_bytes = 10, bool is_first = false) {
    storage::AppendRowsRequest out;
    out.mutable_proto_rows()->mutable_rows()->add_serialized_rows(std::string(row_bytes, 'x'));
    if (is_first) {
      out.set_write_stream(kStream);
      out.mutable_proto_rows()->mutable_writer_schema()->mutable_proto_descriptor()->set_name("Row");
    }
    return out;
  }

  SlowWarehouse warehouse_;
  base::SystemClock clock_;
  base::Metrics metrics_;
  Service service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<storage::BigQueryWrite::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<storage::AppendRowsRequest, storage::AppendRowsResponse>> call_;
};

TEST_P(AppendStreamTest, AnswersManyRequestsInFlight) {
  constexpr int kCount = 500;
  std::jthread writer([&] {
    for (int i = 0; i < kCount; ++i) ASSERT_TRUE(call_->Write(request(1000, i == 0)));
    call_->WritesDone();
  });
  storage::AppendRowsResponse response;
  int answers = 0;
  while (call_->Read(&response)) {
    EXPECT_TRUE(response.has_append_result()) << response.ShortDebugString();
    EXPECT_FALSE(response.append_result().has_offset());
    EXPECT_EQ(response.write_stream(), kStream);
    ++answers;
  }
  EXPECT_EQ(answers, kCount);
  EXPECT_TRUE(call_->Finish().ok());
}

TEST_P(AppendStreamTest, AnswersInOrderWhenOneIsRefused) {
  ASSERT_TRUE(call_->Write(request(10, true)));
  storage::AppendRowsRequest bad = request();
  bad.mutable_offset()->set_value(7);
  ASSERT_TRUE(call_->Write(bad));
  ASSERT_TRUE(call_->Write(request()));
  call_->WritesDone();
  storage::AppendRowsResponse response;
  ASSERT_TRUE(call_->Read(&response));
  EXPECT_TRUE(response.has_append_result());
  ASSERT_TRUE(call_->Read(&response));
  EXPECT_EQ(response.error().code(), grpc::StatusCode::INVALID_ARGUMENT);
  ASSERT_TRUE(call_->Read(&response));
  EXPECT_TRUE(response.has_append_result());
  EXPECT_FALSE(call_->Read(&response));
  EXPECT_TRUE(call_->Finish().ok());
}

TEST_P(AppendStreamTest, StopsReadingWhenTooMuchIsUnanswered) {
  warehouse_.hold();
  constexpr std::size_t kBytes = 4 << 20;
  constexpr std::size_t kCount = 40;  // 160 MiB, far more than may be unanswered
  std::jthread writer([&] {
    for (std::size_t i = 0; i < kCount; ++i)
      if (!call_->Write(request(kBytes, i == 0))) return;
    call_->WritesDone();
  });
  const std::size_t most = kAppendStreamBytesMax / kBytes + 1;
  warehouse_.wait_taken(kAppendStreamBytesMax / kBytes);
  EXPECT_LE(warehouse_.taken(), most);
  EXPECT_LE(metrics_.gauge("flytt_append_bytes_unanswered").load(), static_cast<std::int64_t>(most * (kBytes + 1000)));
  warehouse_.let_go();
  storage::AppendRowsResponse response;
  std::size_t answers = 0;
  while (call_->Read(&response)) ++answers;
  EXPECT_EQ(answers, kCount);
  EXPECT_EQ(warehouse_.taken(), kCount);
  EXPECT_LE(warehouse_.waiting_max(), most);
  EXPECT_TRUE(call_->Finish().ok());
  EXPECT_EQ(service_.calls.budget.bytes(), 0u);
}

TEST_P(AppendStreamTest, RefusesARequestBeyondGooglesLimit) {
  call_->Write(request(wire::kAppendRequestBytesMax + 1, true));
  storage::AppendRowsResponse response;
  EXPECT_FALSE(call_->Read(&response));
  EXPECT_EQ(call_->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(warehouse_.taken(), 0u);
}

TEST_P(AppendStreamTest, AFailureOfTheConnectionEndsIt) {
  storage::AppendRowsRequest first = request(10, true);
  first.clear_write_stream();
  ASSERT_TRUE(call_->Write(first));
  storage::AppendRowsResponse response;
  EXPECT_FALSE(call_->Read(&response));
  EXPECT_EQ(call_->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_P(AppendStreamTest, DrainingAnswersWhatWasRead) {
  ASSERT_TRUE(call_->Write(request(10, true)));
  storage::AppendRowsResponse response;
  ASSERT_TRUE(call_->Read(&response));
  warehouse_.hold();
  ASSERT_TRUE(call_->Write(request()));
  warehouse_.wait_taken(2);
  service_.calls.drain();
  warehouse_.let_go();
  ASSERT_TRUE(call_->Read(&response));
  EXPECT_TRUE(response.has_append_result());
  EXPECT_FALSE(call_->Read(&response));
  EXPECT_EQ(call_->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  grpc::ClientContext late_context;
  auto late = stub_->AppendRows(&late_context);
  EXPECT_FALSE(late->Read(&response));
  EXPECT_EQ(late->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_P(AppendStreamTest, ACancelledCallEndsWhenItsAppendsAreSettled) {
  warehouse_.hold();
  ASSERT_TRUE(call_->Write(request(10, true)));
  warehouse_.wait_taken(1);
  context_.TryCancel();
  storage::AppendRowsResponse response;
  EXPECT_FALSE(call_->Read(&response));
  EXPECT_EQ(call_->Finish().error_code(), grpc::StatusCode::CANCELLED);
  warehouse_.let_go();
}

INSTANTIATE_TEST_SUITE_P(Transports, AppendStreamTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "InProcess" : "Tcp"; });

// Last of its kind: arming is for the whole process, and only the first passage counts.
TEST_P(AppendStreamTest, LosesTheAnswerOfADurableAppendWhenTold) {
  ASSERT_TRUE(base::arm_failpoints("gateway.append.drop_answer=error@2", ""));
  ASSERT_TRUE(call_->Write(request(10, true)));
  storage::AppendRowsResponse response;
  ASSERT_TRUE(call_->Read(&response));
  ASSERT_TRUE(call_->Write(request()));
  EXPECT_FALSE(call_->Read(&response));
  EXPECT_EQ(call_->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(warehouse_.taken(), 2u);
}

}  // namespace
}  // namespace flytt::gateway::internal
