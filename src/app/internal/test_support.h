#pragma once
// For tests of this module: an embedded warehouse in this process, in a throw-away folder, with our own client before it.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "app/internal/local_service.h"
#include "base/clock.h"
#include "base/metrics.h"

namespace flytt::app::test {

class WarehouseFixture : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  // Of the project "team", without work in the background. A test that keeps more than the access overrides both.
  virtual void open();
  virtual void close();
  // Asked without what a test has put between client and service.
  void sql(const std::string& text);          // it must go well
  std::string rows(const std::string& text);  // cells joined by "|", NULL as such, a blank after each row; or the error

  base::SystemClock clock_;
  base::Metrics metrics_;
  std::string folder_;
  std::unique_ptr<LocalService> service_;
  BigQueryAccess access_;
};

}  // namespace flytt::app::test
