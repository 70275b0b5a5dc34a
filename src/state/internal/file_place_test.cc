#include <gtest/gtest.h>

#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>

#include "state/store_test_support.h"

namespace flytt::state {
namespace {

class FilePlace final : public TestPlace {
 public:
  FilePlace() {
    std::string pattern = testing::TempDir() + "flytt-state-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~FilePlace() override { std::filesystem::remove_all(folder_); }

  Result<std::unique_ptr<Store>> open(Store::Access access) override { return Store::open(path(), access); }
  void sql(const std::string& statements) override {
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &raw), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(raw, statements.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(raw);
    sqlite3_close(raw);
  }
  void set_format(int version) override { sql("PRAGMA user_version=" + std::to_string(version)); }

 private:
  std::string path() const { return folder_ + "/state.db"; }
  std::string folder_;
};

}  // namespace

std::unique_ptr<TestPlace> make_test_place() { return std::make_unique<FilePlace>(); }

}  // namespace flytt::state
