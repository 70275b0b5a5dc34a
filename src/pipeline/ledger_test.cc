#include "pipeline/ledger.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace flytt::pipeline {
namespace {

using Saved = state::Store::TableChanges;

data::Sequence change(std::uint64_t position) { return data::Sequence::of(1, position, 1); }

std::string new_folder() {
  std::string pattern = testing::TempDir() + "flytt-ledger-XXXXXX";
  return ::mkdtemp(pattern.data());
}

class CheckpointLedgerTest : public testing::Test {
 protected:
  CheckpointLedgerTest() {
    state::Checkpoint start;
    start.stream = "sak";
    start.position = "a";
    state::TableRecord table;
    table.stream = "sak";
    table.source_table = "public.x";
    table.phase = state::TablePhase::kStreaming;
    EXPECT_TRUE(store_->save(start, {table}));
    EXPECT_TRUE(book_.load());
    ledger_.begin({"a"});
  }
  ~CheckpointLedgerTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  Saved saved() { return store_->table_changes("sak").value(); }

  const std::string folder_ = new_folder();
  std::unique_ptr<state::Store> store_ = std::move(state::Store::open(folder_ + "/state.db")).value();
  base::SystemClock clock_;
  base::Metrics metrics_;
  TableBook book_{"sak", *store_, clock_, metrics_};
  CheckpointLedger ledger_{book_};
};

TEST_F(CheckpointLedgerTest, ChangesAreKnownOnceTheirPlaceIsSaved) {
  EXPECT_EQ(ledger_.save(flow::Position{"b"}, {{"public.x", change(1)}}).value(), flow::Position{"b"});
  EXPECT_EQ(saved(), (Saved{{"public.x", "1/1/1"}}));
  EXPECT_EQ(book_.status()[0].newest_change, "1/1/1");
  TableBook next("sak", *store_, clock_, metrics_);
  ASSERT_TRUE(next.load());
  EXPECT_EQ(next.status()[0].newest_change, "1/1/1") << "also after a restart";
}

// The first parts of a large transaction are settled before there is a place behind them.
TEST_F(CheckpointLedgerTest, ChangesWithoutAPlaceBehindThemAreSavedWithTheNextOne) {
  EXPECT_FALSE(ledger_.save(flow::Position{"a"}, {{"public.x", change(1)}, {"public.y", change(2)}})->has_value());
  EXPECT_FALSE(ledger_.save(std::nullopt, {})->has_value());
  EXPECT_EQ(saved(), Saved());
  EXPECT_EQ(book_.status()[0].newest_change, "");
  ASSERT_TRUE(ledger_.save(flow::Position{"b"}, {{"public.x", change(3)}}));
  EXPECT_EQ(saved(), (Saved{{"public.x", "1/3/1"}, {"public.y", "1/2/1"}}));
  ASSERT_FALSE(ledger_.save(flow::Position{"b"}, {{"public.x", change(4)}})->has_value());
  ledger_.begin({"b"});
  ASSERT_TRUE(ledger_.save(flow::Position{"c"}, {}));
  EXPECT_EQ(saved().at("public.x"), "1/3/1") << "what a run before had not saved is read again";
}

}  // namespace
}  // namespace flytt::pipeline
