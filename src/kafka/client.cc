#include "kafka/client.h"

#include <algorithm>
#include <functional>
#include <set>

#include "kafka/internal/native.h"
#include "kafka/limits.h"

namespace flytt::kafka {

namespace {

constexpr int kAnswerGraceMs = 500;  // the client answers by itself when the time of a request is over

using Metadata = base::Handle<const struct rd_kafka_metadata, rd_kafka_metadata_destroy>;

class NativeQuestions final : public Client {
 public:
  NativeQuestions(ConnectionSettings settings, std::unique_ptr<NativeClient> client, const base::Clock& clock)
      : settings_(std::move(settings)), client_(std::move(client)), clock_(clock) {}

  Result<std::vector<TopicPartitions>> topics(const TopicSelection& selection, base::Deadline deadline) override;
  Result<std::map<std::string, std::string>> topic_ids(const std::vector<std::string>& topics,
                                                       base::Deadline deadline) override;
  Result<std::vector<PartitionRange>> ranges(const std::vector<TopicPartitions>& topics,
                                             base::Deadline deadline) override;
  Result<std::vector<SampledMessage>> sample(const TopicPartitions& topic, std::size_t messages_max,
                                             base::Deadline deadline) override;
  Status may_write(const std::string& topic, base::Deadline deadline) override;
  Status may_join(const std::string& group, base::Deadline deadline) override;
  Result<GroupCover> cover(const std::string& group, const std::vector<TopicPartitions>& topics,
                           base::Deadline deadline) override;
  Result<std::vector<PartitionLag>> lag(const std::string& group, const std::vector<TopicPartitions>& topics,
                                        base::Deadline deadline) override;

