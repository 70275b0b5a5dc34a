#include "pipeline/lane_book.h"

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "pipeline/internal/advice.h"
#include "pipeline/internal/slice_filter.h"
#include "pipeline/limits.h"

namespace flytt::pipeline {

using state::SavedLane;
using state::TablePhase;
using state::TableRecord;

namespace {

std::string name_of(const std::string& topic, std::int32_t partition) {
  return topic + "/" + std::to_string(partition);
}

bool parse_epoch(std::string_view text, std::int64_t& epoch) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), epoch);
  return failure == std::errc() && end == text.data() + text.size() && epoch >= 0;
}

}  // namespace

// Lines: version, topic id, write stream; of version 2 the epoch, too. Lanes without epochs keep version 1, which older
// programs read as well.
std::string encode_lane_record(const LaneRecord& record) {
  const std::string lines = "\n" + record.topic_id + "\n" + record.write_stream;
  return record.epoch == 0 ? "1" + lines : "2" + lines + "\n" + std::to_string(record.epoch);
}

Result<LaneRecord> decode_lane_record(std::string_view bytes) {
  const bool has_epoch = bytes.substr(0, 2) == "2\n";
  if (!has_epoch && bytes.substr(0, 2) != "1\n")
    return Error(ErrorCode::kUnsupported,
                 "the consumer group's commit was written by a newer flytt; use that one for this group")
        .side(base::Side::kSource)
        .retry(base::Retry::kAfterOperator);
  bytes.remove_prefix(2);
  const Error corrupt = Error(ErrorCode::kCorrupt, "the consumer group's commit holds a record that is cut off")
                            .side(base::Side::kSource);
  const auto end = bytes.find('\n');
  if (end == bytes.npos) return corrupt;
  LaneRecord record{std::string(bytes.substr(0, end)), "", 0};
  bytes.remove_prefix(end + 1);
  if (has_epoch) {
    const auto last = bytes.find('\n');
    if (last == bytes.npos || !parse_epoch(bytes.substr(last + 1), record.epoch)) return corrupt;
    bytes = bytes.substr(0, last);
  }
  record.write_stream = bytes;
  return record;
}

LaneBook::LaneBook(Parts parts, const std::vector<SavedLane>& saved) : parts_(std::move(parts)) {
  for (const SavedLane& lane : saved) saved_.emplace(Place(lane.topic, lane.partition), lane);
}

// ---- what the source says

Status LaneBook::note(const flow::Batch& batch) {
  for (const flow::LaneEvent& event : batch.lane_events) {
    const auto found = lanes_.find(event.lane);
    switch (event.kind) {
      case flow::LaneEvent::Kind::kOpened: TRY_STATUS(open(event)); break;
      // The lane goes on until its last row is settled and the source has heard of it; then, or when its time is over, the
      // source lets it go without a word. Of one that another process has already nothing more is to be said.
      case flow::LaneEvent::Kind::kClosing:
        if (found == lanes_.end()) break;
        found->second.given_away =
            base::Deadline{event.deadline.is_never() ? event.deadline.at : event.deadline.at + kClosingGrace};
        if (found->second.state == State::kLost) give_up(event.lane, found->second);
        break;
      case flow::LaneEvent::Kind::kLost:
        if (found != lanes_.end()) give_up(event.lane, found->second);
        break;
    }
  }
  if (!batch.lane_events.empty()) show();
  return ok();
}

