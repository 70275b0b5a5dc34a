#include "gateway/health.h"

namespace flytt::gateway {

namespace {

HttpResponse text_response(int status, std::string text) {
  HttpResponse out;
  out.status = status;
  out.content_type = "text/plain; charset=utf-8";
  out.body = std::move(text);
  return out;
}

}  // namespace

HttpResponse HealthHandler::handle(const HttpRequest& request) {
  if (request.method != "GET" && request.method != "HEAD") {
    HttpResponse out = text_response(405, "only GET and HEAD are answered here\n");
    out.headers.emplace_back("Allow", "GET, HEAD");
    return out;
  }
  if (request.path == "/isalive") return text_response(200, "alive\n");
  if (request.path == "/isready") {
    const Readiness readiness = readiness_();
    return text_response(readiness.is_ready ? 200 : 503, readiness.sentence + "\n");
  }
  if (request.path == "/metrics") {
    HttpResponse out = text_response(200, metrics_.prometheus_text());
    out.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return out;
  }
  return text_response(404, "not found: /isalive, /isready and /metrics are here\n");
}

}  // namespace flytt::gateway