 private:
  Result<Metadata> metadata(const std::string* topic, base::Deadline deadline);
  enum class Asked { kFacts, kRightsToo };
  Result<NativeEvent> describe(const std::vector<std::string>& topics, Asked asked, const std::string& doing,
                               base::Deadline deadline);
  Result<NativeEvent> describe_group(const std::string& group, Asked asked, base::Deadline deadline);
  Result<NativeEvent> ask(rd_kafka_admin_op_t what, Asked asked, const std::string& doing, base::Deadline deadline,
                          const std::function<void(const rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& send);
  Status read_shares(NativeClient& reader, const std::vector<PartitionRange>& shares, const std::string& topic,
                     std::vector<SampledMessage>& out, base::Deadline deadline);

  ConnectionSettings settings_;
  std::unique_ptr<NativeClient> client_;
  const base::Clock& clock_;
};

bool has_right(const rd_kafka_AclOperation_t* rights, std::size_t count, rd_kafka_AclOperation_t right) {
  return !rights || std::find(rights, rights + count, right) != rights + count;
}

Error missing(const std::string& right, const std::string& object) {
  return Error(ErrorCode::kAuth, "this user lacks the right " + right + " on " + object)
      .side(base::Side::kSource)
      .retry(base::Retry::kAfterOperator);
}

Result<Metadata> NativeQuestions::metadata(const std::string* topic, base::Deadline deadline) {
  NativeTopic handle(topic ? rd_kafka_topic_new(client_->get(), topic->c_str(), nullptr) : nullptr);
  for (;;) {
    const struct rd_kafka_metadata* raw = nullptr;
    const base::Deadline slice = deadline.earlier(clock_.in(kRefusalPatience));
    const auto code =
        rd_kafka_metadata(client_->get(), topic ? 0 : 1, handle.get(), &raw, milliseconds_left(clock_, slice));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return Metadata(raw);
    // The client would go on trying with the same password until the deadline.
    Error error = client_->error(code, "list the topics at " + settings_.brokers);
    if (code != RD_KAFKA_RESP_ERR__TIMED_OUT || error.code() == ErrorCode::kAuth || clock_.is_past(deadline))
      return error;
  }
}

// One request of the administration's kind, and its answer.
Result<NativeEvent> NativeQuestions::ask(
    rd_kafka_admin_op_t what, Asked asked, const std::string& doing, base::Deadline deadline,
    const std::function<void(const rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& send) {
  using Options = base::Handle<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>;
  const Options options(rd_kafka_AdminOptions_new(client_->get(), what));
  const NativeQueue queue(rd_kafka_queue_new(client_->get()));
  const int patience = std::max(1, milliseconds_left(clock_, deadline));
  char why[128];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), patience, why, sizeof why);
  if (asked == Asked::kRightsToo)
    if (const NativeError refused(rd_kafka_AdminOptions_set_include_authorized_operations(options.get(), 1)); refused)
      return client_->error(rd_kafka_error_code(refused.get()), doing);
  send(options.get(), queue.get());
  NativeEvent answer(rd_kafka_queue_poll(queue.get(), patience + kAnswerGraceMs));
  if (!answer) return client_->error(RD_KAFKA_RESP_ERR__TIMED_OUT, doing);
  if (const auto code = rd_kafka_event_error(answer.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return client_->error(code, doing);
  return answer;
}

Result<std::vector<TopicPartitions>> NativeQuestions::topics(const TopicSelection& selection, base::Deadline deadline) {
  TRY(const Metadata all, metadata(nullptr, deadline));
  std::vector<TopicPartitions> found;
  for (int i = 0; i < all.get()->topic_cnt; ++i) {
    const rd_kafka_metadata_topic& topic = all.get()->topics[i];
    if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR && is_chosen(selection, topic.topic))
      found.push_back({topic.topic, topic.partition_cnt});
  }
  for (const std::string& name : selection.include) {
    if (is_pattern(name) || std::any_of(found.begin(), found.end(), [&name](const auto& t) { return t.topic == name; }))
      continue;
    if (!is_chosen(selection, name)) continue;
    TRY(const Metadata one, metadata(&name, deadline));
    const bool answered = one.get()->topic_cnt > 0;
    const auto code = answered ? one.get()->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return client_->error(code, "read topic " + name);
    found.push_back({name, one.get()->topics[0].partition_cnt});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.topic < b.topic; });
  return found;
}

Result<NativeEvent> NativeQuestions::describe(const std::vector<std::string>& topics, Asked asked,
                                              const std::string& doing, base::Deadline deadline) {
  using Names = base::Handle<rd_kafka_TopicCollection_t, rd_kafka_TopicCollection_destroy>;
  std::vector<const char*> names;
  for (const std::string& topic : topics) names.push_back(topic.c_str());
  const Names wanted(rd_kafka_TopicCollection_of_topic_names(names.data(), names.size()));
  return ask(RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, asked, doing, deadline,
             [&](const rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
               rd_kafka_DescribeTopics(client_->get(), wanted.get(), options, queue);
             });
}

Result<std::map<std::string, std::string>> NativeQuestions::topic_ids(const std::vector<std::string>& topics,
                                                                      base::Deadline deadline) {
  std::map<std::string, std::string> ids;
  if (topics.empty()) return ids;
  TRY(const NativeEvent answer, describe(topics, Asked::kFacts, "read the ids of topics", deadline));
  std::size_t count = 0;
  const auto* found = rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(answer.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = rd_kafka_TopicDescription_name(found[i]);
    const auto code = rd_kafka_error_code(rd_kafka_TopicDescription_error(found[i]));
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) continue;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return client_->error(code, "describe topic " + name);
    const rd_kafka_Uuid_t* id = rd_kafka_TopicDescription_topic_id(found[i]);
    const bool is_known = rd_kafka_Uuid_most_significant_bits(id) != 0 || rd_kafka_Uuid_least_significant_bits(id) != 0;
    ids[name] = is_known ? rd_kafka_Uuid_base64str(id) : "";
  }
  return ids;
}

Status NativeQuestions::may_write(const std::string& topic, base::Deadline deadline) {
  const std::string doing = "describe topic " + topic;
  TRY(const NativeEvent answer, describe({topic}, Asked::kRightsToo, doing, deadline));
  std::size_t count = 0;
  const auto* found = rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(answer.get()), &count);
  if (count != 1) return Error(ErrorCode::kBug, "could not " + doing + ": the answer is empty");
  const auto code = rd_kafka_error_code(rd_kafka_TopicDescription_error(found[0]));
  if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) return missing("Write", "topic " + topic);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return client_->error(code, doing);
  const rd_kafka_AclOperation_t* rights = rd_kafka_TopicDescription_authorized_operations(found[0], &count);
  if (has_right(rights, count, RD_KAFKA_ACL_OPERATION_WRITE)) return ok();
  return missing("Write", "topic " + topic);
}

// The description of one group, whatever error is in it.
const rd_kafka_ConsumerGroupDescription_t* only_group(const NativeEvent& answer) {
  std::size_t count = 0;
  const auto* found =
      rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(answer.get()), &count);
  return count == 1 ? found[0] : nullptr;
}

