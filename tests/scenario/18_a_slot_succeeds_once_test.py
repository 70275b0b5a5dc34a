"""Guarantee 18: a slot of a scheduled query takes effect once, whatever is killed or lost; until then the old rows stay."""

import datetime
import json
import pathlib
import signal
import sys
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.flytt import Project, wait_until  # noqa: E402
from support.postgres import Postgres  # noqa: E402

ROWS = 100_000
RECIPE = """
-- the recipe as it stands
WITH constants (version) AS (VALUES (TIMESTAMPTZ '2024-03-01 00:00:00+00'))
SELECT id::text, name, "group", pii, created, "type"::text, /* of these rows */ version
FROM dataproducts, constants; -- the end
"""
STEPS = ("query.open.after", "query.rows.mid=kill@2", "query.finish.before", "query.finish.after", "query.job.before", "query.job.after",
         "query.drop.before", "scheduler.begin.after", "scheduler.end.before", "scheduler.end.after")


def block(sql):
    return "|\n" + "\n".join("      " + line for line in sql.strip().splitlines())


class ASlotSucceedsOnce(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Postgres()
        cls.server.execute("CREATE DATABASE sak")
        for sql in ("CREATE TYPE kind AS ENUM ('raw', 'derived')",
                    """CREATE TABLE dataproducts (id uuid PRIMARY KEY, name text, "group" text, pii boolean, created timestamptz, "type" kind)""",
                    f"""INSERT INTO dataproducts SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'blåbær ' || n, 'g', n % 2 = 0,
                    timestamptz '2024-02-29 12:00:00+01' + n * interval '1 minute', 'raw' FROM generate_series(1, {ROWS}) AS n"""):
            cls.server.execute(sql, database="sak")

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        self.project = Project(body=f'sources:\n  sak: {{postgres: "{self.server.url("sak")}"}}')
        self.head = (self.project.folder / "flytt.yaml").read_text()
        self.addCleanup(self.project.__exit__, None, None, None)
        self.slots = 0

    def configure(self, sql=RECIPE, schedule=None, to="landing.dataproducts", source="sak", more=""):
        """One query; without a schedule a new one, whose newest slot has passed and was never run."""
        self.slots += 1
        hour = (datetime.datetime.now(datetime.timezone.utc).hour + 1 + self.slots) % 24
        schedule = schedule or f'{{cron: "30 {hour} * * *"}}'
        from_ = f"    from: {source}\n" if source else ""
        (self.project.folder / "flytt.yaml").write_text(
            f"{self.head}\nqueries:\n  dataproducts:\n{from_}    schedule: {schedule}\n    to: {to}\n{more}    sql: {block(sql)}\n")

    def ask(self, sql):
        return self.project.command("query", "--format", "csv", sql).stdout.splitlines()[1:]

    def count(self):
        return int(self.ask("SELECT COUNT(*) AS n FROM landing.dataproducts")[0])

    def once(self, check=True, failpoints=""):
        return self.project.command("run", "--once", check=check, environment={"FLYTT_FAILPOINTS": failpoints})

    def refused(self):
        """The message of a run that fails."""
        done = self.once(check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        [schedule] = self.project.status()["schedules"]
        self.assertEqual(schedule["last_run"]["state"], "failed")
        self.assertIn(schedule["last_run"]["message"], done.stderr)
        self.assert_nothing_is_left()
        return schedule["last_run"]["message"]

    def assert_nothing_is_left(self):
        self.assertEqual(self.ask("SELECT table_name FROM landing.INFORMATION_SCHEMA.TABLES WHERE STARTS_WITH(table_name, '_flytt')"), [])

    def test_job_verbs_beside_a_run(self):
        self.configure(sql="SELECT id::text, name FROM dataproducts LIMIT 10", more="    write: append\n    version: slot\n")

        def job(*words):
            return json.loads(self.project.command("job", *words, "--json").stdout)

        self.project.start()
        self.project.wait_ready()
        run = job("run", "dataproducts", "--wait")
        self.assertEqual((run["trigger"], run["state"], run["attempt"]), ("manual", "succeeded", 1))
        self.assertEqual(self.count(), 10)
        listed = job("ls")
        self.assertTrue(listed["running"])
        self.assertEqual((listed["jobs"][0]["state"], listed["jobs"][0]["last"]["slot"]), ("idle", run["slot"]))

        now = datetime.datetime.now(datetime.timezone.utc)
        day = ["--from", (now - datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"), "--to", now.strftime("%Y-%m-%dT%H:%M:%SZ")]
        job("pause", "dataproducts")
        self.assertEqual(job("backfill", "dataproducts", *day)["entered"], 1)
        self.assertEqual(job("ls")["jobs"][0]["state"], "paused")
        self.assertEqual(job("run", "dataproducts", "--wait")["state"], "succeeded", "what is asked for runs all the same")
        self.assertEqual(self.count(), 20)
        job("resume", "dataproducts")
        wait_until(lambda: [r["state"] for r in job("logs", "dataproducts")["runs"]] == ["succeeded"] * 3, lambda: job("logs", "dataproducts"))
        self.assertEqual(self.count(), 30)
        self.assertEqual(job("backfill", "dataproducts", *day)["succeeded_before"], 1)
        self.assertEqual(self.project.stop(), 0)
        self.assertFalse(job("ls")["running"])

    def test_the_recipe_runs_once_for_its_slot(self):
        self.configure(more="    write: append\n    version: slot\n")
        [schedule] = self.project.status()["schedules"]
        self.assertEqual((schedule["name"], schedule["state"], schedule["last_run"]), ("query:dataproducts", "idle", None), "nothing has run yet")
        self.assertRegex(schedule["next_slot"], r"^20\d\d-.*Z$")
        self.once()
        [row] = self.ask("SELECT * EXCEPT (slot), slot > '2024-01-01' AS is_new FROM landing.dataproducts WHERE name = 'blåbær 1'")
        self.assertEqual(row, "00000000-0000-0000-0000-000000000001,blåbær 1,g,false,2024-02-29 11:01:00 UTC,raw,2024-03-01 00:00:00 UTC,true")
        self.assertEqual(self.count(), ROWS)
        self.once()
        self.assertEqual(self.count(), ROWS, "the slot has succeeded")
        [schedule] = self.project.status()["schedules"]
        self.assertEqual((schedule["name"], schedule["state"], schedule["last_run"]["state"]), ("query:dataproducts", "idle", "succeeded"))
        self.assertIn("100 000 rows", schedule["last_run"]["message"])
        self.assertIn("query:dataproducts", self.project.command("status").stdout)

    def test_a_kill_at_any_step_neither_loses_nor_repeats(self):
        self.configure(more="    write: append\n")
        self.once()
        for step in STEPS:
            with self.subTest(step):
                before = self.count()
                self.configure(more="    write: append\n")
                killed = self.once(check=False, failpoints=step if "=" in step else step + "=kill")
                self.assertEqual(killed.returncode, -signal.SIGKILL, killed.stderr)
                self.assertIn(self.count(), (before, before + ROWS))
                self.once()
                self.assertEqual(self.count(), before + ROWS)
                self.assert_nothing_is_left()

    def test_replaced_rows_stay_until_the_new_are_there(self):
        self.configure()
        self.once()
        for step in STEPS[:5]:
            with self.subTest(step):
                self.configure(sql="SELECT '7' AS id, 'ny' AS name FROM generate_series(1, 90000)")
                self.once(check=False, failpoints=step if "=" in step else step + "=kill")
                self.assertEqual(self.count(), ROWS)
        self.once()
        self.assertEqual(self.ask("""SELECT COUNT(*), COUNT(DISTINCT name), COUNT("group") FROM landing.dataproducts""".replace('"', "`")), ["90000,1,0"])
        self.assert_nothing_is_left()

    def test_a_lost_connection_is_tried_again(self):
        self.configure(sql="SELECT id::text, repeat(name, 20) AS name FROM dataproducts, generate_series(1, 5)",
                       more="    write: append\n    retries: {max: 2, delay: 1s}\n")
        self.project.start("--once", failpoints="query.rows.mid=pause")
        self.backends("COPY%", 1)
        self.server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'flytt_query'")
        (self.project.folder / "gate").touch()
        self.assertEqual(self.project.wait_exit(), 0, self.project.log_tail())
        self.assertIn("run failed", self.project.log_text())
        self.assertEqual(self.count(), 5 * ROWS)
        self.assert_nothing_is_left()

    def backends(self, query, number):
        sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'flytt_query' AND query LIKE %s AND state = 'active'"
        wait_until(lambda: self.server.execute(sql, [query])[0][0] == number, lambda: f"{number} of {query}\n{self.project.log_tail()}")

    def test_what_fails_says_why_and_leaves_the_rows(self):
        self.configure()
        self.once()
        none = "    retries: {max: 0}\n"
        self.configure(sql="SELECT id::text, CASE WHEN name = 'blåbær 99000' THEN 'infinity' ELSE created END AS created FROM dataproducts", more=none)
        said = self.refused()
        self.assertIn('a value of column "created" cannot be written', said)
        self.configure(sql="SELECT id::text, name::int AS pii FROM dataproducts", more=none)
        self.assertIn('column "pii" is BOOL in table team.landing.dataproducts and INT64 (PostgreSQL\'s int4) in the result', self.refused())
        self.configure(sql="SELECT (name || 'hemmelig')::int::text AS name FROM dataproducts", more=none)
        said = self.refused()
        self.assertIn("22P02", said)
        self.assertNotIn("hemmelig", said)
        self.configure(sql="SELECT 1 AS n; DROP TABLE dataproducts", more=none)
        self.assertIn("cannot insert multiple commands", self.refused())
        self.configure(sql="SELECT nothing FROM dataproducts", more=none)
        self.assertIn('column "nothing" does not exist', self.refused())
        self.server.execute("ALTER DATABASE sak SET statement_timeout = '300ms'")
        self.addCleanup(self.server.execute, "ALTER DATABASE sak RESET statement_timeout")
        self.configure(sql="SELECT id::text, pg_sleep(0.01)::text AS name FROM dataproducts", more=none)
        self.assertIn("57014", self.refused())
        self.assertEqual(self.count(), ROWS)

    def test_a_row_of_a_key_is_replaced(self):
        more = "    write: upsert\n    key: [id]\n"
        self.configure(more=more)
        self.once()
        self.configure(sql="SELECT id::text, 'ny' AS name FROM dataproducts WHERE name <= 'blåbær 1' UNION ALL SELECT 'new', 'ny'", more=more)
        self.once()
        self.assertEqual(self.ask("SELECT COUNT(*), COUNTIF(name = 'ny'), COUNTIF(pii IS NULL) FROM landing.dataproducts"), [f"{ROWS + 1},2,1"])
        self.configure(sql="SELECT NULL::text AS id, 'x' AS name UNION ALL SELECT 'a', 'b'", more=more)
        self.assertIn("1 row has NULL in a key column", self.refused())
        self.configure(sql="SELECT 'a' AS id, 'x' AS name UNION ALL SELECT 'a', 'b'", more=more)
        self.assertIn("1 key is there more than once", self.refused())

    def test_stopping_ends_the_statement_and_it_goes_on_later(self):
        self.configure(sql="SELECT id::text, pg_sleep(0.01)::text AS name FROM dataproducts", schedule="{every: 1s}")
        self.project.start()
        self.backends("COPY%", 1)
        self.assertEqual(self.project.stop(), 0, self.project.log_tail())
        self.backends("COPY%", 0)
        self.project.start(failpoints="query.open.after=pause")
        self.project.wait_log("run started")
        self.project.process.send_signal(signal.SIGTERM)
        self.project.wait_log("draining")
        self.project.process.send_signal(signal.SIGINT)
        self.assertEqual(self.project.wait_exit(), 1)
        self.configure()
        self.once()
        self.assertEqual(self.count(), ROWS)

    def test_a_schedule_runs_by_itself_and_is_seen(self):
        self.configure(sql="SELECT 1 AS n", schedule="{every: 1s}", more="    write: append\n")
        self.project.start()
        metrics = f"http://127.0.0.1:{self.project.health_port}/metrics"

        def runs():
            with urllib.request.urlopen(metrics, timeout=5) as answer:
                lines = answer.read().decode().splitlines()
            found = [line.split()[1] for line in lines if line.startswith('flytt_schedule_runs_total{schedule="query:dataproducts",outcome="succeeded"}')]
            return int(found[0]) >= 2 if found else False
        self.project.wait_ready()
        wait_until(runs, self.project.log_tail)
        [schedule] = self.project.status()["schedules"]
        self.assertEqual(schedule["last_run"]["state"], "succeeded", json.dumps(schedule))
        self.assertEqual(self.project.stop(), 0)
        slots = self.ask("SELECT COUNT(*) FROM landing.dataproducts")
        self.assertGreaterEqual(int(slots[0]), 2)

    def test_a_query_in_the_destination_waits_for_its_stream(self):
        body = (f'sources:\n  sak: {{postgres: "{self.server.url("sak")}"}}\nstreams:\n  sak: {{from: sak, to: landing}}\n')
        self.head = self.head.split("sources:")[0] + body
        self.configure(source=None, sql='SELECT "type" AS kind, COUNT(*) AS n FROM landing.dataproducts GROUP BY kind'.replace('"', "`"), to="mart.kinds",
                       more="    after: [stream:sak]\n")
        self.project.command("setup", "postgres", "sak")
        self.addCleanup(self.project.command, "teardown", "sak", check=False)
        self.once()
        self.assertEqual(self.ask("SELECT kind, n FROM mart.kinds"), [f"raw,{ROWS}"])
        self.configure(source=None, sql="SELECT 1 AS n", to="landing.dataproducts")
        done = self.once(check=False)
        self.assertIn("table team.landing.dataproducts is written by stream sak", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
