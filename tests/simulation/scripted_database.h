#pragma once
// ScriptedDatabase: a source system in memory, with tables, a log of transactions, one replication slot and snapshots.
// ScriptedOrigin: the pipeline's port to it. Both fail when they are told to, and both look over the pipeline's shoulder:
// a position confirmed beyond what is durable is a failure of the test.
//
// Rows have an INT64 key and a value. A row lies at a place of its table's storage ("ctid"); updates move it, a rewrite
// moves all. Tables change their shape like real ones: a column is added, or the value's type changes.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "pipeline/origin.h"

namespace flytt::simulation {

// Values that the source cannot represent, and that the destination refuses.
inline bool is_unrepresentable(std::int64_t value) { return value % 97 == 13; }
inline bool is_refused(std::int64_t value) { return value % 101 == 17; }

struct Shape {
  bool has_extra = false;
  bool value_is_text = false;
  friend bool operator==(const Shape& a, const Shape& b) {
    return a.has_extra == b.has_extra && a.value_is_text == b.value_is_text;
  }
};

struct SourceRow {
  std::int64_t value = 0;
  std::int64_t place = 0;  // in the table's storage
};

struct SourceTableState {
  Shape shape;
  std::map<std::int64_t, SourceRow> rows;
  std::int64_t storage = 1;
  std::int64_t next_place = 0;
  bool is_published = true;
  int relation = 1;    // another one after it was made anew
  int membership = 1;  // … or left and came back
  std::string refusal;
  std::string identity() const { return std::to_string(relation) + "/" + std::to_string(membership); }
};

struct Change {
  enum class Kind { kUpsert, kDelete, kTruncate };
  Kind kind;
  std::string table;
  std::int64_t key = 0, value = 0;
  Shape shape;  // of the table when it was made
};

struct Transaction {
  std::uint64_t commit = 0, end = 0;
  std::int64_t commit_micros = 0;
  std::vector<Change> changes;
};

// Chances of trouble, in 1/1000 per call.
struct Trouble {
  unsigned stream_fails = 0, open_fails = 0, copy_fails = 0, session_dies = 0;
};

class ScriptedDatabase {
 public:
  explicit ScriptedDatabase(std::uint64_t seed) : random_(seed) {}

  // -- for the test; thread-safe
  void add_table(const std::string& name);
  void commit(std::vector<Change> changes, std::int64_t now_micros);  // shape is filled in
  void alter(const std::string& name, Shape shape);
  void rewrite(const std::string& name);  // moves every row to another place
  void publish(const std::string& name, bool is_published);
  void make_anew(const std::string& name);  // dropped and created: empty, without a word in the log
  void refuse(const std::string& name, std::string refusal);
  void drop_slot();
  void move_slot(std::uint64_t position);  // somebody else confirms
  void become_another_system();            // restored elsewhere: same rows, another history, smaller positions
  std::map<std::string, SourceTableState> tables() const;
  std::uint64_t end() const;
  std::uint64_t confirmed() const;
  std::uint64_t heartbeats() const;  // calls of confirm
  std::vector<Transaction> transactions(std::uint64_t after, std::uint64_t until) const;

  Trouble trouble;
  std::size_t batch_changes_max = 8;
  std::size_t ranges_min = 1, ranges_max = 4;  // of one table's plan
  // Called at each confirm with the positions before and now; returns a complaint or nothing.
  std::function<std::string(std::uint64_t from, std::uint64_t to)> on_confirm;
  std::vector<std::string> complaints() const;

 private:
  friend class ScriptedOrigin;
  friend class ScriptedStream;
  friend class ScriptedCopySession;
  friend class ScriptedCopySource;

  bool happens(unsigned per_mille) { return per_mille != 0 && random_.below(1000) < per_mille; }
  void complain(std::string text) { complaints_.push_back(std::move(text)); }

  mutable std::mutex mutex_;
  base::SeededRandom random_;
  std::map<std::string, SourceTableState> tables_;
  std::vector<Transaction> log_;
  std::uint64_t end_ = 1000;
  std::string system_ = "system-1";
  bool has_slot_ = false;
  int streams_open_ = 0;
  std::uint64_t slot_confirmed_ = 0, heartbeats_ = 0;
  std::vector<std::string> complaints_;
};

class ScriptedOrigin final : public pipeline::Origin {
 public:
  ScriptedOrigin(ScriptedDatabase& database, std::string dataset) : database_(database), dataset_(std::move(dataset)) {}

  Result<pipeline::OriginIdentity> identity() override;
  Result<pipeline::OriginTables> tables() override;
  Result<flow::Position> end_position() override;
  const std::string& slot_name() const override { return slot_name_; }
  Result<pipeline::SlotFacts> slot() override;
  Result<flow::Position> create_slot(std::stop_token stop) override;
  Status drop_slot() override;
  Result<std::unique_ptr<flow::Source>> open_stream(const flow::Position& from, std::uint16_t epoch,
                                                    const pipeline::OriginTables& tables) override;
  Result<std::unique_ptr<pipeline::CopySession>> open_copy(const pipeline::OriginTables& tables, std::uint16_t epoch,
                                                           std::stop_token stop) override;
  std::string text(const flow::Position& position) const override { return position.bytes; }
  std::uint64_t number(const flow::Position& position) const override;
  bool reached(const flow::Position& at, const flow::Position& goal) const override {
    return number(at) >= number(goal);
  }

 private:
  ScriptedDatabase& database_;
  const std::string dataset_;
  const std::string slot_name_ = "flytt_scripted";
};

std::shared_ptr<const data::SliceSchema> slice_schema(const std::string& dataset, const std::string& name, Shape shape,
                                                      std::uint32_t version);
flow::Position position_of(std::uint64_t lsn);

}  // namespace flytt::simulation
