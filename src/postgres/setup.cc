#include "postgres/setup.h"

#include <algorithm>
#include <array>
#include <set>

#include "postgres/internal/client.h"
#include "postgres/slot.h"

namespace flytt::postgres {

namespace {

using Kind = MadeObject::Kind;

constexpr std::array<std::pair<Kind, std::string_view>, 7> kKindNames = {
    {{Kind::kPublication, "publication"},
     {Kind::kPublicationTable, "publication_table"},
     {Kind::kRole, "role"},
     {Kind::kReplicationAttribute, "replication_attribute"},
     {Kind::kSchemaGrant, "schema_grant"},
     {Kind::kTableGrant, "table_grant"},
     {Kind::kSlot, "slot"}}};

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size())
      out += text[i];
    else if (text[++i] == 't')
      out += '\t';
    else if (text[i] == 'n')
      out += '\n';
    else
      out += text[i];
  }
  return out;
}

std::string table_reference(const SourceTable& table) {
  return (table.partitioned ? "" : "ONLY ") + quote_table(table.schema, table.name);
}

bool is_streamed(const SourceTable& table) { return table.problem.empty(); }

void plan_publication(const SetupOptions& options, const std::vector<SourceTable>& tables,
                      const PublicationFacts& facts, const Rows& members, SetupPlan& plan) {
  const std::string name = quote_identifier(options.publication);
  if (facts.all_tables) return;
  std::set<std::uint32_t> present;
  for (int row = 0; row < members.size(); ++row) present.insert(static_cast<std::uint32_t>(members.number(row, 0)));
  if (!facts.exists) {
    plan.steps.push_back({"create publication " + options.publication,
                          "CREATE PUBLICATION " + name + " WITH (publish_via_partition_root = true)",
                          {{Kind::kPublication, options.publication, "", ""}}});
  } else if (!facts.via_root && std::any_of(tables.begin(), tables.end(),
                                            [](const SourceTable& t) { return t.partitioned && is_streamed(t); })) {
    plan.steps.push_back({"let publication " + options.publication + " publish partitions as their root",
                          "ALTER PUBLICATION " + name + " SET (publish_via_partition_root = true)",
                          {}});
  }
  for (const SourceTable& table : tables) {
    if (!is_streamed(table) || table.published || present.count(table.oid) != 0) continue;
    SetupStep step{"add " + table.full_name() + " to publication " + options.publication,
                   "ALTER PUBLICATION " + name + " ADD TABLE " + table_reference(table),
                   {}};
    // With a publication of our own its tables go with it.
    if (facts.exists) step.makes.push_back({Kind::kPublicationTable, options.publication, table.schema, table.name});
    plan.steps.push_back(std::move(step));
  }
}

Status plan_grants(Client& client, const std::vector<SourceTable>& tables, base::Deadline deadline, SetupPlan& plan) {
  std::string oids = "ARRAY[";
  for (const SourceTable& table : tables)
    if (is_streamed(table)) oids += (oids.back() == '[' ? "" : ",") + std::to_string(table.oid);
  oids += "]::oid[]";
  const std::string role = quote_identifier(plan.role);
  TRY(const Rows schemas,
      client.query("SELECT DISTINCT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
                   "c.relnamespace WHERE c.oid = ANY (" +
                       oids + ") AND NOT pg_catalog.has_schema_privilege($1, n.oid, 'USAGE') ORDER BY 1",
                   deadline, "read the rights on schemas", {plan.role}));
  for (int row = 0; row < schemas.size(); ++row) {
    const std::string schema = schemas.text(row, 0);
    plan.steps.push_back({"let " + plan.role + " use schema " + schema,
                          "GRANT USAGE ON SCHEMA " + quote_identifier(schema) + " TO " + role,
                          {{Kind::kSchemaGrant, plan.role, schema, ""}}});
  }
  TRY(const Rows rows,
      client.query("SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
                   "c.relnamespace WHERE c.oid = ANY (" +
                       oids + ") AND NOT pg_catalog.has_table_privilege($1, c.oid, 'SELECT') ORDER BY 1, 2",
                   deadline, "read the rights on tables", {plan.role}));
  for (int row = 0; row < rows.size(); ++row) {
    const std::string schema = rows.text(row, 0), table = rows.text(row, 1);
    plan.steps.push_back({"let " + plan.role + " read " + schema + "." + table,
                          "GRANT SELECT ON TABLE " + quote_table(schema, table) + " TO " + role,
                          {{Kind::kTableGrant, plan.role, schema, table}}});
  }
  return ok();
}

