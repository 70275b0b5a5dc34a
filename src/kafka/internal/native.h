#pragma once
// librdkafka's objects with an owner, and a client with what it last said about its brokers.

#include <librdkafka/rdkafka.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/handle.h"
#include "base/result.h"
#include "kafka/config.h"
#include "kafka/internal/error_map.h"

namespace flytt::kafka {

using NativeConfig = base::Handle<rd_kafka_conf_t, rd_kafka_conf_destroy>;
using NativeList = base::Handle<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>;
using NativeMessage = base::Handle<rd_kafka_message_t, rd_kafka_message_destroy>;
using NativeQueue = base::Handle<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using NativeEvent = base::Handle<rd_kafka_event_t, rd_kafka_event_destroy>;
using NativeTopic = base::Handle<rd_kafka_topic_t, rd_kafka_topic_destroy>;
using NativeError = base::Handle<rd_kafka_error_t, rd_kafka_error_destroy>;

// The newest complaint of a client. Written by its threads, read by its owner's. Thread-safe.
class Complaint {
 public:
  void note(rd_kafka_resp_err_t code, std::string text);
  void clear();
  std::pair<rd_kafka_resp_err_t, std::string> get() const;

 private:
  mutable std::mutex mutex_;
  rd_kafka_resp_err_t code_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::string text_;
};

using Settings = std::vector<std::pair<std::string, std::string>>;

// Everything of a connection, with the settings that avoid the faults of docs/decisions/0007. kConfig names the setting.
Result<NativeConfig> make_config(const ConnectionSettings& settings, const Settings& more);

// A client, mostly a consumer. Ends without leaving a group in order; GroupMember does that before.
class NativeClient {
 public:
  // `opaque` and callbacks are set in `config` already; the complaint's own are set here. `source`: for sentences.
  static Result<std::unique_ptr<NativeClient>> open(NativeConfig config, std::string source,
                                                    rd_kafka_type_t type = RD_KAFKA_CONSUMER);
  ~NativeClient();

  rd_kafka_t* get() const { return native_; }
  Complaint& complaint() { return complaint_; }
  // The error of a call that failed with `code`; a timeout is explained by what the client said meanwhile.
  Error error(rd_kafka_resp_err_t code, const std::string& doing);

  void* owner = nullptr;  // for callbacks that are not the complaint's

 private:
  rd_kafka_t* native_ = nullptr;
  std::string source_;
  Complaint complaint_;
};

int milliseconds_left(const base::Clock& clock, base::Deadline deadline);

// "topic/partition"
std::string partition_text(const std::string& topic, std::int32_t partition);

// * and ? as in TopicSelection.
bool matches(std::string_view pattern, std::string_view topic);
bool is_pattern(std::string_view name);
// A regular expression of the same meaning, anchored at both ends.
std::string to_regex(std::string_view pattern);

// What our commits carry beside the offset.
std::string encode_record(std::string_view record);                 // with its zero byte; "" for ""
std::string decode_record(const void* metadata, std::size_t size);  // "" when it is not ours

}  // namespace flytt::kafka
