"""Guarantee 8: SIGTERM drains and confirms; a second signal ends at once; --once ends by itself when everything is there."""

import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.case import Scenario, lsn  # noqa: E402
from support.flytt import Project, wait_until  # noqa: E402


class StoppingIsSafe(Scenario):
    def make(self, name):
        self.server.create_database(name)
        self.server.execute("CREATE TABLE t (id int PRIMARY KEY, v text)", database=name)
        self.server.execute("INSERT INTO t SELECT n, 'x' FROM generate_series(1, 1000) AS n", database=name)
        return Project({name: (self.server.url(name), "landing", "")})

    def confirmed(self, name):
        return lsn(self.server.execute("SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s", (f"flytt_{name}",))[0][0])

    def test_sigterm_drains(self):
        with self.make("drain") as project:
            project.command("setup", "postgres", "drain")
            project.start()
            project.wait_ready()
            self.assert_converges(project, "drain", ["t"])
            with self.server.connect("drain") as connection:
                connection.execute("INSERT INTO t SELECT n, 'y' FROM generate_series(2000, 20000) AS n")
                target = lsn(connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()[0])
            wait_until(lambda: project.count("landing.t") > 1000, "the first of the new rows")
            self.assertEqual(project.stop(), 0)
            self.assertGreaterEqual(self.confirmed("drain"), target, "what was read is confirmed before the end")
            project.start("--once")
            self.assertEqual(project.wait_exit(), 0)
            rows = project.command("query", "--format", "csv", "SELECT COUNT(*) AS n FROM landing.t").stdout
            self.assertEqual(rows.split(), ["n", "19001"])

    def test_second_signal_ends_at_once(self):
        with self.make("twice") as project:
            project.command("setup", "postgres", "twice")
            project.start(failpoints="warehouse.commit.before=pause")  # nothing can drain
            project.wait_log("copy")
            project.process.terminate()
            project.wait_log("draining")
            project.process.send_signal(signal.SIGTERM)
            self.assertNotEqual(project.process.wait(20), 0)
            project.start()
            project.wait_ready()
            self.assert_converges(project, "twice", ["t"])
            self.assertEqual(project.stop(), 0)

    def test_once_ends_with_everything(self):
        with self.make("once") as project:
            project.start("--once")
            self.assertEqual(project.wait_exit(), 2 if "publication" in project.log_text() else 0, project.log_tail())
            project.command("setup", "postgres", "once")
            project.start("--once")
            self.assertEqual(project.wait_exit(), 0, project.log_tail())
            rows = project.command("query", "--format", "json", "SELECT COUNT(*) AS n FROM landing.t").stdout
            self.assertEqual(rows.strip(), '[{"n":1000}]')


if __name__ == "__main__":
    unittest.main(verbosity=2)