Status run_transaction(Client& client, const std::vector<SetupStep>& steps, base::Deadline deadline,
                       SetupOutcome& outcome) {
  // Waiting for a lock behind a long report would hold up everybody who queues behind us.
  TRY(const Rows begun, client.query("BEGIN; SET LOCAL lock_timeout = '10s'", deadline, "begin the setup"));
  static_cast<void>(begun);
  for (const SetupStep& step : steps) {
    if (auto rows = client.query(step.sql, deadline, step.sentence); !rows) return std::move(rows).error();
    outcome.done.push_back(step.sentence);
    outcome.made.insert(outcome.made.end(), step.makes.begin(), step.makes.end());
  }
  TRY(const Rows committed, client.query("COMMIT", deadline, "commit the setup"));
  static_cast<void>(committed);
  return ok();
}

std::string sql_list(const std::vector<SourceTable>& tables, bool quote_again) {
  std::string out;
  for (const SourceTable& table : tables) {
    if (!is_streamed(table)) continue;
    const std::string name = quote_again ? table_reference(table) : quote_table(table.schema, table.name);
    out += (out.empty() ? "" : quote_again ? ",\n    " : ",\n  ") + (quote_again ? quote_literal(name) : name);
  }
  return out;
}

// Statements that take one object away; empty when it is not there.
struct Removal {
  std::string exists;  // a query that yields a row when the object is there
  std::string sql;
};

Removal removal_of(const MadeObject& object) {
  const std::string name = quote_identifier(object.name), literal = quote_literal(object.name);
  const std::string role_exists = "SELECT FROM pg_catalog.pg_roles WHERE rolname = " + literal;
  const std::string table_exists =
      "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = " +
      quote_literal(object.schema) + " AND c.relname = " + quote_literal(object.table);
  switch (object.kind) {
    case Kind::kPublication:
      return {"SELECT FROM pg_catalog.pg_publication WHERE pubname = " + literal, "DROP PUBLICATION " + name};
    case Kind::kPublicationTable:
      return {
          "SELECT FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE "
          "p.pubname = " +
              literal + " AND r.prrelid = (SELECT c.oid FROM " + table_exists + ")",
          "ALTER PUBLICATION " + name + " DROP TABLE " + quote_table(object.schema, object.table)};
    case Kind::kRole: return {role_exists, "DROP ROLE " + name};
    case Kind::kReplicationAttribute:
      return {role_exists + " AND rolreplication", "ALTER ROLE " + name + " NOREPLICATION"};
    case Kind::kSchemaGrant:
      return {"SELECT FROM pg_catalog.pg_namespace WHERE nspname = " + quote_literal(object.schema) + " AND EXISTS (" +
                  role_exists + ")",
              "REVOKE USAGE ON SCHEMA " + quote_identifier(object.schema) + " FROM " + name};
    case Kind::kTableGrant:
      return {"SELECT FROM " + table_exists + " AND EXISTS (" + role_exists + ")",
              "REVOKE SELECT ON TABLE " + quote_table(object.schema, object.table) + " FROM " + name};
    case Kind::kSlot: return {};
  }
  return {};
}

// Grants go before the role that they are for, tables before the publication.
int removal_order(Kind kind) {
  switch (kind) {
    case Kind::kSlot: return 0;
    case Kind::kPublicationTable: return 1;
    case Kind::kPublication: return 2;
    case Kind::kTableGrant: return 3;
    case Kind::kSchemaGrant: return 4;
    case Kind::kReplicationAttribute: return 5;
    case Kind::kRole: return 6;
  }
  return 7;
}

std::string describe(const MadeObject& object) {
  switch (object.kind) {
    case Kind::kPublication: return "publication " + object.name;
    case Kind::kPublicationTable:
      return "table " + object.schema + "." + object.table + " of publication " + object.name;
    case Kind::kRole: return "role " + object.name;
    case Kind::kReplicationAttribute: return "replication attribute of role " + object.name;
    case Kind::kSchemaGrant: return "grant on schema " + object.schema + " to " + object.name;
    case Kind::kTableGrant: return "grant on table " + object.schema + "." + object.table + " to " + object.name;
    case Kind::kSlot: return "replication slot " + object.name;
  }
  return object.name;
}

}  // namespace

