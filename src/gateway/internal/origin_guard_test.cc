#include "gateway/internal/origin_guard.h"

#include <gtest/gtest.h>

#include "gateway/internal/google_error.h"
#include "gateway/internal/url.h"

namespace flytt::gateway::internal {
namespace {

TEST(OriginGuard, KnowsLoopbackNames) {
  for (const char* name : {"localhost", "LocalHost", "localhost.", "127.0.0.1", "127.8.9.10", "::1", "0:0:0:0:0:0:0:1"})
    EXPECT_TRUE(is_loopback_name(name)) << name;
  for (const char* name :
       {"", "localhost.evil.example", "127.0.0.1.evil.example", "128.0.0.1", "0.0.0.0", "::2", "127.1", "10.0.0.1"})
    EXPECT_FALSE(is_loopback_name(name)) << name;
}

TEST(OriginGuard, SplitsHostAndPort) {
  const auto v6 = split_host_port("[::1]:9050");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, "9050");
  EXPECT_EQ(split_host_port("LOCALHOST")->host, "localhost");
  for (const char* text : {"", ":1", "[::1", "[::1]x", "a:b", "a:123456", "::1"})
    EXPECT_FALSE(split_host_port(text)) << text;
}

TEST(OriginGuard, RefusesOtherSites) {
  EXPECT_FALSE(refuse_foreign("127.0.0.1:9050", ""));
  EXPECT_FALSE(refuse_foreign("127.0.0.1:9050", "http://127.0.0.1:9050"));
  EXPECT_TRUE(refuse_foreign("127.0.0.1:9050", "http://127.0.0.1:9051"));
  EXPECT_TRUE(refuse_foreign("127.0.0.1:9050", "https://127.0.0.1:9050"));
  EXPECT_TRUE(refuse_foreign("127.0.0.1:9050", "null"));
  EXPECT_TRUE(refuse_foreign("127.0.0.1@evil.example", ""));
}

TEST(Url, DecodesAndRefuses) {
  EXPECT_EQ(percent_decode("a%20b%2Fc"), "a b/c");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
  EXPECT_FALSE(percent_decode("%4"));
  EXPECT_FALSE(percent_decode("%zz"));
  EXPECT_EQ(percent_encode("a b/ø"), "a%20b%2F%C3%B8");
  EXPECT_EQ(path_segments("//a/%2Fb/")->size(), 2u);
  const auto query = QueryParameters::parse("a=1&b=x%20y&a=2&flag");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->get("a"), "2");
  EXPECT_EQ(query->all("a").size(), 2u);
  EXPECT_TRUE(query->find("flag"));
  EXPECT_FALSE(query->find("c"));
}

TEST(GoogleError, BodyIsGoogles) {
  EXPECT_EQ(
      google_error_body({404, "notFound", "Not found: Table p:d.t was not found in location US", {}, {}}),
      R"({"error":{"code":404,"message":"Not found: Table p:d.t was not found in location US","errors":[{"message":"Not found: Table p:d.t was not found in location US","domain":"global","reason":"notFound"}],"status":"NOT_FOUND"}})");
  EXPECT_EQ(
      google_error_body({400, "invalidQuery", "Syntax error: \"x\"", "query", "parameter"}),
      R"({"error":{"code":400,"message":"Syntax error: \"x\"","errors":[{"message":"Syntax error: \"x\"","domain":"global","reason":"invalidQuery","location":"query","locationType":"parameter"}],"status":"INVALID_ARGUMENT"}})");
  EXPECT_EQ(google_error_body({500, "r", "\xff", {}, {}}).find('\xff'), std::string::npos);
}

}  // namespace
}  // namespace flytt::gateway::internal