Status LaneBook::open(const flow::LaneEvent& event) {
  for (auto& [number, lane] : lanes_)
    if (lane.topic == event.topic && lane.partition == event.partition) give_up(number, lane);
  Lane lane;
  lane.topic = event.topic;
  lane.partition = event.partition;
  lane.topic_id = event.topic_id;
  lane.next_offset = event.next_offset;
  lane.epoch = event.epoch;
  lane.may_have_others = !event.is_record_shared;
  std::vector<LaneRecord> records;
  if (!event.record.empty()) {
    TRY(LaneRecord record, decode_lane_record(event.record));
    records.push_back(std::move(record));
  }
  const auto saved = saved_.find(Place(event.topic, event.partition));
  if (saved != saved_.end()) {
    // Ours may be another one than the group's: whoever wrote into either is fenced off.
    // The source has seen that the topic was made anew, and begins where it was told to.
    const std::string& old_id = saved->second.topic_id;
    lane.is_new_topic = event.record.empty() && !old_id.empty() && !event.topic_id.empty() && old_id != event.topic_id;
    records.push_back({event.topic_id, saved->second.is_settled ? "" : saved->second.write_stream, 0});
  }
  for (const LaneRecord& record : records) {
    if (!record.topic_id.empty() && !event.topic_id.empty() && record.topic_id != event.topic_id)
      return Error(
                 ErrorCode::kConflict,
                 "topic " + event.topic +
                     " was made anew since its messages were read last (its id is another one), so the places that are "
                     "remembered belong to messages that are gone; read it with a stream of another name than `" +
                     parts_.book.stream() + "` into another table, or make the topic's old state return")
          .side(base::Side::kSource)
          .retry(base::Retry::kAfterOperator);
    const auto& olds = lane.old_streams;
    if (!record.write_stream.empty() && std::find(olds.begin(), olds.end(), record.write_stream) == olds.end())
      lane.old_streams.push_back(record.write_stream);
  }
  if (!parts_.waits_for_record) lane.state = State::kOpen;
  base::log_info("partition opened", {{"stream", parts_.book.stream()},
                                      {"partition", name_of(event.topic, event.partition)},
                                      {"offset", event.next_offset}});
  lanes_[event.lane] = std::move(lane);
  return ok();
}

void LaneBook::give_up(std::uint32_t number, Lane& lane) {
  lane.state = State::kLost;
  lane.lost_at.reset();
  to_close_.push_back(number);
}

void LaneBook::lost(std::uint32_t number, const Error& error) {
  const auto found = lanes_.find(number);
  if (found == lanes_.end() || found->second.state == State::kLost) return;
  base::log_failure(
      base::LogLevel::kWarning, "another process has taken a partition over", error,
      {{"stream", parts_.book.stream()}, {"partition", name_of(found->second.topic, found->second.partition)}});
  give_up(number, found->second);
  found->second.lost_at = parts_.clock.steady();
  show();
}

// ---- tables

Result<bool> LaneBook::bring_table(const data::TableSlice& slice) {
  const data::SliceSchema& schema = *slice.schema;
  if (!parts_.book.has_shape(schema.source_table)) TRY_STATUS(make_table(schema));
  const auto found = lanes_.find(slice.lane);
  if (found == lanes_.end())
    return Error(ErrorCode::kBug, "the source sent rows of " + schema.source_table + " for a lane that it did not open")
        .side(base::Side::kSource);
  found->second.table = schema.destination;
  found->second.source_table = schema.source_table;
  return writes(found->second);
}

Status LaneBook::make_table(const data::SliceSchema& schema) {
  const data::TablePath& path = schema.destination;
  TableRecord record = parts_.book.find(schema.source_table).value_or(TableRecord{});
  const bool is_same_place =
      record.project == path.project && record.dataset == path.dataset && record.table == path.table;
  TRY(std::optional<TableFacts> there, parts_.destination.table(path));
  if (!there) {
    if (is_same_place && record.created_micros != 0)
      base::log_warning("destination table is missing and made anew; what was in it is not read again",
                        {{"stream", parts_.book.stream()}, {"table", path.text()}});
    TRY_STATUS(parts_.destination.ensure_dataset(path.project, path.dataset));
    auto made = parts_.destination.create_table(schema);
    if (made)
      there = std::move(*made);
    else if (made.error().code() != ErrorCode::kConflict)
      return std::move(made).error();
    if (!there) {  // another process made it at the same moment
      TRY(there, parts_.destination.table(path));
    }
    if (!there)
      return Error(ErrorCode::kUnavailable, "table " + path.text() + " comes and goes").side(base::Side::kSink);
  }
  record.source_table = schema.source_table;
  record.project = path.project;
  record.dataset = path.dataset;
  record.table = path.table;
  record.created_micros = there->created_micros;
  record.phase = TablePhase::kStreaming;
  TRY_STATUS(parts_.book.save(std::move(record)));
  parts_.book.set_shape(schema.source_table, std::move(there->schema));
  return ok();
}

