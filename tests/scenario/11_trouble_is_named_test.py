"""Guarantee 11: for each trouble `check` says what, where, and the SQL or command that mends it; `run` says it, too."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.case import Scenario  # noqa: E402
from support.flytt import Project  # noqa: E402
from support.postgres import Postgres, as_server_user, free_port  # noqa: E402


class TroubleIsNamed(Scenario):
    settings = {"max_replication_slots": "3", "max_wal_senders": "4"}

    def tearDown(self):
        for (name,) in self.server.execute("SELECT slot_name FROM pg_replication_slots"):
            self.server.execute("SELECT pg_drop_replication_slot(%s)", (name,))

    def findings(self, url):
        with Project({"app": (url, "landing", "")}, ports=False) as project:
            done = project.command("check", "--json", check=False)
            self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
            run = project.command("run", "--once", check=False, seconds=90)
            self.assertNotEqual(run.returncode, 0, run.stderr)
            return json.loads(done.stdout)["findings"], run.stderr

    def named(self, url, sentence, mends, said_by_run=True):
        findings, run_text = self.findings(url)
        hits = [f for f in findings if sentence in f["sentence"] and mends in (f["fix"] or "")]
        self.assertTrue(hits, json.dumps(findings, indent=1))
        if said_by_run:
            self.assertIn(sentence, run_text)

    def database(self, name, *statements):
        self.server.create_database(name)
        with self.server.connect(name) as connection:
            for statement in ("CREATE TABLE t (id int PRIMARY KEY, v text)", *statements):
                connection.execute(statement)
        return name

    def test_wrong_query_starts_nothing(self):
        body = f"""sources: {{app: {{postgres: "{self.server.url("postgres")}"}}}}
streams: {{app: {{from: app, to: landing}}}}
queries:
  report:
    from: app
    schedule: {{cron: "15 5 * * *", timezone: Europe/Olso}}
    to: landing.report
    sql: SELECT 1 AS x
"""
        with Project(body=body, ports=True) as project:
            for verb in (("run",), ("run", "--once"), ("check",), ("job", "ls"), ("job", "run", "report")):
                done = project.command(*verb, check=False, seconds=60)
                self.assertEqual(done.returncode, 2, (verb, done.stdout, done.stderr))
                self.assertIn("flytt.yaml:9: there is no time zone called 'Europe/Olso'; the nearest is Europe/Oslo", done.stderr)
                self.assertEqual(done.stdout, "")
            self.assertEqual([f.name for f in project.folder.iterdir()], ["flytt.yaml"], "nothing is made")

    def test_query_that_cannot_run(self):
        name = self.database("sporring", "CREATE PUBLICATION flytt_app FOR TABLE t")
        body = f"""sources: {{app: {{postgres: "{self.server.url(name)}"}}}}
queries:
  wrong: {{from: app, schedule: {{every: 1h}}, to: landing.wrong, sql: SELECT missing FROM t}}
  key: {{from: app, schedule: {{every: 1h}}, to: landing.key, write: upsert, key: [nummer], version: v, sql: "SELECT id, v FROM t"}}
  fine: {{from: app, schedule: {{every: 1h}}, to: landing.fine, write: upsert, key: [id], sql: "SELECT id, v FROM t"}}
