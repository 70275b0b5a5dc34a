"""Guarantee 19: a command of a job is bounded, ended whole, and found again by whoever runs flytt next; nothing starts it twice."""

import datetime
import json
import os
import pathlib
import shutil
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.flytt import ROOT, Project, wait_until  # noqa: E402
from support.postgres import Postgres  # noqa: E402

STUBBORN = """#!/usr/bin/env python3
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(2):  # a daemon in a session of its own, whose parents are gone
    if os.fork():
        break
    os.setsid()
else:
    open("../../../../../daemon", "w").write(str(os.getpid()))
    signal.pause()
while True:
    signal.pause()
"""
WAITS = """#!/bin/sh
echo "$FLYTT_SLOT attempt $FLYTT_ATTEMPT" >> "$PLACE/count"
echo began
echo $$ > "$PLACE/pid"
read word < "$PLACE/go"
echo "$word"
"""
STEPS = ("job.start.before", "job.start.after", "job.end.before", "scheduler.begin.after", "scheduler.end.before", "scheduler.end.after")


def is_alive(pid):
    """A process that has ended and that nobody has waited for yet is none."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class CommandsAreBoundedAndFoundAgain(unittest.TestCase):
    def setUp(self):
        self.project = Project(body="")
        self.addCleanup(self.project.__exit__, None, None, None)
        self.folder = self.project.folder
        self.head = (self.folder / "flytt.yaml").read_text()
        self.slots = 0
        os.mkfifo(self.folder / "go")

    def configure(self, **jobs):
        """Jobs by name, each (script, more keys). All have a slot that has passed and was never run."""
        self.slots += 1
        hour = (datetime.datetime.now(datetime.timezone.utc).hour + 1 + self.slots) % 24
        text = f"{self.head}\njobs:\n"
        for name, (script, more) in jobs.items():
            path = self.folder / f"{name}.sh"
            path.write_text(script if script.startswith("#!") else "#!/bin/sh\n" + script)
            path.chmod(0o755)
            text += f'  {name}: {{run: [./{name}.sh], schedule: {{cron: "30 {hour} * * *"}}, env: {{PLACE: "{self.folder}"}}, retries: {{max: 0}}{more}}}\n'
        (self.folder / "flytt.yaml").write_text(text)

    def job(self, *words, check=True):
        return json.loads(self.project.command("job", *words, "--json", check=check).stdout)

    def once(self, check=True, failpoints=""):
        return self.project.command("run", "--once", check=check, environment={"FLYTT_FAILPOINTS": failpoints})

    def run_now(self, name):
        return self.job("run", name, "--wait", check=False)

    def start(self):
        self.project.start()
        self.project.wait_ready()

    def processes(self):
        """What belongs to runs of this project, by their environment, and their supervisors, by their arguments."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                environment, words = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
            except OSError:
                continue
            runs = os.fsencode(f"{self.folder}/warehouse/runs/")
            if b"FLYTT_RUN_FOLDER=" + runs in environment or (b"supervise-command" in words and runs in words):
                found.append((int(entry.name), words.replace(b"\0", b" ").decode()))
        return found

    def assert_nothing_runs(self):
        self.assertEqual(self.processes(), [])

    def bytes_kept(self, name):
        return sum(f.stat().st_size for f in (self.folder / "warehouse/runs" / name).rglob("*") if f.is_file())

    def go(self, word="go"):
        with open(self.folder / "go", "w") as pipe:
            pipe.write(word + "\n")

    def wait_until_it_waits(self):
        return int(wait_until(lambda: (self.folder / "pid").exists() and (self.folder / "pid").read_text().strip(), self.project.log_tail))

    def lines(self, name):
        return (self.folder / name).read_text().splitlines() if (self.folder / name).exists() else []

    def test_what_misbehaves_is_bounded_and_ended_whole(self):
        self.configure(stubborn=(STUBBORN, ", timeout: 3s, grace: 100ms"),
                       loud=("yes 0123456789abcde | head -c 1073741824; echo the end", ", limits: {output: 64KiB}"),
                       greedy=("while :; do head -c 1000000 /dev/zero >> filled; done", ", limits: {disk: 20MiB}"),
                       crashes=("kill -SEGV $$", ""), absent=("exit 0", ""))
        (self.folder / "absent.sh").unlink()
        self.start()
        said = self.run_now("stubborn")
        self.assertEqual((said["state"], said["message"]), ("failed", "it was stopped after 3 s"))
        daemon = int((self.folder / "daemon").read_text())
        self.assertFalse(is_alive(daemon))
        self.assert_nothing_runs()

        said = self.run_now("loud")
        self.assertEqual(said["state"], "succeeded")
        self.assertRegex(said["message"], r"; 1\.0 GiB of output, of which \d\d\.\d KiB are kept$")
        self.assertLess(self.bytes_kept("loud"), 100 << 10)
        shown = self.project.command("job", "logs", "loud").stdout
        self.assertIn("bytes left out]", self.project.command("job", "logs", "loud", "--slot", said["slot"]).stdout)
        self.assertTrue(shown.endswith("the end\n"), shown[-200:])

        said = self.run_now("greedy")
        self.assertEqual(said["state"], "failed")
        self.assertIn("passed 'limits.disk'", said["message"])
        self.assertLess(self.bytes_kept("greedy"), 100 << 10)
        self.assertIn("SIGSEGV (Segmentation fault)", self.run_now("crashes")["message"])
        self.assertIn("absent.sh", self.run_now("absent")["message"])
        self.assert_nothing_runs()
        states = {j["name"]: (j["state"], j["last"]["state"]) for j in self.job("ls")["jobs"]}
        self.assertEqual(states["job:stubborn"], ("idle", "failed"))
        self.assertEqual(states["job:loud"], ("idle", "succeeded"))
        self.assertIn("job:greedy: last run failed: it was killed", self.project.command("job", "ls").stdout)
        self.assertIn("job:crashes", self.project.command("status").stdout)
        self.assertEqual(self.project.stop(), 0)

    def test_a_killed_flytt_finds_its_command_again(self):
        self.configure(waits=(WAITS, ""))
        self.project.start("--once")
        pid = self.wait_until_it_waits()
        self.project.kill()
        self.assertTrue(is_alive(pid), "it goes on")
        self.project.start("--once")
        self.project.wait_log("command found again")
        self.go("after the kill")
        self.assertEqual(self.project.wait_exit(), 0, self.project.log_tail())
        [run] = self.job("logs", "waits")["runs"]
        self.assertEqual((run["state"], run["attempt"]), ("succeeded", 1))
        self.assertEqual(len(self.lines("count")), 1, "the command ran once")
        self.assertIn("after the kill", self.job("logs", "waits")["output"])
        self.once()
        self.assertEqual(len(self.lines("count")), 1, "and its slot has succeeded")
        self.assert_nothing_runs()

    def test_a_command_outlives_any_number_of_killed_flytts(self):
        self.configure(waits=(WAITS, ""))
        self.start()
        self.job("run", "waits")
        pid = self.wait_until_it_waits()
        for _ in range(25):
            self.project.kill()
            self.project.start()
            self.project.wait_log("command found again")
        self.assertTrue(is_alive(pid))
        self.assertEqual(self.job("logs", "waits")["runs"][0]["state"], "running")
        self.go()
        wait_until(lambda: self.job("logs", "waits")["runs"][0]["state"] != "running", self.project.log_tail)
        [run] = self.job("logs", "waits")["runs"]
        self.assertEqual((run["state"], run["attempt"]), ("succeeded", 1))
        self.assertEqual(len(self.lines("count")), 1, "the command ran once")
        self.assertEqual(self.project.stop(), 0)
        self.assert_nothing_runs()

    def test_a_stopped_flytt_leaves_its_command_to_the_next(self):
        self.configure(waits=(WAITS, ""))
        self.project.start("--once")
        pid = self.wait_until_it_waits()
        self.assertEqual(self.project.stop(), 0, self.project.log_tail())
        self.assertTrue(is_alive(pid))
        self.assertEqual(self.job("logs", "waits")["runs"][0]["state"], "running")
        self.go()
        wait_until(lambda: not self.processes(), self.processes)
        self.once()
        [run] = self.job("logs", "waits")["runs"]
        self.assertEqual(run["state"], "succeeded")
        self.assertEqual(self.job("logs", "waits", "--slot", run["local"])["runs"], [run], "as it is shown")
        self.assertIn("no record of a slot", self.project.command("job", "logs", "waits", "--slot", "2020-01-01", check=False).stderr)
        self.assertEqual(len(self.lines("count")), 1, "its record was taken")

    def test_a_kill_at_any_step_runs_the_command_once(self):
        for step in STEPS:
            with self.subTest(step):
                self.configure(counts=('echo "$FLYTT_SLOT" >> "$PLACE/count"', ""))
                before = len(self.lines("count"))
                killed = self.once(check=False, failpoints=step + "=kill")
                self.assertEqual(killed.returncode, -signal.SIGKILL, killed.stderr)
                self.once()
                self.assertEqual(len(self.lines("count")), before + 1)
                self.assertEqual(self.job("logs", "counts")["runs"][0]["state"], "succeeded")
        self.assert_nothing_runs()

    def test_a_killed_supervisor_leaves_nothing_and_is_told(self):
        self.configure(waits=(WAITS, ""))
        self.start()
        self.job("run", "waits")
        pid = self.wait_until_it_waits()
        [supervisor] = [one for one, words in self.processes() if "supervise-command" in words]
        os.kill(supervisor, signal.SIGKILL)
        wait_until(lambda: self.job("logs", "waits")["runs"][0]["state"] == "failed", lambda: self.job("logs", "waits"))
        self.assertIn("how it ended is not known", self.job("logs", "waits")["runs"][0]["message"])
        self.assertFalse(is_alive(pid))
        self.assert_nothing_runs()
        self.assertEqual(self.project.stop(), 0)

    def test_what_fails_is_tried_again_and_followed(self):
        self.configure(weak=('echo "attempt $FLYTT_ATTEMPT of $FLYTT_TRIGGER"; test $FLYTT_ATTEMPT = 3', ", retries: {max: 2, delay: 100ms}"),
                       wrong=("exit 78", ", retries: {max: 5, delay: 100ms}"))
        (self.folder / "flytt.yaml").write_text((self.folder / "flytt.yaml").read_text().replace("retries: {max: 0}, ", ""))
        self.start()
        self.job("run", "weak")
        followed = self.project.command("job", "logs", "weak", "--follow")
        self.assertEqual(followed.stdout, "attempt 1 of manual\nattempt 2 of manual\nattempt 3 of manual\n")
        self.assertIn("succeeded: exit code 0", followed.stderr)
        said = self.run_now("wrong")
        self.assertEqual((said["state"], said["attempt"]), ("failed", 1))
        self.assertEqual(self.project.stop(), 0)

    def test_secrets_are_given_and_never_shown(self):
        self.configure(tells=('test "$TOKEN" = hemmelig-token && echo given', ', secrets: {TOKEN: "${env:JOB_TOKEN}"}'))
        without = self.project.command("run", "--once", check=False)
        self.assertEqual(without.returncode, 2)
        self.assertIn("environment variable 'JOB_TOKEN' is not set; 'TOKEN' of job 'tells' is this reference", without.stderr)
        found = json.loads(self.project.command("check", "--json", check=False).stdout)["findings"]
        self.assertEqual([(f["place"], f["rule"], f["object"]) for f in found], [("job:tells", "secret", "TOKEN")])
        self.assertEqual(self.job("ls")["jobs"][0]["name"], "job:tells", "other verbs work")
        done = self.project.command("run", "--once", environment={"JOB_TOKEN": "hemmelig-token"})
        self.assertEqual(self.job("logs", "tells")["output"], "given\n")
        kept = b"".join(f.read_bytes() for f in (self.folder / "warehouse").rglob("*") if f.is_file())
        self.assertNotIn(b"hemmelig-token", kept)
        self.assertNotIn("hemmelig-token", done.stderr)

    def test_the_example_runs_as_it_is(self):
        example = self.folder / "example"
        shutil.copytree(ROOT / "examples/jobs", example, ignore=shutil.ignore_patterns("warehouse", "stories"))
        text = (example / "flytt.yaml").read_text()
        (example / "flytt.yaml").write_text(text + f'listen: {{rest: "127.0.0.1:{self.project.rest_port}", grpc: "127.0.0.1:{self.project.grpc_port}"}}\n')

        def flytt(*words):
            return self.project.command(*words, "--config", str(example / "flytt.yaml")).stdout
        flytt("check")
        planned = {j["name"]: j for j in json.loads(flytt("plan", "--json"))["jobs"]}
        self.assertEqual(planned["job:story"]["schedule"], "on changes of query:squares")
        self.assertEqual((planned["job:story"]["schedule_action"], planned["job:cleanup"]["run"][0]), ("begin", "find"))
        flytt("run", "--once")
        [page] = (example / "stories").iterdir()
        self.assertIn("because of: change", page.read_text())
        self.assertEqual(flytt("job", "logs", "story").splitlines()[-1], f"wrote stories/{page.name}")
        self.assertIn("job:cleanup", flytt("job", "next"))