bool LaneBook::writes(const Lane& lane) const {
  return !lane.is_held_back && !dropped_tables_.contains(lane.table) && parts_.book.verdict(lane.source_table).writes;
}

Status LaneBook::dropped(const data::TablePath& path, const std::string& reason) {
  dropped_tables_.insert(path);
  std::set<std::string> names;  // several topics may fill one table
  for (auto& [number, lane] : lanes_) {
    if (!(lane.table == path)) continue;
    lane.is_held_back = true;
    names.insert(lane.source_table);
  }
  for (const std::string& name : names) TRY_STATUS(parts_.book.detach(name, {}, reason));
  show();
  return ok();
}

Status LaneBook::keep(data::TableSlice& slice) {
  Lane& lane = lanes_.at(slice.lane);
  if (!writes(lane)) lane.is_held_back = true;
  if (lane.state == State::kLost || lane.is_held_back) {
    internal::keep_rows(slice, [](std::size_t) { return false; });
    slice.rejections.clear();
    return ok();
  }
  if (slice.row_count() == 0) return ok();
  if (lane.state != State::kOpen)
    return Error(ErrorCode::kBug,
                 "the source sent rows of " + name_of(lane.topic, lane.partition) + " before its record was stored")
        .side(base::Side::kSource);
  if (lane.held.empty()) return ok();
  const std::vector<std::uint32_t> places = flow::place_columns(slice.schema->table);
  CHECK(!places.empty());  // the configuration makes sure of it
  const data::Column& offsets = slice.columns[places.back()];
  const auto is_held = [&](std::int64_t offset) {
    auto range = std::upper_bound(lane.held.begin(), lane.held.end(), offset,
                                  [](std::int64_t value, const OffsetRange& one) { return value < one.first; });
    return range != lane.held.begin() && offset <= (--range)->last;
  };
  const std::int64_t newest = offsets.int64(slice.row_count() - 1);
  internal::keep_rows(slice, [&](std::size_t row) { return !is_held(offsets.int64(row)); });
  if (newest >= lane.held.back().last) lane.held.clear();
  return ok();
}

// ---- taking over

Status LaneBook::look(TableSink& sink) {
  const bool is_any_gone = !to_close_.empty();
  for (const std::uint32_t number : std::exchange(to_close_, {})) {
    sink.close_lane(number);
    if (const auto found = lanes_.find(number); found != lanes_.end() && !found->second.lost_at) lanes_.erase(found);
  }
  if (is_any_gone) show();
  for (LaneOutcome& outcome : parts_.desk.take_finished()) TRY_STATUS(finish(sink, std::move(outcome)));
  const base::SteadyTime now = parts_.clock.steady();
  for (auto& [number, lane] : lanes_) {
    if (lane.given_away && lane.state != State::kLost && parts_.clock.is_past(*lane.given_away)) give_up(number, lane);
    if (lane.lost_at && now - *lane.lost_at >= kLostLaneGrace)
      return Error(ErrorCode::kUnavailable, "the write stream of " + name_of(lane.topic, lane.partition) +
                                                " was ended by somebody else or has expired; reading begins anew")
          .side(base::Side::kSink);
    if (lane.state != State::kOpened || lane.table.table.empty()) continue;
    if (!writes(lane)) continue;
    lane.state = State::kTakingOver;
    parts_.desk.put({number, lane.table, lane.topic, lane.partition, lane.next_offset, lane.old_streams,
                     lane.may_have_others, lane.is_new_topic});
  }
  return ok();
}

