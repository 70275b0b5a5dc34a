#include "app/internal/test_support.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace flytt::app::test {

void WarehouseFixture::SetUp() {
  std::string pattern = testing::TempDir() + "flytt-warehouse-XXXXXX";
  folder_ = ::mkdtemp(pattern.data());
  open();
}

void WarehouseFixture::TearDown() {
  close();
  std::filesystem::remove_all(folder_);
}

void WarehouseFixture::open() {
  LocalServiceOptions options;
  options.folder = folder_ + "/warehouse";
  options.project = "team";
  options.verb = "test";
  options.maintenance = false;
  auto opened = LocalService::open(options, clock_, metrics_);
  ASSERT_TRUE(opened) << opened.error().text();
  service_ = std::move(*opened);
  auto access = service_->access(clock_, 1);
  ASSERT_TRUE(access) << access.error().text();
  access_ = std::move(*access);
}

void WarehouseFixture::close() {
  access_ = {};
  service_.reset();
}

void WarehouseFixture::sql(const std::string& text) {
  const auto done = access_.client->query({"team", text, "", "", false, 0});
  ASSERT_TRUE(done) << text << ": " << done.error().text();
}

std::string WarehouseFixture::rows(const std::string& text) {
  auto result = access_.client->query({"team", text, "", "", false, 0});
  if (!result) return result.error().text();
  std::string out;
  for (auto page = result->next_page(); page && !page->empty(); page = result->next_page())
    for (const auto& row : *page) {
      for (std::size_t i = 0; i < row.size(); ++i)
        out += (i == 0 ? "" : "|") + (row[i].is_null ? std::string("NULL") : row[i].text);
      out += " ";
    }
  return out;
}

}  // namespace flytt::app::test