Result<NativeEvent> NativeQuestions::describe_group(const std::string& group, Asked asked, base::Deadline deadline) {
  const std::string doing = "describe consumer group " + group;
  const char* names[] = {group.c_str()};
  TRY(NativeEvent answer, ask(RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, asked, doing, deadline,
                              [&](const rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                                rd_kafka_DescribeConsumerGroups(client_->get(), names, 1, options, queue);
                              }));
  if (!only_group(answer)) return Error(ErrorCode::kBug, "could not " + doing + ": the answer is empty");
  return answer;
}

Result<GroupCover> NativeQuestions::cover(const std::string& group, const std::vector<TopicPartitions>& topics,
                                          base::Deadline deadline) {
  TRY(const NativeEvent answer, describe_group(group, Asked::kFacts, deadline));
  const rd_kafka_ConsumerGroupDescription_t* found = only_group(answer);
  const auto code = rd_kafka_error_code(rd_kafka_ConsumerGroupDescription_error(found));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return client_->error(code, "describe consumer group " + group);
  GroupCover cover;
  cover.is_settled = rd_kafka_ConsumerGroupDescription_state(found) == RD_KAFKA_CONSUMER_GROUP_STATE_STABLE;
  if (!cover.is_settled) return cover;
  cover.members = rd_kafka_ConsumerGroupDescription_member_count(found);
  std::set<std::string> read;
  for (std::size_t i = 0; i < cover.members; ++i) {
    const auto* member = rd_kafka_ConsumerGroupDescription_member(found, i);
    const auto* list = rd_kafka_MemberAssignment_partitions(rd_kafka_MemberDescription_assignment(member));
    for (int n = 0; list && n < list->cnt; ++n)
      read.insert(partition_text(list->elems[n].topic, list->elems[n].partition));
  }
  for (const TopicPartitions& topic : topics)
    for (std::int32_t partition = 0; partition < topic.partition_count; ++partition)
      if (std::string name = partition_text(topic.topic, partition); !read.contains(name))
        cover.unread.push_back(std::move(name));
  std::sort(cover.unread.begin(), cover.unread.end());
  return cover;
}

