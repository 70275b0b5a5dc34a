#include "kafka/retry.h"

#include "kafka/internal/message_rows.h"

namespace flytt::kafka {

namespace {

class KeptHeaders final : public HeaderReader {
 public:
  explicit KeptHeaders(const SetAsideMessage& message) : message_(message) {}
  std::vector<Header> read() const override {
    std::vector<Header> headers;
    for (const auto& [key, value] : message_.headers) headers.push_back({key, value});
    return headers;
  }

 private:
  const SetAsideMessage& message_;
};

}  // namespace

Result<std::vector<data::TableSlice>> read_again(const PayloadSettings& settings, const std::string& topic,
                                                 const data::SliceSchema& known,
                                                 const std::vector<SetAsideMessage>& messages) {
  TRY(TableShape shape, TableShape::make(settings, topic, known.destination, &known, {}));
  MessageRows rows(settings);
  std::vector<data::TableSlice> slices;
  for (const SetAsideMessage& set_aside : messages) {
    if (slices.empty()) slices.push_back(rows.make_slice(shape, 0, set_aside.offset));
    Message message;
    message.topic = topic;
    message.partition = set_aside.partition;
    message.offset = set_aside.offset;
    message.timestamp_ms = set_aside.timestamp_ms;
    message.key = set_aside.key;
    message.value = set_aside.value;
    const KeptHeaders headers(set_aside);
    message.headers = &headers;
    message.sequence = set_aside.sequence;
    while (!rows.append(message, shape, slices.back()))  // the table has grown by a column
      slices.push_back(rows.make_slice(shape, 0, set_aside.offset));
  }
  return slices;
}

}  // namespace flytt::kafka
