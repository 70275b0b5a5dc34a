"""Guarantee 2: kill -9 at the places where it hurts, with writers and a reader that never pause; then both sides, cell by cell."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import compare  # noqa: E402
from support.flytt import Project, wait_until  # noqa: E402
from support.postgres import Postgres  # noqa: E402
from support.workload import Writers, make_sak  # noqa: E402

# Where the process dies, and at which passages.
PLACES = {
    "postgres.copy.mid_range": (1, 3),            # mid-copy
    "postgres.stream.mid_transaction": (1, 60),
    "warehouse.commit.before": (1, 40),           # nothing of it is committed
    "warehouse.commit.after": (1, 40),            # between the warehouse's commit and its answer
    "pipeline.receipt.before_save": (1, 40),
    "pipeline.save.after": (1, 40),               # between save and confirm
    "warehouse.apply.inside": (1, 2),
    "warehouse.checkpoint.inside": (1, 1),        # DuckDB has begun to write the database file and is not done
    "outside": (1, 150),                          # nothing in the program chose the moment: after so many transactions
}
REACHED_SECONDS = 120
LONG = bool(os.environ.get("FLYTT_LONG"))
KILLS = 50 if LONG else 12
SEED = int(os.environ.get("FLYTT_SEED", "20260101"))


class Reader:
    """Polls random keys: a version never goes back, a deleted key never returns. Keys of `person` are never used twice."""

    def __init__(self, project, seed):
        self.project, self.random = project, random.Random(seed)
        self.versions, self.gone, self.broken, self.answers = {}, set(), [], 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.stopping.wait(0.02):
            low = self.random.randint(1, 1200)
            try:
                rows = self.project.query(f"SELECT id, versjon FROM landing.person WHERE id BETWEEN {low} AND {low + 15}", seconds=10)
            except (OSError, KeyError, ValueError):
                continue  # the process is down, or the table is not there yet
            self.answers += 1
            seen = {int(row[0]): int(row[1]) for row in rows}
            for key in range(low, low + 16):
                if key in seen:
                    if key in self.gone:
                        self.broken.append(f"deleted key {key} returned")
                    if seen[key] < self.versions.get(key, 0):
                        self.broken.append(f"version of {key} went back from {self.versions[key]} to {seen[key]}")
                    self.versions[key] = seen[key]
                elif key in self.versions:
                    self.gone.add(key)

    def stop(self):
        self.stopping.set()
        self.thread.join(60)


class EveryCrashConverges(unittest.TestCase):
    def kill_once(self, project, server, writers, place, rng):
        passage, asked = rng.randint(*PLACES[place]), ""
        project.start(failpoints="" if place == "outside" else f"{place}=kill@{passage}")
        if place in ("postgres.copy.mid_range", "warehouse.checkpoint.inside", "outside"):
            # What an earlier kill left behind may be enough to die of: a copy to be finished, a long write-ahead log.
            wait_until(lambda: project.process.poll() is not None or project.is_ready(), project.log_tail, REACHED_SECONDS)
        if project.process.poll() is not None:
            pass
        elif place == "postgres.copy.mid_range":
            asked = project.command("resync", "sak.public.stor", check=False)  # the process may die under it
        elif place == "warehouse.checkpoint.inside":
            # More than the write-ahead log may hold before it is written into the database file.
            for _ in range(10):
                server.execute("BEGIN; LOCK TABLE vedtak IN EXCLUSIVE MODE; "  # the writers take single rows in any order
                               "UPDATE vedtak SET tekst = repeat(md5(random()::text), 3200), versjon = versjon + 1; COMMIT", database="sak")
        elif place == "outside":
            goal = writers.transactions + passage
            wait_until(lambda: writers.transactions >= goal, "the writers go on", REACHED_SECONDS)
            project.process.send_signal(signal.SIGKILL)
        try:
            status = project.process.wait(REACHED_SECONDS)
        except subprocess.TimeoutExpired:
            self.fail(f"{place} was not passed {passage} times within {REACHED_SECONDS} s\n{asked}\n{project.log_tail()}")
        self.assertEqual(status, -signal.SIGKILL, f"{place}\n{project.log_tail()}")

    def test_kills(self):
        print(f"seed {SEED}, {KILLS} kills", flush=True)
        rng = random.Random(SEED)
        places = [place for place in PLACES for _ in range(5)] if LONG else list(PLACES)
        places += [rng.choice(list(PLACES)) for _ in range(KILLS - len(places))]
        rng.shuffle(places)
        with Postgres() as server:
            make_sak(server, "sak")
            # Large enough for a copy to be cut in the middle of a range.
            server.execute("CREATE TABLE stor AS SELECT n AS id, md5(n::text) AS v FROM generate_series(1, 300000) AS n", database="sak")
            server.execute("ALTER TABLE stor ADD PRIMARY KEY (id)", database="sak")
            with Project({"sak": (server.url("sak"), "landing", "")}) as project:
                project.command("setup", "postgres", "sak")
                project.start()
                project.wait_ready()
                project.kill()
                writers = Writers(server, "sak", SEED, count=2, pause=0.004)
                reader = Reader(project, SEED)
                self.addCleanup(reader.stop)  # a case that failed ends, too
                try:
                    for number, place in enumerate(places, 1):
                        print(f"kill {number} of {len(places)}: {place}, {writers.transactions} transactions", flush=True)
                        self.kill_once(project, server, writers, place, rng)
                    project.start()
                    project.wait_ready()
                finally:
                    transactions = writers.stop()
                tables = ("person", "sak", "vedtak")
                # Fifty lives leave a long history that none of them had the time to read.
                wait_until(lambda: all(not compare_table(server, project, t) for t in tables) and project.count("landing.stor") == 300000,
                           lambda: f"{ {t: compare_table(server, project, t) for t in tables} }\n{project.status()}\n{project.log_tail()}",
                           600 if LONG else 90, step=0.5)
                reader.stop()
                self.assertEqual(reader.broken[:5], [])
                self.assertGreater(reader.answers, 20)
                self.assertGreater(transactions, 100)
                self.assertEqual(project.stop(), 0)
                for place in PLACES:
                    print(f"{places.count(place):3} kills at {place}")
                print(f"{len(places)} kills, {transactions} transactions, {reader.answers} reads")


def compare_table(server, project, name):
    with server.connect("sak") as connection:
        return compare.differences(project, connection, name, "landing", name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