Status LaneBook::finish(TableSink& sink, LaneOutcome outcome) {
  const auto found = lanes_.find(outcome.lane);
  if (found == lanes_.end() || found->second.state != State::kTakingOver) return ok();
  Lane& lane = found->second;
  if (outcome.error) {
    if (outcome.error->retry() == base::Retry::kAfterBackoff) return std::move(*outcome.error);
    const data::TablePath path = lane.table;
    sink.drop_table(path);
    return dropped(path, "table " + path.text() + " cannot be written: " + outcome.error->text() +
                             internal::read_on(parts_.book.stream(), lane.source_table));
  }
  lane.write_stream = std::move(outcome.write_stream);
  lane.held = std::move(outcome.held);
  lane.old_streams.clear();
  lane.state = State::kOpen;
  sink.open_lane(outcome.lane, lane.table, lane.write_stream);
  has_news_ = true;
  return ok();
}

// ---- saving

state::SavedLane LaneBook::to_save(const Lane& lane) const {
  SavedLane saved;
  saved.stream = parts_.book.stream();
  saved.topic = lane.topic;
  saved.partition = lane.partition;
  saved.topic_id = lane.topic_id;
  saved.next_offset = lane.next_offset;
  saved.write_stream = lane.write_stream;
  saved.epoch = lane.epoch;
  return saved;
}

Result<std::optional<flow::Position>> LaneBook::save(
    const std::optional<flow::Position>& end,
    const TableChanges& /*changes: what has changed tells each lane's offset*/) {
  has_news_ = false;
  if (end && !end->empty()) {
    TRY(const std::vector<flow::LanePoint> points, flow::decode_points(end->bytes));
    for (const flow::LanePoint& point : points) {
      const auto found = lanes_.find(point.lane);
      if (found == lanes_.end() || found->second.state != State::kOpen || found->second.is_held_back) continue;
      found->second.next_offset = std::max(found->second.next_offset, point.next_offset);
      found->second.epoch = std::max(found->second.epoch, point.epoch);
    }
  }
  std::vector<SavedLane> changed;
  std::vector<flow::LanePoint> told;
  for (auto& [number, lane] : lanes_) {
    if (lane.state != State::kOpen) continue;
    const std::string record = parts_.waits_for_record || !lane.topic_id.empty() || lane.epoch != 0
                                   ? encode_lane_record({lane.topic_id, lane.write_stream, lane.epoch})
                                   : std::string();
    told.push_back({number, lane.next_offset, record, lane.epoch});
    SavedLane now = to_save(lane);
    now.saved_micros = lane.saved ? lane.saved->saved_micros : 0;
    if (lane.saved == now) continue;
    now.saved_micros = parts_.clock.wall_micros();
    lane.saved = now;
    changed.push_back(std::move(now));
  }
  if (!changed.empty()) {
    TRY_STATUS(parts_.store.save_lanes(changed));
    for (SavedLane& lane : changed) {
      Place place(lane.topic, lane.partition);
      saved_.insert_or_assign(std::move(place), std::move(lane));
    }
    show();
  }
  flow::Position position{flow::encode_points(told)};
  if (position == told_) return std::optional<flow::Position>();
  told_ = position;
  return std::optional(std::move(position));
}

// ---- for people

void LaneBook::show() {
  std::vector<LaneStatus> made;
  for (const auto& [number, lane] : lanes_) {
    if (lane.state == State::kLost || made.size() >= kLanesShown) continue;
    LaneStatus one;
    one.topic = lane.topic;
    one.partition = lane.partition;
    one.saved = lane.next_offset;
    one.is_waiting = lane.state != State::kOpen;
    one.is_held_back = lane.is_held_back;
    made.push_back(std::move(one));
  }
  std::lock_guard lock(shown_mutex_);
  shown_ = std::move(made);
}

std::vector<LaneStatus> LaneBook::status() const {
  std::lock_guard lock(shown_mutex_);
  return shown_;
}

}  // namespace flytt::pipeline
