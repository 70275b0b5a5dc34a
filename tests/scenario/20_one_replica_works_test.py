"""Guarantee 20: of several replicas that share a state one works, whatever is killed, frozen, skewed, restarted or cut off."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import unittest
import urllib.request

import psycopg

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.case import Scenario  # noqa: E402
from support.flytt import PROGRAM, Project, wait_until  # noqa: E402
from support.gate import Gate  # noqa: E402
from support.postgres import Postgres  # noqa: E402

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
# Holds a lock as long as anything of it lives, and says so when somebody else of its kind does.
COMMAND = ("exec 9>>{folder}/lock; flock -n 9 || echo overlap >>{folder}/seen; echo start $FLYTT_RUN >>{folder}/seen; "
           "(trap \"\" TERM; setsid sh -c \"while :; do sleep 1000; done\" &) ; while [ ! -e {folder}/go ]; do sleep 0.05; done")


def commands_of(project):
    """Pids of living processes that are runs of this replica."""
    mark = f"FLYTT_RUN_FOLDER={project.folder}".encode()
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


class OneReplicaWorks(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.state = Postgres()

    @classmethod
    def tearDownClass(cls):
        cls.state.close()
        super().tearDownClass()

    def setUp(self):
        self.name = self.id().rsplit(".", 1)[-1][5:40]
        self.server.create_database(self.name)
        self.server.execute("CREATE TABLE t (id int PRIMARY KEY, v text)", database=self.name)
        self.state.create_database(self.name)
        self.warehouse = self.enter(Project(body=""))
        self.warehouse.start_verb("warehouse", "--data", "./warehouse", "--http", f"127.0.0.1:{self.warehouse.rest_port}",
                                  "--grpc", f"127.0.0.1:{self.warehouse.grpc_port}", "--project", "team")
        wait_until(lambda: self.answer("SELECT 1"), self.warehouse.log_tail)
        self.written = 0

    def answer(self, sql):
        """The rows; none while a table is not there yet."""
        try:
            return self.warehouse.query(sql)
        except OSError:
            return []

    def enter(self, project):
        self.addCleanup(project.__exit__, None, None, None)
        return project

    def replica(self, body, lease="3s", port=None):
        state = f'{{postgres: "{self.state.url(self.name, port=port)}", lease: {lease}}}'
        return self.enter(Project(body=body, warehouse=self.warehouse, state=state))

    def stream_and_query(self):
        """A mirror, and a query whose slots come each second and leave one row each."""
        source = f'sources:\n  {self.name}: {{postgres: "{self.server.url(self.name)}"}}\n'
        return (source + f"streams:\n  {self.name}: {{from: {self.name}, to: landing}}\n"
                f"queries:\n  ticks: {{from: {self.name}, to: landing.ticks, write: append, version: slot, schedule: {{every: 1s}}, sql: SELECT 1 AS n}}\n")

    def write(self, count=20):
        first, self.written = self.written, self.written + count
        self.server.execute("INSERT INTO t SELECT n, 'v' || n FROM generate_series(%s::int, %s::int) AS n", [first, self.written - 1],
                            database=self.name)

    def asked(self, project, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{project.health_port}/{path}", timeout=5) as answer:
            return answer.status, answer.read().decode().strip()

    def lease(self):
        try:
            rows = self.state.execute("SELECT holder, token, expires FROM flytt.lease", database=self.name)
        except psycopg.errors.UndefinedTable:
            rows = []
        return rows[0] if rows else ("", 0, None)

    def wait_leader(self, project, seconds=60):
        pid = project.process.pid
        wait_until(lambda: f":{pid}:" in self.lease()[0], lambda: f"{pid} leads: {self.lease()}\n{project.log_tail()}", seconds)

    def start_both(self, one, two, **options):
        one.start(**options)
        self.wait_leader(one)
        two.start()
        two.wait_log("standing by")
        one.wait_ready()

    def wait_ticks(self, more=2):
        """So many slots more than now, each once."""
        def count():
            [[rows, slots]] = self.answer("SELECT COUNT(*), COUNT(DISTINCT slot) FROM landing.ticks") or [["0", "0"]]
            self.assertEqual(rows, slots, "a slot took effect twice")
            return int(rows)
        wanted = count() + more
        wait_until(lambda: count() >= wanted, lambda: f"{count()} of {wanted} ticks")

    def assert_all_is_there(self):
        sql = "SELECT COUNT(*), COUNT(DISTINCT id) FROM landing.t"
        wait_until(lambda: self.answer(sql) == [[str(self.written)] * 2], lambda: f"{self.written} rows, not {self.answer(sql)}")
        twice = self.state.execute("SELECT count(*) FROM flytt.schedule_slot WHERE state = 'failed'", database=self.name)
        self.assertEqual(twice, [(0,)])

    def test_the_store_is_the_same_in_a_schema(self):
        program = PROGRAM.parent / "state_schema_test"
        done = subprocess.run([program], env={**os.environ, "FLYTT_STATE_URL": self.state.url()}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout[-8000:])

    def test_a_killed_replica_is_replaced(self):
        one, two = self.replica(self.stream_and_query()), self.replica(self.stream_and_query())
        one.command("setup", "postgres", self.name)
        self.assertEqual([f for f in one.command("check", check=False).stdout.splitlines() if "state" in f], [])
        self.start_both(one, two)
        self.assertEqual(self.asked(two, "isready"), (200, "standing by"))
        self.assertEqual(self.asked(two, "isalive")[0], 200)
        status = two.status()
        self.assertTrue(status["running"])
        self.assertIn(f":{one.process.pid}:", status["leader"])
        self.write()
        self.wait_ticks()
        refused = two.command("teardown", self.name, check=False)
        self.assertIn(f"(pid {one.process.pid}), which has led since ", refused.stderr)
        one.kill()
        self.write()
        self.wait_leader(two)
        self.write()
        self.wait_ticks()
        self.assert_all_is_there()

        one.start()
        one.wait_log("standing by")
        token = self.lease()[1]
        self.assertEqual(two.stop(), 0, two.log_tail())
        self.wait_leader(one)
        self.assertEqual(self.lease()[1], token + 1)
        self.write()
        self.wait_ticks()
        self.assert_all_is_there()
        self.assertEqual(one.stop(), 0)
        self.assertFalse(one.status()["running"])

    def test_a_replica_that_cannot_start_gives_the_lease_back(self):
        body = self.stream_and_query().replace("streams:", '  away: {postgres: "${env:NOT_SET_URL}"}\nstreams:', 1)
        body += "  far: {from: away, to: landing.far, schedule: {every: 1h}, sql: SELECT 1 AS n}\n"
        body += "jobs:\n  closed: {run: ['true'], schedule: {every: 1h}, secrets: {TOKEN: '${env:NOT_SET_TOKEN}'}}\n"
        one, two = self.replica(body, lease="5m"), self.replica(self.stream_and_query(), lease="5m")
        given_back = "SELECT token, expires <= clock_timestamp() FROM flytt.lease"
        for token, (only, trouble) in enumerate([("absent", "there is no such stream"), ("far", "NOT_SET_URL"), ("closed", "NOT_SET_TOKEN")], 1):
            refused = one.command("run", "--only", only, check=False)
            self.assertIn(trouble, refused.stderr)
            self.assertEqual(self.state.execute(given_back, database=self.name), [(token, True)], only)
        self.state.execute("UPDATE flytt.flytt_state SET format = format + 100", database=self.name)
        self.assertIn("use the newer flytt", two.command("run", check=False).stderr)
        self.assertEqual(self.state.execute(given_back, database=self.name), [(4, True)])
        self.state.execute("UPDATE flytt.flytt_state SET format = format - 100", database=self.name)
        one.command("setup", "postgres", self.name)
        two.start()
        self.wait_leader(two)

    def test_a_single_run_beside_a_replica_says_who_leads_and_ends(self):
        one, two = self.replica(self.stream_and_query()), self.replica(self.stream_and_query())
        one.command("setup", "postgres", self.name)
        one.start()
        self.wait_leader(one)
        two.start("--once")
        two.wait_log("waiting for a sign of life")
        self.assertEqual(two.wait_exit(), 1)
        lines = two.log_text().splitlines()
        [said] = [line for line in lines if line.startswith("flytt: ")]
        [warned] = [line for line in lines if "waiting for a sign of life" in line]
        place = f"the state in schema flytt of admin@127.0.0.1:{self.state.port}/{self.name} belongs to the replica on {socket.gethostname()}"
        for text in (said, warned):
            self.assertIn(f"{place} (pid {one.process.pid}), which has led since 20", text)
            self.assertIn("; stop that one, or run this one without --once", text)
        self.assertIn("it has just renewed its lease", said)
        self.write()
        one.kill()
        two.command("run", "--once")
        self.assert_all_is_there()

    def test_status_asks_the_replica_that_leads_and_nobody_else(self):
        body = self.stream_and_query() + "jobs:\n  later: {run: ['true'], schedule: {every: 1s}, after: ['table:landing.absent']}\n"
        one, two = self.replica(body, lease="5m"), self.replica(body, lease="5m")
        one.command("setup", "postgres", self.name)
        one.start()
        one.wait_ready()
        wait_until(lambda: [s["server_version"] for s in two.status()["streams"]] not in ([], [None]), two.status)
        leader = f"the replica on {socket.gethostname()} (pid {one.process.pid}), which has led since 20"
        self.assertIn(f"this is from {leader}", two.command("status").stdout)
        reason = "waits: table landing.absent was not changed since"
        wait_until(lambda: reason in two.command("job", "ls").stdout, lambda: two.command("job", "ls").stdout)
        for address in (f"127.0.0.1:{self.warehouse.rest_port}", "127.0.0.1:1"):  # somebody else, and nobody
            self.state.execute("UPDATE flytt.lease SET address = %s", [address], database=self.name)
            self.assertEqual([s["server_version"] for s in two.status()["streams"]], [None])
            self.assertIn(f"this is what {leader}", two.command("status").stdout)
            self.assertNotIn(reason, two.command("job", "ls").stdout)
        self.assertEqual(one.stop(), 0)

    def test_a_frozen_replica_has_nothing_running_and_records_nothing(self):
        folder = self.warehouse.folder
        body = ("jobs:\n  slow:\n    schedule: {cron: '0 0 1 1 *'}\n    run:\n      - sh\n      - -c\n"
                f"      - '{COMMAND.format(folder=folder)}'\n")
        one, two = self.replica(body), self.replica(body)

        def starts():
            return (folder / "seen").read_text().splitlines() if (folder / "seen").exists() else []
        self.start_both(one, two)
        two.command("job", "run", "slow")
        wait_until(lambda: len(starts()) == 1, one.log_tail)
        self.assertNotEqual(commands_of(one), [])
        one.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: len(starts()) >= 2, two.log_tail)
        self.assertNotIn("overlap", starts())
        self.assertEqual(commands_of(one), [], "its supervisor has killed all of it")
        self.assertEqual(one.process.poll(), None)
        self.wait_leader(two)
        before = self.state.execute("SELECT * FROM flytt.schedule_slot", database=self.name)
        one.process.send_signal(signal.SIGCONT)
        self.assertEqual(one.wait_exit(), 1)
        self.assertIn("the lease is lost", one.log_text())
        self.assertEqual(self.state.execute("SELECT * FROM flytt.schedule_slot", database=self.name), before)
        (folder / "go").touch()
        ended = "SELECT state FROM flytt.schedule_slot"
        wait_until(lambda: self.state.execute(ended, database=self.name) == [("succeeded",)], two.log_tail)
        self.assertEqual(len(starts()), 2)
        self.assertEqual(two.stop(), 0, two.log_tail())
        self.assertEqual(commands_of(two), [])

    def test_clocks_may_be_wrong(self):
        one, two = self.replica(self.stream_and_query()), self.replica(self.stream_and_query())
        one.command("setup", "postgres", self.name)
        fake = {"LD_PRELOAD": FAKETIME, "FAKETIME": "+60s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.start_both(one, two, environment=fake)
        self.write()
        for _ in range(6):
            expires = self.lease()[2]
            wait_until(lambda: self.lease()[2] > expires, one.log_tail)
        self.assertEqual(self.lease()[1], 1, "nobody took it from a replica whose clock is ahead")
        self.wait_ticks()
        one.kill()
        self.wait_leader(two)
        self.write()
        self.wait_ticks()
        self.assert_all_is_there()

    def test_the_state_database_may_be_restarted(self):
        one, two = self.replica(self.stream_and_query(), lease="20s"), self.replica(self.stream_and_query(), lease="20s")
        one.command("setup", "postgres", self.name)
        self.start_both(one, two)
        for mode in ("fast", "immediate"):
            self.write()
            self.state.stop(mode)
            self.write()
            self.state.start()
            self.write()
            self.wait_ticks()
            self.assert_all_is_there()
        self.assertEqual(self.lease()[1], 1, "within the lease the one that led goes on")
        self.assertEqual((one.stop(), two.stop()), (0, 0))

    def test_a_replica_that_is_cut_off_ends(self):
        with Gate(self.state.port) as gate:
            one = self.replica(self.stream_and_query(), port=gate.port)
            two = self.replica(self.stream_and_query())
            one.command("setup", "postgres", self.name)
            self.start_both(one, two)
            for _ in range(20):
                self.write(5)
                gate.cut()
                self.wait_ticks(1)
            self.assert_all_is_there()
            self.assertEqual(self.lease()[1], 1)
            gate.swallow_answers = True
            self.assertEqual(one.wait_exit(), 1)
            self.assertIn("the lease is lost", one.log_text())
            self.wait_leader(two)
            self.write()
            self.wait_ticks()
            self.assert_all_is_there()
            self.assertNotIn("admin:admin", one.all_logs() + two.all_logs())

    def test_check_names_what_is_missing(self):
        one = self.replica(self.stream_and_query())
        path = one.folder / "flytt.yaml"
        self.state.execute("CREATE ROLE poor LOGIN PASSWORD 'hemmelig'", database=self.name)
        text = path.read_text().replace("admin:admin@127.0.0.1:" + str(self.state.port), f"poor:hemmelig@127.0.0.1:{self.state.port}")
        path.write_text(text)
        found = one.command("check", check=False).stdout
        self.assertIn(f'GRANT CREATE ON DATABASE "{self.name}" TO "poor"', found)
        refused = one.command("run", check=False)
        self.assertIn(f'GRANT CREATE ON DATABASE "{self.name}" TO "poor"', refused.stderr)
        self.assertEqual(refused.returncode, 1)
        path.write_text(text.replace(str(self.state.port), "1"))
        away = one.command("check", check=False)
        self.assertIn("could not connect", away.stdout)
        self.assertNotIn("hemmelig", found + refused.stderr + away.stdout + away.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