std::string MadeObject::text() const {
  const auto found =
      std::find_if(kKindNames.begin(), kKindNames.end(), [&](const auto& entry) { return entry.first == kind; });
  return std::string(found->second) + "\t" + escape(name) + "\t" + escape(schema) + "\t" + escape(table);
}

Result<MadeObject> MadeObject::parse(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto tab = text.find('\t');
    parts.push_back(text.substr(0, tab));
    if (tab == text.npos) break;
    text.remove_prefix(tab + 1);
  }
  const auto found = std::find_if(kKindNames.begin(), kKindNames.end(),
                                  [&](const auto& entry) { return entry.second == parts.front(); });
  if (parts.size() != 4 || found == kKindNames.end())
    return Error(ErrorCode::kCorrupt, "a saved record of what setup made has an unknown form");
  return MadeObject{found->first, unescape(parts[1]), unescape(parts[2]), unescape(parts[3])};
}

Result<SetupPlan> plan_setup(const ConnectionSettings& settings, const SetupOptions& options,
                             const std::vector<SourceTable>& tables, const base::Clock& clock,
                             base::Deadline deadline) {
  TRY(const auto client, Client::connect(settings, Client::Mode::kNormal, clock, deadline));
  SetupPlan plan;
  plan.role = options.role;
  if (plan.role.empty()) {
    TRY(const Rows user, client->query("SELECT current_user", deadline, "read the role's name"));
    plan.role = user.text(0, 0);
  }
  TRY(const Rows publication,
      client->query("SELECT puballtables, pubviaroot FROM pg_catalog.pg_publication WHERE pubname = $1", deadline,
                    "read the publication", {options.publication}));
  PublicationFacts facts;
  facts.exists = publication.size() > 0;
  facts.all_tables = facts.exists && publication.flag(0, 0);
  facts.via_root = facts.exists && publication.flag(0, 1);
  // Roots of partitions are listed by what they publish, so the members themselves are asked for.
  TRY(const Rows members, client->query("SELECT r.prrelid FROM pg_catalog.pg_publication_rel r JOIN "
                                        "pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE p.pubname = $1",
                                        deadline, "read the publication's tables", {options.publication}));
  plan_publication(options, tables, facts, members, plan);

  TRY(const Rows role, client->query("SELECT rolreplication, rolsuper FROM pg_catalog.pg_roles WHERE rolname = $1",
                                     deadline, "read the role", {plan.role}));
  const std::string quoted = quote_identifier(plan.role);
  if (role.size() == 0) {
    plan.privileged.push_back({"create role " + plan.role,
                               "CREATE ROLE " + quoted + " LOGIN REPLICATION",
                               {{Kind::kRole, plan.role, "", ""}}});
  } else {
    if (!role.flag(0, 0) && !role.flag(0, 1))
      plan.privileged.push_back({"let " + plan.role + " replicate",
                                 "ALTER ROLE " + quoted + " REPLICATION",
                                 {{Kind::kReplicationAttribute, plan.role, "", ""}}});
    TRY_STATUS(plan_grants(*client, tables, deadline, plan));
  }
  if (!options.slot.empty()) {
    TRY(const Rows slot, client->query("SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1", deadline,
                                       "look for the slot", {options.slot}));
    if (slot.size() == 0) plan.slot = options.slot;
  }
  return plan;
}

Result<SetupOutcome> apply_setup(const ConnectionSettings& settings, const SetupPlan& plan, const base::Clock& clock,
                                 base::Deadline deadline) {
  TRY(const auto client, Client::connect(settings, Client::Mode::kNormal, clock, deadline));
  SetupOutcome outcome;
  for (const SetupStep& step : plan.privileged) {
    const auto rows = client->query(step.sql, deadline, step.sentence);
    if (rows) {
      outcome.done.push_back(step.sentence);
      outcome.made.insert(outcome.made.end(), step.makes.begin(), step.makes.end());
    } else if (rows.error().code() == ErrorCode::kAuth) {
      outcome.manual.push_back(step);
    } else {
      return rows.error();
    }
  }
  if (!plan.steps.empty()) TRY_STATUS(run_transaction(*client, plan.steps, deadline, outcome));
  if (!plan.slot.empty()) {
    TRY(const Lsn point, create_slot(settings, plan.slot, clock, deadline));
    outcome.done.push_back("create replication slot " + plan.slot + " at " + format_lsn(point));
    outcome.made.push_back({Kind::kSlot, plan.slot, "", ""});
  }
  return outcome;
}

