"""Guarantee 7: a copy that is killed keeps its finished parts; the rest is copied under a new snapshot, with writers at work."""

import pathlib
import re
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.case import Scenario  # noqa: E402
from support.flytt import Project, wait_until  # noqa: E402

ROWS = 1_500_000


class KilledCopyGoesOn(Scenario):
    def test_ranges_done_are_not_copied_again(self):
        self.server.create_database("app")
        with self.server.connect("app") as connection:
            connection.execute("CREATE TABLE stor (id bigint PRIMARY KEY, tekst text, versjon int NOT NULL DEFAULT 1)")
            connection.execute(f"INSERT INTO stor SELECT n, md5(n::text) || repeat('fyll', 40) FROM generate_series(1, {ROWS}) AS n")
            connection.execute("ANALYZE stor")
            with Project({"app": (self.server.url("app"), "landing", "")}) as project:
                project.command("setup", "postgres", "app")
                project.start(failpoints="pipeline.copy.range_done=kill@2")
                status = project.process.wait(120)
                self.assertEqual(status, -signal.SIGKILL, project.log_tail())
                connection.execute("UPDATE stor SET versjon = 2 WHERE id % 1000 = 7")
                connection.execute("DELETE FROM stor WHERE id % 1000 = 8")
                project.start()
                project.wait_ready()
                entry = self.wait_table(project, "app", "public.stor", "streaming", 180)
                self.assertLess(entry["rows_copied_now"], ROWS, "ranges that were finished are not copied again")
                self.assertGreater(entry["rows_copied_now"], 0)
                expected = connection.execute("SELECT count(*), sum(id), sum(versjon) FROM stor").fetchone()
                wait_until(lambda: project.query("SELECT COUNT(*), SUM(id), SUM(versjon) FROM landing.stor")[0] == [str(v) for v in expected],
                           project.log_tail, 60)
                self.assertTrue(re.search("going on with a copy", project.log_text()), project.log_tail())
                self.assertEqual(project.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
