#pragma once
// GroupSource: the topic source (topic_source.h says what it does), in three parts: what the group gives and takes
// (group_source_lanes.cc), messages and batches, confirmations (group_source.cc).

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kafka/client.h"
#include "kafka/internal/batch_builder.h"
#include "kafka/internal/dead_letters.h"
#include "kafka/internal/group_member.h"
#include "kafka/internal/lane_book.h"
#include "kafka/message_order.h"
#include "kafka/topic_source.h"

namespace flytt::kafka {

class GroupSource final : public TopicSource {
 public:
  GroupSource(TopicSourceOptions options, std::vector<SavedPoint> saved,
              std::vector<std::shared_ptr<const data::SliceSchema>> known, std::unique_ptr<Client> client,
              const base::Clock& clock);
  ~GroupSource() override;

  Status join();
  Result<std::optional<flow::Batch>> next(base::Deadline deadline) override;
  Status confirm(const flow::Position& durable) override;
  TopicProgress progress() const override;

 private:
  // -- Lanes
  Status serve();
  Status answer_assign();
  Result<Lane> make_lane(const Place& committed, bool topic_is_known, const std::string& topic_id,
                         base::Deadline deadline);
  struct Remembered {
    Place place;                   // offset -1: none
    bool is_of_old_topic = false;  // that had the same name
    std::int64_t epoch = 0;        // from which an upsert goes on
  };
  Remembered remembered_place(const Place& committed, const std::string& topic_id) const;
  bool may_leave_old_topic() const { return options_.lost != LostPlace::kError || options_.payload.is_upsert; }
  Error old_topic_error(const Place& place) const;
  Place other_place(Place place, GroupMember::Ends ends) const;
  Status look_at_topics();
  Status look_for_unread();
  Result<std::optional<Place>> check_place(const Place& place, GroupMember::Ends ends) const;
  Result<std::shared_ptr<TableShape>> table_of(const std::string& topic, base::Deadline deadline);
  Status begin_closing();
  Status finish_closing();
  Status lose_all();
  std::vector<Place> places(const std::vector<Lane*>& lanes) const;
  std::vector<Lane*> lanes(Lane::State state) const;

  // -- Messages
  Status take(const rd_kafka_message_t& message);
  Status take_event(const rd_kafka_message_t& message);
  Status take_all(NativeMessage message);
  bool is_full() const;
  bool is_due() const;
  base::Deadline next_wake(base::Deadline deadline) const;
  flow::Batch close_batch();

  // -- Confirmations
  Status apply(const flow::Position& durable);
  Status open_waiting();
  Status commit_news();
  Status commit_now(const std::vector<Lane*>& lanes, base::Deadline deadline, bool& taken);
  Status settle_commit(rd_kafka_resp_err_t code);
  Status stay_alive();
  Status wake_up();

  TopicSourceOptions options_;
  const base::Clock& clock_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<GroupMember> member_;
  std::unique_ptr<DeadLetters> dead_letters_;  // null: not asked for
  LaneBook book_;
  BatchBuilder builder_;
  MessageOrder order_;
  std::map<std::string, std::shared_ptr<const data::SliceSchema>> known_;  // by the destination table's name
  std::map<std::string, std::shared_ptr<TableShape>> tables_;
  std::optional<Rebalance> revoke_;  // being answered: its lanes are closing
  flow::Position confirmed_;
  base::SteadyTime last_poll_;
  base::Deadline age_limit_ = base::Deadline::never();
  base::Deadline idle_limit_ = base::Deadline::passed();
  base::Deadline topics_limit_ = base::Deadline::never();  // until ids are compared again
  bool are_all_read_ = false;                              // by some member, when we had joined
  std::vector<std::string> unread_;                        // at the last look
  bool is_paused_ = false;                                 // by stay_alive
  bool position_moved_ = false;                            // since the last batch
  bool has_messages_ = false;                              // some have come
  bool has_trouble_ = false;
  std::string trouble_;  // of our own questions
  std::uint64_t repeated_ = 0;
};

}  // namespace flytt::kafka