"""
        with Project(body=body, ports=False) as project:
            done = project.command("check", "--json", check=False)
            self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
            found = [(f["place"], f["rule"], f["sentence"], f["fix"]) for f in json.loads(done.stdout)["findings"]]
            self.assertEqual([f[:2] for f in found], [("query:wrong", "sql"), ("query:key", "version"), ("query:key", "key")], found)
            self.assertIn('column "missing" does not exist', found[0][2])
            self.assertIn("queries.wrong.sql", found[0][3])
            self.assertIn('column "v" itself', found[1][2])
            self.assertIn('no column "nummer"', found[2][2])
            plan = json.loads(project.command("plan", "--json").stdout)["queries"]
            self.assertEqual([(q["name"], q["schedule_action"], q["action"]) for q in plan],
                             [("query:wrong", "begin", "cannot run"), ("query:key", "begin", "create"), ("query:fine", "begin", "create")])
            self.assertEqual(plan[2]["columns"], [{"name": "id", "type": "INT64", "key": True}, {"name": "v", "type": "STRING", "key": False}])
            self.assertEqual([f.name for f in project.folder.iterdir()], ["flytt.yaml"], "nothing is made")

    def test_query_and_the_table_that_is_there(self):
        name = self.database("sporring_tabell", "INSERT INTO t VALUES (1, 'a')")
        with Project({"app": (self.server.url(name), "landing", "")}, ports=False) as project:
            project.command("setup", "postgres", "app")
            project.command("run", "--once")
            project.command("query", "CREATE TABLE landing.report (id STRING, day DATE NOT NULL)")
            with open(project.folder / "flytt.yaml", "a") as config:
                config.write("""queries:
  types: {from: app, schedule: {every: 1h}, to: landing.report, write: append, sql: "SELECT id FROM t"}
  stream: {schedule: {every: 1h}, to: landing.t, sql: "SELECT 1 AS id"}
  wrong: {schedule: {every: 1h}, to: landing.other, sql: "SELECT missing FROM landing.t"}
  ddl: {schedule: {every: 1h}, to: landing.other, write: append, sql: "DROP TABLE landing.report"}
  fine: {schedule: {every: 1h}, to: "landing.daily_{run_date}", sql: "SELECT id, @run_time AS slot, @run_date AS day FROM landing.t"}
