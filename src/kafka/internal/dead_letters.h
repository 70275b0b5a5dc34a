#pragma once
// DeadLetters: messages that cannot become rows, as they were, in a topic of their own. Owned and called by one thread.
//
// A letter has the key, the value and the headers of its message, and these headers more: flytt.topic, flytt.partition,
// flytt.offset, flytt.column (when one is to blame), flytt.reason and flytt.timestamp (the message's time in ms since 1970), all
// text; of two headers of one name the last is ours. Its own time is that of its writing: with the message's a topic that keeps
// what is a week old would throw away at once what an old message left. It is written by an idempotent producer with acks=all. A message that is read again after a failure is
// written again: of a message there is at least one letter, and by topic, partition and offset they can be told apart.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "data/table_slice.h"
#include "kafka/internal/native.h"

namespace flytt::kafka {

class DeadLetters {
 public:
  // kNotFound, kAuth: there is no such topic, or it must not be seen (waits at most kDeadLetterTopicPatience). Whether it takes
  // letters is known when the first one is written. `on_stored`, when there is one, is called in put and flush for each letter that the topic has.
  using OnStored = std::function<void(std::string_view topic_of_message)>;
  static Result<std::unique_ptr<DeadLetters>> open(const ConnectionSettings& settings, std::string topic,
                                                   OnStored on_stored, const base::Clock& clock);

  // Copies the message. Waits, at most kDeadLetterPatience, when kDeadLettersMax or kDeadLetterBytesMax are under way.
  // Errors as of flush.
  Status put(const rd_kafka_message_t& message, const data::Rejection& rejection);
  // Until the topic has everything that was put. kTimeout or kUnavailable when it has not in time; kNotFound, kAuth or
  // kConfig when it refuses letters until somebody mends it. After an error the object is of no further use, and what was put
  // since the last flush may be in the topic or not.
  Status flush(base::Deadline deadline);

 private:
  DeadLetters(std::string topic, std::string source, OnStored on_stored, const base::Clock& clock)
      : topic_(std::move(topic)), source_(std::move(source)), on_stored_(std::move(on_stored)), clock_(clock) {}
  static void on_delivery(rd_kafka_t* native, const rd_kafka_message_t* letter, void* opaque);
  Status look_for_topic();
  Error error(rd_kafka_resp_err_t code);

  const std::string topic_, source_;
  const OnStored on_stored_;
  const base::Clock& clock_;
  std::unique_ptr<NativeClient> client_;
  std::size_t under_way_ = 0;
  rd_kafka_resp_err_t refused_ = RD_KAFKA_RESP_ERR_NO_ERROR;  // why the first letter was that was not taken
  std::string refused_place_;                                 // and where its message is: topic/partition/offset
};

}  // namespace flytt::kafka