class ACommandRunsOnChanges(unittest.TestCase):
    """Without a schedule: when what it comes after has changed, and not without."""

    def project(self, sources, after, more=""):
        project = Project(body=sources)
        self.addCleanup(project.__exit__, None, None, None)
        with open(project.folder / "flytt.yaml", "a") as config:
            config.write(f'''jobs:
  told:
    run: [sh, -c, 'echo "$FLYTT_SLOT" >> "$PLACE/told"']
    after: ["{after}"]
    at_most: 100ms
    env: {{PLACE: "{project.folder}"}}
{more}''')
        return project

    def told(self, project):
        path = project.folder / "told"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def once(self, project, failpoints="", check=True):
        return project.command("run", "--once", environment={"FLYTT_FAILPOINTS": failpoints}, check=check)

    def test_of_the_table_of_a_query(self):
        hour = (datetime.datetime.now(datetime.timezone.utc).hour + 2) % 24
        query = f'queries:\n  numbers: {{schedule: {{cron: "30 {hour} * * *"}}, to: mart.numbers, write: append, sql: SELECT 1 AS n}}'
        project = self.project(query, "table:mart.numbers")
        self.once(project)
        self.assertEqual(self.told(project), 1)
        for _ in range(2):
            self.once(project)
            self.assertEqual(self.told(project), 1, "nothing has changed")
        project.command("job", "run", "numbers")
        killed = self.once(project, failpoints="scheduler.end.after=kill", check=False)
        self.assertEqual((killed.returncode, self.told(project)), (-signal.SIGKILL, 1), "the table has changed, and nobody has seen it")
        self.once(project)
        self.assertEqual(self.told(project), 2)
        [slot] = json.loads(project.command("job", "logs", "told", "--limit", "1", "--json").stdout)["runs"]
        self.assertEqual((slot["trigger"], slot["state"]), ("change", "succeeded"))
        self.assertIn("on changes of table:mart.numbers", project.command("job", "ls").stdout)

    def test_of_a_stream(self):
        server = Postgres()
        self.addCleanup(server.close)
        server.execute("CREATE DATABASE sak")
        server.execute("CREATE TABLE person (id int PRIMARY KEY)", database="sak")
        project = self.project(f'sources:\n  sak: {{postgres: "{server.url("sak")}"}}\nstreams:\n  sak: {{from: sak, to: landing}}', "stream:sak")
        project.command("setup", "postgres", "sak")
        self.addCleanup(project.command, "teardown", "sak", check=False)

        def run(changes):
            project.start()
            project.wait_ready()
            for i in changes:
                before = self.told(project)
                server.execute(f"INSERT INTO person VALUES ({i})", database="sak")
                wait_until(lambda: self.told(project) > before, project.log_tail)
            self.assertEqual(project.stop(), 0, project.log_tail())
        project.start()
        wait_until(lambda: self.told(project) == 1, project.log_tail)  # the copied table
        self.assertEqual(project.stop(), 0)
        run([1, 2])
        before = self.told(project)
        self.once(project)
        self.once(project)
        self.assertEqual(self.told(project), before, "nothing came")
        server.execute("INSERT INTO person VALUES (3)", database="sak")
        self.once(project)
        self.assertEqual(self.told(project), before + 1, "it came while flytt did not run")

    def test_of_one_table_of_a_stream_also_after_kills(self):
        server = Postgres()
        self.addCleanup(server.close)
        server.execute("CREATE DATABASE sak")
        server.execute("CREATE TABLE person (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)", database="sak")
        project = self.project(f'sources:\n  sak: {{postgres: "{server.url("sak")}"}}\nstreams:\n  sak: {{from: sak, to: landing}}',
                               "table:landing.person")
        project.command("setup", "postgres", "sak")
        self.addCleanup(project.command, "teardown", "sak", check=False)
        self.once(project)
        self.assertEqual(self.told(project), 1, "the copied table")
        for i in (1, 2):
            project.start()
            project.wait_ready()
            server.execute(f"INSERT INTO person VALUES ({i})", database="sak")
            wait_until(lambda: self.told(project) == i + 1, project.log_tail)  # noqa: B023
            project.kill()
            server.execute(f"INSERT INTO other VALUES ({i})", database="sak")
            self.once(project)
            self.assertEqual(self.told(project), i + 1, "only another table has changed since")
        self.once(project, failpoints="pipeline.save.after=kill", check=False)
        server.execute("INSERT INTO person VALUES (3)", database="sak")
        self.once(project)
        self.assertEqual(self.told(project), 4)


if __name__ == "__main__":
    unittest.main(verbosity=2)
