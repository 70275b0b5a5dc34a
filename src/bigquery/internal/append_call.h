#pragma once
// AppendCall: one AppendRows call, from its start to its status, driven by a completion queue.
//
// Everything is called under its owner's lock: by the owner, and by the owner's thread that polls the queue, which hands
// each event's tag to `AppendEvent::done`. The call reports to a CallOwner, under the same lock. It must live until
// `on_finished`; `cancel` brings that about soon.

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <deque>
#include <memory>
#include <string>

#include "bigquery/http_transport.h"

namespace flytt::bigquery {

// A value of the routing header x-goog-request-params: everything but unreserved characters is percent-encoded.
std::string routing_value(const std::string& text);

class AppendCall;

class CallOwner {
 public:
  virtual ~CallOwner() = default;
  virtual void on_message(AppendCall& call, const grpc::ByteBuffer& message) = 0;
  // The last event: the call may be destroyed after it returned.
  virtual void on_finished(AppendCall& call, const grpc::Status& status) = 0;
};

// What a completion queue's tag points to.
class AppendEvent {
 public:
  virtual ~AppendEvent() = default;
  virtual void done(bool is_good) = 0;
};

class AppendCall {
 public:
  // `write_stream` is put into the routing header; `headers` say who we are and may be empty.
  AppendCall(CallOwner& owner, std::shared_ptr<grpc::Channel> channel, grpc::CompletionQueue& queue,
             const std::string& write_stream, const HttpHeaders& headers);
  AppendCall(const AppendCall&) = delete;
  AppendCall& operator=(const AppendCall&) = delete;

  void send(grpc::ByteBuffer message);
  void half_close();  // after everything that was sent
  void cancel() { context_.TryCancel(); }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  // A member function as an event.
  class Event final : public AppendEvent {
   public:
    Event(AppendCall& call, void (AppendCall::*handler)(bool)) : call_(call), handler_(handler) {}
    void done(bool is_good) override { (call_.*handler_)(is_good); }

   private:
    AppendCall& call_;
    void (AppendCall::*handler_)(bool);
  };

  void started(bool is_good);
  void written(bool is_good);
  void received(bool is_good);
  void finished(bool is_good);
  void write_next();
  void finish_when_quiet();

  CallOwner& owner_;
  const std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  std::deque<grpc::ByteBuffer> unsent_;
  grpc::ByteBuffer incoming_;
  grpc::Status status_;
  bool is_started_ = false, is_writing_ = false, is_reading_ = false;
  bool wants_half_close_ = false, is_half_closed_ = false;
  bool is_broken_ = false, is_finishing_ = false;
  Event on_started_{*this, &AppendCall::started};
  Event on_written_{*this, &AppendCall::written};
  Event on_received_{*this, &AppendCall::received};
  Event on_finished_{*this, &AppendCall::finished};
};

}  // namespace flytt::bigquery
