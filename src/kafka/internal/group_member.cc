#include "kafka/internal/group_member.h"

#include <cstdlib>
#include <cstring>

#include "kafka/limits.h"

namespace flytt::kafka {

namespace {

NativeList to_list(const std::vector<Place>& places) {
  NativeList list(rd_kafka_topic_partition_list_new(static_cast<int>(places.size())));
  for (const Place& place : places) {
    rd_kafka_topic_partition_t* entry =
        rd_kafka_topic_partition_list_add(list.get(), place.topic.c_str(), place.partition);
    if (place.offset >= 0) entry->offset = place.offset;
  }
  return list;
}

std::vector<Place> to_places(const rd_kafka_topic_partition_list_t* list) {
  std::vector<Place> places;
  for (int i = 0; list && i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& entry = list->elems[i];
    places.push_back({entry.topic, entry.partition, entry.offset < 0 ? -1 : entry.offset,
                      decode_record(entry.metadata, entry.metadata_size)});
  }
  return places;
}

std::string milliseconds(std::chrono::milliseconds span) { return std::to_string(span.count()); }

Settings member_settings(const MemberSettings& settings) {
  const std::string prefetch = std::to_string(std::max<std::size_t>(1, settings.prefetch_bytes_max >> 10));
  Settings out = {
      {"group.id", settings.group.id},
      {"session.timeout.ms", milliseconds(settings.group.session_timeout)},
      {"heartbeat.interval.ms", milliseconds(std::min(settings.group.session_timeout / 4, 3'000ms))},
      {"max.poll.interval.ms",
       milliseconds(std::max(settings.group.poll_interval_max, settings.group.session_timeout))},
      {"partition.assignment.strategy", "cooperative-sticky"},
      {"topic.metadata.refresh.interval.ms", milliseconds(kTopicRefresh)},
      // Only the limit by bytes counts; a partition that meets it is asked for again after the backoff.
      {"queued.min.messages", "10000000"},
      {"fetch.queue.backoff.ms", milliseconds(kQueueBackoff)},
      {"queued.max.messages.kbytes", prefetch},
      {"fetch.max.bytes", std::to_string(kFetchBytesMax)},
      {"fetch.message.max.bytes", std::to_string(kPartitionFetchBytesMax)},
      {"fetch.wait.max.ms", milliseconds(kFetchWait)},
      {"fetch.error.backoff.ms", "100"},
  };
  if (!settings.group.instance_id.empty()) out.emplace_back("group.instance.id", settings.group.instance_id);
  std::string excluded;
  for (const std::string& pattern : settings.topics.exclude)
    excluded += (excluded.empty() ? "" : ",") + to_regex(pattern);
  if (!excluded.empty()) out.emplace_back("topic.blacklist", excluded);
  return out;
}

}  // namespace

Result<std::unique_ptr<GroupMember>> GroupMember::join(const MemberSettings& settings, const base::Clock& clock) {
  TRY(NativeConfig config, make_config(settings.connection, member_settings(settings)));
  rd_kafka_conf_set_rebalance_cb(config.get(), on_rebalance);
  std::unique_ptr<GroupMember> member(new GroupMember(settings.group.id, clock));
  TRY(member->client_, NativeClient::open(std::move(config), settings.connection.source));
  member->client_->owner = member.get();
  member->has_instance_id_ = !settings.group.instance_id.empty();
  member->leaves_first_ = !settings.group.instance_id.empty() && settings.group.leaves_at_end;
  member->commits_ = NativeQueue(rd_kafka_queue_new(member->client_->get()));
  NativeList topics(rd_kafka_topic_partition_list_new(static_cast<int>(settings.topics.include.size())));
  for (const std::string& name : settings.topics.include)
    rd_kafka_topic_partition_list_add(topics.get(), (is_pattern(name) ? to_regex(name) : name).c_str(),
                                      RD_KAFKA_PARTITION_UA);
  if (const auto code = rd_kafka_subscribe(member->client_->get(), topics.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return member->client_->error(code, "join group " + settings.group.id);
  return member;
}

void GroupMember::on_rebalance(rd_kafka_t* native, rd_kafka_resp_err_t code,
                               rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  auto* member = static_cast<GroupMember*>(static_cast<NativeClient*>(opaque)->owner);
  Rebalance noted{code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, to_places(partitions)};
  if (member->leaving_) {
    static_cast<void>(noted.is_assign ? member->assign(noted.partitions) : member->unassign(noted.partitions));
    return;
  }
  member->rebalance_ = std::move(noted);
  rd_kafka_yield(native);
}

void GroupMember::leave(base::Deadline deadline) {
  if (left_) return;
  leaving_ = left_ = true;
  // Partitions that are given now have to be taken, or giving them back fails, and closing would wait for that.
  if (const auto asked = rebalance_)
    static_cast<void>(asked->is_assign ? assign(asked->partitions) : unassign(asked->partitions));
  if (leaves_first_) unsubscribe(deadline);
  const NativeQueue queue(rd_kafka_queue_get_consumer(client_->get()));
  if (const NativeError refused(rd_kafka_consumer_close_queue(client_->get(), queue.get())); refused) return;
  while (rd_kafka_consumer_closed(client_->get()) == 0 && !clock_.is_past(deadline))
    const NativeMessage ignored(rd_kafka_consumer_poll(client_->get(), 20));
}

// Closing alone does not take a static member out of its group. Once the request is under way the client forgets its own
// name in the group, and closing waits for the answer.
void GroupMember::unsubscribe(base::Deadline deadline) {
  const auto is_member = [this] {
    char* name = rd_kafka_memberid(client_->get());
    const bool found = name && *name;
    if (name) rd_kafka_mem_free(client_->get(), name);
    return found;
  };
  if (rd_kafka_unsubscribe(client_->get()) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  while (is_member() && !clock_.is_past(deadline))
    const NativeMessage ignored(rd_kafka_consumer_poll(client_->get(), 20));
}

GroupMember::~GroupMember() = default;

NativeMessage GroupMember::poll(int milliseconds) {
  return NativeMessage(rd_kafka_consumer_poll(client_->get(), milliseconds));
}

bool GroupMember::is_cooperative() const {
  const char* protocol = rd_kafka_rebalance_protocol(client_->get());
  return protocol && std::strcmp(protocol, "COOPERATIVE") == 0;
}

Status GroupMember::check(NativeError error, const char* doing) {
  if (!error) return ok();
  return client_->error(rd_kafka_error_code(error.get()), std::string(doing) + " of group " + group_);
}

Status GroupMember::assign(const std::vector<Place>& places) {
  rebalance_.reset();
  const NativeList list = to_list(places);
  if (is_cooperative())
    return check(NativeError(rd_kafka_incremental_assign(client_->get(), list.get())), "take partitions");
  const auto code = rd_kafka_assign(client_->get(), list.get());
  return code == RD_KAFKA_RESP_ERR_NO_ERROR ? ok() : Status(client_->error(code, "take partitions of group " + group_));
}

Status GroupMember::unassign(const std::vector<Place>& places) {
  rebalance_.reset();
  const NativeList list = to_list(places);
  if (is_cooperative())
    return check(NativeError(rd_kafka_incremental_unassign(client_->get(), list.get())), "give up partitions");
  const auto code = rd_kafka_assign(client_->get(), nullptr);
  return code == RD_KAFKA_RESP_ERR_NO_ERROR ? ok()
                                            : Status(client_->error(code, "give up partitions of group " + group_));
}

Status GroupMember::pause(const std::vector<Place>& places) {
  if (places.empty()) return ok();
  const auto code = rd_kafka_pause_partitions(client_->get(), to_list(places).get());
  return code == RD_KAFKA_RESP_ERR_NO_ERROR ? ok()
                                            : Status(client_->error(code, "pause partitions of group " + group_));
}

Status GroupMember::resume(const std::vector<Place>& places) {
  if (places.empty()) return ok();
  const auto code = rd_kafka_resume_partitions(client_->get(), to_list(places).get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return client_->error(code, "resume partitions of group " + group_);
  const NativeList asked = to_list(places);
  for (int i = 0; i < asked.get()->cnt; ++i) asked.get()->elems[i].offset = RD_KAFKA_OFFSET_END;
  static_cast<void>(rd_kafka_offsets_for_times(client_->get(), asked.get(), kWakePatienceMs));
  return ok();
}

Result<std::vector<Place>> GroupMember::committed(const std::vector<Place>& partitions, base::Deadline deadline) {
  const std::string doing = "read the offsets of group " + group_;
  const NativeList list = to_list(partitions);
  if (const auto code = rd_kafka_committed(client_->get(), list.get(), milliseconds_left(clock_, deadline));
      code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return client_->error(code, doing);
  for (int i = 0; i < list.get()->cnt; ++i)
    if (const auto code = list.get()->elems[i].err; code != RD_KAFKA_RESP_ERR_NO_ERROR)
      return client_->error(code, doing);
  return to_places(list.get());
}

Result<GroupMember::Ends> GroupMember::ends(const std::string& topic, std::int32_t partition, base::Deadline deadline) {
  Ends ends;
  const auto code = rd_kafka_query_watermark_offsets(client_->get(), topic.c_str(), partition, &ends.begin, &ends.end,
                                                     milliseconds_left(clock_, deadline));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return client_->error(code, "read the ends of " + partition_text(topic, partition));
  return ends;
}

std::int64_t GroupMember::known_end(const std::string& topic, std::int32_t partition) const {
  std::int64_t begin = -1, end = -1;
  const auto code = rd_kafka_get_watermark_offsets(client_->get(), topic.c_str(), partition, &begin, &end);
  return code == RD_KAFKA_RESP_ERR_NO_ERROR && end >= 0 ? end : -1;
}

Status GroupMember::commit(const std::vector<Place>& places) {
  CHECK(!committing_);
  const NativeList list = to_list(places);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::string metadata = encode_record(places[i].record);
    if (metadata.empty()) continue;
    rd_kafka_topic_partition_t& entry = list.get()->elems[i];
    entry.metadata = std::malloc(metadata.size());  // the list frees it
    std::memcpy(entry.metadata, metadata.data(), metadata.size());
    entry.metadata_size = metadata.size();
  }
  const auto code = rd_kafka_commit_queue(client_->get(), list.get(), commits_.get(), nullptr, nullptr);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return client_->error(code, "commit offsets of group " + group_);
  committing_ = true;
  return ok();
}

std::optional<rd_kafka_resp_err_t> GroupMember::commit_outcome(base::Deadline deadline) {
  const NativeEvent event(rd_kafka_queue_poll(commits_.get(), milliseconds_left(clock_, deadline)));
  if (!event) return std::nullopt;
  committing_ = false;
  auto code = rd_kafka_event_error(event.get());
  const rd_kafka_topic_partition_list_t* list = rd_kafka_event_topic_partition_list(event.get());
  for (int i = 0; list && i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) code = list->elems[i].err;
  return code;
}

}  // namespace flytt::kafka
