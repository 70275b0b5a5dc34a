#pragma once
// Kafka as the pipeline's TopicOrigin.

#include <memory>
#include <mutex>
#include <string>

#include "app/config.h"
#include "base/clock.h"
#include "kafka/client.h"
#include "kafka/topic_source.h"
#include "pipeline/topic_origin.h"

namespace flytt::app {

class KafkaOrigin final : public pipeline::TopicOrigin {
 public:
  struct Parts {
    kafka::TopicSourceOptions options;
    const base::Clock& clock;
  };
  explicit KafkaOrigin(Parts parts);
  ~KafkaOrigin() override;

  bool waits_for_record() const override { return parts_.options.waits_for_record; }
  Result<std::unique_ptr<flow::Source>> open(
      const std::vector<state::SavedLane>& saved,
      const std::vector<std::shared_ptr<const data::SliceSchema>>& known) override;
  Result<std::vector<pipeline::PartitionPlace>> places() override;
  std::vector<pipeline::PartitionProgress> progress(std::string& trouble) const override;

 private:
  struct Seen;  // what the source that runs told last

  const Parts parts_;
  const std::shared_ptr<Seen> seen_;
  std::mutex client_mutex_;
  std::unique_ptr<kafka::Client> client_;
};

// The connection, group, topics and forms of a configured stream. kConfig when the source cannot be used.
// A member whose name is not given has no name yet (name_member).
Result<kafka::TopicSourceOptions> topic_options(const Config& config, const TopicStreamConfig& stream);

// The name of this state's member of the stream's group, made at first use and the same from then on, so that a process
// that was killed is at once what it was. Two processes never have one state.
Status name_member(state::Store& store, const TopicStreamConfig& stream, std::int64_t now_micros, std::uint64_t chance,
                   kafka::GroupSettings& group);

// The tables of a stream as they would be made, one for each topic: declared, or inferred from messages.
struct TopicTable {
  std::string topic;
  std::int32_t partitions = 0;
  std::int64_t messages = 0;  // that are there now
  data::SliceSchema schema;
};
Result<std::vector<TopicTable>> topic_tables(const Config& config, const TopicStreamConfig& stream,
                                             const base::Clock& clock);

}  // namespace flytt::app
