#include "gateway/internal/http_session.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include <cctype>

#include "gateway/internal/gunzip.h"
#include "gateway/internal/origin_guard.h"

namespace flytt::gateway::internal {

namespace {

std::string text_of(beast::string_view view) { return {view.data(), view.size()}; }

bool equals_ignoring_case(beast::string_view a, const char* b) { return beast::iequals(a, b); }

HttpRequest plain_request(beast_http::request<beast_http::string_body>&& message) {
  HttpRequest out;
  out.method = text_of(message.method_string());
  const std::string target = text_of(message.target());
  const auto question = target.find('?');
  out.path = target.substr(0, question);
  if (question != target.npos) out.query = target.substr(question + 1);
  for (const auto& field : message) {
    std::string name = text_of(field.name_string());
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    out.headers.emplace_back(std::move(name), text_of(field.value()));
  }
  out.body = std::move(message.body());
  return out;
}

}  // namespace

void HttpSession::start(bool refuse) {
  is_refused_ = refuse;
  read_header();
}

void HttpSession::drain() {
  if (phase_ == Phase::kIdle || phase_ == Phase::kLingering) close();
}

void HttpSession::close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  release_budget();
  beast::error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
  stream_.close();
  owner_.left(this);
}

void HttpSession::release_budget() {
  owner_.give_body_budget(budget_);
  budget_ = 0;
}

void HttpSession::read_header() {
  phase_ = Phase::kIdle;
  if (owner_.is_draining()) return close();
  parser_.emplace();
  parser_->header_limit(kHttpHeaderBytesMax);
  parser_->body_limit(owner_.options().body_bytes_max);
  stream_.expires_after(owner_.options().header_timeout);
  beast_http::async_read_header(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](beast::error_code failure, std::size_t) { self->on_header(failure); });
}

void HttpSession::on_header(beast::error_code failure) {
  if (phase_ == Phase::kClosed) return;
  if (failure) return refuse_unreadable(failure);
  phase_ = Phase::kReading;
  if (refuse_by_header()) return;
  if (equals_ignoring_case(parser_->get()[beast_http::field::expect], "100-continue")) return send_continue();
  read_body();
}

// Everything that can be said before the body has arrived.
bool HttpSession::refuse_by_header() {
  const auto& message = parser_->get();
  is_head_ = message.method() == beast_http::verb::head;
  if (is_refused_) return refuse(503, "backendError", "too many connections; try again"), true;
  if (message.target().size() > kHttpTargetBytesMax)
    return refuse(414, "uriTooLong", "the URL is longer than 16 KiB"), true;
  if (!owner_.options().may_leave_loopback) {
    const std::string host = text_of(message[beast_http::field::host]),
                      origin = text_of(message[beast_http::field::origin]);
    if (auto sentence = refuse_foreign(host, origin)) return refuse(403, "forbidden", std::move(*sentence)), true;
  }
  const auto encoding = message[beast_http::field::content_encoding];
  if (!encoding.empty() && !equals_ignoring_case(encoding, "gzip") && !equals_ignoring_case(encoding, "identity"))
    return refuse(415, "unsupportedMediaType", "Content-Encoding of a request can be gzip or identity"), true;
  const auto length = parser_->content_length();
  const std::size_t bytes =
      length ? static_cast<std::size_t>(*length) : (parser_->chunked() ? owner_.options().body_bytes_max : 0);
  if (!owner_.take_body_budget(bytes))
    return refuse(503, "backendError", "too many large requests at the same time; try again"), true;
  budget_ = bytes;
  return false;
}

void HttpSession::send_continue() {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  stream_.expires_after(owner_.options().write_timeout);
  boost::asio::async_write(stream_, boost::asio::buffer(kContinue.data(), kContinue.size()),
                           [self = shared_from_this()](beast::error_code failure, std::size_t) {
                             if (self->phase_ == Phase::kClosed) return;
                             if (failure) return self->close();
                             self->read_body();
                           });
}

void HttpSession::read_body() {
  stream_.expires_after(owner_.options().body_timeout);
  beast_http::async_read(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](beast::error_code failure, std::size_t) { self->on_body(failure); });
}

void HttpSession::on_body(beast::error_code failure) {
  if (phase_ == Phase::kClosed) return;
  if (failure) return refuse_unreadable(failure);
  phase_ = Phase::kAnswering;
  stream_.expires_never();
  const bool keep_alive = parser_->get().keep_alive();
  owner_.dispatch(plain_request(parser_->release()), [self = shared_from_this(), keep_alive](HttpResponse response) {
    if (self->phase_ == Phase::kClosed) return;
    self->release_budget();
    self->answer(std::move(response), keep_alive && !self->owner_.is_draining());
  });
}

void HttpSession::answer(HttpResponse response, bool keep_alive) {
  response_ = {};
  response_.result(static_cast<unsigned>(response.status));
  response_.version(11);
  response_.keep_alive(keep_alive);
  for (const auto& [name, value] : response.headers) response_.set(name, value);
  if (!response.content_type.empty()) response_.set(beast_http::field::content_type, response.content_type);
  response_.set(beast_http::field::cache_control, "private, no-store");
  response_.set("X-Content-Type-Options", "nosniff");
  const bool has_no_body = response.status == 204 || response.status == 304;
  if (!has_no_body) response_.content_length(response.body.size());
  if (!has_no_body && !is_head_) response_.body() = std::move(response.body);
  serializer_.emplace(response_);
  stream_.expires_after(owner_.options().write_timeout);
  beast_http::async_write(stream_, *serializer_,
                          [self = shared_from_this(), keep_alive](beast::error_code failure, std::size_t) {
                            self->on_answered(failure, keep_alive);
                          });
}

void HttpSession::on_answered(beast::error_code failure, bool keep_alive) {
  if (phase_ == Phase::kClosed) return;
  response_ = {};
  if (failure) return close();
  if (phase_ == Phase::kLingering) return linger();
  if (!keep_alive) return close();
  read_header();
}

// Answers before the request was read to its end. The connection cannot be used again; what the caller is still
// sending is read and thrown away for a while, because closing at once would take the answer from it (RFC 9112 §9.6).
void HttpSession::refuse(int status, std::string_view reason, std::string message) {
  phase_ = Phase::kLingering;
  answer(google_error_response({status, std::string(reason), std::move(message), {}, {}}), false);
}

void HttpSession::refuse_unreadable(beast::error_code failure) {
  using beast_http::error;
  if (failure == error::header_limit || failure == error::buffer_overflow)
    return refuse(431, "headerTooLarge", "the request's headers are larger than 64 KiB");
  if (failure == error::body_limit)
    return refuse(413, "uploadTooLarge",
                  "the request's body is larger than " + std::to_string(owner_.options().body_bytes_max) + " bytes");
  const bool is_malformed = failure.category() == beast_http::make_error_code(error::bad_target).category() &&
                            failure != error::end_of_stream && failure != error::partial_message;
  if (is_malformed) return refuse(400, "badRequest", "the request is not valid HTTP/1.1: " + failure.message());
  close();  // the other side left, or a time limit passed
}

void HttpSession::linger() {
  if (lingered_bytes_ == 0) {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(kHttpLingerTimeout);
  }
  if (lingered_bytes_ >= kHttpLingerBytesMax || owner_.is_draining()) return close();
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(64 << 10),
                          [self = shared_from_this()](beast::error_code failure, std::size_t bytes) {
                            if (self->phase_ == Phase::kClosed) return;
                            self->lingered_bytes_ += bytes + 1;
                            if (failure) return self->close();
                            self->linger();
                          });
}

}  // namespace flytt::gateway::internal
