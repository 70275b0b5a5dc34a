"""Guarantee 3: values that BigQuery cannot hold become NULL and an entry in quarantine; everything else arrives."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.case import Scenario  # noqa: E402
from support.flytt import Project, wait_until  # noqa: E402

# column, type, value that cannot be represented, value that can
BAD = [
    ("numerisk", "numeric(10, 2)", "'NaN'", "1.25"),
    ("stor", "numeric", "1e60", "2"),
    ("fin", "numeric", "1e-39", "2"),
    ("dato", "date", "'infinity'", "'2024-02-29'"),
    ("gammel", "date", "'0044-03-15 BC'", "'2024-02-29'"),
    ("tid", "time", "'24:00:00'", "'23:59:59'"),
    ("lokal", "timestamp", "'-infinity'", "'2024-02-29 12:00:00'"),
    ("sonet", "timestamptz", "'20000-01-01'", "'2024-02-29 12:00:00+00'"),
    ("hull", "integer[]", "ARRAY[1, NULL, 2]", "ARRAY[1, 2]"),
    ("rutenett", "integer[]", "ARRAY[[1, 2], [3, 4]]", "ARRAY[3]"),
    ("dokument", "json", r"""'{"a": "\u0000"}'""", "'{}'"),
    ("tall", "jsonb", "'{\"a\": 123456789012345678901234567890}'", "'{\"a\": 1}'"),
]


class BadValueIsSetAside(Scenario):
    def test_copy_and_stream(self):
        self.server.create_database("app")
        columns = ", ".join(f"{name} {kind}" for name, kind, _, _ in BAD)
        with self.server.connect("app") as connection:
            connection.execute(f"CREATE TABLE verst (id int PRIMARY KEY, {columns})")
            self.insert(connection, 0)
            with Project({"app": (self.server.url("app"), "landing", "")}) as project:
                project.command("setup", "postgres", "app")
                project.start()
                project.wait_ready()
                self.wait_table(project, "app", "public.verst", "streaming")
                self.insert(connection, 1000)
                total = 2 * (len(BAD) + 1)
                wait_until(lambda: project.count("landing.verst") == total, project.log_tail)
                self.check_rows(project)
                project.kill()
                project.start()  # a replay adds no entry
                project.wait_ready()
                self.check_rows(project)
                connection.execute("UPDATE verst SET numerisk = 1.25 WHERE id = 0")  # the row is mended at its source
                tried = project.command("quarantine", "retry", "app")
                self.assertIn("app.public.verst is copied again", tried.stdout)
                self.assertIn("24 entries", tried.stdout)
                mended = [["public.verst", "id=0", "numerisk"]]
                wait_until(lambda: self.entries(project) == [entry for entry in self.expected() if entry not in mended], project.log_tail)
                self.assertEqual(project.query("SELECT numerisk FROM landing.verst WHERE id = 0"), [["1.25"]])
                self.assertEqual(project.stop(), 0)
                for name, _, bad, _ in BAD:
                    self.assertNotIn(bad.strip("'"), project.all_logs(), name)

    def insert(self, connection, first):
        """One row per bad column, in which all other columns are good, and one row that is good altogether."""
        names = ", ".join(name for name, _, _, _ in BAD)
        for row in range(len(BAD) + 1):
            values = ", ".join(f"{bad if row == i else good}::{kind}" for i, (_, kind, bad, good) in enumerate(BAD))
            connection.execute(f"INSERT INTO verst (id, {names}) VALUES ({first + row}, {values})")

    def check_rows(self, project):
        names = [name for name, _, _, _ in BAD]
        rows = {int(r[0]): r[1:] for r in project.query(f"SELECT id, {', '.join(names)} FROM landing.verst")}
        for first in (0, 1000):
            for row in range(len(BAD) + 1):
                for i, name in enumerate(names):
                    cell = rows[first + row][i]
                    if i == row:
                        self.assertIn(cell, (None, []), name)
                    else:
                        self.assertNotIn(cell, (None, []), f"{name} of row {first + row}")
        self.assertEqual(self.entries(project), self.expected())

    @staticmethod
    def entries(project):
        return sorted(project.query("SELECT `table`, key, `column` FROM landing._flytt_quarantine"))

    @staticmethod
    def expected():
        return sorted(["public.verst", f"id={first + i}", name] for first in (0, 1000) for i, (name, _, _, _) in enumerate(BAD))


if __name__ == "__main__":
    unittest.main(verbosity=2)
