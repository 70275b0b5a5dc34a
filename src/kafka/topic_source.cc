#include "kafka/topic_source.h"

#include "kafka/internal/group_source.h"
#include "kafka/schema.h"

namespace flytt::kafka {

Result<std::unique_ptr<TopicSource>> TopicSource::open(TopicSourceOptions options, std::vector<SavedPoint> saved,
                                                       std::vector<std::shared_ptr<const data::SliceSchema>> known,
                                                       const base::Clock& clock, base::Deadline deadline) {
  TRY_STATUS(check_payload_settings(options.payload));
  if (options.waits_for_record &&
      !(options.payload.topic_column && options.payload.partition_column && options.payload.offset_column))
    return Error(
        ErrorCode::kConfig,
        "exactly-once delivery needs the columns _kafka_topic, _kafka_partition and _kafka_offset: switch them on, "
        "or choose at_least_once");
  if (is_chosen(options.topics, options.dead_letters))
    return Error(ErrorCode::kConfig, "dead letters would be read again: topic " + options.dead_letters +
                                         " is one of those that are read; exclude it, or choose another");
  TRY(auto client, Client::open(options.connection, clock));
  TRY_STATUS(client->topics(options.topics, deadline));
  auto source =
      std::make_unique<GroupSource>(std::move(options), std::move(saved), std::move(known), std::move(client), clock);
  TRY_STATUS(source->join());
  return std::unique_ptr<TopicSource>(std::move(source));
}

}  // namespace flytt::kafka
