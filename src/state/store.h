#pragma once
// Store: what flytt remembers across restarts, in one embedded SQLite file or in a schema that replicas share.
//
// When a function returns ok its change survives a crash of the process and of the machine. Every function is one
// transaction, and one writer follows the other, also over processes. Format versions: an older store is brought to this
// one when it is opened for writing, a newer one is refused (kUnsupported). Thread-safe: one connection, one mutex.
//
// A file is made with mode 0600, in WAL mode with synchronous=FULL; its user_version is the format version. A call blocks
// for the time of one fsync, or up to kBusyTimeoutMs while another process writes. Two processes may have the file open;
// that only one of them runs streams is the business of the folder's LOCK. In a schema it is that of the Lease; a call
// connects anew where the connection is lost, and blocks for what SqlDatabase::connect takes, or kStatementMax.
//
// Errors: kConfig (the path cannot be opened), kUnsupported (newer format), kCorrupt (not ours, or damaged), kAuth,
// kUnavailable, kTimeout (locked, disk full, I/O error, server away; nothing has been changed), kConflict (another replica
// has taken over: nothing was changed, and nothing will be), kNotFound where a function says so.
//
// Positions and sequences are opaque here: bytes of the source's Position, and the text of data::Sequence.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "state/lease.h"
#include "state/sql_port.h"

namespace flytt::state {

namespace internal {
class Connection;
}

// Where a stream goes on.
struct Checkpoint {
  std::string stream;
  std::string position;  // bytes of flow::Position; everything up to it is durable
  std::string system_identifier;
  std::uint32_t timeline = 0;
  std::uint16_t epoch = 1;
  std::string slot;
  std::int64_t saved_micros = 0;  // wall time, µs since 1970
};

enum class TablePhase {
  kPlanned,    // its destination table is to be made; nothing was ever written
  kReplacing,  // its destination table is to be emptied (or made) before it is copied
  kCopying,    // rows are copied; changes are written at the same time
  kStreaming,  // the copy is complete
  kDetached,   // not written until it is copied again; `reason` says why
  kAbsent,     // the source does not offer it any more; the destination table stays as it was
};
std::string_view to_string(TablePhase phase);

struct TableRecord {
  std::string stream;
  std::string source_table;             // "public.person"
  std::string project, dataset, table;  // destination
  std::int64_t created_micros = 0;      // creation time of the destination table; 0 = not made yet
  TablePhase phase = TablePhase::kPlanned;
  std::string source_identity;    // which table it was at the source, and since when in the stream
  std::string valid_after;        // sequence text: changes up to and including it are not written; empty = none
  std::int64_t generation = 0;    // counts the copies of this table; work of an older one is void
  std::string reason;             // of kDetached, kAbsent: a sentence with the next step
  bool is_refused = false;        // of kDetached: the source's own listing refuses it; copied again once it does not
  std::string detached_at;        // sequence text where it was detached
  std::int64_t since_micros = 0;  // wall time when the phase began
  std::string copy_point;         // the copy's newest consistent point, as text for people
  std::int64_t copy_point_micros = 0;  // wall time at which that snapshot was taken
  std::string copy_plan;               // identity of the table's storage for which its ranges are valid
  std::int64_t rows_estimated = 0;
};

// A part of a table that is copied as one. `range` is opaque text of the source.
struct CopyRange {
  std::uint32_t index = 0;
  std::string range;
  std::int64_t rows_estimated = 0;
  bool done = false;
  std::int64_t rows = 0;  // copied, once done
};

// Where one lane of a stream, a partition of a topic, goes on: everything before `next_offset` is settled.
struct SavedLane {
  std::string stream;
  std::string topic;
  std::int32_t partition = 0;
  std::string topic_id;  // another one under the same name is another topic; empty when it is not known
  std::int64_t next_offset = 0;
  std::string write_stream;       // of the destination, into which its rows went last; empty: none
  bool is_settled = false;        // that one is final: nothing can be appended to it any more
  std::int64_t epoch = 0;         // of upserts, at next_offset: as flow::LanePoint has it
  std::int64_t saved_micros = 0;  // wall time, µs since 1970
  friend bool operator==(const SavedLane&, const SavedLane&) = default;
};

// Something that flytt made in the source system. `teardown` takes all of it away again but a "member", which is only the
// name of this state's members of consumer groups.
struct MadeObject {
  std::string kind;  // "publication", "slot", "role", "member"
  std::string name;
  std::int64_t made_micros = 0;
  friend bool operator==(const MadeObject& a, const MadeObject& b) { return a.kind == b.kind && a.name == b.name; }
};

// What `status` shows of a stream while nobody answers at the admin endpoint. Rewritten every few seconds.
struct StreamFacts {
  std::string stream;
  std::string condition;  // "running", "waiting", "failed", "stopped"
  std::string error;      // sentence; empty when fine
  std::int64_t since_micros = 0;
  std::string received, saved, confirmed;  // positions as text for people
  std::int64_t rows = 0, bytes = 0;        // since the process started
  std::int64_t newest_commit_micros = 0;   // source commit time of the newest durable batch; 0 = none yet
  std::int64_t updated_micros = 0;
};

// A wish that a person expressed and the engine has not carried out yet. An empty table means the whole stream.
struct ResyncRequest {
  std::string stream;
  std::string source_table;
  std::int64_t requested_micros = 0;
};

class Store {
 public:
  enum class Access { kReadWrite, kReadOnly };

