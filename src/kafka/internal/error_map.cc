#include "kafka/internal/error_map.h"

#include <algorithm>
#include <array>

namespace flytt::kafka {

namespace {

using base::Retry;

struct Translation {
  rd_kafka_resp_err_t native;
  ErrorCode code;
  Retry retry;
  std::string_view next_step;
};

constexpr Retry kSoon = Retry::kAfterBackoff;
constexpr Retry kMended = Retry::kAfterOperator;

// clang-format off
constexpr std::array kTranslations = {
    Translation{RD_KAFKA_RESP_ERR__TRANSPORT, ErrorCode::kUnavailable, kSoon, "is the broker up, and is its address right?"},
    Translation{RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, ErrorCode::kUnavailable, kSoon, "no broker answers: are they up, and are `brokers` and the security settings right?"},
    Translation{RD_KAFKA_RESP_ERR__RESOLVE, ErrorCode::kUnavailable, kSoon, "the host name is not known here: check `brokers`"},
    Translation{RD_KAFKA_RESP_ERR__TIMED_OUT, ErrorCode::kTimeout, kSoon, "no answer in time: are the brokers up, and are `brokers` and the security settings right?"},
    Translation{RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, ErrorCode::kTimeout, kSoon, "no broker took the request in time"},
    Translation{RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, ErrorCode::kTimeout, kSoon, "the broker gave up waiting"},
    Translation{RD_KAFKA_RESP_ERR__WAIT_COORD, ErrorCode::kUnavailable, kSoon, "the group's coordinator is not there yet"},
    Translation{RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, ErrorCode::kUnavailable, kSoon, "the group's coordinator is not there yet"},
    Translation{RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, ErrorCode::kUnavailable, kSoon, "the group's coordinator is starting"},
    Translation{RD_KAFKA_RESP_ERR_NOT_COORDINATOR, ErrorCode::kUnavailable, kSoon, "the group's coordinator has moved"},
    Translation{RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, ErrorCode::kUnavailable, kSoon, "the partition has no leader now"},
    Translation{RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, ErrorCode::kUnavailable, kSoon, "the partition's leader has moved"},
    Translation{RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, ErrorCode::kUnavailable, kSoon, "the group is being rebalanced"},
    Translation{RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, ErrorCode::kConflict, kSoon, "the group has gone on without this member"},
    Translation{RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, ErrorCode::kConflict, kSoon, "the group has gone on without this member"},
    Translation{RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED, ErrorCode::kConflict, kSoon, "this member did not ask for messages in time and has lost its partitions"},
    Translation{RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, ErrorCode::kConflict, kMended, "another process has the same group instance id: give each its own"},
    Translation{RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL, ErrorCode::kConflict, kMended, "the group has members with another assignment strategy: choose a group of its own, or end them"},
    Translation{RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED, ErrorCode::kConflict, kMended, "the group is full"},
    Translation{RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP, ErrorCode::kConflict, kMended, "the group has members"},
    Translation{RD_KAFKA_RESP_ERR__AUTHENTICATION, ErrorCode::kAuth, kMended, "check the SASL user and password, or the client certificate"},
    Translation{RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, ErrorCode::kAuth, kMended, "check the SASL user and password"},
    Translation{RD_KAFKA_RESP_ERR__SSL, ErrorCode::kAuth, kMended, "check the CA, the client certificate and its key, and the host name in `brokers`"},
    Translation{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ErrorCode::kAuth, kMended, "grant this user Read and Describe on the topic"},
    Translation{RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, ErrorCode::kAuth, kMended, "grant this user Read on the consumer group"},
    Translation{RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, ErrorCode::kAuth, kMended, "grant this user the right on the cluster"},
    Translation{RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ErrorCode::kNotFound, kMended, "it does not exist: check the name, or create it"},
    Translation{RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, ErrorCode::kNotFound, kMended, "it does not exist: check the name, or create it"},
    Translation{RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, ErrorCode::kNotFound, kMended, "the partition does not exist"},
    Translation{RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, ErrorCode::kConfig, kMended, "the name is not one that a topic can have"},
    Translation{RD_KAFKA_RESP_ERR_INVALID_GROUP_ID, ErrorCode::kConfig, kMended, "the name is not one that a group can have"},
    Translation{RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE, ErrorCode::kConfig, kMended, "the broker's offset.metadata.max.bytes is below 4096"},
    Translation{RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, ErrorCode::kConfig, kMended, "the session timeout is outside of what the broker allows"},
    Translation{RD_KAFKA_RESP_ERR__INVALID_ARG, ErrorCode::kConfig, kMended, "a setting is not one that the client takes"},
    Translation{RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, ErrorCode::kUnsupported, kMended, "the broker is too old for it"},
    Translation{RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, ErrorCode::kUnsupported, kMended, "the broker does not speak this version"},
    Translation{RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, ErrorCode::kUnsupported, kMended, "the broker does not offer this SASL mechanism"},
    Translation{RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, ErrorCode::kThrottled, kSoon, "the broker asks for patience"},
    Translation{RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, ErrorCode::kConflict, kMended, "the place is not in the partition any more"},
    Translation{RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, ErrorCode::kConflict, kMended, "the place is not in the partition any more"},
    Translation{RD_KAFKA_RESP_ERR__BAD_MSG, ErrorCode::kCorrupt, kMended, "the broker's data fail their checksum: look at its disk"},
    Translation{RD_KAFKA_RESP_ERR__BAD_COMPRESSION, ErrorCode::kCorrupt, kMended, "a batch cannot be decompressed: look at its producer"},
    Translation{RD_KAFKA_RESP_ERR_INVALID_MSG, ErrorCode::kCorrupt, kMended, "the broker's data fail their checksum: look at its disk"},
    Translation{RD_KAFKA_RESP_ERR__DESTROY, ErrorCode::kCancelled, Retry::kNever, "the client is being closed"},
    Translation{RD_KAFKA_RESP_ERR__STATE, ErrorCode::kBug, Retry::kNever, "the client is in another state than we believe"},
};
// clang-format on

constexpr Translation kOther{RD_KAFKA_RESP_ERR_UNKNOWN, ErrorCode::kUnavailable, kSoon, "see Kafka's error code"};

const Translation& translation_of(rd_kafka_resp_err_t code) {
  const auto found = std::find_if(kTranslations.begin(), kTranslations.end(),
                                  [code](const Translation& t) { return t.native == code; });
  return found == kTranslations.end() ? kOther : *found;
}

}  // namespace

Error translate_error(rd_kafka_resp_err_t code, std::string_view doing, std::string_view detail) {
  const Translation& translation = translation_of(code);
  std::string sentence = "could not " + std::string(doing) + ": " + std::string(translation.next_step);
  std::string cause = std::string(rd_kafka_err2name(code)) + ": " + rd_kafka_err2str(code);
  if (!detail.empty()) cause += "; " + std::string(detail.substr(0, 1'000));
  return Error(translation.code, std::move(sentence))
      .side(base::Side::kSource)
      .retry(translation.retry)
      .cause(std::move(cause));
}

bool is_passing(rd_kafka_resp_err_t code) {
  const Translation& translation = translation_of(code);
  return translation.code == ErrorCode::kUnavailable || translation.code == ErrorCode::kTimeout ||
         translation.code == ErrorCode::kThrottled;
}

bool is_coordinator_away(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR || code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
         code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS || code == RD_KAFKA_RESP_ERR__WAIT_COORD;
}

}  // namespace flytt::kafka
