#include "bigquery/http_transport.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace flytt::bigquery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A server of one connection at a time, which answers requests from a list and then closes.
class OneShotServer {
 public:
  explicit OneShotServer(std::vector<std::vector<std::string>> connections) : connections_(std::move(connections)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 8);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](std::stop_token stop) { serve(stop); });
  }
  ~OneShotServer() {
    thread_.request_stop();
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // After the last connection ended.
  const std::vector<std::string>& requests() {
    thread_.request_stop();
    ::shutdown(listener_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    thread_ = std::jthread([] {});
    return requests_;
  }

 private:
  void serve(const std::stop_token& stop) {
    for (const auto& answers : connections_) {
      const int peer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (peer < 0) return;
      for (const std::string& answer : answers) {
        if (!read_request(peer, stop)) break;
        if (::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) break;
      }
      ::close(peer);
    }
  }
  bool read_request(int peer, const std::stop_token& stop) {
    std::string text;
    while (!stop.stop_requested()) {
      pollfd ready{peer, POLLIN, 0};
      if (::poll(&ready, 1, 20) <= 0) continue;
      char bytes[4096];
      const ssize_t count = ::recv(peer, bytes, sizeof bytes, 0);
      if (count <= 0) return false;
      text.append(bytes, static_cast<std::size_t>(count));
      const auto end = text.find("\r\n\r\n");
      if (end == text.npos) continue;
      const auto length = text.find("Content-Length: ");
      const std::size_t body = length == text.npos ? 0 : std::stoul(text.substr(length + 16));
      if (text.size() < end + 4 + body) continue;
      requests_.push_back(text);
      return true;
    }
    return false;
  }

  std::vector<std::vector<std::string>> connections_;
  std::vector<std::string> requests_;
  int listener_ = -1;
  int port_ = 0;
  std::jthread thread_;
};

std::string answer(const std::string& body, const std::string& status = "200 OK") {
  return "HTTP/1.1 " + status +
         "\r\nContent-Type: application/json\r\nX-Odd: a: b\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

class TransportTest : public ::testing::Test {
 protected:
  base::Deadline soon() { return clock.in(seconds(20)); }
  base::SystemClock clock;
};

TEST_F(TransportTest, OneConnectionForSeveralRequests) {
  OneShotServer server({{answer("{\"a\":1}"), answer("", "404 Not Found"), answer("{}")}});
  auto transport = CurlTransport::make(server.url() + "/base/", clock);
  ASSERT_TRUE(transport) << transport.error().text();
  auto first = (*transport)->send({"POST", "/x?y=1", {{"content-type", "application/json"}}, "{\"q\":true}"}, soon());
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_EQ(first->status, 200);
  EXPECT_EQ(first->body, "{\"a\":1}");
  ASSERT_GE(first->headers.size(), 2U);
  EXPECT_EQ(first->headers[1], (std::pair<std::string, std::string>("x-odd", "a: b")));
  EXPECT_EQ((*transport)->send({"GET", "/z", {}, ""}, soon())->status, 404);
  EXPECT_EQ((*transport)->send({"DELETE", "/z", {}, ""}, soon())->status, 200);
  const auto& requests = server.requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].substr(0, 22), "POST /base/x?y=1 HTTP/");
  EXPECT_NE(requests[0].find("\r\n\r\n{\"q\":true}"), std::string::npos);
  EXPECT_EQ(requests[1].substr(0, 12), "GET /base/z ");
  EXPECT_EQ(requests[2].substr(0, 15), "DELETE /base/z ");
}

TEST_F(TransportTest, NoAnswerIsAnError) {
  OneShotServer server({{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"}});
  auto transport = CurlTransport::make(server.url(), clock);
  EXPECT_EQ((*transport)->send({"GET", "/", {}, ""}, soon()).error().code(), ErrorCode::kUnavailable);
  auto nobody = CurlTransport::make("http://127.0.0.1:1", clock);
  EXPECT_EQ((*nobody)->send({"GET", "/", {}, ""}, soon()).error().code(), ErrorCode::kUnavailable);
}

TEST_F(TransportTest, ADeadlineIsKept) {
  OneShotServer server({std::vector<std::string>(2)});  // reads, says nothing, and waits for more
  auto transport = CurlTransport::make(server.url(), clock);
  const auto late = (*transport)->send({"GET", "/", {}, ""}, clock.in(milliseconds(50)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::kTimeout);
  EXPECT_EQ((*transport)->send({"GET", "/", {}, ""}, base::Deadline::passed()).error().code(), ErrorCode::kTimeout);
}

TEST_F(TransportTest, PlainHttpOnlyToThisMachineAndWithoutTokens) {
  EXPECT_EQ(CurlTransport::make("http://bigquery.example.org", clock).error().code(), ErrorCode::kConfig);
  EXPECT_EQ(CurlTransport::make("http://127.example.org", clock).error().code(), ErrorCode::kConfig);
  EXPECT_EQ(CurlTransport::make("ftp://127.0.0.1", clock).error().code(), ErrorCode::kConfig);
  EXPECT_EQ(CurlTransport::make("nonsense", clock).error().code(), ErrorCode::kConfig);
  EXPECT_EQ(CurlTransport::make("https://user:pass@host", clock).error().code(), ErrorCode::kConfig);
  EXPECT_TRUE((*CurlTransport::make("https://bigquery.googleapis.com", clock))->is_secure());
  auto local = CurlTransport::make("http://localhost:9050", clock);
  ASSERT_TRUE(local);
  EXPECT_FALSE((*local)->is_secure());
  EXPECT_EQ((*local)->send({"GET", "/", {{"Authorization", "Bearer x"}}, ""}, soon()).error().code(), ErrorCode::kBug);
}

TEST(LoopbackHost, WhatCounts) {
  for (const char* yes :
       {"localhost", "localhost:9050", "127.0.0.1", "127.0.0.1:80", "127.1.2.3", "[::1]", "[::1]:9060", "::1"})
    EXPECT_TRUE(is_loopback_host(yes)) << yes;
  for (const char* no : {"", "127.0.0", "127.0.0.1.example.org", "128.0.0.1", "localhost.example.org", "[::2]:1",
                         "1127.0.0.1", "127.0.0.x"})
    EXPECT_FALSE(is_loopback_host(no)) << no;
}

TEST_F(TransportTest, AMetadataServerGetsNoToken) {
  EXPECT_FALSE(CurlTransport::make("http://metadata.google.internal", clock));
  auto transport = CurlTransport::make("http://metadata.google.internal", clock, HttpPeer::kMetadata);
  ASSERT_TRUE(transport) << transport.error().text();
  EXPECT_FALSE((*transport)->is_secure());
  const auto refused = (*transport)->send({"GET", "/", {{"Authorization", "Bearer t"}}, ""}, soon());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kBug);
}

}  // namespace
}  // namespace flytt::bigquery
