#pragma once
// LaneBook: the lanes of one run of a stream of topics: where each goes on, into which write stream its rows go, and which
// of its rows the destination has already (delivery.md §6).
//
//   opened ─▶ taking over ─▶ open ─▶ (closing) ─▶ forgotten once its time is over      lost: nothing is saved or told about it any more
//                                └──▶ held back: its table is detached; its place stays where it is
//
// A lane's place and record are saved in state before the source hears of them, and the source stores both before it lets
// rows come. Without records (at least once, upsert) a lane is open at once.
//
// A lane whose write stream was ended by somebody else is lost for us; the source notices by itself soon after. If it does
// not, the stream was ended for another reason, and the run has to begin anew: look() returns kUnavailable.
//
// Used by the writer; `status` may be called by any thread. Outlives the run.

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "flow/lanes.h"
#include "pipeline/delivery.h"
#include "pipeline/lane_keeper.h"
#include "pipeline/ledger.h"
#include "pipeline/status.h"

namespace flytt::pipeline {

// What is stored beside a lane's offset.
struct LaneRecord {
  std::string topic_id;
  std::string write_stream;  // empty: none that anybody could append to
  std::int64_t epoch = 0;    // as flow::LanePoint has it
};
std::string encode_lane_record(const LaneRecord& record);
// kUnsupported when a newer flytt has written it, kCorrupt when it is none.
Result<LaneRecord> decode_lane_record(std::string_view bytes);

class LaneBook final : public Ledger, public LaneGate {
 public:
  // All outlive the book.
  struct Parts {
    TableBook& book;
    Destination& destination;
    state::Store& store;
    const base::Clock& clock;
    LaneDesk& desk;
    bool waits_for_record = false;
  };
  LaneBook(Parts parts, const std::vector<state::SavedLane>& saved);

  // Ledger
  Status note(const flow::Batch& batch) override;
  Status look(TableSink& sink) override;
  bool has_news() const override { return has_news_; }
  Result<std::optional<flow::Position>> save(const std::optional<flow::Position>& end,
                                             const TableChanges& changes) override;

  // LaneGate
  Result<bool> bring_table(const data::TableSlice& slice) override;
  Status keep(data::TableSlice& slice) override;
  void lost(std::uint32_t lane, const Error& error) override;
  Status dropped(const data::TablePath& path, const std::string& reason) override;

  // -- any thread
  std::vector<LaneStatus> status() const;

 private:
  enum class State { kOpened, kTakingOver, kOpen, kLost };
  struct Lane {
    State state = State::kOpened;
    std::string topic, topic_id;
    std::int32_t partition = 0;
    std::int64_t next_offset = 0;  // everything before it is settled
    std::int64_t epoch = 0;        // there
    data::TablePath table;         // once a slice has shown it, as the next
    std::string source_table;
    std::vector<std::string> old_streams;
    std::string write_stream;
    std::vector<OffsetRange> held;             // at the destination already
    bool is_held_back = false;                 // its table is detached
    bool may_have_others = false;              // the source does not know who had it last
    bool is_new_topic = false;                 // made anew under the name of one that was read before
    std::optional<base::Deadline> given_away;  // by the source, at the latest then
    std::optional<base::SteadyTime> lost_at;   // when its stream was found ended, until the source says so, too
    std::optional<state::SavedLane> saved;     // as state has it
  };
  using Place = std::pair<std::string, std::int32_t>;  // topic, partition

  Status open(const flow::LaneEvent& event);
  void give_up(std::uint32_t number, Lane& lane);
  Status take_over_due();
  Status finish(TableSink& sink, LaneOutcome outcome);
  Status make_table(const data::SliceSchema& schema);
  bool writes(const Lane& lane) const;
  state::SavedLane to_save(const Lane& lane) const;
  void show();

  const Parts parts_;
  std::map<Place, state::SavedLane> saved_;  // by earlier runs and this one
  std::map<std::uint32_t, Lane> lanes_;
  std::set<data::TablePath> dropped_tables_;
  std::vector<std::uint32_t> to_close_;  // at the sink
  bool has_news_ = false;
  flow::Position told_;
  mutable std::mutex shown_mutex_;
  std::vector<LaneStatus> shown_;
};

}  // namespace flytt::pipeline
