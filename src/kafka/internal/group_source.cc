// Messages, batches and confirmations.

#include "kafka/internal/group_source.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"

namespace flytt::kafka {

namespace {

constexpr unsigned kClockEvery = 256;  // messages between looks at the clock

class NativeHeaders final : public HeaderReader {
 public:
  explicit NativeHeaders(const rd_kafka_message_t& message) : message_(message) {}
  std::vector<Header> read() const override {
    std::vector<Header> out;
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&message_, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return out;
    const char* key = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &key, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      Header header{key, std::nullopt};
      if (value) header.value.emplace(static_cast<const char*>(value), size);
      out.push_back(header);
    }
    return out;
  }

 private:
  const rd_kafka_message_t& message_;
};

std::optional<std::string_view> view(const void* bytes, std::size_t size) {
  if (!bytes) return std::nullopt;
  return std::string_view(static_cast<const char*>(bytes), size);
}

}  // namespace

GroupSource::GroupSource(TopicSourceOptions options, std::vector<SavedPoint> saved,
                         std::vector<std::shared_ptr<const data::SliceSchema>> known, std::unique_ptr<Client> client,
                         const base::Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      client_(std::move(client)),
      book_(std::move(saved)),
      builder_(options_.payload),
      order_(clock),
      last_poll_(clock.steady()) {
  for (auto& schema : known) {
    const std::string name = schema->destination.table;
    known_[name] = std::move(schema);
  }
}

// Hands in what was confirmed, and leaves. Whatever does not work within its time is found again by the next owner.
GroupSource::~GroupSource() {
  if (!member_) return;
  std::vector<Lane*> news;
  for (const auto& lane : book_.all())
    if (lane->has_news() && lane->state != Lane::State::kWaiting) news.push_back(lane.get());
  bool taken = true;
  if ((!news.empty() || member_->is_committing()) && !member_->is_lost())
    static_cast<void>(commit_now(news, clock_.in(kCommitPatience), taken));
  member_->leave(clock_.in(kClosePatience));
}

Status GroupSource::join() {
  const MemberSettings settings{options_.connection, options_.group, options_.topics, options_.prefetch_bytes_max};
  if (!options_.dead_letters.empty()) {
    TRY(dead_letters_, DeadLetters::open(options_.connection, options_.dead_letters, options_.on_dead_letter, clock_));
  }
  TRY(member_, GroupMember::join(settings, clock_));
  return ok();
}

// -- Messages

Status GroupSource::take(const rd_kafka_message_t& message) {
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) return take_event(message);
  Lane* lane = book_.find(rd_kafka_topic_name(message.rkt), message.partition);
  if (!lane || lane->state == Lane::State::kClosing) return ok();
  if (lane->state == Lane::State::kWaiting)
    return Error(ErrorCode::kUnavailable, "partition " + partition_text(lane->topic, lane->partition) +
                                              " brought a message while it was paused: it is read again")
        .side(base::Side::kSource)
        .retry(base::Retry::kAfterBackoff);
  if (message.offset < lane->next_offset) {
    ++repeated_;
    return ok();
  }
  const NativeHeaders headers(message);
  Message view_of{lane->topic,
                  message.partition,
                  message.offset,
                  -1,
                  view(message.key, message.key_len),
                  view(message.payload, message.len),
                  &headers,
                  {}};
  rd_kafka_timestamp_type_t kind;
  view_of.timestamp_ms = rd_kafka_message_timestamp(&message, &kind);
  view_of.sequence = options_.payload.is_upsert ? order_.next(lane->epoch, view_of.timestamp_ms, message.offset)
                                                : data::Sequence::of(1, static_cast<std::uint64_t>(message.offset), 0);
  if (builder_.messages() == 0) age_limit_ = clock_.in(options_.batch_age);
  const data::Rejection* rejected = builder_.add(*lane, view_of);
  if (rejected && dead_letters_) TRY_STATUS(dead_letters_->put(message, *rejected));
  lane->next_offset = message.offset + 1;
  position_moved_ = true;
  if (!has_messages_) base::log_info("messages arrive", {{"group", member_->name()}});
  has_messages_ = true;
  return ok();
}

