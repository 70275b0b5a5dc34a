"""Guarantee 7: a copy that is killed keeps its finished parts; the rest is copied under a new snapshot, with writers at work."""

import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.case import Scenario  # noqa: E402
from support.flytt import Project, wait_until  # noqa: E402

ROWS = 2_600_000


class KilledCopyGoesOn(Scenario):
    settings = {"log_statement": "all"}

    def copies_begun(self):
        """The ranges that were read from the table, as the server's log tells them."""
        log = (self.server.folder / "log").read_text(errors="replace")
        return sum(1 for text in log.splitlines() if "COPY (SELECT" in text and "stor" in text)

    def test_ranges_done_are_not_copied_again(self):
        self.server.create_database("app")
        with self.server.connect("app") as connection:
            connection.execute("CREATE TABLE stor (id bigint PRIMARY KEY, tekst text, versjon int NOT NULL DEFAULT 1)")
            connection.execute(f"INSERT INTO stor SELECT n, md5(n::text) || repeat('fyll', 40) FROM generate_series(1, {ROWS}) AS n")
            connection.execute("ANALYZE stor")
            with Project({"app": (self.server.url("app"), "landing", "")}) as project:
                project.command("setup", "postgres", "app")
                project.start(failpoints="pipeline.range.before_save=kill@3")
                self.assertEqual(project.process.wait(180), -signal.SIGKILL, project.log_tail())
                project.process = None
                table = self.tables(project, "app")["public.stor"]
                self.assertEqual((table["state"], table["ranges_done"]), ("copying", 2))
                self.assertGreater(table["rows_copied"], 0)
                connection.execute("UPDATE stor SET versjon = 2 WHERE id % 1000 = 7")
                connection.execute("DELETE FROM stor WHERE id % 1000 = 8")
                before = self.copies_begun()
                project.start()
                project.wait_ready()
                self.wait_table(project, "app", "public.stor", "streaming", 180)
                self.assertEqual(self.copies_begun() - before, table["ranges"] - 2, "finished ranges are not read again")
                expected = [str(v) for v in connection.execute("SELECT count(*), sum(id), sum(versjon) FROM stor").fetchone()]
                wait_until(lambda: project.query("SELECT COUNT(*), SUM(id), SUM(versjon) FROM landing.stor")[0] == expected, project.log_tail, 60)
                self.assertEqual(project.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