  // Makes the file when it is absent (kReadWrite only; the folder must exist). kNotFound (kReadOnly only): the file is
  // empty, because another process is making it.
  static Result<std::unique_ptr<Store>> open(const std::string& path, Access access = Access::kReadWrite);
  // A store of its own in the shared schema. With a fence it is that of the process that leads; without one it is beside
  // it, to read or to wish something. kNotFound (kReadOnly only): nothing is there yet.
  static Result<std::unique_ptr<Store>> open(const SqlDatabase& database, Access access,
                                             const std::optional<Fence>& fence = {});
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // -- checkpoints
  Result<std::optional<Checkpoint>> checkpoint(std::string_view stream);
  // Of some tables of a stream, the newest change that is durable: sequence text.
  using TableChanges = std::map<std::string, std::string>;
  // Only position and time of an existing checkpoint, and tables with changes before that place; kNotFound when there is no checkpoint. The hot path.
  Status save_position(std::string_view stream, std::string_view position, std::int64_t saved_micros,
                       const TableChanges& changes = {});
  Result<TableChanges> table_changes(std::string_view stream);
  // The checkpoint and any number of its tables, together.
  Status save(const Checkpoint& checkpoint, const std::vector<TableRecord>& tables);

  // -- lanes: any number of them together, each replacing what was known of its partition
  Result<std::vector<SavedLane>> lanes(std::string_view stream);
  Status save_lanes(const std::vector<SavedLane>& lanes);
  Status forget_lanes(std::string_view stream, std::string_view topic);

  // -- tables. Ranges exist only while a table is in kCopying: saving another phase removes them.
  Result<std::vector<TableRecord>> tables(std::string_view stream);
  Status save_table(const TableRecord& table);
  Result<std::vector<CopyRange>> ranges(std::string_view stream, std::string_view source_table);
  // Saves `table` (in kCopying) and replaces its ranges.
  Status save_copy(const TableRecord& table, const std::vector<CopyRange>& ranges);
  // Marks one range as copied. kNotFound when the table is no longer copying under `generation`: the work is void.
  Status finish_range(std::string_view stream, std::string_view source_table, std::int64_t generation,
                      std::uint32_t index, std::int64_t rows);

  // -- wishes
  Status request_resync(const ResyncRequest& request);
  Result<std::vector<ResyncRequest>> resync_requests(std::string_view stream);
  // Saves what the request changes and takes the request away, together.
  Status settle_resync(const ResyncRequest& request, const std::vector<TableRecord>& tables);

  // -- objects made in the source system. Recorded before they are made, so that none is ever forgotten.
  Status save_made(std::string_view source, const MadeObject& object);
  Status forget_made(std::string_view source, const MadeObject& object);
  Result<std::vector<MadeObject>> made(std::string_view source);

  // -- facts for people
  Status save_facts(const StreamFacts& facts);
  Result<std::vector<StreamFacts>> facts();
  Result<std::vector<std::string>> streams();  // every stream of which anything is known, sorted

  // Removes everything about a stream, for `teardown`. Objects made in the source are kept: they belong to the source.
  Status forget_stream(std::string_view stream);

 private:
  friend class ScheduleLedger;  // state/schedule_ledger.h: its tables are in the same file
  friend class QueryRuns;       // state/query_runs.h: so is its table
  class Database;
  explicit Store(std::unique_ptr<Database> database);
  static Result<std::unique_ptr<Store>> open_on(std::unique_ptr<internal::Connection> connection, Access access);

  std::mutex mutex_;
  std::unique_ptr<Database> database_;
};

}  // namespace flytt::state
