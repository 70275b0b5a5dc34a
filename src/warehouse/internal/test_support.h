#pragma once
// A warehouse in a throw-away folder and a table (id INT64 key, name STRING, …), for tests and benches of this module.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "warehouse/warehouse.h"
#include "wire/row_encoder.h"

namespace flytt::warehouse::test {

// A folder below TMPDIR that goes away with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Row {
  std::int64_t id;
  std::string name;
  std::uint64_t position;  // of the sequence; 0 = the sequence 0/0/0, which is that of a row without one
};
data::Sequence sequence_of(const Row& row);

data::TableSchema simple_schema(bool with_key);
// ProtoRows content and its descriptor for `schema` (id, name); `kind` for all rows.
struct Encoded {
  std::string descriptor;
  std::shared_ptr<std::string> rows;
};
Encoded encode(const data::TableSchema& schema, const std::vector<Row>& rows, data::ChangeKind kind, bool changes);

// Waits for the answer of one append.
Status append_and_wait(AppendSession& session, const std::shared_ptr<std::string>& rows);

class Fixture : public ::testing::Test {
 protected:
  void SetUp() override;
  Warehouse& warehouse() { return *warehouse_; }
  void reopen(bool maintenance = false);
  void make_mirror(const std::string& name);
  void make_plain(const std::string& name);
  std::unique_ptr<AppendSession> open(const std::string& name, bool changes = true);
  Status upsert(AppendSession& session, const std::vector<Row>& rows);
  Status erase(AppendSession& session, const std::vector<Row>& rows);
  Status insert(AppendSession& session, const std::vector<Row>& rows);
  // All rows as "cell,cell;cell,cell;", or "error: …".
  std::string rows(const std::string& sql);
  static data::TablePath path(const std::string& name) { return {"p", "d", name}; }

  base::SystemClock clock_;
  base::Metrics metrics_;
  TemporaryFolder folder_;
  std::int64_t memory_bytes_max_ = 512ll << 20;  // of the next reopen
  ExternalQueries* external_ = nullptr;          // of the next reopen
  std::unique_ptr<Warehouse> warehouse_;
};

}  // namespace flytt::warehouse::test
