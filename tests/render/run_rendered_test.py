"""What `flytt render` writes is run: for every place the rendered files are read as the place reads them, laid out, and started.

How, and what of a place is not there, says places.py. The engine becomes ready as its rendered probe says and stops within its
rendered grace; a query and a job that run apart leave what they should, once for a slot; and what runs in the engine finds its
state and its runs again.
"""

import datetime
import json
import pathlib
import shutil
import signal
import sys
import tempfile
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import places  # noqa: E402
from render_test import OPTIONS, PLACES, flytt  # noqa: E402
from support.flytt import Project, wait_until  # noqa: E402
from support.postgres import Postgres, free_port  # noqa: E402

ROWS = 5
# What shells, YAML, systemd and Compose have ideas of their own about.
WORDS = ("100%", "%h", "a b", "on", "NO", "1e3", "0x1", "007", "~", "", " before", "after ", "æøå 💡", "two\nlines\n", "tab\t", "it's", '"', "\\", "\\n",
         "$HOME", "$$", "${HOME}", "$(HOME)", "{{x}}", "# no comment", "a: b", "- a", "*a", "&a", "!a", "@a", "`a`")
TOKEN = "t$X ${Y} $$ %h \"q\" \\back # no comment"
KEY = "nøkkel\n$X %h"


HOME_IS_WRITABLE = 'd=$(mktemp -d "$HOME/flytt.XXXXXX") && rmdir "$d"'  # programs keep things there


def newest_slot_has_passed():
    """A daily schedule, none of whose slots falls into this test."""
    return {"cron": f"30 {(datetime.datetime.now(datetime.timezone.utc).hour + 1) % 24} * * *"}