std::string print_migration(const SetupOptions& options, const std::vector<SourceTable>& tables, MigrationStyle style) {
  const std::string publication = quote_identifier(options.publication),
                    role = options.role.empty() ? "CURRENT_USER" : quote_identifier(options.role);
  std::string out = style == MigrationStyle::kFlyway
                        ? "-- Save as V<version>__" + options.publication + ".sql among your Flyway migrations.\n"
                        : "";
  out +=
      "-- What flytt needs at the source: a publication, the right to replicate, and to read. May run more than once.\n"
      "-- The replication slot is no part of it: flytt run makes it.\n\n"
      "DO $flytt$\nDECLARE\n  member text;\nBEGIN\n"
      "  IF NOT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = " +
      quote_literal(options.publication) +
      ") THEN\n"
      "    CREATE PUBLICATION " +
      publication + " WITH (publish_via_partition_root = true);\n  END IF;\n";
  const std::string members = sql_list(tables, true);
  if (!members.empty()) {
    out += "  FOREACH member IN ARRAY ARRAY[\n    " + members +
           "\n  ] LOOP\n"
           "    IF NOT EXISTS (SELECT FROM pg_catalog.pg_publication p LEFT JOIN pg_catalog.pg_publication_rel r ON "
           "r.prpubid = p.oid\n"
           "                   WHERE p.pubname = " +
           quote_literal(options.publication) +
           " AND (p.puballtables OR r.prrelid = replace(member, 'ONLY ', '')::regclass)) THEN\n"
           "      EXECUTE " +
           quote_literal("ALTER PUBLICATION " + publication + " ADD TABLE ") +
           " || member;\n    END IF;\n  END LOOP;\n";
  }
  out += "END\n$flytt$;\n\n-- Needs a superuser, or the administrator that the platform offers.\nALTER ROLE " + role +
         " REPLICATION;\n";
  if (options.role.empty()) return out;
  std::set<std::string> schemas;
  for (const SourceTable& table : tables)
    if (is_streamed(table)) schemas.insert(table.schema);
  out += '\n';
  for (const std::string& schema : schemas)
    out += "GRANT USAGE ON SCHEMA " + quote_identifier(schema) + " TO " + role + ";\n";
  if (const std::string list = sql_list(tables, false); !list.empty())
    out += "GRANT SELECT ON TABLE\n  " + list + "\n  TO " + role + ";\n";
  return out;
}

Result<TeardownOutcome> teardown(const ConnectionSettings& settings, const std::vector<MadeObject>& made,
                                 const base::Clock& clock, base::Deadline deadline) {
  std::vector<MadeObject> ordered = made;
  std::stable_sort(ordered.begin(), ordered.end(), [](const MadeObject& a, const MadeObject& b) {
    return removal_order(a.kind) < removal_order(b.kind);
  });
  TRY(const auto client, Client::connect(settings, Client::Mode::kNormal, clock, deadline));
  TeardownOutcome outcome;
  for (const MadeObject& object : ordered) {
    bool was_there = false;
    if (object.kind == Kind::kSlot) {
      TRY(was_there, drop_slot(settings, object.name, clock, deadline));
    } else {
      const Removal removal = removal_of(object);
      TRY(const Rows there, client->query(removal.exists, deadline, "look for " + describe(object)));
      was_there = there.size() > 0;
      if (was_there) {
        TRY(const Rows ignored, client->query(removal.sql, deadline, "take away " + describe(object)));
        static_cast<void>(ignored);
      }
    }
    outcome.done.push_back(was_there ? "took away " + describe(object) : describe(object) + " was gone already");
    outcome.gone.push_back(object);
  }
  return outcome;
}

}  // namespace flytt::postgres
