#include "postgres/setup.h"

#include <gtest/gtest.h>

#include "postgres/check.h"
#include "postgres/internal/scratch_server.h"
#include "postgres/slot.h"

namespace flytt::postgres {
namespace {

using Kind = MadeObject::Kind;

class Setup : public ::testing::Test {
 protected:
  Setup() {
    database.sql(
        "CREATE SCHEMA app; CREATE TABLE app.a (id int PRIMARY KEY, \"æ\" text); CREATE TABLE app.\"B b\" (id int "
        "PRIMARY KEY); CREATE TABLE app.nokey (x int);"
        "CREATE TABLE app.part (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE app.part_1 PARTITION OF "
        "app.part FOR VALUES FROM (0) TO (10);"
        "CREATE ROLE " +
        role + " LOGIN");
  }
  ~Setup() override { database.sql("DROP OWNED BY " + role + "; DROP ROLE " + role); }
  std::vector<SourceTable> tables(const std::string& publication = "flytt_app") {
    auto catalog = inspect_tables(database.settings(), {{"app.*"}, {}}, publication, test_clock(), patience());
    CHECK(catalog.has_value());
    return std::move(catalog->tables);
  }
  SetupPlan plan(const SetupOptions& options) {
    auto planned = plan_setup(database.settings(), options, tables(options.publication), test_clock(), patience());
    if (!planned) ADD_FAILURE() << planned.error().text();
    return std::move(*planned);
  }
  // What a database says of publications, rights and slots, as one text.
  std::string state() {
    return database.value(
        "SELECT coalesce((SELECT string_agg(pubname || ':' || schemaname || '.' || tablename, ' ' ORDER BY schemaname, "
        "tablename COLLATE \"C\") FROM pg_publication_tables), '') || '|' || "
        "coalesce((SELECT string_agg(relname, ' ' ORDER BY relname COLLATE \"C\") FROM pg_class WHERE relnamespace = "
        "'app'::regnamespace AND relkind IN ('r', 'p') AND has_table_privilege('" +
        role +
        "', oid, 'SELECT')), '') || '|' || "
        "has_schema_privilege('" +
        role + "', 'app', 'USAGE') || '|' || (SELECT rolreplication FROM pg_roles WHERE rolname = '" + role +
        "') || '|' || "
        "(SELECT count(*) FROM pg_replication_slots WHERE database = current_database())");
  }