Status GroupSource::take_event(const rd_kafka_message_t& message) {
  const std::string topic = message.rkt ? rd_kafka_topic_name(message.rkt) : "";
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    Lane* lane = book_.find(topic, message.partition);
    // Control records and aborted transactions end here without a message.
    if (lane && lane->state == Lane::State::kOpen && message.offset > lane->next_offset) {
      lane->next_offset = message.offset;
      position_moved_ = true;
    }
    return ok();
  }
  const std::string object = topic.empty() ? "group " + member_->name() : "topic " + topic;
  if (rd_kafka_fatal_error(member_->client().get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    const auto code = rd_kafka_fatal_error(member_->client().get(), nullptr, 0);
    return member_->client().error(code, "go on in group " + member_->name());
  }
  if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || message.err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
    const auto retry = options_.lost == LostPlace::kError ? base::Retry::kAfterOperator : base::Retry::kAfterBackoff;
    Lane* lane = book_.find(topic, message.partition);
    const Place place{topic, message.partition, lane ? lane->next_offset : message.offset, {}};
    TRY(const auto ends, member_->ends(topic, message.partition, clock_.in(kLookupPatience)));
    topics_limit_ = base::Deadline::passed();
    TRY_STATUS(look_at_topics());
    // The choice is made when the source is opened again; a choice of the operator is asked for here already.
    if (options_.lost == LostPlace::kError) TRY_STATUS(check_place(place, ends));
    return Error(ErrorCode::kConflict, "the next messages of partition " + partition_text(topic, message.partition) +
                                           " are gone: it is opened anew")
        .side(base::Side::kSource)
        .retry(retry);
  }
  // A topic of a pattern may go; the group then takes its partitions away.
  const bool is_named =
      std::find(options_.topics.include.begin(), options_.topics.include.end(), topic) != options_.topics.include.end();
  const bool is_gone =
      message.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || message.err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
  const bool passes =
      is_passing(message.err) || message.err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED || (is_gone && !is_named);
  if (!passes) return member_->client().error(message.err, "read " + object);
  topics_limit_ = base::Deadline::passed();
  member_->client().complaint().note(message.err, rd_kafka_message_errstr(&message));
  has_trouble_ = true;
  return ok();
}

// From the first message on as long as more are at hand.
Status GroupSource::take_all(NativeMessage message) {
  if (has_trouble_ && message && message.get()->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    member_->client().complaint().clear();
    has_trouble_ = false;
  }
  for (unsigned count = 1; message; ++count) {
    TRY_STATUS(take(*message.get()));
    if (is_full() || (count % kClockEvery == 0 && clock_.is_past(age_limit_))) break;
    message = member_->poll(0);
  }
  last_poll_ = clock_.steady();
  return ok();
}

bool GroupSource::is_full() const {
  return builder_.messages() >= options_.batch_rows_max || builder_.bytes() >= options_.batch_bytes_max;
}

bool GroupSource::is_due() const {
  if (builder_.has_events() || is_full()) return true;
  if (builder_.messages() > 0) return clock_.is_past(age_limit_);
  return position_moved_ && clock_.is_past(idle_limit_);
}

base::Deadline GroupSource::next_wake(base::Deadline deadline) const {
  if (builder_.messages() > 0) deadline = deadline.earlier(age_limit_);
  if (position_moved_) deadline = deadline.earlier(idle_limit_);
  for (const Lane* lane : lanes(Lane::State::kClosing)) deadline = deadline.earlier(lane->closing_limit);
  return deadline;
}

flow::Batch GroupSource::close_batch() {
  position_moved_ = false;
  idle_limit_ = clock_.in(kIdlePositionInterval);
  age_limit_ = base::Deadline::never();
  return builder_.take(book_.position());
}

Result<std::optional<flow::Batch>> GroupSource::next(base::Deadline deadline) {
  TRY_STATUS(wake_up());
  for (;;) {
    TRY_STATUS(serve());
    if (is_due()) {
      // A batch is only handed on, and so its place saved, when the topic of dead letters has those of its messages.
      if (dead_letters_) {
        TRY_STATUS(dead_letters_->flush(clock_.in(kDeadLetterPatience)));
        if (builder_.messages() > 0) FAILPOINT("kafka.letters.stored");
      }
      return std::optional<flow::Batch>(close_batch());
    }
    // A rebalance that could not be answered is tried again, with a look at the deadline between.
    if (clock_.is_past(deadline)) return std::optional<flow::Batch>();
    const base::Deadline wake =
        member_->rebalance() || revoke_ ? next_wake(deadline).earlier(clock_.in(100ms)) : next_wake(deadline);
    TRY_STATUS(take_all(member_->poll(milliseconds_left(clock_, wake))));
  }
}

// -- Confirmations

Status GroupSource::confirm(const flow::Position& durable) {
  TRY_STATUS(apply(durable));
  if (member_->is_committing())
    if (const auto outcome = member_->commit_outcome(base::Deadline::passed())) TRY_STATUS(settle_commit(*outcome));
  TRY_STATUS(open_waiting());
  TRY_STATUS(commit_news());
  if (revoke_) TRY_STATUS(serve());
  return stay_alive();
}

