#include "gateway/http_server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <charconv>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/log.h"
#include "gateway/internal/gunzip.h"
#include "gateway/internal/http_session.h"
#include "gateway/internal/origin_guard.h"

namespace flytt::gateway {

namespace asio = boost::asio;
using internal::google_error_response;
using internal::HttpSession;
using internal::tcp;

namespace {

Result<tcp::endpoint> parse_endpoint(const HttpServerOptions& options) {
  const auto parts = internal::split_host_port(options.address);
  unsigned port = 0;
  const bool is_port =
      parts && !parts->port.empty() &&
      std::from_chars(parts->port.data(), parts->port.data() + parts->port.size(), port).ec == std::errc() &&
      port <= 65535;
  if (!is_port)
    return Error(ErrorCode::kConfig,
                 "'" + options.address + "' is not an address to listen on: write host:port, such as 127.0.0.1:9050");
  const std::string host = parts->host == "localhost" ? "127.0.0.1" : parts->host;
  boost::system::error_code failure;
  const auto address = asio::ip::make_address(host, failure);
  if (failure) return Error(ErrorCode::kConfig, "'" + parts->host + "' is not an IP address or localhost");
  if (!options.may_leave_loopback && !address.is_loopback())
    return Error(ErrorCode::kConfig,
                 "this service has no authentication and listens on loopback only: use 127.0.0.1 instead of " + host);
  return tcp::endpoint(address, static_cast<unsigned short>(port));
}

HttpResponse call_handler(HttpHandler& handler, HttpRequest& request, std::size_t body_bytes_max) {
  if (request.header("content-encoding") == "gzip") {
    auto plain = internal::gunzip(request.body, body_bytes_max);
    if (!plain) {
      const bool is_large = plain.error().code() == ErrorCode::kUnsupported;
      return google_error_response(
          {is_large ? 413 : 400, is_large ? "uploadTooLarge" : "badRequest", plain.error().sentence(), {}, {}});
    }
    request.body = std::move(plain).value();
  }
  return handler.handle(request);
}

}  // namespace

class HttpServer::Impl final : public internal::HttpSessionOwner {
 public:
  Impl(const HttpServerOptions& options, HttpHandler& handler, const base::Clock& clock)
      : options_(options),
        handler_(handler),
        clock_(clock),
        acceptor_(io_),
        accept_pause_(io_),
        body_budget_(options.body_bytes_max * kHttpBodiesInFlightMax) {}
  ~Impl() override { stop(base::Deadline::passed()); }

  Status listen();
  void run();
  void stop(base::Deadline deadline);
  const std::string& address() const { return address_; }

  const HttpServerOptions& options() const override { return options_; }
  bool is_draining() const override { return is_draining_; }
  bool take_body_budget(std::size_t bytes) override;
  void give_body_budget(std::size_t bytes) override { body_budget_ += bytes; }
  void dispatch(HttpRequest request, std::function<void(HttpResponse)> done) override;
  void left(HttpSession* session) override;

 private:
  struct Work {
    HttpRequest request;
    std::function<void(HttpResponse)> done;
  };

  void accept();
  void on_accepted(boost::system::error_code failure, tcp::socket socket);
  void work(std::stop_token stop);

  const HttpServerOptions options_;
  HttpHandler& handler_;
  const base::Clock& clock_;
  std::string address_;

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> io_has_work_ = asio::make_work_guard(io_);
  tcp::acceptor acceptor_;
  asio::steady_timer accept_pause_;
  // Owned by the I/O thread.
  std::unordered_set<HttpSession*> sessions_;
  std::size_t body_budget_;
  bool is_draining_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;  // sessions_left_ and is_drained_
  std::condition_variable_any work_came_;
  std::deque<Work> work_;
  std::size_t open_sessions_ = 0;  // sessions_.size(), for the thread that stops
  bool is_stopped_ = false;
  std::stop_source handlers_stop_;

