#include "bigquery/internal/append_call.h"

namespace flytt::bigquery {
namespace {

constexpr const char* kMethod = "/google.cloud.bigquery.storage.v1.BigQueryWrite/AppendRows";

}  // namespace

std::string routing_value(const std::string& text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

AppendCall::AppendCall(CallOwner& owner, std::shared_ptr<grpc::Channel> channel, grpc::CompletionQueue& queue,
                       const std::string& write_stream, const HttpHeaders& headers)
    : owner_(owner), channel_(std::move(channel)), stub_(channel_) {
  context_.AddMetadata("x-goog-request-params", "write_stream=" + routing_value(write_stream));
  for (const auto& [name, value] : headers) context_.AddMetadata(name, value);
  stream_ = stub_.PrepareCall(&context_, kMethod, &queue);
  stream_->StartCall(&on_started_);
}

void AppendCall::send(grpc::ByteBuffer message) {
  unsent_.push_back(std::move(message));
  write_next();
}

void AppendCall::half_close() {
  wants_half_close_ = true;
  write_next();
}

void AppendCall::write_next() {
  if (!is_started_ || is_writing_ || is_broken_) return;
  if (!unsent_.empty()) {
    is_writing_ = true;
    stream_->Write(unsent_.front(), &on_written_);
  } else if (wants_half_close_ && !is_half_closed_) {
    is_writing_ = is_half_closed_ = true;
    stream_->WritesDone(&on_written_);
  }
}

// Finish asks for the status; it is called once, when no other operation is under way.
void AppendCall::finish_when_quiet() {
  if (!is_broken_ || is_writing_ || is_reading_ || is_finishing_) return;
  is_finishing_ = true;
  stream_->Finish(&status_, &on_finished_);
}

void AppendCall::started(bool is_good) {
  is_started_ = true;
  is_broken_ = !is_good;
  if (is_good) {
    is_reading_ = true;
    stream_->Read(&incoming_, &on_received_);
    write_next();
  }
  finish_when_quiet();
}

void AppendCall::written(bool is_good) {
  is_writing_ = false;
  if (!unsent_.empty()) unsent_.pop_front();
  // A failed write means that the call is over; the read that is under way will say so, too.
  if (is_good)
    write_next();
  else
    is_broken_ = true;
  finish_when_quiet();
}

void AppendCall::received(bool is_good) {
  is_reading_ = false;
  if (is_good) {
    const grpc::ByteBuffer message = incoming_;
    incoming_.Clear();
    is_reading_ = true;
    stream_->Read(&incoming_, &on_received_);
    owner_.on_message(*this, message);
    return;
  }
  is_broken_ = true;
  finish_when_quiet();
}

void AppendCall::finished(bool) { owner_.on_finished(*this, status_); }

}  // namespace flytt::bigquery
