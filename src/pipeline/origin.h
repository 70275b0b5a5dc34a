#pragma once
// Origin: what a pipeline asks of a source system. `app` adapts a connector to it.
//
// Owned by `app`, outlives the engine. Every function is thread-safe and may be called while streams and copies of the
// same origin run; each blocks for at most the connector's own connect and statement timeouts unless it takes a stop.
// An error's retry directive decides what happens: kAfterBackoff is tried again, kAfterOperator is tried again slowly
// and shown to people, kNever ends the pipeline. `text`, `number`, `sequence_at` and `reached` are pure.

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "data/table_slice.h"
#include "flow/source.h"
#include "pipeline/position_words.h"

namespace flytt::pipeline {

// Which history positions belong to. Another identifier or timeline makes saved positions meaningless.
struct OriginIdentity {
  std::string system_identifier;
  std::uint32_t timeline = 0;
  std::string server_version;
};

// A table that the stream should carry, as it is now.
struct OriginTable {
  std::shared_ptr<const data::SliceSchema> schema;  // with its destination
  std::int64_t rows_estimated = 0;
  std::int64_t bytes_estimated = 0;
  // Not empty: it cannot be carried (no usable key, no right to read it), in a sentence with the next step.
  std::string refusal;
  // "RELATION/MEMBERSHIP", names without a slash for this table and for its membership in the stream: another text means
  // that changes may have been missed, or that it is another table of the same name, and it is copied again. State of
  // older versions holds RELATION alone, which is taken for any membership once and then replaced.
  std::string identity;
  // Set by the pipeline for open_stream: changes up to it are in a copy and are not written, so a shape there that does
  // not fit only leaves them out. Zero: none.
  data::Sequence covered_until;
};
using OriginTables = std::vector<OriginTable>;

// The place at the source that keeps history for us: a replication slot.
struct SlotFacts {
  bool exists = false;
  bool is_lost = false;           // it exists, but history that we need is gone (wal_status = lost)
  bool is_active = false;         // somebody reads from it now
  bool is_held_by_flytt = false;  // that somebody is another flytt, perhaps a dead one whose connection lingers
  std::string holder;             // for people: "pid 4711, application pgbench, from 10.0.0.7"
  base::Duration release_wait{};  // how long a dead holder may linger (wal_sender_timeout + 10 s)
  flow::Position confirmed;       // history before it is gone; meaningful when it exists
};

// A part of one table, in opaque text, that open_range understands also in a later session.
struct OriginRange {
  std::string range;
  std::int64_t rows_estimated = 0;
};

// How a table is cut up. The ranges of one plan together cover the table including what is added later.
// `identity` names the table's storage (relfilenode): ranges of a plan hold for as long as it stays the same.
struct CopyPlan {
  std::string identity;
  std::vector<OriginRange> ranges;
};

// A consistent look at some tables: a temporary slot with its exported snapshot. Thread-safe; outlives the sources that
// it opened. Its destructor gives the snapshot up.
class CopySession {
 public:
  virtual ~CopySession() = default;
  // The sequence (ordinal 0) that every copied row carries, and its text for people.
  virtual data::Sequence consistent_point() const = 0;
  virtual std::string consistent_point_text() const = 0;
  // False once the snapshot is lost (its connection broke): only a new session helps.
  virtual bool is_alive() = 0;
  virtual Result<CopyPlan> plan(const OriginTable& table) = 0;
  // A bounded source of the rows of `range`, all kUpsert with sequence consistent_point(). kConflict when the table's
  // storage is not that of `plan_identity` any more.
  virtual Result<std::unique_ptr<flow::Source>> open_range(const OriginTable& table, const std::string& plan_identity,
                                                           const std::string& range) = 0;
};

class Origin : public PositionWords {
 public:
  virtual Result<OriginIdentity> identity() = 0;
  // All tables that the stream includes now. A table that cannot be carried is listed with its refusal.
  virtual Result<OriginTables> tables() = 0;
  // A place at or after everything that is committed now.
  virtual Result<flow::Position> end_position() = 0;

  virtual const std::string& slot_name() const = 0;
  virtual Result<SlotFacts> slot() = 0;
  // Makes the slot and returns the position from which it keeps history. kConflict when it exists.
  virtual Result<flow::Position> create_slot(std::stop_token stop) = 0;
  virtual Status drop_slot() = 0;

  // Changes of `tables` committed after `from`, which is a saved position or SlotFacts::confirmed. Rows carry `epoch`.
  // History at `from` may show a table in an older shape than `tables` has it: where that shape can be followed its rows
  // come; where it cannot, rows up to the table's covered_until are left out without a word, and the first one after it is
  // reported as kSchemaRefused.
  virtual Result<std::unique_ptr<flow::Source>> open_stream(const flow::Position& from, std::uint16_t epoch,
                                                            const OriginTables& tables) = 0;
  // May wait long (for older transactions at the source to end); returns kCancelled soon after `stop`.
  virtual Result<std::unique_ptr<CopySession>> open_copy(const OriginTables& tables, std::uint16_t epoch,
                                                         std::stop_token stop) = 0;

  // Not less than the sequence of any change that is committed up to `position`, and not greater than the consistent
  // point of a copy session that is opened after `position` was the end.
  // By default number() is the position part of a sequence, as an LSN is.
  virtual data::Sequence sequence_at(const flow::Position& position, std::uint16_t epoch) const {
    return data::Sequence::of(epoch, number(position), 0);
  }
  virtual bool reached(const flow::Position& at, const flow::Position& goal) const = 0;  // `at` is `goal` or later
};

}  // namespace flytt::pipeline
