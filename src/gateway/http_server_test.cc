#include "gateway/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace flytt::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A blocking connection that sends bytes as they are and reads until the other side closes.
class RawConnection {
 public:
  explicit RawConnection(const std::string& address) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~RawConnection() { ::close(fd_); }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  bool is_connected() const { return is_connected_; }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  std::string read_to_end() {
    std::string out;
    char piece[4096];
    for (ssize_t got; (got = ::recv(fd_, piece, sizeof piece, 0)) > 0;)
      out.append(piece, static_cast<std::size_t>(got));
    return out;
  }
  // One response with a Content-Length.
  std::string read_response() {
    std::string out;
    char c;
    while (out.find("\r\n\r\n") == out.npos && ::recv(fd_, &c, 1, 0) == 1) out += c;
    const auto at = out.find("Content-Length: ");
    if (at == out.npos) return out;
    for (std::size_t left = std::stoul(out.substr(at + 16)); left > 0 && ::recv(fd_, &c, 1, 0) == 1; --left) out += c;
    return out;
  }

 private:
  int fd_;
  bool is_connected_ = false;
};

// Says what it was asked.
class Echo final : public HttpHandler {
 public:
  HttpResponse handle(const HttpRequest& request) override {
    HttpResponse out;
    out.content_type = "text/plain";
    out.body = request.method + " " + request.path + " ?" + request.query + " body=" + request.body;
    return out;
  }
};

