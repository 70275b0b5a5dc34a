#include "kafka/internal/error_map.h"

#include <gtest/gtest.h>

#include "kafka/internal/native.h"

namespace flytt::kafka {
namespace {

using base::Retry;

TEST(TranslateError, GivesEachCodeItsKindObjectAndNextStep) {
  struct Case {
    rd_kafka_resp_err_t native;
    ErrorCode code;
    Retry retry;
    const char* step;
    bool passes;
  };
  const Case cases[] = {
      {RD_KAFKA_RESP_ERR__TRANSPORT, ErrorCode::kUnavailable, Retry::kAfterBackoff, "address", true},
      {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, ErrorCode::kUnavailable, Retry::kAfterBackoff, "brokers", true},
      {RD_KAFKA_RESP_ERR__RESOLVE, ErrorCode::kUnavailable, Retry::kAfterBackoff, "host name", true},
      {RD_KAFKA_RESP_ERR__TIMED_OUT, ErrorCode::kTimeout, Retry::kAfterBackoff, "in time", true},
      {RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, ErrorCode::kUnavailable, Retry::kAfterBackoff, "rebalanced", true},
      {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, ErrorCode::kUnavailable, Retry::kAfterBackoff, "coordinator", true},
      {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, ErrorCode::kConflict, Retry::kAfterBackoff, "without this member", false},
      {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, ErrorCode::kConflict, Retry::kAfterBackoff, "without this member", false},
      {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, ErrorCode::kConflict, Retry::kAfterOperator, "instance id", false},
      {RD_KAFKA_RESP_ERR__SSL, ErrorCode::kAuth, Retry::kAfterOperator, "certificate", false},
      {RD_KAFKA_RESP_ERR__AUTHENTICATION, ErrorCode::kAuth, Retry::kAfterOperator, "password", false},
      {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, ErrorCode::kAuth, Retry::kAfterOperator, "password", false},
      {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ErrorCode::kAuth, Retry::kAfterOperator, "grant", false},
      {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, ErrorCode::kAuth, Retry::kAfterOperator, "group", false},
      {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ErrorCode::kNotFound, Retry::kAfterOperator, "create it", false},
      {RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, ErrorCode::kConfig, Retry::kAfterOperator, "session timeout", false},
      {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, ErrorCode::kUnsupported, Retry::kAfterOperator, "version", false},
      {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, ErrorCode::kThrottled, Retry::kAfterBackoff, "patience", true},
      {RD_KAFKA_RESP_ERR__BAD_MSG, ErrorCode::kCorrupt, Retry::kAfterOperator, "checksum", false},
      {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, ErrorCode::kConflict, Retry::kAfterOperator, "not in the partition",
       false},
      {RD_KAFKA_RESP_ERR_UNKNOWN, ErrorCode::kUnavailable, Retry::kAfterBackoff, "error code", true},
  };
  for (const Case& c : cases) {
    const Error error = translate_error(c.native, "read topic team.t", "ssl://host:9094: certificate verify failed");
    const std::string name = rd_kafka_err2name(c.native);
    EXPECT_EQ(error.code(), c.code) << name;
    EXPECT_EQ(error.retry(), c.retry) << name;
    EXPECT_EQ(error.side(), base::Side::kSource);
    EXPECT_NE(error.sentence().find("could not read topic team.t: "), std::string::npos) << error.sentence();
    EXPECT_NE(error.sentence().find(c.step), std::string::npos) << error.sentence();
    EXPECT_NE(error.cause().find(name), std::string::npos);
    EXPECT_NE(error.cause().find("host:9094"), std::string::npos);
    EXPECT_EQ(is_passing(c.native), c.passes) << name;
  }
}

TEST(Records, SurviveTheGroupsMetadata) {
  for (const std::string& record : {std::string(), std::string("a"), std::string("ab"), std::string("abc"),
                                    std::string("\0\xff\x80", 3), std::string(3'000, 'x')}) {
    const std::string metadata = encode_record(record);
    EXPECT_LE(metadata.size(), 4'096u);
    EXPECT_EQ(decode_record(metadata.data(), metadata.size()), record);
    if (record.empty()) continue;
    EXPECT_EQ(metadata.find('\0'), metadata.size() - 1) << "clients that expect a C string find its end";
    EXPECT_EQ(metadata.at(metadata.size() - 2), '=');
  }
  EXPECT_EQ(decode_record("flytt1:YWJj", 11), "abc") << "as versions before wrote it";
  EXPECT_EQ(decode_record("somebody's", 10), "");
  EXPECT_EQ(decode_record(nullptr, 0), "");
}

TEST(Patterns, MatchAsTheirRegularExpressionsDo) {
  for (const auto& [pattern, topic, fits] :
       std::vector<std::tuple<std::string, std::string, bool>>{{"a.b", "a.b", true},
                                                               {"a.b", "axb", false},
                                                               {"a*", "a", true},
                                                               {"*b", "aab", true},
                                                               {"a?c", "abc", true},
                                                               {"a?c", "ac", false},
                                                               {"a*b*c", "a.b.b.c", true},
                                                               {"a*b*c", "acb", false},
                                                               {"*", "", true},
                                                               {"", "a", false}})
    EXPECT_EQ(matches(pattern, topic), fits) << pattern << " " << topic;
  EXPECT_EQ(to_regex("team.*-v?"), "^team\\..*-v.$");
}

TEST(MakeConfig, NamesTheSettingAndNeverItsValue) {
  ConnectionSettings settings;
  settings.brokers = "localhost:9092";
  EXPECT_TRUE(make_config(settings, {}).has_value());
  const auto refused = make_config(settings, {{"session.timeout.ms", "secret"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kConfig);
  EXPECT_NE(refused.error().text().find("session.timeout.ms"), std::string::npos);
  EXPECT_EQ(refused.error().text().find("secret"), std::string::npos);
  settings.tls.is_enabled = true;
  settings.tls.key_pem = base::Secret("no key at all");
  auto config = make_config(settings, {});
  ASSERT_TRUE(config);
  const auto client = NativeClient::open(std::move(*config), "events");
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code(), ErrorCode::kConfig);
  EXPECT_EQ(client.error().text().find("no key at all"), std::string::npos) << client.error().text();
}

}  // namespace
}  // namespace flytt::kafka
