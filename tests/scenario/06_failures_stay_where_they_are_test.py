"""Guarantee 6: one source is dead, another has a wrong password, a third goes away and comes back; the fourth never notices."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.case import Scenario  # noqa: E402
from support.flytt import Project, wait_until  # noqa: E402
from support.gate import Gate  # noqa: E402
from support.postgres import free_port  # noqa: E402


class FailuresStayWhereTheyAre(Scenario):
    def test_four_sources(self):
        for name in ("frisk", "svak"):
            self.server.create_database(name)
            self.server.execute("CREATE TABLE t (id int PRIMARY KEY, v text)", database=name)
            self.server.execute("INSERT INTO t SELECT n, 'x' FROM generate_series(1, 100) AS n", database=name)
        with Gate(self.server.port) as gate:
            streams = {
                "frisk": (self.server.url("frisk"), "frisk", ""),
                "svak": (self.server.url("svak", port=gate.port), "svak", ""),
                "dod": (self.server.url("postgres", port=free_port()), "dod", ""),
                "feil": (self.server.url("frisk", password="hemmelig-og-feil"), "feil", ""),
            }
            with Project(streams) as project:
                project.command("setup", "postgres", "frisk")
                project.command("setup", "postgres", "svak")
                project.start()
                self.assert_converges(project, "frisk", ["t"], "frisk")
                self.assert_converges(project, "svak", ["t"], "svak")
                status = {s["name"]: s for s in project.status()["streams"]}
                self.assertIn("password", status["feil"]["error"])
                self.assertIn("127.0.0.1", status["dod"]["error"])
                gate.refuse = True
                gate.cut()
                self.server.execute("INSERT INTO t VALUES (1000, 'under')", database="svak")
                self.server.execute("INSERT INTO t VALUES (1000, 'under')", database="frisk")
                self.assert_converges(project, "frisk", ["t"], "frisk")
                gate.refuse = False
                self.assert_converges(project, "svak", ["t"], "svak", seconds=120)
                wait_until(lambda: not {s["name"]: s for s in project.status()["streams"]}["svak"]["error"], "svak without an error")
                project.stop()
                self.assertNotIn("hemmelig-og-feil", project.all_logs())


if __name__ == "__main__":
    unittest.main(verbosity=2)