class Rendered(unittest.TestCase):
    """A warehouse that all write to, and places."""

    @classmethod
    def setUpClass(cls):
        cls.warehouse = Project(body="")
        cls.warehouse.start_verb("warehouse", "--data", "./warehouse", "--http", f"127.0.0.1:{cls.warehouse.rest_port}",
                                 "--grpc", f"127.0.0.1:{cls.warehouse.grpc_port}", "--project", "team")

    @classmethod
    def tearDownClass(cls):
        cls.warehouse.__exit__(None)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="flytt-rendered-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        (self.folder / "effects").mkdir()
        self.places = []
        wait_until(lambda: self.answer("SELECT 1"), self.warehouse.log_tail)

    def answer(self, sql):
        """The rows; none while a table is not there."""
        try:
            return self.warehouse.query(sql)
        except OSError:
            return []

    def count(self, table):
        return int((self.answer(f"SELECT COUNT(*) FROM {table}") or [["0"]])[0][0])

    def configuration(self, **more):
        """With the warehouse's addresses, state in SQLite, and an address for the probe."""
        return {"project": "team", "listen": {"health": "127.0.0.1:8080"}, "state": {"sqlite": "./state.db"},
                "destination": {"bigquery": {"rest": f"http://127.0.0.1:{self.warehouse.rest_port}", "grpc": f"127.0.0.1:{self.warehouse.grpc_port}"}}, **more}

    def job(self, script, schedule=None, **more):
        """A job that writes into the folder `effects`: each run a line, and what the script says."""
        return {"schedule": schedule or newest_slot_has_passed(), "run": ["sh", "-ec", 'echo run >>"$UT/runs"; ' + script, "sh", *WORDS],
                "env": {"UT": str(self.folder / "effects")}, "retries": {"max": 0}, **more}

    def place(self, kind, configuration, *options, files=None, variables=None, beside=None):
        """The place with what was rendered for it. `beside`: files beside the configuration; `files`: secret ones, as they are called there."""
        home = self.folder / f"home-{len(self.places)}"
        home.mkdir()
        (home / "flytt.yaml").write_text(yaml.safe_dump(configuration, allow_unicode=True, sort_keys=False))
        for name, text in (beside or {}).items():
            (home / name).parent.mkdir(exist_ok=True)
            (home / name).write_text(text)
        done = flytt(home, "render", kind, "--json", *OPTIONS[kind], *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        rendered = json.loads(done.stdout)
        rendered["files"] = {f["name"]: f["text"] for f in rendered["files"]}
        below = self.folder / f"place-{len(self.places)}"
        below.mkdir()
        place = places.PLACES[kind](rendered, below, variables or {}, files or {})
        place.home = home
        self.places.append(place)
        self.addCleanup(place.close)
        return place

    def effect(self, name):
        path = self.folder / "effects" / name
        return path.read_text() if path.exists() else ""

    def assert_ends(self, process, status=0):
        self.assertEqual(process.wait(), status, process.text())


class Runs(Rendered):
    """Each method that takes a place is run for all of them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Postgres()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        super().tearDownClass()

    def source(self, name):
        self.server.create_database(name)
        self.server.execute("CREATE TABLE t (id int PRIMARY KEY, navn text)", database=name)
        self.server.execute("INSERT INTO t SELECT n, 'blåbær ' || n FROM generate_series(1, %s::int) AS n", [ROWS], database=name)
        return self.server.url(name)

    def stream_query_and_job(self, kind):
        """Apart where the place has schedules; else in the engine, and asked for by hand. (Jobs of a project have names that
        are made from the query's, so each place has a query of its own.)"""
        name = f"apart_{kind}"
        text = self.configuration(
            sources={name: {"postgres": "${env:SAK_URL}"}}, streams={name: {"from": name, "to": f"landing_{kind}"}},
            queries={f"tall_{kind}": {"from": name, "schedule": newest_slot_has_passed(), "to": f"produkt_{kind}.tall", "write": "append",
                                      "version": "slot", "sql": "${file:sql/tall.sql}"}},
            jobs={"fil": self.job(
                'printf "%s\\0" "$@" >"$UT/words"; env -0 >"$UT/env"; cat on 1e3 nøkkel.txt >"$UT/files"; ' + HOME_IS_WRITABLE,
                env={"UT": str(self.folder / "effects"), "on": "yes", "y": "1e3", **{f"W{i}": word for i, word in enumerate(WORDS)}},
                secrets={"TOKEN": "${env:TOKEN}", "KEY": "${file:./nøkkel.txt}"},
                files={"on": "tekst # ikke\n", "1e3": "$HOME ${X}\n", "nøkkel.txt": "${file:./nøkkel.txt}"})})
        place = self.place(kind, text, *(["--jobs-apart"] if kind != "compose" else []), files={"n__kkel.txt": KEY},
                           variables={"SAK_URL": self.source(name), "TOKEN": TOKEN},
                           beside={"sql/tall.sql": "SELECT id, navn -- ${env:IKKE} $x %h\n  FROM t\n"})
        done = flytt(place.home, "setup", "postgres", name, environment=place.variables)  # as somebody does who has the rights
        self.assertEqual(done.returncode, 0, done.stderr)
        self.stream_runs_twice(place, kind)
        if kind == "compose":
            engine = place.start("flytt").wait_ready()
            for job in ("tall_compose", "fil"):
                engine.run("flytt", "job", "run", job, "--wait", "--config", self.config_of(engine))
            self.assertEqual(engine.stop(), 0, engine.text())
        else:
            for _ in range(2):  # the second start finds that the slot has succeeded
                for job in (f"flytt-tall-{kind}", "flytt-fil"):
                    self.assert_ends(place.start(job))
        self.assertEqual(self.count(f"produkt_{kind}.tall"), ROWS)
        self.assertEqual(self.effect("runs"), "run\n")
        self.assert_job_got_its_words()

    def assert_job_got_its_words(self):
        self.assertEqual(self.effect("words").split("\0")[:-1], list(WORDS))
        env = dict(v.split("=", 1) for v in self.effect("env").split("\0") if v)
        self.assertEqual([env[f"W{i}"] for i in range(len(WORDS))], list(WORDS))
        self.assertEqual((env["on"], env["y"], env["TOKEN"], env["KEY"]), ("yes", "1e3", TOKEN, KEY))
        self.assertEqual(self.effect("files"), f"tekst # ikke\n$HOME ${{X}}\n{KEY}")

    def config_of(self, process):
        return next(w for w in pathlib.Path(f"/proc/{process.process.pid}/cmdline").read_text().split("\0") if w.endswith("/flytt.yaml"))

    def stream_runs_twice(self, place, kind):
        """The engine becomes ready, carries the rows, stops within its grace, and goes on where it was."""
        name = f"apart_{kind}"
        for rows in (ROWS, ROWS + 1):
            engine = place.start("flytt").wait_ready()
            if rows > ROWS:
                self.server.execute("INSERT INTO t VALUES (%s::int, 'ny')", [rows], database=name)
            wait_until(lambda rows=rows: self.count(f"landing_{kind}.t") == rows, lambda: f"{self.count(f'landing_{kind}.t')} rows\n{engine.text()}")
            self.assertEqual(engine.stop(), 0, engine.text())
        self.server.execute("DELETE FROM t WHERE id = %s::int", [ROWS + 1], database=name)

    def shared_state(self, kind):
        """Two where the place has replicas: one runs a job, and when it is killed the other finds the ledger."""
        name = f"shared_{kind}"
        self.server.create_database(name)
        text = self.configuration(jobs={"fil": self.job("echo ut")}, state={"postgres": "${env:STATE_URL}", "lease": "5s"})
        variables = {"STATE_URL": self.server.url(name)}
        place = self.place(kind, text, variables=variables)
        engines = [place.start("flytt").wait_ready()]
        self.wait_works(engines[0])
        if kind != "systemd":
            engines.append(place.start("flytt", replica=1).wait_ready())
        words = ["--config", self.config_of(engines[0])]
        engines[0].run("flytt", "job", "run", "fil", "--wait", *words)
        self.assertEqual(self.effect("runs"), "run\n")
        self.assertIn("ut", engines[0].run("flytt", "job", "logs", "fil", *words))
        if kind != "systemd":
            engines[0].kill()
            other = ["--config", self.config_of(engines[1])]
            self.wait_works(engines[1])
            engines[1].wait_ready().run("flytt", "job", "run", "fil", "--wait", *other)
            self.assertEqual(self.effect("runs"), "run\nrun\n")
        self.assertEqual(engines[-1].stop(), 0, engines[-1].text())
        if kind != "compose":
            self.shared_state_apart(self.place(kind, text, "--jobs-apart", variables=variables), name)

    def wait_works(self, engine):
        """One that stands by is ready, too."""
        wait_until(lambda: '"message":"running"' in engine.text(), engine.text)

    def shared_state_apart(self, place, name):
        """It has a schema of its own, so it knows nothing of the engine's slots, but of its own."""
        before = self.effect("runs")
        for _ in range(2):
            self.assert_ends(place.start("flytt-fil"))
        self.assertEqual(self.effect("runs"), before + "run\n")
        schemas = self.server.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'flytt%%' ORDER BY 1", database=name)
        self.assertEqual(schemas, [("flytt",), ("flytt_flytt_fil",)])

    def local_warehouse(self, kind):
        """Rows are there after a restart, by which a place may have changed the rights of a volume."""
        rest, grpc = free_port(), free_port()
        text = {"project": "team", "destination": {"local": "./lager"}, "listen": {"health": "127.0.0.1:8080", "rest": f"127.0.0.1:{rest}", "grpc": f"127.0.0.1:{grpc}"},
                "queries": {"tall": {"schedule": newest_slot_has_passed(), "to": "d.tall", "write": "append", "sql": "SELECT 1 AS a"}},
                "jobs": {"fil": self.job("true")}}
        place = self.place(kind, text)
        for times in (1, 2):
            engine = place.start("flytt").wait_ready()
            config = ["--config", self.config_of(engine)]
            for job in ("tall", "fil"):
                engine.run("flytt", "job", "run", job, "--wait", *config)
            self.assertEqual(engine.run("flytt", "query", "--format", "csv", "SELECT COUNT(*) AS n FROM d.tall", *config).split(), ["n", str(times)])
            self.assertEqual(self.effect("runs"), "run\n" * times)
            self.assertEqual(engine.stop(), 0, engine.text())

    def for_all(self, what):
        for kind in PLACES:
            with self.subTest(kind):
                for effect in (self.folder / "effects").iterdir():
                    effect.unlink()
                what(kind)

    def test_streams_queries_and_jobs(self):
        self.for_all(self.stream_query_and_job)

    def test_a_shared_state(self):
        self.for_all(self.shared_state)

    def test_a_local_warehouse(self):
        self.for_all(self.local_warehouse)


class Starts(Rendered):
    """What a second start does while the first one runs, and how each ends when it is told to."""

    def waiting(self, kind, concurrency, **more):
        """A job that waits until a file is there."""
        job = self.job('echo "$FLYTT_SLOT" >>"$UT/slots"; until [ -e "$UT/go" ]; do sleep 0.05; done; echo done >>"$UT/done"', concurrency=concurrency, **more)
        return self.place(kind, self.configuration(jobs={"vent": job}), "--jobs-apart")

    def begun(self, process, times=1):
        wait_until(lambda: self.effect("runs").count("run") == times, lambda: f"{self.effect('runs')}\n{process.text()}")
        return process

    def test_a_controller_starts_nothing_beside_a_run(self):
        """Where the state is held by one process, no policy may say that two begin."""
        for kind, concurrency, policy in (("k8s", "forbid", "Forbid"), ("k8s", "replace", "Replace"), ("k8s", "allow", "Forbid"),
                                          ("nais", "forbid", "Forbid"), ("nais", "replace", "Replace"), ("nais", "allow", "Forbid")):
            with self.subTest(f"{kind} {concurrency}"):
                [job] = self.waiting(kind, concurrency).kinds().values()
                self.assertEqual(job["spec"]["concurrencyPolicy"], policy)

    def test_a_start_that_replaces_another_runs_after_it(self):
        """A controller ends the first pod and begins the second at the same time, on the same claim."""
        place = self.waiting("k8s", "replace", retries={"max": 1, "delay": "1s"})
        first = self.begun(place.start("flytt-vent"))
        first.process.send_signal(signal.SIGTERM)
        second = place.start("flytt-vent")
        first.stop()
        (self.folder / "effects/go").touch()
        self.assert_ends(second)
        self.assertEqual((self.effect("runs"), self.effect("done")), ("run\nrun\n", "done\n"))
        self.assertEqual(len(set(self.effect("slots").split())), 1)

    def test_a_unit_that_runs_is_not_started_again(self):
        place = self.waiting("systemd", "allow")
        first = self.begun(place.start("flytt-vent"))
        self.assertIs(place.start("flytt-vent"), first)
        (self.folder / "effects/go").touch()
        self.assert_ends(first)
        self.assertEqual((self.effect("runs"), self.effect("done")), ("run\n", "done\n"))

    def test_a_command_outlives_its_unit(self):
        """KillMode=process: the next start takes its end."""
        place = self.waiting("systemd", "forbid")
        first = self.begun(place.start("flytt-vent"))
        self.assertEqual(dict(place.units["flytt-vent.service"]["Service"])["KillMode"], "process")
        first.stop()
        (self.folder / "effects/go").touch()
        self.assert_ends(place.start("flytt-vent"))
        self.assertEqual((self.effect("runs"), self.effect("done")), ("run\n", "done\n"))

    def test_one_start_may_take_as_long_as_all_that_it_may_run(self):
        """What was cut off before and what is due, each with its attempts, their waits, and the time that an end takes."""
        for more, slots in (({}, 2), ({"missed": "all", "missed_max": 3}, 4)):
            [job] = self.waiting("k8s", "forbid", timeout="10m", grace="1m", retries={"max": 1, "delay": "1m"}, **more).kinds().values()
            least = slots * (2 * (600 + 60) + 60)
            deadline = job["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"]
            self.assertGreaterEqual(deadline, least)
            self.assertLess(deadline, least + 300)


if __name__ == "__main__":
    unittest.main()
