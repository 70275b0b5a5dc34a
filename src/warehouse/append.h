#pragma once
// Rows into a table: the warehouse's half of BigQuery's AppendRows.
//
// An AppendSession is one writer's view of one table, through its default stream or a write stream of the table: a protobuf descriptor (google.protobuf.DescriptorProto, as
// ProtoSchema.proto_descriptor holds it) compiled against the table's columns. It is made by Warehouse::open_append, owned
// by the caller, and used by one thread at a time; several sessions of one table may be used at once.
//
// `append` decodes and checks on the calling thread; then the rows go through a queue bounded by bytes to the one writer
// thread, which merges appends, of several tables too, into one commit. Rows of one append are all kept or all refused.
// `done` is called exactly once: on the calling thread when the rows are refused, else on the writer thread after COMMIT is
// durable on disk (or has failed). It must not block. An unanswered append after a crash is either whole or absent.
//
// Refusals are BigQuery's: code() tells the class, sentence() the text, cause() the reason:
//   kBadData     INVALID_ARGUMENT; cause "ROW_ERRORS": see `refused_rows`; else the whole request is malformed
//   kSchema      INVALID_ARGUMENT; cause "SCHEMA_MISMATCH_EXTRA_FIELDS" for fields that the table lacks
//   kNotFound    NOT_FOUND: the table is gone or another one has its name
//   kUnavailable UNAVAILABLE: the warehouse is closing, or the disk is full (the sentence says which); nothing was kept
//   kTimeout     the queue stayed full until the deadline; nothing was kept
// and those of write_streams.h on a write stream.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "data/schema.h"

namespace flytt::warehouse {

struct RefusedRow {
  std::int64_t index;   // in the request
  std::string message;  // without the value
};

struct AppendOutcome {
  Status status;
  std::vector<RefusedRow> refused_rows;
  std::optional<std::int64_t> offset;  // of the first row, in a write stream
};
using AppendDone = std::function<void(AppendOutcome)>;

class AppendSession {
 public:
  virtual ~AppendSession() = default;

  // `proto_rows` is the content of a ProtoRows message (AppendRowsRequest.proto_rows.rows) inside memory that `owner` keeps
  // alive; strings are not copied, so it is let go only when the rows are stored. `offset` is where the first row has to
  // stand in the write stream; absent = at its end. Appends of one session keep their order: the offsets of the next ones
  // may count on it before it is answered.
  virtual void append(std::string_view proto_rows, std::shared_ptr<const void> owner,
                      std::optional<std::int64_t> offset, AppendDone done, base::Deadline deadline) = 0;
  void append(std::string_view proto_rows, std::shared_ptr<const void> owner, AppendDone done,
              base::Deadline deadline) {
    append(proto_rows, std::move(owner), std::nullopt, std::move(done), deadline);
  }

  // The table's columns as this session knows them. `append` notices a change of the table by itself and goes on with
  // the same descriptor; a caller that announces it (updated_schema) compares `schema_etag` before and after.
  virtual data::TableSchema schema() const = 0;
  virtual std::string schema_etag() const = 0;
};

}  // namespace flytt::warehouse
