#include "kafka/internal/dead_letters.h"

#include <algorithm>
#include <array>

#include "kafka/limits.h"

namespace flytt::kafka {

namespace {

using Headers = base::Handle<rd_kafka_headers_t, rd_kafka_headers_destroy>;

constexpr const char* kTopicHeader = "flytt.topic";
constexpr const char* kPartitionHeader = "flytt.partition";
constexpr const char* kOffsetHeader = "flytt.offset";

Headers headers_of(const rd_kafka_message_t& message, const data::Rejection& rejection) {
  rd_kafka_headers_t* there = nullptr;
  const bool has_some = rd_kafka_message_headers(&message, &there) == RD_KAFKA_RESP_ERR_NO_ERROR;
  Headers headers(has_some ? rd_kafka_headers_copy(there) : rd_kafka_headers_new(6));
  const auto add = [&headers](const char* name, const std::string& value) {
    rd_kafka_header_add(headers.get(), name, -1, value.data(), static_cast<ssize_t>(value.size()));
  };
  add(kTopicHeader, rd_kafka_topic_name(message.rkt));
  add(kPartitionHeader, std::to_string(message.partition));
  add(kOffsetHeader, std::to_string(message.offset));
  if (!rejection.column.empty()) add("flytt.column", rejection.column);
  add("flytt.reason", rejection.reason);
  rd_kafka_timestamp_type_t kind;
  if (const std::int64_t time = rd_kafka_message_timestamp(&message, &kind); time > 0)
    add("flytt.timestamp", std::to_string(time));
  return headers;
}

// Of ours, the last of its name; empty when there is none.
std::string_view header(const rd_kafka_message_t& letter, const char* name) {
  rd_kafka_headers_t* headers = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_message_headers(&letter, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return {};
  return {static_cast<const char*>(value), size};
}

std::string place_of(const rd_kafka_message_t& letter) {
  std::string out;
  for (const char* name : {kTopicHeader, kPartitionHeader, kOffsetHeader})
    if (const std::string_view value = header(letter, name); !value.empty())
      out += (out.empty() ? "" : "/") + std::string(value);
  return out;
}

struct Advice {
  rd_kafka_resp_err_t native;
  ErrorCode code;
  std::string_view next_step;
};

constexpr std::string_view kMakeIt =
    "it does not exist: make it, or take `dead_letters` out of the stream's settings, and they are in quarantine alone";
constexpr std::string_view kRecordRefused =
    "the topic does not take such messages (a compacted one takes none without a key): let its cleanup.policy be "
    "delete";

// What only somebody else can mend; everything else is as for any other topic.
constexpr std::array kAdvice = {
    Advice{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ErrorCode::kAuth, "grant this user Write on the topic"},
    Advice{RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, ErrorCode::kAuth,
           "grant this user Write on the topic, and where brokers are older than 2.8 IdempotentWrite on the cluster"},
    Advice{RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ErrorCode::kNotFound, kMakeIt},
    Advice{RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, ErrorCode::kNotFound, kMakeIt},
    Advice{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ErrorCode::kConfig,
           "one of them, with its headers, is larger than the topic takes: raise the topic's max.message.bytes above "
           "that of the "
           "topics that are read"},
    Advice{RD_KAFKA_RESP_ERR_INVALID_RECORD, ErrorCode::kConfig, kRecordRefused},
    Advice{RD_KAFKA_RESP_ERR__INVALID_DIFFERENT_RECORD, ErrorCode::kConfig, kRecordRefused},
};

}  // namespace

Result<std::unique_ptr<DeadLetters>> DeadLetters::open(const ConnectionSettings& settings, std::string topic,
                                                       OnStored on_stored, const base::Clock& clock) {
  TRY(NativeConfig config,
      make_config(settings, {{"enable.idempotence", "true"},
                             {"acks", "all"},
                             {"linger.ms", "5"},
                             // a topic that is not there is an error within the patience
                             {"topic.metadata.propagation.max.ms", std::to_string(kDeadLetterTopicPatience.count())},
                             {"message.max.bytes", std::to_string(kDeadLetterBytesMax)},
                             {"queue.buffering.max.messages", std::to_string(kDeadLettersMax)},
                             // less than one letter's, and that one would never be taken
                             {"queue.buffering.max.kbytes", std::to_string(kDeadLetterBytesMax >> 10)}}));
  rd_kafka_conf_set_dr_msg_cb(config.get(), on_delivery);
  std::unique_ptr<DeadLetters> letters(new DeadLetters(std::move(topic), settings.source, std::move(on_stored), clock));
  TRY(letters->client_, NativeClient::open(std::move(config), settings.source, RD_KAFKA_PRODUCER));
  letters->client_->owner = letters.get();
  TRY_STATUS(letters->look_for_topic());
  return letters;
}

// Before anything is read: a topic that is not there would be met at the first letter, months later. A broker that makes topics
// when they are asked for needs a moment; one that does not answer is the business of whoever reads from it.
Status DeadLetters::look_for_topic() {
  const NativeTopic topic(rd_kafka_topic_new(client_->get(), topic_.c_str(), nullptr));
  rd_kafka_resp_err_t found = RD_KAFKA_RESP_ERR_NO_ERROR;
  for (const base::Deadline limit = clock_.in(kDeadLetterTopicPatience); !clock_.is_past(limit);) {
    const rd_kafka_metadata_t* answer = nullptr;
    const auto code = rd_kafka_metadata(client_->get(), 0, topic.get(), &answer, milliseconds_left(clock_, limit));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) break;
    found = answer->topic_cnt == 1 ? answer->topics[0].err : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_metadata_destroy(answer);
    if (found == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) return error(found);
    if (found != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return ok();
    rd_kafka_poll(client_->get(), 200);
  }
  return found == RD_KAFKA_RESP_ERR_NO_ERROR ? ok() : Status(error(found));
}

void DeadLetters::on_delivery(rd_kafka_t*, const rd_kafka_message_t* letter, void* opaque) {
  auto* letters = static_cast<DeadLetters*>(static_cast<NativeClient*>(opaque)->owner);
  --letters->under_way_;
  if (letter->err == RD_KAFKA_RESP_ERR_NO_ERROR && letters->on_stored_)
    letters->on_stored_(header(*letter, kTopicHeader));
  if (letter->err == RD_KAFKA_RESP_ERR_NO_ERROR || letters->refused_ != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  letters->refused_ = letter->err;
  letters->refused_place_ = place_of(*letter);
}

Error DeadLetters::error(rd_kafka_resp_err_t code) {
  // What made the producer useless; its letters only say that they were thrown away.
  const auto fatal = rd_kafka_fatal_error(client_->get(), nullptr, 0);
  if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) code = fatal;
  const std::string doing =
      "write dead letters" +
      (refused_place_.empty() ? "" : " (message " + refused_place_ + " and those that were read after it)") +
      " to topic " + topic_;
  const auto advice =
      std::find_if(kAdvice.begin(), kAdvice.end(), [code](const Advice& entry) { return entry.native == code; });
  if (advice == kAdvice.end()) return client_->error(code, doing);
  return Error(advice->code, "could not " + doing + (source_.empty() ? "" : " of source '" + source_ + "'") + ": " +
                                 std::string(advice->next_step))
      .side(base::Side::kSource)
      .retry(base::Retry::kAfterOperator)
      .cause(std::string(rd_kafka_err2name(code)) + ": " + rd_kafka_err2str(code));
}

Status DeadLetters::put(const rd_kafka_message_t& message, const data::Rejection& rejection) {
  Headers headers = headers_of(message, rejection);
  for (const base::Deadline limit = clock_.in(kDeadLetterPatience);;) {
    const auto code =
        rd_kafka_producev(client_->get(), RD_KAFKA_V_TOPIC(topic_.c_str()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_VALUE(message.payload, message.len), RD_KAFKA_V_KEY(message.key, message.key_len),
                          RD_KAFKA_V_HEADERS(headers.get()), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      static_cast<void>(headers.release());  // they belong to the letter now
      ++under_way_;
      return ok();
    }
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) return error(code);
    rd_kafka_poll(client_->get(), 20);
    if (refused_ != RD_KAFKA_RESP_ERR_NO_ERROR) return error(refused_);
    if (clock_.is_past(limit)) return error(RD_KAFKA_RESP_ERR__TIMED_OUT);
  }
}

Status DeadLetters::flush(base::Deadline deadline) {
  if (under_way_ > 0) rd_kafka_flush(client_->get(), milliseconds_left(clock_, deadline));
  if (refused_ != RD_KAFKA_RESP_ERR_NO_ERROR) return error(refused_);
  return under_way_ == 0 ? ok() : Status(error(RD_KAFKA_RESP_ERR__TIMED_OUT));
}

}  // namespace flytt::kafka