  std::vector<std::jthread> workers_;
  std::jthread io_thread_;
};

Status HttpServer::Impl::listen() {
  TRY(const tcp::endpoint endpoint, parse_endpoint(options_));
  boost::system::error_code failure;
  acceptor_.open(endpoint.protocol(), failure);
  if (!failure) acceptor_.set_option(tcp::acceptor::reuse_address(true), failure);
  if (!failure) acceptor_.bind(endpoint, failure);
  if (!failure) acceptor_.listen(asio::socket_base::max_listen_connections, failure);
  if (failure)
    return Error(failure == asio::error::address_in_use ? ErrorCode::kConflict : ErrorCode::kConfig,
                 "cannot listen on " + options_.address + ": stop the program that uses it, or choose another address")
        .cause(failure.message());
  const tcp::endpoint bound = acceptor_.local_endpoint(failure);
  const std::string host = bound.address().to_string();
  address_ = (bound.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(bound.port());
  return ok();
}

void HttpServer::Impl::run() {
  accept();
  for (int i = 0; i < options_.handlers_max; ++i) workers_.emplace_back([this](std::stop_token stop) { work(stop); });
  io_thread_ = std::jthread([this] { io_.run(); });
}

void HttpServer::Impl::accept() {
  acceptor_.async_accept(
      [this](boost::system::error_code failure, tcp::socket socket) { on_accepted(failure, std::move(socket)); });
}

void HttpServer::Impl::on_accepted(boost::system::error_code failure, tcp::socket socket) {
  if (is_draining_ || failure == asio::error::operation_aborted) return;
  if (!failure) {
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    const bool is_full = sessions_.size() >= static_cast<std::size_t>(options_.connections_max);
    // Some more than the bound are told so; beyond that a connection is closed without a word.
    if (sessions_.size() < 2 * static_cast<std::size_t>(options_.connections_max)) {
      auto session = std::make_shared<HttpSession>(std::move(socket), *this);
      sessions_.insert(session.get());
      {
        std::lock_guard lock(mutex_);
        open_sessions_ = sessions_.size();
      }
      session->start(is_full);
    }
  } else {
    base::log_warning("an HTTP connection could not be accepted",
                      {{"address", address_}, {"cause", failure.message()}});
    accept_pause_.expires_after(kHttpAcceptPause);  // out of descriptors: the condition lasts, so do not spin
    accept_pause_.async_wait([this](boost::system::error_code cancelled) {
      if (!cancelled && !is_draining_) accept();
    });
    return;
  }
  accept();
}

bool HttpServer::Impl::take_body_budget(std::size_t bytes) {
  if (bytes > body_budget_) return false;
  body_budget_ -= bytes;
  return true;
}

void HttpServer::Impl::left(HttpSession* session) {
  sessions_.erase(session);
  {
    std::lock_guard lock(mutex_);
    open_sessions_ = sessions_.size();
  }
  changed_.notify_all();
}

void HttpServer::Impl::dispatch(HttpRequest request, std::function<void(HttpResponse)> done) {
  request.stop = handlers_stop_.get_token();
  {
    std::lock_guard lock(mutex_);
    work_.push_back({std::move(request), std::move(done)});
  }
  work_came_.notify_one();
}

void HttpServer::Impl::work(std::stop_token stop) {
  while (true) {
    Work item;
    {
      std::unique_lock lock(mutex_);
      if (!work_came_.wait(lock, stop, [this] { return !work_.empty(); })) return;
      item = std::move(work_.front());
      work_.pop_front();
    }
    auto response = base::guard("answering an HTTP request",
                                [&] { return call_handler(handler_, item.request, options_.body_bytes_max); });
    if (!response) {
      base::log_failure(base::LogLevel::kError, "an HTTP handler failed", response.error(),
                        {{"path", item.request.path}});
      response =
          google_error_response({500, "internalError", "an internal error occurred; the log has its cause", {}, {}});
    }
    // The session's callback must also be destroyed on the I/O thread.
    asio::post(io_, [done = std::move(item.done), answer = std::move(response).value()]() mutable {
      done(std::move(answer));
    });
  }
}

void HttpServer::Impl::stop(base::Deadline deadline) {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(is_stopped_, true)) return;
  }
  if (!io_thread_.joinable()) return;
  asio::post(io_, [this] {
    is_draining_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    accept_pause_.cancel();
    const std::vector<HttpSession*> sessions(sessions_.begin(), sessions_.end());
    for (HttpSession* session : sessions) session->drain();
  });
  {
    std::unique_lock lock(mutex_);
    const auto is_empty = [this] { return open_sessions_ == 0; };
    if (deadline.is_never())
      changed_.wait(lock, is_empty);
    else
      changed_.wait_for(lock, clock_.left(deadline), is_empty);
  }
  handlers_stop_.request_stop();
  for (std::jthread& worker : workers_) worker.request_stop();
  workers_.clear();  // joins
  asio::post(io_, [this] {
    const std::vector<HttpSession*> sessions(sessions_.begin(), sessions_.end());
    for (HttpSession* session : sessions) session->close();
    io_.stop();
  });
  io_thread_.join();
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpServerOptions& options, HttpHandler& handler,
                                                      const base::Clock& clock) {
  auto impl = std::make_unique<Impl>(options, handler, clock);
  TRY_STATUS(impl->listen());
  impl->run();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

const std::string& HttpServer::address() const { return impl_->address(); }
void HttpServer::stop(base::Deadline deadline) { impl_->stop(deadline); }

}  // namespace flytt::gateway
