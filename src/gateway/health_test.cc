#include "gateway/health.h"

#include <gtest/gtest.h>

namespace flytt::gateway {
namespace {

TEST(Health, AnswersProbesAndMetrics) {
  base::Metrics metrics;
  metrics.counter("flytt_rows_total", R"(stream="sak")").store(7);
  Readiness readiness{false, "the stream sak is not connected"};
  HealthHandler handler(metrics, [&] { return readiness; });
  const auto get = [&](const char* path, const char* method = "GET") {
    HttpRequest request;
    request.method = method;
    request.path = path;
    return handler.handle(request);
  };
  EXPECT_EQ(get("/isalive").status, 200);
  EXPECT_EQ(get("/isready").status, 503);
  EXPECT_EQ(get("/isready").body, "the stream sak is not connected\n");
  readiness = {true, "ready"};
  EXPECT_EQ(get("/isready").status, 200);
  EXPECT_EQ(get("/metrics").body, "# TYPE flytt_rows_total counter\nflytt_rows_total{stream=\"sak\"} 7\n");
  EXPECT_EQ(get("/metrics").content_type.substr(0, 25), "text/plain; version=0.0.4");
  EXPECT_EQ(get("/other").status, 404);
  EXPECT_EQ(get("/isalive", "POST").status, 405);
}

}  // namespace
}  // namespace flytt::gateway
