#pragma once
// For tests: a network that answers from a list, keeps what was asked, and refuses what the real one refuses. And clocks.

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "bigquery/credentials.h"

namespace flytt::bigquery {

// Thread-safe. Where nothing is left to answer, nobody can be reached.
class ScriptedNet {
 public:
  explicit ScriptedNet(const base::Clock& clock) : clock_(clock) {}

  // "POST https://host/path", "header: value" of each, "", and the body: one line each.
  std::vector<std::string> asked;

  HttpConnector connect() {
    return [this](HttpPeer peer, const std::string& base) -> Result<std::unique_ptr<HttpTransport>> {
      TRY(const auto real, CurlTransport::make(base, clock_, peer));
      opened.push_back(base);
      return std::unique_ptr<HttpTransport>(std::make_unique<Transport>(*this, base, real->is_secure()));
    };
  }
  void say(int status, std::string body, HttpHeaders headers = {}) {
    answers_.push_back({status, std::move(headers), std::move(body)});
  }
  // As a metadata server.
  void tell(int status, std::string body) { say(status, std::move(body), {{"metadata-flavor", "Google"}}); }
  void fall_silent() { answers_.emplace_back(); }  // one that does not come

  std::vector<std::string> opened;
  std::function<void()> on_request = [] {};

 private:
  class Transport final : public HttpTransport {
   public:
    Transport(ScriptedNet& net, std::string base, bool is_secure)
        : net_(net), base_(std::move(base)), is_secure_(is_secure) {}
    Result<HttpResponse> send(const HttpRequest& request, base::Deadline) override {
      return net_.answer(base_, request);
    }
    bool is_secure() const override { return is_secure_; }

   private:
    ScriptedNet& net_;
    const std::string base_;
    const bool is_secure_;
  };

  Result<HttpResponse> answer(const std::string& base, const HttpRequest& request) {
    on_request();
    std::lock_guard lock(mutex_);
    std::string text = request.method + " " + base + request.target + "\n";
    for (const auto& [name, value] : request.headers) text += name + ": " + value + "\n";
    asked.push_back(text + "\n" + request.body);
    const HttpResponse out = answers_.empty() ? HttpResponse() : answers_.front();
    if (!answers_.empty()) answers_.pop_front();
    if (out.status == 0) return Error(ErrorCode::kUnavailable, base + " cannot be reached");
    return out;
  }

  const base::Clock& clock_;
  std::mutex mutex_;
  std::deque<HttpResponse> answers_;
};

// Each look at the steady time is half a second later, so that no pause takes real time; the wall clock is set by hand.
class TokenClock final : public base::Clock {
 public:
  base::SteadyTime steady() const override {
    std::lock_guard lock(mutex_);
    return base::SteadyTime(steady_ += std::chrono::milliseconds(500));
  }
  std::function<void()> on_wall = [] {};  // somebody looks at the wall clock
  std::int64_t wall_micros() const override {
    on_wall();
    std::lock_guard lock(mutex_);
    return seconds_ * 1'000'000;
  }
  void pass(std::int64_t seconds) {
    std::lock_guard lock(mutex_);
    seconds_ += seconds;
  }

 private:
  mutable std::mutex mutex_;
  mutable base::Duration steady_{};
  std::int64_t seconds_ = 1'700'000'000;
};

}  // namespace flytt::bigquery
