#pragma once
// An HTTP/1.1 server (RFC 9112): keep-alive, gzip request bodies, bounded in connections, headers, bodies and time.
//
// It owns one thread that moves bytes and kHttpHandlersMax threads that call the handler, which it does not own and
// which must outlive it. `start` returns when the port is bound. It listens on loopback only, unless the options say
// otherwise. A request that reaches a loopback listener under another name (Host) or from a page of another site
// (Origin) is refused with 403: a web page must not be able to talk to a service that trusts its machine.
//
// Errors that the server itself answers (400, 403, 408, 413, 431, 503) have Google's error body.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "gateway/http.h"
#include "gateway/limits.h"

namespace flytt::gateway {

struct HttpServerOptions {
  std::string address = "127.0.0.1:0";  // host:port, [v6]:port or localhost:port; port 0 takes a free one
  bool may_leave_loopback = false;      // only for a listener that shows no data
  std::size_t body_bytes_max = kHttpBodyBytesMax;
  int connections_max = kHttpConnectionsMax;
  int handlers_max = kHttpHandlersMax;
  std::chrono::milliseconds header_timeout = kHttpHeaderTimeout;
  std::chrono::milliseconds body_timeout = kHttpBodyTimeout;
  std::chrono::milliseconds write_timeout = kHttpWriteTimeout;
};

class HttpServer {
 public:
  // kConfig: the address cannot be read, or leaves loopback without permission. kConflict: the port is taken.
  static Result<std::unique_ptr<HttpServer>> start(const HttpServerOptions& options, HttpHandler& handler,
                                                   const base::Clock& clock);
  ~HttpServer();  // stops at once
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // "127.0.0.1:41234"; the port that was really bound.
  const std::string& address() const;

  // Accepts no more, lets requests in flight end until the deadline, then asks their handlers to stop, and waits for
  // them. Idle connections are closed at once. Any thread; the second call does nothing.
  void stop(base::Deadline deadline);

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace flytt::gateway
