#include <gtest/gtest.h>

#include <sqlite3.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "state/store.h"

namespace flytt::state {
namespace {

class StoreFileTest : public testing::Test {
 protected:
  StoreFileTest() {
    std::string pattern = testing::TempDir() + "flytt-state-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/state.db";
  }
  ~StoreFileTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Store> open() {
    auto store = Store::open(path_);
    EXPECT_TRUE(store) << store.error().text();
    return std::move(store).value();
  }
  void sql(const std::string& text) {
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &raw), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(raw, text.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(raw);
    sqlite3_close(raw);
  }

  std::string folder_, path_;
};

TEST_F(StoreFileTest, TheFileIsPrivateToItsUser) {
  auto store = open();
  ASSERT_TRUE(store->save_made("sak", {"slot", "flytt_sak", 5}));
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat facts {};
    ASSERT_EQ(::stat((path_ + suffix).c_str(), &facts), 0) << suffix;
    EXPECT_EQ(facts.st_mode & 0777, 0600u) << suffix;
  }
}

TEST_F(StoreFileTest, AnotherProgramsFileIsLeftAlone) {
  sql("CREATE TABLE theirs(x)");
  const auto refused = Store::open(path_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kCorrupt);
  sql("INSERT INTO theirs VALUES(1)");
}

// As whoever asks for the status finds it while `run` makes it.
TEST_F(StoreFileTest, AFileThatIsBeingMadeHoldsNothingYet) {
  ASSERT_TRUE(std::ofstream(path_).good());
  const auto reader = Store::open(path_, Store::Access::kReadOnly);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code(), ErrorCode::kNotFound);
  open();
  EXPECT_TRUE(Store::open(path_, Store::Access::kReadOnly));
}

TEST_F(StoreFileTest, AMissingFolderIsAConfigurationError) {
  EXPECT_EQ(Store::open(folder_ + "/absent/state.db").error().code(), ErrorCode::kConfig);
  EXPECT_EQ(Store::open(path_, Store::Access::kReadOnly).error().code(), ErrorCode::kConfig)
      << "reading never makes a file";
}

}  // namespace
}  // namespace flytt::state
