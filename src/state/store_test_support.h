#pragma once
// Where the tests of this module keep a store. Each test program says where: state_test in a file, state_schema_test in a
// schema of a PostgreSQL server.

#include <memory>
#include <string>

#include "state/store.h"

namespace flytt::state {

class TestPlace {
 public:
  virtual ~TestPlace() = default;
  virtual Result<std::unique_ptr<Store>> open(Store::Access access = Store::Access::kReadWrite) = 0;
  virtual void sql(const std::string& statements) = 0;  // beside the store; fails the test where they fail
  virtual void set_format(int version) = 0;
};

// A new one, with nothing in it. Its end takes all of it away.
std::unique_ptr<TestPlace> make_test_place();

}  // namespace flytt::state
