// Relation messages: what a table's rows look like from here on, and which of its changes of shape can be followed.
//
// Followed: columns added at the end that hold NULL in all rows that were there before. Anything else is refused with
// the reason: a drop, a rename, another type, another key, a default that old rows show and no change carries.
// After a restart the log may still describe an older shape than the catalog: columns that it lacks at the end are
// NULL in its rows, if the catalog still has them.

#include <algorithm>

#include "postgres/internal/stream_assembler.h"
#include "postgres/internal/table_problems.h"

namespace flytt::postgres {

namespace {

// The same type, or one that differs only in a modifier that BigQuery's type does not show.
bool is_same_type(const SourceColumn& known, const RelationColumn& sent) {
  if (known.type.declared_oid != sent.type_oid) return false;
  SourceType changed = known.type;
  if (known.type.base.oid == known.type.declared_oid) changed.modifier = sent.modifier;
  return map_type(changed).type == known.mapping.type;
}

}  // namespace

Status StreamAssembler::apply_relation(const PgOutputMessage& message) {
  const auto found = by_name_.find(std::string(message.schema) + "." + std::string(message.name));
  if (found == by_name_.end()) {
    // A wanted table that was renamed keeps its number.
    for (const auto& state : tables_) {
      if (state->table->oid != message.relation || state->stopped) continue;
      refuse(*state, "it was renamed to " + std::string(message.schema) + "." + std::string(message.name));
    }
    by_oid_[message.relation] = nullptr;
    return ok();
  }
  TableState& state = *found->second;
  by_oid_[message.relation] = &state;
  if (state.stopped) return ok();
  TRY(const std::string reason, follow_shape(state, message));
  state.skipped = !reason.empty() && commit_lsn_ < state.covered_until;
  if (!reason.empty() && !state.skipped) refuse(state, reason);
  return ok();
}

Result<std::string> StreamAssembler::follow_shape(TableState& state, const PgOutputMessage& message) {
  const SourceTable& table = *state.table;
  if (message.relation != table.oid) return std::string("it was dropped and made anew");
  if (message.identity == 'n')
    return std::string("its replica identity is NOTHING now, so updates and deletes carry no key");
  const std::size_t common = std::min(message.columns.size(), table.columns.size());
  for (std::size_t i = 0; i < common; ++i) {
    const SourceColumn& known = table.columns[i];
    if (message.columns[i].name != known.name)
      return "its column " + known.name + " was dropped or renamed (now " + std::string(message.columns[i].name) +
             " stands there)";
    if (!is_same_type(known, message.columns[i])) return "its column " + known.name + " changed its type";
  }
  if (std::string reason = compare_keys(state, message); !reason.empty()) return reason;
  std::string reason;
  if (message.columns.size() > table.columns.size()) {
    TRY(reason, follow_added(state, message));
  } else if (message.columns.size() < table.columns.size()) {
    TRY(reason, follow_missing(state, message));
  }
  state.columns_sent = message.columns.size();
  return reason;
}

std::string StreamAssembler::compare_keys(const TableState& state, const PgOutputMessage& message) const {
  if (message.identity == 'f') return {};  // every column is marked then
  const auto& key = state.table->key;
  for (std::size_t i = 0; i < message.columns.size(); ++i) {
    const bool known = std::find(key.begin(), key.end(), i) != key.end();
    if (known != message.columns[i].is_key)
      return "its key changed (column " + std::string(message.columns[i].name) + (known ? " left it)" : " joined it)");
  }
  for (const std::uint32_t index : key)
    if (index >= message.columns.size())
      return "its key changed (column " + state.table->columns[index].name + " was added to it)";
  return {};
}

Result<std::string> StreamAssembler::follow_added(TableState& state, const PgOutputMessage& message) {
  SourceTable next = *state.table;
  std::vector<std::string> names;
  for (std::size_t i = next.columns.size(); i < message.columns.size(); ++i)
    names.emplace_back(message.columns[i].name);
  TRY(std::vector<SourceColumn> added, lookup_(next, names));
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto column =
        std::find_if(added.begin(), added.end(), [&](const SourceColumn& c) { return c.name == names[i]; });
    if (column == added.end() || !is_same_type(*column, message.columns[next.columns.size()]))
      return "its column " + names[i] + " was added and changed again";
    if (column->has_default)
      return "its column " + names[i] +
             " was added with a default, which rows from before show at the source and no change carries";
    if (binary_ && !column->mapping.binary) {
      return Error(ErrorCode::kUnavailable, "the change stream starts again in text form, because " + next.full_name() +
                                                "." + names[i] + " was added with the type " + column->type.declared)
          .side(base::Side::kSource);
    }
    next.columns.push_back(*column);
  }
  if (std::string problem = name_problem(next); !problem.empty()) return problem;
  adopt(state, std::move(next));
  return std::string();
}

Result<std::string> StreamAssembler::follow_missing(TableState& state, const PgOutputMessage& message) {
  const SourceTable& table = *state.table;
  std::vector<std::string> names;
  for (std::size_t i = message.columns.size(); i < table.columns.size(); ++i) names.push_back(table.columns[i].name);
  TRY(const std::vector<SourceColumn> present, lookup_(table, names));
  for (const std::string& name : names) {
    const auto column =
        std::find_if(present.begin(), present.end(), [&](const SourceColumn& c) { return c.name == name; });
    if (column == present.end()) return "its column " + name + " was dropped";
    if (column->has_default)
      return "its column " + name +
             " was added with a default, which rows from before show at the source and no change carries";
  }
  return std::string();
}

void StreamAssembler::adopt(TableState& state, SourceTable table) {
  finish(state);
  const data::SliceSchema& before = *state.plan->schema;
  auto schema = make_slice_schema(table, before.destination, before.version.next());
  state.plan = make_row_plan(table, std::move(schema), rules_);
  state.table = std::make_shared<const SourceTable>(std::move(table));
  state.builder.reset();
}

void StreamAssembler::refuse(TableState& state, std::string reason) {
  state.stopped = true;
  events_.push_back({flow::TableEvent::Kind::kSchemaRefused, state.table->full_name(),
                     data::Sequence::of(epoch_, commit_lsn_.value, 2 * row_index_),
                     reason + "; this cannot be followed, resync the table"});
}

}  // namespace flytt::postgres