Status GroupSource::apply(const flow::Position& durable) {
  if (durable.empty() || durable == confirmed_) return ok();
  TRY(const auto points, flow::decode_points(durable.bytes));
  for (const flow::LanePoint& point : points) {
    Lane* lane = book_.find(point.lane);
    if (!lane) continue;
    if (point.record.size() > kRecordBytesMax)
      return Error(ErrorCode::kBug, "a lane's record has " + std::to_string(point.record.size()) +
                                        " bytes, and the group keeps " + std::to_string(kRecordBytesMax));
    lane->durable = std::max(lane->durable, std::min(point.next_offset, lane->next_offset));
    lane->durable_epoch = std::max(lane->durable_epoch, std::min(point.epoch, lane->epoch));
    if (point.record.empty()) continue;
    lane->record = point.record;
    lane->has_own_record = true;
  }
  confirmed_ = durable;
  return ok();
}

// Lanes whose record has come: the group must take it before the first row comes.
Status GroupSource::open_waiting() {
  std::vector<Lane*> ready;
  for (Lane* lane : lanes(Lane::State::kWaiting))
    if (lane->has_own_record) ready.push_back(lane);
  if (ready.empty() || member_->is_lost()) return ok();
  bool taken = false;
  TRY_STATUS(commit_now(ready, clock_.in(kCommitPatience), taken));
  if (!taken) return ok();  // asked again with the next confirmation
  FAILPOINT("kafka.lane.open.before");
  for (Lane* lane : ready) lane->state = Lane::State::kOpen;
  return is_paused_ ? ok() : member_->resume(places(ready));
}

Status GroupSource::commit_news() {
  if (member_->is_committing() || member_->is_lost()) return ok();
  std::vector<Place> news;
  for (const auto& lane : book_.all()) {
    if (!lane->has_news() || lane->state == Lane::State::kWaiting) continue;
    lane->committing = lane->durable;
    lane->committing_record = lane->record;
    news.push_back({lane->topic, lane->partition, lane->durable, lane->record});
  }
  return news.empty() ? ok() : member_->commit(news);
}

// Waits for the answer. `taken`: the group has these lanes' places; false: it could not be told now.
Status GroupSource::commit_now(const std::vector<Lane*>& lanes, base::Deadline deadline, bool& taken) {
  taken = false;
  if (member_->is_committing()) {
    const auto outcome = member_->commit_outcome(deadline);
    if (!outcome) return ok();
    TRY_STATUS(settle_commit(*outcome));
  }
  std::vector<Place> news;
  for (Lane* lane : lanes) {
    lane->committing = lane->durable;
    lane->committing_record = lane->record;
    news.push_back({lane->topic, lane->partition, lane->durable, lane->record});
  }
  if (news.empty()) return ok();
  FAILPOINT("kafka.commit.before");
  TRY_STATUS(member_->commit(news));
  const auto outcome = member_->commit_outcome(deadline);
  if (!outcome) return ok();
  taken = *outcome == RD_KAFKA_RESP_ERR_NO_ERROR;
  FAILPOINT("kafka.commit.after");
  return settle_commit(*outcome);
}

Status GroupSource::settle_commit(rd_kafka_resp_err_t code) {
  const bool taken = code == RD_KAFKA_RESP_ERR_NO_ERROR;
  for (const auto& lane : book_.all()) {
    if (lane->committing < 0) continue;
    if (taken) {
      lane->committed = lane->committing;
      lane->committed_record = lane->committing_record;
    }
    lane->committing = -1;
  }
  if (taken) return ok();
  // The group has gone on without us: the callback is about to say so, and nothing is confirmed any more.
  const bool is_stale = code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID || code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
                        code == RD_KAFKA_RESP_ERR__NO_OFFSET || code == RD_KAFKA_RESP_ERR__STATE;
  if (is_stale || is_passing(code)) {
    member_->client().complaint().note(code, rd_kafka_err2str(code));
    has_trouble_ = true;
    return ok();
  }
  return member_->client().error(code, "commit offsets of group " + member_->name());
}

// Nobody asks for messages: the member must poll all the same, and must not get any.
Status GroupSource::stay_alive() {
  const auto idle = std::min<base::Duration>(kIdlePollInterval, options_.group.poll_interval_max / 4);
  if (!is_paused_ && clock_.steady() - last_poll_ < idle) return ok();
  if (!is_paused_) {
    TRY_STATUS(member_->pause(places(lanes(Lane::State::kOpen))));
    is_paused_ = true;
  }
  TRY_STATUS(take_all(member_->poll(0)));
  return serve();
}

Status GroupSource::wake_up() {
  if (!is_paused_) return ok();
  is_paused_ = false;
  return member_->resume(places(lanes(Lane::State::kOpen)));
}

TopicProgress GroupSource::progress() const {
  TopicProgress out;
  for (const auto& lane : book_.all())
    out.lanes.push_back({lane->id, lane->topic, lane->partition, lane->next_offset, lane->committed,
                         member_->known_end(lane->topic, lane->partition), lane->state == Lane::State::kWaiting});
  out.repeated_messages = repeated_;
  const auto [code, text] = member_->client().complaint().get();
  out.trouble = code == RD_KAFKA_RESP_ERR_NO_ERROR ? trouble_ : text;
  return out;
}

}  // namespace flytt::kafka