// Holds every request until it is let go, or until the server asks to stop.
class Held final : public HttpHandler {
 public:
  HttpResponse handle(const HttpRequest& request) override {
    std::unique_lock lock(mutex_);
    ++entered_;
    changed_.notify_all();
    const bool was_let_go = changed_.wait(lock, request.stop, [&] { return is_open_; });
    HttpResponse out;
    out.body = was_let_go ? "let go" : "stopped";
    return out;
  }
  void wait_entered(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entered_ >= count; });
  }
  void let_go() {
    std::lock_guard lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  int entered_ = 0;
  bool is_open_ = false;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void start(HttpHandler& handler, HttpServerOptions options = {}) {
    options.handlers_max = 4;
    auto started = HttpServer::start(options, handler, clock_);
    ASSERT_TRUE(started) << started.error().text();
    server_ = std::move(started).value();
  }
  std::string ask(std::string_view bytes) {
    RawConnection connection(server_->address());
    connection.send(bytes);
    return connection.read_to_end();
  }
  std::string host() const { return "Host: " + server_->address() + "\r\n"; }

  base::SystemClock clock_;
  Echo echo_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersAndKeepsTheConnection) {
  start(echo_);
  RawConnection connection(server_->address());
  connection.send("GET /a%20b?x=1 HTTP/1.1\r\n" + host() + "\r\n");
  EXPECT_THAT(connection.read_response(), ::testing::EndsWith("GET /a%20b ?x=1 body="));
  connection.send("POST /c HTTP/1.1\r\n" + host() + "Content-Length: 5\r\n\r\nhello");
  EXPECT_THAT(connection.read_response(), ::testing::EndsWith("POST /c ? body=hello"));
  connection.send("POST /d HTTP/1.1\r\n" + host() +
                  "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_THAT(connection.read_to_end(), ::testing::EndsWith("POST /d ? body=abcde"));
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  start(echo_);
  const std::string answer =
      ask("GET /1 HTTP/1.1\r\n" + host() + "\r\nGET /2 HTTP/1.1\r\n" + host() + "Connection: close\r\n\r\n");
  EXPECT_LT(answer.find("GET /1"), answer.find("GET /2"));
  EXPECT_THAT(answer, ::testing::EndsWith("GET /2 ? body="));
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  start(echo_);
  const std::string answer = ask("HEAD /x HTTP/1.1\r\n" + host() + "Connection: close\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Content-Length: 15\r\n"));
  EXPECT_THAT(answer, ::testing::EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, SendsContinueBeforeTheBody) {
  start(echo_);
  RawConnection connection(server_->address());
  connection.send("POST /e HTTP/1.1\r\n" + host() + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(connection.read_response(), "HTTP/1.1 100 Continue\r\n\r\n");
  connection.send("ok");
  EXPECT_THAT(connection.read_response(), ::testing::EndsWith("body=ok"));
}

TEST_F(HttpServerTest, RefusesForeignHostAndOrigin) {
  start(echo_);
  EXPECT_THAT(ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask("POST / HTTP/1.1\r\n" + host() + "Origin: https://evil.example\r\nContent-Length: 0\r\n\r\n"),
              ::testing::AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("\"status\":\"PERMISSION_DENIED\"")));
  EXPECT_THAT(ask("GET / HTTP/1.1\r\n" + host() + "Origin: null\r\n\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(
      ask("GET / HTTP/1.1\r\n" + host() + "Origin: http://" + server_->address() + "\r\nConnection: close\r\n\r\n"),
      StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("GET / HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, RefusesWhatIsTooLarge) {
  HttpServerOptions options;
  options.body_bytes_max = 1000;
  start(echo_, options);
  const std::string large(1001, 'x');
  EXPECT_THAT(ask("POST / HTTP/1.1\r\n" + host() + "Content-Length: 1001\r\n\r\n" + large), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(
      ask("POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + large + "\r\n0\r\n\r\n"),
      StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(ask("GET / HTTP/1.1\r\n" + host() + "X: " + std::string(70'000, 'y') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(ask("GET /" + std::string(17'000, 'z') + " HTTP/1.1\r\n" + host() + "\r\n"), StartsWith("HTTP/1.1 414"));
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttp) {
  start(echo_);
  EXPECT_THAT(ask("this is not http\r\n\r\n"),
              ::testing::AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("\"reason\":\"badRequest\"")));
  EXPECT_THAT(ask("POST / HTTP/1.1\r\n" + host() + "Content-Encoding: br\r\nContent-Length: 0\r\n\r\n"),
              StartsWith("HTTP/1.1 415"));
}

std::string gzip(std::string_view plain) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, plain.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST_F(HttpServerTest, UnpacksGzipAndRefusesBombs) {
  HttpServerOptions options;
  options.body_bytes_max = 100'000;
  start(echo_, options);
  const auto post = [&](const std::string& body) {
    return ask("POST / HTTP/1.1\r\n" + host() + "Connection: close\r\nContent-Encoding: gzip\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n\r\n" + body);
  };
  EXPECT_THAT(post(gzip("packed")), ::testing::EndsWith("body=packed"));
  EXPECT_THAT(post(gzip(std::string(100'000, 'a'))), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(post(gzip(std::string(10'000'000, 'a'))), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(post("not gzip"), StartsWith("HTTP/1.1 400"));
  const std::string whole = gzip("cut off");
  EXPECT_THAT(post(whole.substr(0, whole.size() - 4)), StartsWith("HTTP/1.1 400"));
}

TEST_F(HttpServerTest, ClosesSlowConnections) {
  HttpServerOptions options;
  options.header_timeout = options.body_timeout = std::chrono::milliseconds(50);
  start(echo_, options);
  // Reading ends only because the server closes.
  EXPECT_EQ(ask("GET / HTT"), "");
  EXPECT_EQ(ask(""), "");
  EXPECT_EQ(ask("POST / HTTP/1.1\r\n" + host() + "Content-Length: 10\r\n\r\nhalf"), "");
}

TEST_F(HttpServerTest, TellsConnectionsBeyondTheBound) {
  HttpServerOptions options;
  options.connections_max = 1;
  Held held;
  start(held, options);
  RawConnection first(server_->address());
  first.send("GET / HTTP/1.1\r\n" + host() + "\r\n");
  held.wait_entered(1);
  EXPECT_THAT(ask("GET / HTTP/1.1\r\n" + host() + "\r\n"), StartsWith("HTTP/1.1 503"));
  held.let_go();
  EXPECT_THAT(first.read_response(), ::testing::EndsWith("let go"));
}

TEST_F(HttpServerTest, StopLetsRequestsInFlightEnd) {
  Held held;
  start(held);
  RawConnection idle(server_->address()), busy(server_->address());
  busy.send("GET / HTTP/1.1\r\n" + host() + "\r\n");
  held.wait_entered(1);
  std::jthread stopper([&] { server_->stop(base::Deadline::never()); });
  EXPECT_EQ(idle.read_to_end(), "");  // closed, so the server is draining
  held.let_go();
  EXPECT_THAT(busy.read_to_end(), ::testing::AllOf(HasSubstr("Connection: close"), ::testing::EndsWith("let go")));
  stopper.join();
  EXPECT_FALSE(RawConnection(server_->address()).is_connected());
}

TEST_F(HttpServerTest, StopAfterTheDeadlineStopsHandlers) {
  Held held;
  start(held);
  RawConnection busy(server_->address());
  busy.send("GET / HTTP/1.1\r\n" + host() + "\r\n");
  held.wait_entered(1);
  server_->stop(base::Deadline::passed());  // would hang if the handler were not asked to stop
  busy.read_to_end();
}

TEST_F(HttpServerTest, RefusesAddressesThatItMayNotUse) {
  HttpServerOptions options;
  for (const char* address :
       {"0.0.0.0:0", "10.1.2.3:80", "127.0.0.1", "nonsense:1", "127.0.0.1:99999", "127.0.0.1:", ":80"}) {
    options.address = address;
    const auto started = HttpServer::start(options, echo_, clock_);
    ASSERT_FALSE(started) << address;
    EXPECT_EQ(started.error().code(), ErrorCode::kConfig) << address;
  }
  start(echo_);
  options.address = server_->address();
  const auto second = HttpServer::start(options, echo_, clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kConflict);
}

}  // namespace
}  // namespace flytt::gateway
