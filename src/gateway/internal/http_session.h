#pragma once
// One HTTP connection, moved by the server's I/O thread: header, guards, body, handler (on another thread), response.
// Beast's types stay in this header and its two users.

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/optional.hpp>

#include <functional>
#include <memory>
#include <string>

#include "gateway/http_server.h"
#include "gateway/internal/google_error.h"

namespace flytt::gateway::internal {

namespace beast = boost::beast;
namespace beast_http = boost::beast::http;
using boost::asio::ip::tcp;

class HttpSession;

// What a session asks of its server. All calls on the I/O thread.
class HttpSessionOwner {
 public:
  virtual ~HttpSessionOwner() = default;
  virtual const HttpServerOptions& options() const = 0;
  virtual bool is_draining() const = 0;
  // Takes `bytes` of the budget for bodies; false when it is used up.
  virtual bool take_body_budget(std::size_t bytes) = 0;
  virtual void give_body_budget(std::size_t bytes) = 0;
  // Runs the handler on another thread and then `done` on the I/O thread.
  virtual void dispatch(HttpRequest request, std::function<void(HttpResponse)> done) = 0;
  virtual void left(HttpSession* session) = 0;
};

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(tcp::socket socket, HttpSessionOwner& owner) : stream_(std::move(socket)), owner_(owner) {}

  // `refuse`: too many connections; the first request is answered with 503.
  void start(bool refuse);
  // Closes now if no request is being read or answered; else after the answer, because the owner is draining.
  void drain();
  // Closes now.
  void close();

 private:
  enum class Phase { kIdle, kReading, kAnswering, kLingering, kClosed };

  void read_header();
  void on_header(beast::error_code failure);
  bool refuse_by_header();
  void send_continue();
  void read_body();
  void on_body(beast::error_code failure);
  void answer(HttpResponse response, bool keep_alive);
  void on_answered(beast::error_code failure, bool keep_alive);
  void refuse(int status, std::string_view reason, std::string message);
  void refuse_unreadable(beast::error_code failure);
  void linger();
  void release_budget();

  beast::tcp_stream stream_;
  HttpSessionOwner& owner_;
  Phase phase_ = Phase::kIdle;
  bool is_refused_ = false;
  bool is_head_ = false;
  std::size_t budget_ = 0;
  std::size_t lingered_bytes_ = 0;
  beast::flat_buffer buffer_{kHttpHeaderBytesMax + (128 << 10)};
  boost::optional<beast_http::request_parser<beast_http::string_body>> parser_;
  beast_http::response<beast_http::string_body> response_;
  boost::optional<beast_http::response_serializer<beast_http::string_body>> serializer_;
};

}  // namespace flytt::gateway::internal