""")
            done = project.command("check", "--json", check=False)
            self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
            found = [(f["place"], f["rule"], f["object"], f["sentence"]) for f in json.loads(done.stdout)["findings"]
                     if f["place"].startswith("query:")]
            self.assertEqual([f[:3] for f in found],
                             [("query:types", "column", "team.landing.report.id"), ("query:types", "column", "team.landing.report.day"),
                              ("query:stream", "to", "team.landing.t"), ("query:wrong", "sql", "wrong"), ("query:ddl", "sql", "ddl")], found)
            self.assertIn('column "id" is STRING in table team.landing.report and INT64 in the result', found[0][3])
            self.assertIn("REQUIRED", found[1][3])
            self.assertIn("stream 'app'", found[2][3])
            self.assertIn("missing", found[3][3])
            plan = json.loads(project.command("plan", "--json").stdout)["queries"]
            self.assertEqual([q["action"] for q in plan], ["cannot run", "none", "cannot run", "cannot run", "create"], plan)
            self.assertEqual([c["type"] for c in plan[4]["columns"]], ["INT64", "TIMESTAMP", "DATE"])
            self.assertIn("report", project.command("query", "--format", "csv", "SELECT table_name FROM landing.INFORMATION_SCHEMA.TABLES").stdout)

    def test_wrong_password(self):
        self.named(self.server.url("postgres", password="nope"), "password", "")

    def test_dead_host(self):
        port = free_port()
        self.named(self.server.url("postgres", port=port), str(port), "")

    def test_unknown_database(self):
        self.named(self.server.url("finnes_ikke"), "finnes_ikke", "")

    def test_missing_publication(self):
        name = self.database("uten_publikasjon")
        self.named(self.server.url(name), "publication", "CREATE PUBLICATION")

    def test_empty_publication(self):
        name = self.database("tom_publikasjon", "CREATE PUBLICATION flytt_app")
        self.named(self.server.url(name), "flytt_app", "ALTER PUBLICATION")

    def test_table_without_key(self):
        name = self.database("uten_nokkel", "CREATE TABLE u (v text)", "CREATE PUBLICATION flytt_app FOR TABLE t, u")
        findings, _ = self.findings_of_partial(name)
        self.assertTrue([f for f in findings if "public.u" in f["object"] + f["sentence"] and "ALTER TABLE" in (f["fix"] or "")], findings)

    def findings_of_partial(self, name):
        """The other table is fine, so `run` goes on without this one."""
        with Project({"app": (self.server.url(name), "landing", "")}, ports=False) as project:
            done = project.command("check", "--json", check=False)
            return json.loads(done.stdout)["findings"], ""

    def test_missing_grant(self):
        name = self.database("uten_rett", "CREATE PUBLICATION flytt_app FOR TABLE t", "CREATE ROLE blind LOGIN REPLICATION PASSWORD 'blind'")
        self.named(self.server.url(name, "blind", "blind"), "public.t", "GRANT SELECT", said_by_run=False)

    def test_missing_replication_attribute(self):
        name = self.database("uten_replikering", "CREATE PUBLICATION flytt_app FOR TABLE t", "CREATE ROLE vanlig LOGIN PASSWORD 'vanlig'",
                             "GRANT SELECT ON t TO vanlig")
        self.named(self.server.url(name, "vanlig", "vanlig"), "may not replicate", "ALTER ROLE", said_by_run=False)

    def test_no_free_slot(self):
        name = self.database("full", "CREATE PUBLICATION flytt_app FOR TABLE t")
        with self.server.connect(name) as connection:
            for n in range(3):
                connection.execute(f"SELECT pg_create_physical_replication_slot('opptatt_{n}')")
            try:
                self.named(self.server.url(name), "max_replication_slots", "max_replication_slots")
            finally:
                for n in range(3):
                    connection.execute(f"SELECT pg_drop_replication_slot('opptatt_{n}')")

    def test_wal_level_replica(self):
        with Postgres({"wal_level": "replica"}) as server:
            server.execute("CREATE TABLE t (id int PRIMARY KEY)")
            server.execute("CREATE PUBLICATION flytt_app FOR TABLE t")
            self.named(server.url(), "wal_level", "ALTER SYSTEM SET wal_level")

    def test_pooler_in_between(self):
        port, folder = free_port(), pathlib.Path(tempfile.mkdtemp(prefix="flytt-pooler-"))
        folder.chmod(0o755)
        (folder / "users").write_text('"admin" "admin"\n')
        (folder / "pooler.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={self.server.port} user=admin password=admin\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\n"
            f"auth_type=plain\nauth_file={folder}/users\npool_mode=transaction\nunix_socket_dir=\nignore_startup_parameters=extra_float_digits,options,application_name\n")
        pooler = subprocess.Popen(as_server_user(["pgbouncer", str(folder / "pooler.ini")]), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            for line in pooler.stderr:
                if "process up" in line:
                    break
            self.named(self.server.url("postgres", port=port), "pooler", "")
        finally:
            pooler.terminate()
            pooler.wait(30)
            pooler.stderr.close()

    def test_setup_and_teardown_are_idempotent(self):
        name = self.database("oppsett")
        with Project({"app": (self.server.url(name), "landing", "")}) as project:
            first = project.command("setup", "postgres", "app", "--print", "flyway").stdout
            self.assertIn("CREATE PUBLICATION", first)
            self.assertEqual(self.server.execute("SELECT count(*) FROM pg_publication", database=name), [(0,)])
            project.command("setup", "postgres", "app")
            project.command("setup", "postgres", "app")
            self.assertEqual(project.command("check", check=False).returncode, 0)
            project.command("run", "--once")
            self.server.execute("CREATE TABLE ny (id int PRIMARY KEY)", database=name)
            self.assertEqual(project.command("check", check=False).returncode, 3, "a table that is not published yet")
            project.command("setup", "postgres", "app")
            project.command("run", "--once")
            self.assertEqual(project.command("query", "--format", "csv", "SELECT COUNT(*) AS n FROM landing.ny").stdout.split(), ["n", "0"])
            project.command("teardown", "app")
            project.command("teardown", "app")
            self.assertEqual(self.server.execute("SELECT count(*) FROM pg_publication", database=name), [(0,)])
            self.assertEqual(self.server.execute("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'flytt_app'"), [(0,)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