  ScratchDatabase database;
  std::string role = "reader_" + database.name();
};

TEST_F(Setup, makes_what_is_missing_once_and_teardown_takes_exactly_that_away) {
  const std::string before = state();
  const SetupOptions options{"flytt_app", "flytt_" + database.name(), role};
  const auto outcome = apply_setup(database.settings(), plan(options), test_clock(), patience());
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_TRUE(outcome->manual.empty());
  EXPECT_EQ(state(), "flytt_app:app.B b flytt_app:app.a flytt_app:app.part|B b a part|true|true|1");
  EXPECT_TRUE(plan(options).is_done());

  // A table that is added later joins; only its own parts are new.
  database.sql("CREATE TABLE app.later (id int PRIMARY KEY)");
  const auto second = apply_setup(database.settings(), plan(options), test_clock(), patience());
  ASSERT_TRUE(second);
  EXPECT_EQ(second->made, (std::vector<MadeObject>{{Kind::kPublicationTable, "flytt_app", "app", "later"},
                                                   {Kind::kTableGrant, role, "app", "later"}}));
  EXPECT_TRUE(plan(options).is_done());

  std::vector<MadeObject> made;
  for (const auto* list : {&outcome->made, &second->made})
    for (const MadeObject& object : *list) made.push_back(MadeObject::parse(object.text()).value());
  const auto gone = teardown(database.settings(), made, test_clock(), patience());
  ASSERT_TRUE(gone) << gone.error().text();
  EXPECT_EQ(gone->gone.size(), made.size());
  EXPECT_EQ(state(), before);
  EXPECT_TRUE(teardown(database.settings(), made, test_clock(), patience()));
}

TEST_F(Setup, leaves_what_was_there_before) {
  database.sql("CREATE PUBLICATION ds_publication FOR TABLE app.a; GRANT SELECT ON app.a TO " + role);
  const std::string before = state();
  const SetupOptions options{"ds_publication", "", role};
  const auto outcome = apply_setup(database.settings(), plan(options), test_clock(), patience());
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_EQ(database.value("SELECT pubviaroot FROM pg_publication WHERE pubname = 'ds_publication'"), "t");
  ASSERT_TRUE(teardown(database.settings(), outcome->made, test_clock(), patience()));
  EXPECT_EQ(state(), before);
}

TEST_F(Setup, that_fails_half_way_leaves_nothing) {
  const std::string before = state();
  SetupPlan broken = plan({"flytt_app", "", role});
  broken.steps.push_back({"do the impossible", "ALTER PUBLICATION flytt_app ADD TABLE app.no_such_table", {}});
  broken.privileged.clear();
  EXPECT_FALSE(apply_setup(database.settings(), broken, test_clock(), patience()));
  EXPECT_EQ(state(), before);
}

TEST_F(Setup, without_the_right_to_give_rights_names_what_somebody_else_must_do) {
  const std::string owner = "owner_" + database.name();
  database.sql("CREATE ROLE " + owner + " LOGIN; GRANT CREATE ON DATABASE " + database.name() + " TO " + owner +
               "; ALTER SCHEMA app OWNER TO " + owner + "; ALTER TABLE app.a OWNER TO " + owner +
               "; DROP TABLE app.\"B b\", app.part");
  const auto catalog = inspect_tables(database.settings(owner), {{"app.*"}, {}}, "flytt_app", test_clock(), patience());
  ASSERT_TRUE(catalog);
  const auto planned =
      plan_setup(database.settings(owner), {"flytt_app", "", ""}, catalog->tables, test_clock(), patience());
  ASSERT_TRUE(planned);
  const auto outcome = apply_setup(database.settings(owner), *planned, test_clock(), patience());
  ASSERT_TRUE(outcome) << outcome.error().text();
  ASSERT_EQ(outcome->manual.size(), 1u);
  EXPECT_EQ(outcome->manual[0].sql, "ALTER ROLE \"" + owner + "\" REPLICATION");
  EXPECT_EQ(outcome->made, (std::vector<MadeObject>{{Kind::kPublication, "flytt_app", "", ""}}));
  database.sql("DROP OWNED BY " + owner + " CASCADE; DROP ROLE " + owner + "; CREATE SCHEMA app");
}

TEST_F(Setup, printed_migration_does_the_same_and_may_run_twice) {
  const SetupOptions options{"flytt_app", "", role};
  for (const MigrationStyle style : {MigrationStyle::kPlain, MigrationStyle::kFlyway}) {
    const std::string migration = print_migration(options, tables(), style);
    EXPECT_EQ(migration.find("nokey"), std::string::npos);
    for (int i = 0; i < 2; ++i) database.sql("BEGIN; " + migration + "COMMIT");
    EXPECT_EQ(state(), "flytt_app:app.B b flytt_app:app.a flytt_app:app.part|B b a part|true|true|0");
    EXPECT_TRUE(plan(options).is_done());
  }
  EXPECT_EQ(
      print_migration(options, tables(), MigrationStyle::kFlyway).rfind("-- Save as V<version>__flytt_app.sql", 0), 0u);
  // Where every table is published already, nothing is added.
  database.sql(
      "DROP PUBLICATION flytt_app; CREATE PUBLICATION flytt_app FOR ALL TABLES WITH (publish_via_partition_root = "
      "true)");
  database.sql(print_migration(options, tables(), MigrationStyle::kPlain));
  EXPECT_TRUE(plan(options).is_done());
}

TEST(MadeObject, text_round_trip) {
  const MadeObject object{Kind::kTableGrant, "a\tb", "c\\d", "e\nf"};
  EXPECT_EQ(MadeObject::parse(object.text()).value(), object);
  for (const char* wrong : {"", "slot", "slot\ta\tb", "nothing\ta\tb\tc", "slot\ta\tb\tc\td"})
    EXPECT_FALSE(MadeObject::parse(wrong)) << wrong;
}

// -- check

std::vector<Finding> check(const ConnectionSettings& settings, CheckRequest request) {
  if (request.slot.empty()) request.slot = "flytt_check";
  return check_source(settings, request, test_clock(), patience());
}

// The finding of that rule about that object, or nothing.
const Finding* find(const std::vector<Finding>& findings, const std::string& rule, const std::string& object = {}) {
  for (const Finding& finding : findings)
    if (finding.rule == rule && (object.empty() || finding.object == object)) return &finding;
  return nullptr;
}

CheckRequest request(const std::string& publication) {
  CheckRequest out;
  out.publication = publication;
  return out;
}

TEST(Check, finds_nothing_wrong_after_setup) {
  ScratchDatabase database;
  database.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION pub FOR TABLE t");
  for (const Finding& finding : check(database.settings(), request("pub")))
    EXPECT_EQ(finding.severity, Finding::Severity::kAdvice) << finding.sentence;
}

TEST(Check, of_connections_that_fail) {
  ScratchDatabase database;
  database.sql(
      "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'with_password') THEN CREATE ROLE with_password "
      "LOGIN PASSWORD 'right'; END IF; END $$");
  const auto wrong = check(database.settings("with_password", "wrong"), request("pub"));
  ASSERT_EQ(wrong.size(), 1u);
  EXPECT_NE(wrong[0].fix.find("password"), std::string::npos);
  EXPECT_EQ((wrong[0].sentence + wrong[0].fix + wrong[0].object).find("wrong"), std::string::npos);
  const auto dead = check(ConnectionSettings{base::Secret("postgresql://x@127.0.0.1:1/d")}, request("pub"));
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_NE(dead[0].fix.find("host and port"), std::string::npos);
  const auto unknown = check(ScratchServer::shared().settings("nowhere"), request("pub"));
  ASSERT_EQ(unknown.size(), 1u);
  EXPECT_NE(unknown[0].fix.find("database"), std::string::npos);
  EXPECT_EQ(check(ConnectionSettings{base::Secret("postgresql://a:b%zz@h/d")}, request("pub")).size(), 1u);
}

TEST(Check, of_tables_publication_and_rights) {
  ScratchDatabase database;
  const std::string role = "checked_" + database.name();
  database.sql(
      "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE secret (id int PRIMARY KEY); ALTER TABLE secret ENABLE ROW "
      "LEVEL SECURITY; CREATE TABLE nokey (x int); CREATE SCHEMA app; CREATE TABLE app.a (id int PRIMARY KEY);"
      "CREATE TABLE app.p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE ROLE " +
      role + " LOGIN; GRANT SELECT ON t, secret TO " + role);
  CheckRequest asked = request("pub");
  asked.tables.include = {"public.*", "app.*", "gone.*"};
  auto findings = check(database.settings(role), asked);
  EXPECT_NE(find(findings, "replication_attribute"), nullptr);
  ASSERT_NE(find(findings, "publication"), nullptr);
  EXPECT_NE(find(findings, "publication")->sentence.find("does not exist"), std::string::npos);
  ASSERT_NE(find(findings, "table_grant", "app.a"), nullptr);
  EXPECT_EQ(
      find(findings, "table_grant", "app.a")->fix,
      "GRANT USAGE ON SCHEMA \"app\" TO \"" + role + "\"; GRANT SELECT ON TABLE \"app\".\"a\" TO \"" + role + "\";");
  EXPECT_EQ(find(findings, "table_grant", "public.t"), nullptr);
  ASSERT_NE(find(findings, "table_key", "public.nokey"), nullptr);
  EXPECT_NE(find(findings, "row_security", "public.secret"), nullptr);
  EXPECT_NE(find(findings, "no_table", "gone.*"), nullptr);

  database.sql("CREATE PUBLICATION pub WITH (publish = 'insert')");
  findings = check(database.settings(), asked);
  bool empty = false, partial = false, root = false;
  for (const Finding& finding : findings) {
    empty = empty || finding.sentence.find("is empty") != std::string::npos;
    partial = partial || finding.sentence.find("insert, update and delete") != std::string::npos;
    root = root || finding.fix.find("publish_via_partition_root") != std::string::npos;
  }
  EXPECT_TRUE(empty && partial && root);
  EXPECT_EQ(find(findings, "row_security"), nullptr);
  database.sql("ALTER PUBLICATION pub ADD TABLE t");
  findings = check(database.settings(), asked);
  ASSERT_NE(find(findings, "publication_table", "app.a"), nullptr);
  EXPECT_EQ(find(findings, "publication_table", "app.a")->fix,
            "ALTER PUBLICATION \"pub\" ADD TABLE ONLY \"app\".\"a\";");
  EXPECT_EQ(find(findings, "publication_table", "public.t"), nullptr);
  database.sql("DROP OWNED BY " + role + "; DROP ROLE " + role);
}

TEST(Check, of_slots) {
  ScratchDatabase database;
  database.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION pub FOR TABLE t");
  CheckRequest asked = request("pub");
  asked.slot = "slot_" + database.name();
  asked.slot_expected = true;
  ASSERT_NE(find(check(database.settings(), asked), "slot"), nullptr);
  ASSERT_TRUE(create_slot(database.settings(), asked.slot, test_clock(), patience()));
  EXPECT_EQ(find(check(database.settings(), asked), "slot"), nullptr);
  {
    ConnectionSettings foreign = database.settings();
    foreign.application_name = "debezium";
    auto holder = Client::connect(foreign, Client::Mode::kReplication, test_clock(), patience()).value();
    ASSERT_TRUE(holder->start_copy(
        "START_REPLICATION SLOT " + asked.slot + " LOGICAL 0/0 (proto_version '1', publication_names 'pub')",
        patience(), "hold the slot"));
    const auto findings = check(database.settings(), asked);
    ASSERT_NE(find(findings, "slot"), nullptr);
    EXPECT_NE(find(findings, "slot")->sentence.find("(debezium)"), std::string::npos);
  }
  database.sql("SELECT pg_create_logical_replication_slot('other_" + database.name() + "', 'pgoutput')");
  ScratchDatabase elsewhere;
  asked.slot = "other_" + database.name();
  const auto findings = check(elsewhere.settings(), asked);
  ASSERT_NE(find(findings, "slot"), nullptr);
  EXPECT_NE(find(findings, "slot")->sentence.find(database.name()), std::string::npos);
}

TEST(Check, of_a_server_that_is_not_ready_for_replication) {
  ScratchServer server({"wal_level = replica", "max_replication_slots = 1", "max_wal_senders = 1"});
  const auto findings = check(server.settings("postgres"), request("pub"));
  ASSERT_NE(find(findings, "wal_level"), nullptr);
  EXPECT_NE(find(findings, "wal_level")->fix.find("ALTER SYSTEM SET wal_level = 'logical'"), std::string::npos);
  ASSERT_NE(find(findings, "replication_slots"), nullptr);
  EXPECT_NE(find(findings, "replication_slots")->sentence.find("max_replication_slots = 1, 1 are free; flytt needs 2"),
            std::string::npos);
  EXPECT_NE(find(findings, "wal_senders"), nullptr);
  EXPECT_NE(find(findings, "max_slot_wal_keep_size"), nullptr);
  const auto slot = create_slot(server.settings("postgres"), "s", test_clock(), patience());
  ASSERT_FALSE(slot);
  EXPECT_EQ(slot.error().code(), ErrorCode::kConfig);
}

TEST(Check, of_a_pooler_in_between) {
  ScratchDatabase database;
  ScratchPooler pooler(ScratchServer::shared());
  const auto findings = check(pooler.settings(database.name()), request("pub"));
  ASSERT_NE(find(findings, "pooler"), nullptr) << findings.size();
  EXPECT_FALSE(read_replication_identity(pooler.settings(database.name()), test_clock(), patience()));
}

}  // namespace
}  // namespace flytt::postgres
