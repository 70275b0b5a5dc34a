#pragma once
// Setup and teardown at the source: publication, role attribute, grants, slot.
//
// `plan_setup` looks at what is there and lists what is missing; doing it twice lists nothing the second time. What was
// made is returned as MadeObjects, for the state store; `teardown` takes away exactly the objects that it is given.
// All statements but the slot's run in one transaction: either all of them are done or none.

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "postgres/catalog.h"
#include "postgres/connection.h"

namespace flytt::postgres {

// Something that setup made. `text` and `parse` are its form in the state store.
struct MadeObject {
  enum class Kind { kPublication, kPublicationTable, kRole, kReplicationAttribute, kSchemaGrant, kTableGrant, kSlot };
  Kind kind;
  std::string name;           // of the publication, role or slot
  std::string schema, table;  // of kPublicationTable and kTableGrant; the schema also of kSchemaGrant
  std::string text() const;
  static Result<MadeObject> parse(std::string_view text);
  friend bool operator==(const MadeObject& a, const MadeObject& b) {
    return a.kind == b.kind && a.name == b.name && a.schema == b.schema && a.table == b.table;
  }
};

struct SetupOptions {
  std::string publication;  // "flytt_sak"
  std::string slot;         // made after the rest when not empty and absent; else `run` makes it
  std::string role;         // who will stream; empty = the role of the connection
};

struct SetupStep {
  std::string sentence;  // "create publication flytt_sak"
  std::string sql;
  std::vector<MadeObject> makes;
};

struct SetupPlan {
  std::string role;
  std::vector<SetupStep> steps;  // one transaction, in this order
  // Beyond the rights of most roles, therefore tried apart: when it is refused it becomes a manual step.
  std::vector<SetupStep> privileged;
  std::string slot;  // to be made; empty = none
  bool is_done() const { return steps.empty() && privileged.empty() && slot.empty(); }
};

// `tables` are those that will be streamed (tables with a problem are left out).
Result<SetupPlan> plan_setup(const ConnectionSettings& settings, const SetupOptions& options,
                             const std::vector<SourceTable>& tables, const base::Clock& clock, base::Deadline deadline);

struct SetupOutcome {
  std::vector<MadeObject> made;
  std::vector<std::string> done;  // sentences
  std::vector<SetupStep> manual;  // what somebody with more rights must run
};
// On an error nothing of the plan's transaction stays; `made` of a failure is therefore empty.
Result<SetupOutcome> apply_setup(const ConnectionSettings& settings, const SetupPlan& plan, const base::Clock& clock,
                                 base::Deadline deadline);

enum class MigrationStyle { kPlain, kFlyway };
// The same as a migration that may run more than once: publication, role attribute and grants. Without the slot, which
// PostgreSQL refuses in a transaction that has written; `run` makes it.
std::string print_migration(const SetupOptions& options, const std::vector<SourceTable>& tables, MigrationStyle style);

struct TeardownOutcome {
  std::vector<MadeObject> gone;   // taken away now, or before
  std::vector<std::string> done;  // sentences
};
// kConflict while the slot is in use. What is not there any more counts as gone.
Result<TeardownOutcome> teardown(const ConnectionSettings& settings, const std::vector<MadeObject>& made,
                                 const base::Clock& clock, base::Deadline deadline);

}  // namespace flytt::postgres
