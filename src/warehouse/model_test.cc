// Random histories of one mirror table against the simplest model of BigQuery's change data capture: for each key the row with
// the greatest (sequence, ingestion number) is seen, unless it is a delete. A failure prints the seed of its history.

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <map>
#include <random>

#include "warehouse/internal/test_support.h"

namespace flytt::warehouse {
namespace {

using test::Fixture;
using test::Row;

struct Written {
  unsigned __int128 sequence;
  bool is_delete;
  std::string name;
};

class History : public Fixture {
 protected:
  // What one history is made of.
  struct Shape {
    std::uint64_t seed;
    std::int64_t keys;
    std::uint64_t positions;  // sequences are drawn from so many positions; few of them make many ties
    bool with_load;           // begins with a first load that overlaps with changes
    bool without_sequences;   // position 0 for all rows
  };

  void run(const Shape& shape);

 private:
  void write(AppendSession& session, const std::vector<Row>& rows, bool is_delete);
  void settle();
  void check(const std::string& step);
  std::vector<Row> some_rows(std::size_t count);

  std::mt19937_64 random_;
  Shape shape_{};
  std::map<std::int64_t, Written> model_;
  std::vector<std::future<Status>> answers_;
  std::uint64_t names_ = 0;
};

void History::write(AppendSession& session, const std::vector<Row>& rows, bool is_delete) {
  const auto encoded = test::encode(test::simple_schema(true), rows,
                                    is_delete ? data::ChangeKind::kDelete : data::ChangeKind::kUpsert, true);
  auto answered = std::make_shared<std::promise<Status>>();
  answers_.push_back(answered->get_future());
  session.append(
      *encoded.rows, encoded.rows, [answered](AppendOutcome outcome) { answered->set_value(outcome.status); },
      base::Deadline::never());
  for (const Row& row : rows) {
    const unsigned __int128 sequence = test::sequence_of(row).bits;
    const auto found = model_.find(row.id);
    if (found == model_.end() || !(sequence < found->second.sequence)) model_[row.id] = {sequence, is_delete, row.name};
  }
}

void History::settle() {
  for (auto& answer : answers_) {
    const Status status = answer.get();
    ASSERT_TRUE(status) << status.error().text();
  }
  answers_.clear();
}

void History::check(const std::string& step) {
  std::string expected;
  for (const auto& [id, written] : model_)
    if (!written.is_delete) expected += std::to_string(id) + "," + written.name + ";";
  ASSERT_EQ(rows("SELECT id, name FROM d.t ORDER BY id"), expected) << "seed " << shape_.seed << " after " << step;
  const std::int64_t probe = static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(shape_.keys));
  const auto found = model_.find(probe);
  ASSERT_EQ(rows("SELECT name FROM d.t WHERE id = " + std::to_string(probe)),
            found == model_.end() || found->second.is_delete ? "" : found->second.name + ";")
      << "seed " << shape_.seed << " key " << probe << " after " << step;
}

std::vector<Row> History::some_rows(std::size_t count) {
  std::vector<Row> rows;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t position = shape_.without_sequences ? 0 : 1 + random_() % shape_.positions;
    rows.push_back({static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(shape_.keys)),
                    "n" + std::to_string(++names_), position});
  }
  return rows;
}

void History::run(const Shape& shape) {
  shape_ = shape;
  random_.seed(shape.seed);
  make_mirror("t");
  auto session = open("t");
  std::int64_t load_left = shape.with_load ? 6 : 0;
  for (int step = 0; step < 60; ++step) {
    const auto choice = random_() % 100;
    if (load_left > 0 && choice < 40) {
      // One chunk of the first load; some keys come twice, as after a retry.
      std::vector<Row> rows;
      for (std::int64_t key = 0; key < shape.keys; ++key)
        if (random_() % 3 != 0)
          rows.push_back({key, "load" + std::to_string(key), shape.without_sequences ? 0 : shape.positions / 2});
      write(*session, rows, false);
      --load_left;
    } else if (choice < 60) {
      write(*session, some_rows(1 + random_() % 40), false);
    } else if (choice < 72) {
      write(*session, some_rows(1 + random_() % 15), true);
    } else if (choice < 84) {
      settle();
      const Status applied = warehouse().apply_all();
      ASSERT_TRUE(applied) << applied.error().text();
    } else if (choice < 88) {
      settle();
      session.reset();
      reopen();
      session = open("t");
    } else if (choice < 91) {
      settle();
      ASSERT_TRUE(warehouse().checkpoint());
    } else {
      settle();
      check("step " + std::to_string(step));
      if (HasFatalFailure()) return;
    }
    if (random_() % 2 == 0) settle();
    if (HasFatalFailure()) return;
  }
  settle();
  check("the end");
}

class Histories : public History, public ::testing::WithParamInterface<int> {};

TEST_P(Histories, ReplayedChangesNeverWin) {
  const auto seed = static_cast<std::uint64_t>(GetParam());
  run({.seed = seed, .keys = 30, .positions = 1'000, .with_load = false, .without_sequences = false});
}

TEST_P(Histories, FirstLoadsOverlapWithChanges) {
  const auto seed = static_cast<std::uint64_t>(GetParam()) + 1'000;
  run({.seed = seed, .keys = 60, .positions = 50, .with_load = true, .without_sequences = false});
}

TEST_P(Histories, TiesGoToTheLaterRow) {
  const auto seed = static_cast<std::uint64_t>(GetParam()) + 2'000;
  run({.seed = seed, .keys = 20, .positions = 3, .with_load = true, .without_sequences = false});
}

TEST_P(Histories, WithoutSequencesTheLaterRowWins) {
  const auto seed = static_cast<std::uint64_t>(GetParam()) + 3'000;
  run({.seed = seed, .keys = 25, .positions = 1, .with_load = true, .without_sequences = true});
}

INSTANTIATE_TEST_SUITE_P(Seeds, Histories, ::testing::Range(1, 7));

}  // namespace
}  // namespace flytt::warehouse
