#pragma once
// TableLifecycle: brings what state, source and destination say of each table into agreement before a stream starts.
//
//   (new) → planned → copying → streaming ⇄ detached, absent
//                ▲ replacing ◀──── resync, re-created or missing destination table, other history
//
// What is about to be done to a destination table is saved before it is done, so that a crash repeats it.
// Owned and called by the supervisor's thread. Blocks for requests to the destination.

#include <set>
#include <string>
#include <vector>

#include "pipeline/destination.h"
#include "pipeline/origin.h"
#include "pipeline/table_book.h"

namespace flytt::pipeline::internal {

class TableLifecycle {
 public:
  TableLifecycle(TableBook& book, Destination& destination) : book_(book), destination_(destination) {}

  // Everything up to `floor` will be in any copy that is begun from now on: earlier changes are not written any more. It
  // is taken after the tables were listed, so that all history of what a table was before lies below it.
  void set_floor(data::Sequence floor) { floor_ = floor; }

  // The record of a table that is to be emptied and copied again from now on.
  state::TableRecord to_replace(state::TableRecord record) const;

  // True when `listed` calls for a restart of the stream: a table came, went or may be carried at last.
  bool is_news(const OriginTables& listed) const;

  struct Outcome {
    bool is_ready = false;       // false: a copy worker still holds a table that is to be emptied; try again soon
    bool begins_copies = false;  // some table is to be copied anew
  };
  // After a ready outcome every listed table is copying, streaming or detached, and its shape is known.
  // Errors only when the destination as a whole cannot be used, or a table's attempts are not spent yet.
  Result<Outcome> reconcile(const OriginTables& listed);

 private:
  Status note_listing(const OriginTables& listed);
  Status note_table(const OriginTable& table);
  // `is_refused`: by the source's listing; it heals by itself.
  Status detach(state::TableRecord record, std::string reason, bool is_refused = false);
  // What must be true of the destination table; an error concerns this table only.
  Status bring(const OriginTable& table, state::TableRecord record, Outcome& outcome);
  Status begin_copy(state::TableRecord record, const TableFacts& facts, Outcome& outcome);
  Status follow(const OriginTable& table, const TableFacts& facts);

  TableBook& book_;
  Destination& destination_;
  data::Sequence floor_;
};

}  // namespace flytt::pipeline::internal
