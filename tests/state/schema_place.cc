#include "tests/state/schema_place.h"

#include <cstdlib>

#include "app/state_database.h"
#include "state/store_test_support.h"

namespace flytt::state {

const base::Clock& real_clock() {
  static const base::SystemClock clock;
  return clock;
}

std::string server_url() {
  const char* url = std::getenv("FLYTT_STATE_URL");
  CHECK(url != nullptr);
  return url;
}

SqlDatabase database_of(const std::string& schema, const std::string& url) {
  auto database = app::state_database(base::Secret(url), schema, real_clock(), std::chrono::seconds(20));
  CHECK(database.has_value());
  return std::move(*database);
}

std::string new_schema() {
  static int count = 0;
  return "place_" + std::to_string(++count);
}

std::vector<std::vector<std::string>> run_sql(const std::string& statements) {
  auto session = database_of("public").connect();
  CHECK(session.has_value());
  auto answer = (*session)->ask(statements, {});
  if (!answer) std::fprintf(stderr, "%s\n%s\n", statements.c_str(), answer.error().text().c_str());
  CHECK(answer.has_value());
  return std::move(answer->rows);
}

namespace {

class SchemaPlace final : public TestPlace {
 public:
  ~SchemaPlace() override { run_sql("DROP SCHEMA IF EXISTS " + schema_ + " CASCADE"); }

  Result<std::unique_ptr<Store>> open(Store::Access access) override {
    return Store::open(database_of(schema_), access);
  }
  void sql(const std::string& statements) override { run_sql("SET search_path=" + schema_ + ";" + statements); }
  void set_format(int version) override { sql("UPDATE flytt_state SET format=" + std::to_string(version)); }

 private:
  const std::string schema_ = new_schema();
};

}  // namespace

std::unique_ptr<TestPlace> make_test_place() { return std::make_unique<SchemaPlace>(); }

}  // namespace flytt::state
