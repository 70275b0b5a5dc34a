// What the group gives and takes.

#include <algorithm>

#include "base/log.h"
#include "kafka/internal/group_source.h"

namespace flytt::kafka {

namespace {

std::string lost_sentence(const Place& place, GroupMember::Ends ends, bool may_choose) {
  std::string out = "the remembered place " + std::to_string(place.offset) + " of partition " +
                    partition_text(place.topic, place.partition) + " is not there: it holds offsets " +
                    std::to_string(ends.begin) + " to " + std::to_string(ends.end) + ". ";
  out += place.offset < ends.begin
             ? "Messages that were not read yet have been deleted (retention, or the topic was truncated). "
             : "The topic was made anew or has lost messages. ";
  if (!may_choose)
    return out +
           "Its offsets are used again, and the table has rows of other messages at these places: read it with a "
           "stream of another name, which has a consumer group and saved places of its own, into another table "
           "(`to`); or bring the topic back";
  return out +
         "Choose to go on with the earliest message that is there, or with the latest, in the stream's setting for "
         "lost places (`lost`); or bring the topic back";
}

std::vector<std::string> topics_of(const std::vector<Place>& places) {
  std::vector<std::string> topics;
  for (const Place& place : places)
    if (std::find(topics.begin(), topics.end(), place.topic) == topics.end()) topics.push_back(place.topic);
  return topics;
}

}  // namespace

std::vector<Lane*> GroupSource::lanes(Lane::State state) const {
  std::vector<Lane*> out;
  for (const auto& lane : book_.all())
    if (lane->state == state) out.push_back(lane.get());
  return out;
}

std::vector<Place> GroupSource::places(const std::vector<Lane*>& lanes) const {
  std::vector<Place> out;
  for (const Lane* lane : lanes) out.push_back({lane->topic, lane->partition, lane->next_offset, {}});
  return out;
}

Status GroupSource::serve() {
  if (member_->is_committing())
    if (const auto outcome = member_->commit_outcome(base::Deadline::passed())) TRY_STATUS(settle_commit(*outcome));
  if (member_->is_lost() && (revoke_ || member_->rebalance())) return lose_all();
  TRY_STATUS(look_at_topics());
  if (revoke_) return finish_closing();
  if (!member_->rebalance()) return ok();
  return member_->rebalance()->is_assign ? answer_assign() : begin_closing();
}

// The answer waits until everything about the new lanes is known; when a broker does not say it now, it is asked again.
Status GroupSource::answer_assign() {
  const std::vector<Place> given = member_->rebalance()->partitions;
  const base::Deadline deadline = clock_.in(kLookupPatience);
  std::vector<Lane> fresh;
  const auto look = [&]() -> Status {
    if (given.empty()) return ok();
    TRY(const std::vector<Place> committed, member_->committed(given, deadline));
    TRY(const auto ids, client_->topic_ids(topics_of(given), deadline));
    for (const Place& place : committed) {
      const bool is_known =
          book_.has_saved(place.topic) || std::any_of(committed.begin(), committed.end(), [&place](const Place& other) {
            return other.topic == place.topic && other.offset >= 0;
          });
      const auto id = ids.find(place.topic);
      TRY(Lane lane, make_lane(place, is_known, id == ids.end() ? std::string() : id->second, deadline));
      fresh.push_back(std::move(lane));
    }
    return ok();
  };
  if (const Status looked = look(); !looked) {
    if (looked.error().retry() != base::Retry::kAfterBackoff) return looked;
    trouble_ = looked.error().text();
    return ok();
  }
  trouble_.clear();
  std::vector<Lane*> opened;
  for (Lane& lane : fresh) opened.push_back(&book_.open(std::move(lane)));
  TRY_STATUS(member_->assign(places(opened)));
  // A partition that was paused when it was given up is still paused when it comes back.
  const bool stays_paused = options_.waits_for_record || is_paused_;
  TRY_STATUS(stays_paused ? member_->pause(places(opened)) : member_->resume(places(opened)));
  for (const Lane* lane : opened) {
    flow::LaneEvent event;
    event.kind = flow::LaneEvent::Kind::kOpened;
    event.lane = lane->id;
    event.topic = lane->topic;
    event.partition = lane->partition;
    event.topic_id = lane->topic_id;
    event.next_offset = lane->next_offset;
    event.record = lane->record;
    event.epoch = lane->epoch;
    event.is_record_shared = !lane->committed_record.empty();
    builder_.add(std::move(event));
    builder_.announce(*lane);
  }
  topics_limit_ = are_all_read_ ? clock_.in(kTopicRefresh) : base::Deadline::passed();
  if (!opened.empty())
    base::log_info("partitions taken", {{"group", member_->name()}, {"count", std::uint64_t{opened.size()}}});
  return ok();
}

// The further of what we have saved and what the group has; else where new partitions begin. The group's record is newer
// than ours, if it has one: whoever had the partition after us has stored its own before its first row.
GroupSource::Remembered GroupSource::remembered_place(const Place& committed, const std::string& topic_id) const {
  const auto is_another = [&](const std::string& id) { return !id.empty() && !topic_id.empty() && id != topic_id; };
  const RecordFacts group =
      options_.read_record && !committed.record.empty() ? options_.read_record(committed.record) : RecordFacts{};
  const std::string& groups_id = group.topic_id;
  const SavedPoint* saved = book_.saved(committed.topic, committed.partition);
  const bool is_groups_old = is_another(groups_id), is_saved_old = saved && is_another(saved->topic_id);
  Remembered out{committed, false, 0};
  // Of the same topic the one that is further on is never the smaller.
  out.epoch = is_groups_old ? MessageOrder::after(group.epoch) : group.epoch;
  if (saved) out.epoch = std::max(out.epoch, is_saved_old ? MessageOrder::after(saved->epoch) : saved->epoch);
  // One of both may have been told of the new topic already.
  if (is_saved_old && (is_groups_old || groups_id != topic_id)) out.is_of_old_topic = true;
  if (is_groups_old && !(saved && saved->topic_id == topic_id)) out.is_of_old_topic = true;
  if (is_saved_old && !out.is_of_old_topic) return out;
  if (saved && (saved->next_offset >= committed.offset || is_groups_old)) {
    if (committed.record.empty() || is_groups_old) out.place.record = saved->record;
    out.place.offset = saved->next_offset;
  }
  return out;
}

Error GroupSource::old_topic_error(const Place& place) const {
  std::string sentence =
      "topic " + place.topic + " was deleted and made anew since partition " +
      partition_text(place.topic, place.partition) +
      " was read last (its id is another one): the remembered place belongs to messages that are "
      "gone. Give the stream another name and another table, or choose, in the stream's setting for "
      "lost places (`lost`), to go on with the earliest message of the new topic or with its latest" +
      std::string(options_.waits_for_record ? ", and a table without rows of the old one" : "");
  return Error(ErrorCode::kConflict, std::move(sentence)).side(base::Side::kSource).retry(base::Retry::kAfterOperator);
}

// Whether a topic of ours has another id than it had; then reading begins anew, where the settings choose.
Status GroupSource::look_at_topics() {
  if (!clock_.is_past(topics_limit_)) return ok();
  topics_limit_ = clock_.in(kTopicRefresh);
  std::vector<Place> held;
  for (const auto& lane : book_.all()) held.push_back({lane->topic, lane->partition, lane->next_offset, {}});
  const auto ids = client_->topic_ids(topics_of(held), clock_.in(kTopicPatience));
  if (!ids) return ok();  // a broker that is away says so elsewhere
  for (const auto& lane : book_.all()) {
    const auto now = ids->find(lane->topic);
    if (now == ids->end() || now->second.empty() || lane->topic_id.empty() || now->second == lane->topic_id) continue;
    Error error = old_topic_error({lane->topic, lane->partition, lane->next_offset, {}});
    if (!may_leave_old_topic()) return error;
    return std::move(error).retry(base::Retry::kAfterBackoff);
  }
  return are_all_read_ ? ok() : look_for_unread();
}

// A static member that was killed gets back what it had, without a look at the topics. Was it the group's leader, and they
// grew meanwhile, then nobody has seen that, and nobody ever reads the new partitions, until members leave and join.
Status GroupSource::look_for_unread() {
  const base::Deadline deadline = clock_.in(kTopicPatience);
  const auto topics = client_->topics(options_.topics, deadline);
  if (!topics) return ok();
  const auto cover = client_->cover(member_->name(), *topics, deadline);
  if (!cover || !cover->is_settled) return ok();
  are_all_read_ = cover->unread.empty();
  if (are_all_read_) return ok();
  // Between the two steps of a rebalance partitions have nobody, either, unless the group is one member.
  const bool may_be_passing = cover->members > 1 && cover->unread != unread_;
  unread_ = cover->unread;
  if (may_be_passing) return ok();
  member_->be_no_longer_static();
  return Error(ErrorCode::kUnavailable, "nobody in group " + member_->name() + " reads partition " + unread_.front() +
                                            (unread_.size() > 1 ? " and others" : "") +
                                            ", which was new while a member was away: the group is joined anew")
      .side(base::Side::kSource)
      .retry(base::Retry::kAfterBackoff);
}

Result<Lane> GroupSource::make_lane(const Place& committed, bool topic_is_known, const std::string& topic_id,
                                    base::Deadline deadline) {
  const Remembered remembered = remembered_place(committed, topic_id);
  Place place = remembered.place;
  if (remembered.is_of_old_topic && !may_leave_old_topic()) return old_topic_error(place);
  TRY(const GroupMember::Ends ends, member_->ends(place.topic, place.partition, deadline));
  if (place.offset < 0) {
    if (!topic_is_known && options_.start == StartPlace::kError)
      return Error(ErrorCode::kNotFound,
                   "neither flytt nor group " + member_->name() + " remembers a place in partition " +
                       partition_text(place.topic, place.partition) +
                       ": choose earliest or latest as the place to start, or set the group's offset")
          .side(base::Side::kSource)
          .retry(base::Retry::kAfterOperator);
    if (topic_is_known && options_.payload.is_upsert)
      base::log_info(
          "a topic of upserts has got another partition: messages of a key that come from another one than before are "
          "ordered by their times",
          {{"partition", partition_text(place.topic, place.partition)}, {"group", member_->name()}});
    place.offset = topic_is_known || options_.start == StartPlace::kEarliest ? ends.begin : ends.end;
    place.record.clear();
  } else if (remembered.is_of_old_topic) {
    place = other_place(place, ends);
    place.record.clear();  // of streams that the old topic filled
  } else {
    TRY(auto other, check_place(place, ends));
    if (other) place = std::move(*other);
  }
  Lane lane;
  lane.topic = place.topic;
  lane.topic_id = topic_id;
  lane.partition = place.partition;
  lane.state = options_.waits_for_record ? Lane::State::kWaiting : Lane::State::kOpen;
  lane.next_offset = lane.durable = place.offset;
  lane.committed = place.offset < committed.offset ? -1 : committed.offset;  // a smaller one is news for the group
  lane.committed_record = committed.record;
  lane.record = place.record;
  if (options_.payload.is_upsert) lane.epoch = lane.durable_epoch = remembered.epoch;
  TRY(lane.table, table_of(place.topic, deadline));
  return lane;
}

// Another place when the given one is not there any more and the settings choose; nullopt when it is good.
Result<std::optional<Place>> GroupSource::check_place(const Place& place, GroupMember::Ends ends) const {
  if (place.offset >= ends.begin && place.offset <= ends.end) return std::optional<Place>();
  // An offset beyond the end will belong to another message. Rows that are told apart by it would be left out, or lose.
  const bool may_choose = place.offset < ends.begin || (!options_.waits_for_record && !options_.payload.is_upsert);
  std::string sentence = lost_sentence(place, ends, may_choose);
  if (options_.lost == LostPlace::kError || !may_choose)
    return Error(ErrorCode::kConflict, std::move(sentence))
        .side(base::Side::kSource)
        .retry(base::Retry::kAfterOperator);
  return std::optional<Place>(other_place(place, ends));
}

// As the settings choose.
Place GroupSource::other_place(Place place, GroupMember::Ends ends) const {
  Place other = std::move(place);  // with its record: whoever wrote there has to be fenced off all the same
  const std::int64_t remembered = other.offset;
  other.offset = options_.lost == LostPlace::kLatest ? ends.end : ends.begin;
  base::log_warning("a remembered place is gone, and reading goes on from another",
                    {{"partition", partition_text(other.topic, other.partition)},
                     {"remembered", remembered},
                     {"chosen", other.offset}});
  return other;
}

Result<std::shared_ptr<TableShape>> GroupSource::table_of(const std::string& topic, base::Deadline deadline) {
  data::TablePath path = options_.destination;
  const bool is_shared = !path.table.empty();
  if (!is_shared) path.table = table_name_of(topic);
  if (const auto found = tables_.find(path.table); found != tables_.end()) return found->second;
  const auto known = known_.find(path.table);
  std::vector<SampledMessage> samples;
  if (known == known_.end() && options_.payload.format == Format::kJson && options_.payload.fields.empty()) {
    TRY(const auto topics, client_->topics({{topic}, {}}, deadline));
    if (!topics.empty()) {
      TRY(samples, client_->sample(topics.front(), kSampleMessages, deadline));
    }
  }
  const bool one_topic = options_.topics.include.size() == 1 && !is_pattern(options_.topics.include.front());
  TRY(TableShape shape, TableShape::make(options_.payload, is_shared && !one_topic ? path.table : topic, path,
                                         known == known_.end() ? nullptr : known->second.get(), samples));
  auto table = std::make_shared<TableShape>(std::move(shape));
  tables_[path.table] = table;
  return table;
}

Status GroupSource::begin_closing() {
  revoke_ = *member_->rebalance();
  const auto time = std::min(options_.group.closing_time, options_.group.session_timeout / 3);
  const base::Deadline limit = clock_.in(time);
  std::vector<Lane*> closing;
  for (const Place& place : revoke_->partitions) {
    Lane* lane = book_.find(place.topic, place.partition);
    if (!lane) continue;
    flow::LaneEvent event;
    event.kind = flow::LaneEvent::Kind::kClosing;
    event.lane = lane->id;
    event.deadline = limit;
    builder_.add(std::move(event));
    // A lane that still waits has no rows that could be lost.
    if (lane->state == Lane::State::kWaiting) lane->durable = lane->next_offset;
    lane->state = Lane::State::kClosing;
    lane->closing_limit = limit;
    closing.push_back(lane);
  }
  TRY_STATUS(member_->pause(places(closing)));
  return finish_closing();
}

Status GroupSource::finish_closing() {
  const std::vector<Lane*> closing = lanes(Lane::State::kClosing);
  const bool is_over = std::all_of(closing.begin(), closing.end(), [this](const Lane* lane) {
    return lane->is_settled() || clock_.is_past(lane->closing_limit);
  });
  if (!is_over) return ok();
  std::vector<Lane*> news;
  for (Lane* lane : closing)
    if (lane->has_news()) news.push_back(lane);
  bool taken = true;
  if (!news.empty())
    TRY_STATUS(commit_now(
        news, clock_.in(std::min<base::Duration>(kCommitPatience, options_.group.session_timeout / 3)), taken));
  const std::vector<Place> given = revoke_->partitions;
  revoke_.reset();
  std::vector<std::uint32_t> ids;
  for (const Lane* lane : closing) ids.push_back(lane->id);
  for (const std::uint32_t id : ids) book_.close(id);
  position_moved_ = true;
  return member_->unassign(given);
}

Status GroupSource::lose_all() {
  const std::vector<Place> given = revoke_ ? revoke_->partitions : member_->rebalance()->partitions;
  revoke_.reset();
  std::vector<std::uint32_t> ids;
  for (const Place& place : given)
    if (const Lane* lane = book_.find(place.topic, place.partition)) ids.push_back(lane->id);
  for (const std::uint32_t id : ids) {
    flow::LaneEvent event;
    event.kind = flow::LaneEvent::Kind::kLost;
    event.lane = id;
    builder_.drop(id);  // whoever has the partition now reads them again
    builder_.add(std::move(event));
    book_.close(id);
  }
  position_moved_ = true;
  base::log_warning("partitions lost to other members",
                    {{"group", member_->name()}, {"count", std::uint64_t{ids.size()}}});
  return member_->unassign(given);
}

}  // namespace flytt::kafka