Status NativeQuestions::may_join(const std::string& group, base::Deadline deadline) {
  const std::string doing = "describe consumer group " + group;
  for (;;) {
    TRY(const NativeEvent answer, describe_group(group, Asked::kRightsToo, deadline));
    const rd_kafka_ConsumerGroupDescription_t* found = only_group(answer);
    const auto code = rd_kafka_error_code(rd_kafka_ConsumerGroupDescription_error(found));
    if (code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) return ok();  // of a group that is not there nobody says it
    if (code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) return missing("Read", "consumer group " + group);
    if (is_coordinator_away(code) && !clock_.is_past(deadline)) {
      rd_kafka_poll(client_->get(), kCoordinatorPauseMs);
      continue;
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return client_->error(code, doing);
    std::size_t count = 0;
    const rd_kafka_AclOperation_t* rights = rd_kafka_ConsumerGroupDescription_authorized_operations(found, &count);
    if (has_right(rights, count, RD_KAFKA_ACL_OPERATION_READ)) return ok();
    return missing("Read", "consumer group " + group);
  }
}

Result<std::vector<PartitionRange>> NativeQuestions::ranges(const std::vector<TopicPartitions>& topics,
                                                            base::Deadline deadline) {
  std::vector<PartitionRange> out;
  for (const TopicPartitions& topic : topics) {
    for (std::int32_t partition = 0; partition < topic.partition_count; ++partition) {
      PartitionRange range{topic.topic, partition};
      const auto code = rd_kafka_query_watermark_offsets(client_->get(), topic.topic.c_str(), partition, &range.begin,
                                                         &range.end, milliseconds_left(clock_, deadline));
      if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return client_->error(code, "read the ends of " + partition_text(topic.topic, partition));
      out.push_back(std::move(range));
    }
  }
  return out;
}

Result<std::vector<SampledMessage>> NativeQuestions::sample(const TopicPartitions& topic, std::size_t messages_max,
                                                            base::Deadline deadline) {
  TRY(std::vector<PartitionRange> shares, ranges({topic}, deadline));
  const auto share =
      static_cast<std::int64_t>(std::max<std::size_t>(1, messages_max / std::max<std::size_t>(1, shares.size())));
  for (PartitionRange& range : shares) range.begin = std::max(range.begin, range.end - share);
  TRY(NativeConfig config,
      make_config(settings_,
                  {{"group.id", "flytt-sample"}, {"queued.max.messages.kbytes", "8192"}, {"fetch.wait.max.ms", "50"}}));
  TRY(const auto reader, NativeClient::open(std::move(config), settings_.source));
  std::vector<SampledMessage> out;
  TRY_STATUS(read_shares(*reader, shares, topic.topic, out, deadline));
  return out;
}

Status NativeQuestions::read_shares(NativeClient& reader, const std::vector<PartitionRange>& shares,
                                    const std::string& topic, std::vector<SampledMessage>& out,
                                    base::Deadline deadline) {
  const std::string doing = "read topic " + topic;
  NativeList list(rd_kafka_topic_partition_list_new(static_cast<int>(shares.size())));
  for (const PartitionRange& share : shares)
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), share.partition)->offset = share.begin;
  if (const auto code = rd_kafka_assign(reader.get(), list.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return reader.error(code, doing);
  std::size_t bytes = 0, open = shares.size();
  std::vector<bool> ended(shares.size(), false);
  while (open > 0 && bytes < kSampleBytesMax) {
    NativeMessage message(rd_kafka_consumer_poll(reader.get(), milliseconds_left(clock_, deadline)));
    if (!message) return reader.error(RD_KAFKA_RESP_ERR__TIMED_OUT, doing);
    const rd_kafka_message_t& m = *message.get();
    const auto at = static_cast<std::size_t>(m.partition);
    if (m.err == RD_KAFKA_RESP_ERR_NO_ERROR && at < shares.size() && m.offset < shares[at].end) {
      SampledMessage sample{m.partition, m.offset, {}, {}};
      if (m.key) sample.key.emplace(static_cast<const char*>(m.key), m.key_len);
      if (m.payload) sample.value.emplace(static_cast<const char*>(m.payload), m.len);
      bytes += m.len + m.key_len;
      out.push_back(std::move(sample));
    }
    const bool is_end = m.err == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
                        (m.err == RD_KAFKA_RESP_ERR_NO_ERROR && at < shares.size() && m.offset + 1 >= shares[at].end);
    if (is_end && at < shares.size() && !ended[at]) {
      ended[at] = true;
      --open;
    } else if (m.err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
      continue;  // the client looks for the coordinator of a group that it is never asked to use
    } else if (m.err != RD_KAFKA_RESP_ERR_NO_ERROR && m.err != RD_KAFKA_RESP_ERR__PARTITION_EOF && !is_passing(m.err)) {
      return reader.error(m.err, doing);
    }
  }
  return ok();
}

Result<std::vector<PartitionLag>> NativeQuestions::lag(const std::string& group,
                                                       const std::vector<TopicPartitions>& topics,
                                                       base::Deadline deadline) {
  TRY(NativeConfig config, make_config(settings_, {{"group.id", group}}));
  TRY(const auto reader, NativeClient::open(std::move(config), settings_.source));
  TRY(std::vector<PartitionRange> all, ranges(topics, deadline));
  NativeList list(rd_kafka_topic_partition_list_new(static_cast<int>(all.size())));
  for (const PartitionRange& range : all)
    rd_kafka_topic_partition_list_add(list.get(), range.topic.c_str(), range.partition);
  const std::string doing = "read the offsets of group " + group;
  for (;;) {
    const auto code = rd_kafka_committed(reader->get(), list.get(), milliseconds_left(clock_, deadline));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    if (!is_coordinator_away(code) || clock_.is_past(deadline)) return reader->error(code, doing);
    rd_kafka_poll(reader->get(), kCoordinatorPauseMs);
  }
  std::vector<PartitionLag> out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const rd_kafka_topic_partition_t& place = list.get()->elems[i];
    if (place.err != RD_KAFKA_RESP_ERR_NO_ERROR) return reader->error(place.err, doing);
    out.push_back(
        {std::move(all[i]), place.offset < 0 ? -1 : place.offset, decode_record(place.metadata, place.metadata_size)});
  }
  return out;
}

}  // namespace

bool is_chosen(const TopicSelection& selection, std::string_view topic) {
  const auto holds = [topic](const std::vector<std::string>& patterns) {
    return std::any_of(patterns.begin(), patterns.end(), [topic](const std::string& p) { return matches(p, topic); });
  };
  return !topic.empty() && holds(selection.include) && !holds(selection.exclude);
}

Result<std::unique_ptr<Client>> Client::open(const ConnectionSettings& settings, const base::Clock& clock) {
  TRY(NativeConfig config, make_config(settings, {{"group.id", "flytt-questions"}}));
  TRY(auto client, NativeClient::open(std::move(config), settings.source));
  return std::unique_ptr<Client>(std::make_unique<NativeQuestions>(settings, std::move(client), clock));
}

}  // namespace flytt::kafka
