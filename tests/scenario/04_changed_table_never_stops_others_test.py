"""Guarantee 4: added columns are followed; whatever cannot be followed detaches one table, and resync heals it."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.case import Scenario  # noqa: E402
from support.flytt import Project  # noqa: E402


class ChangedTableNeverStopsOthers(Scenario):
    def test_changes(self):
        self.server.create_database("app")
        self.server.execute("CREATE ROLE leser LOGIN REPLICATION PASSWORD 'leser'")
        with self.server.connect("app") as connection:
            for name in ("a", "b", "c", "d", "god"):
                connection.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, v text)")
                connection.execute(f"INSERT INTO {name} SELECT n, 'start' FROM generate_series(1, 50) AS n")
            with Project({"app": (self.server.url("app"), "landing", "")}) as project:
                self.prepare(project)
                self.added_column(connection, project)
                self.detached(connection, project, "b", "TRUNCATE b", "truncate")
                self.detached(connection, project, "c", "ALTER TABLE c ALTER COLUMN v TYPE int USING 7", "type")
                self.detached(connection, project, "d", "ALTER TABLE d DROP COLUMN v", "column")
                self.assertEqual(project.stop(), 0)

    def prepare(self, project):
        project.command("setup", "postgres", "app")
        project.start()
        project.wait_ready()
        for name in ("a", "b", "c", "d", "god"):
            self.wait_table(project, "app", f"public.{name}", "streaming")

    def added_column(self, connection, project):
        connection.execute("ALTER TABLE a ADD COLUMN ny numeric(10, 2), ADD COLUMN \"også\" timestamptz")
        connection.execute("INSERT INTO a VALUES (100, 'etter', 1.5, '2024-02-29 12:00:00+00')")
        connection.execute("UPDATE a SET ny = 2 WHERE id = 1")
        self.assert_converges(project, "app", ["a", "god"])

    def detached(self, connection, project, name, change, word):
        connection.execute(change)
        connection.execute(f"INSERT INTO {name} (id) VALUES (1000)")
        connection.execute("INSERT INTO god SELECT max(id) + 1, 'videre' FROM god")
        entry = self.wait_table(project, "app", f"public.{name}", "detached")
        self.assertIn(word, entry["reason"].lower())
        self.assertIn(f"flytt resync app.public.{name}", entry["reason"])
        self.assert_converges(project, "app", ["god"])
        project.command("resync", f"app.public.{name}")
        self.wait_table(project, "app", f"public.{name}", "streaming")
        connection.execute(f"INSERT INTO {name} (id) VALUES (2000)")
        self.assert_converges(project, "app", [name, "god"])

    def test_left_and_came_back(self):
        self.server.create_database("away")
        with self.server.connect("away") as connection:
            for name in ("borte", "god"):
                connection.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, v text)")
                connection.execute(f"INSERT INTO {name} SELECT n, 'start' FROM generate_series(1, 50) AS n")
            with Project({"away": (self.server.url("away"), "landing", "")}) as project:
                project.command("setup", "postgres", "away")
                project.start()
                project.wait_ready()
                for name in ("borte", "god"):
                    self.wait_table(project, "away", f"public.{name}", "streaming")
                self.assertEqual(project.stop(), 0)
                self.go_away_and_return(connection)
                project.start()
                project.wait_ready()
                self.assert_converges(project, "away", ["borte", "god"])
                self.assertIn("left the stream for a while", project.log_text())
                self.assertEqual(project.log_text().count("it is copied again"), 1, "the other table was never away")
                self.go_away_and_return(connection)  # between two looks at the publication
                self.assert_converges(project, "away", ["borte", "god"])
                self.assertEqual(project.stop(), 0)

    @staticmethod
    def go_away_and_return(connection):
        connection.execute("ALTER PUBLICATION flytt_away DROP TABLE borte")
        connection.execute("UPDATE borte SET v = v || ' borte' WHERE id % 2 = 0")
        connection.execute("DELETE FROM borte WHERE id = (SELECT min(id) FROM borte)")
        connection.execute("ALTER PUBLICATION flytt_away ADD TABLE borte")
        connection.execute("UPDATE god SET v = v || ' videre'")

    def test_grant_taken_away(self):
        self.server.create_database("granted")
        with self.server.connect("granted") as connection:
            connection.execute("CREATE ROLE flytter LOGIN REPLICATION PASSWORD 'flytter'")
            for name in ("stengt", "apen"):
                connection.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, stor text)")
                connection.execute(f"ALTER TABLE {name} ALTER COLUMN stor SET STORAGE EXTERNAL")
                connection.execute(f"INSERT INTO {name} SELECT n, repeat('x', 100000) FROM generate_series(1, 5) AS n")
                connection.execute(f"GRANT SELECT ON {name} TO flytter")
            connection.execute("CREATE PUBLICATION flytt_granted FOR TABLE stengt, apen")
            url = self.server.url("granted", "flytter", "flytter")
            with Project({"granted": (url, "landing", "")}) as project:
                project.start()
                project.wait_ready()
                for name in ("stengt", "apen"):
                    self.wait_table(project, "granted", f"public.{name}", "streaming")
                connection.execute("REVOKE SELECT ON stengt FROM flytter")
                connection.execute("UPDATE stengt SET id = id + 100")  # large values left alone: they have to be read again
                connection.execute("UPDATE apen SET id = id + 100")
                entry = self.wait_table(project, "granted", "public.stengt", "detached")
                self.assertIn("GRANT SELECT", entry["reason"])
                self.assert_converges(project, "granted", ["apen"])
                connection.execute("GRANT SELECT ON stengt TO flytter")
                project.command("resync", "granted.public.stengt")
                self.assert_converges(project, "granted", ["stengt", "apen"])
                self.assertEqual(project.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
