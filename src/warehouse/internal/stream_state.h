#pragma once
// The write streams that exist now, in memory, and the errors about them.
//
// What `facts` tells is committed. The writer thread alone moves a stream: it takes offsets for the rows of a transaction
// (`take`), saves them beside the rows, and after COMMIT keeps them, or gives them back.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "warehouse/internal/table_state.h"
#include "warehouse/write_streams.h"

namespace flytt::warehouse::internal {

struct StreamFacts {
  std::int64_t rows = 0;
  std::int64_t flushed = 0;
  std::int64_t used_micros = 0;
  std::int64_t committed_micros = 0;
  bool finalized = false;
  std::int64_t rows_hidden(StreamKind kind) const {
    if (kind == StreamKind::kCommitted || committed_micros != 0) return 0;
    return rows - flushed;
  }
};

// Thread-safe, but for what is marked.
class StreamState {
 public:
  StreamState(std::int64_t its_number, StreamKind its_kind, std::shared_ptr<TableState> its_table, std::int64_t created,
              const StreamFacts& facts);

  const std::int64_t number;  // from the same counter as table ids, never used twice
  const StreamKind kind;
  const std::shared_ptr<TableState> table;
  const std::int64_t created_micros;
  const std::string id;  // tells number and time, so a stale name never means another stream

  // Rows wait in a table of the stream's own until they may be seen.
  bool is_staged() const { return kind != StreamKind::kCommitted; }
  std::string staging_name() const { return "s" + std::to_string(number); }
  std::string staging() const { return "flytt." + staging_name(); }

  StreamFacts facts() const;
  bool is_gone() const;
  bool is_expired(std::int64_t now_micros) const;
  WriteStream describe() const;

  // -- Writer thread
  // The offset of the first of `rows` further rows; `wanted` absent = the end.
  Result<std::int64_t> take(std::optional<std::int64_t> wanted, std::int64_t rows);
  std::int64_t taken() const { return taken_; }
  void keep_taken(std::int64_t now_micros);
  void give_back();
  void publish(const StreamFacts& facts);
  void mark_gone();
  std::optional<base::SteadyTime> bulk_at;  // when rows came in bulk last

 private:
  mutable std::mutex mutex_;
  StreamFacts facts_;
  bool gone_ = false;
  std::int64_t taken_;  // rows, with those of the running transaction
};

// Thread-safe.
class StreamDirectory {
 public:
  std::shared_ptr<StreamState> find(const std::string& id) const;  // null: no such stream
  std::vector<std::shared_ptr<StreamState>> of_table(std::int64_t table_id) const;
  std::vector<std::shared_ptr<StreamState>> expired(std::int64_t now_micros) const;
  std::size_t size() const;
  void put(std::shared_ptr<StreamState> stream);
  void remove(const StreamState& stream);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<StreamState>> streams_;
};

// kNotFound for a name that a stream may have had, kBadData for one that none can have.
Error stream_not_found(const std::string& id);
Error stream_finalized();
Error wrong_stream_kind(const char* wanted, StreamKind actual);

}  // namespace flytt::warehouse::internal
