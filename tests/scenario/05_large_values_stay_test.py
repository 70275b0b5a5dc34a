"""Guarantee 5: small updates of rows with 100 kB of text and jsonb, under DEFAULT identity and kills: nothing becomes NULL."""

import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.case import Scenario  # noqa: E402
from support.flytt import Project  # noqa: E402


class LargeValuesStay(Scenario):
    def test_small_updates(self):
        rng = random.Random(11)
        self.server.create_database("app")
        with self.server.connect("app") as connection:
            connection.execute("CREATE TABLE vedtak (id bigint PRIMARY KEY, tekst text, dokument jsonb, lest int NOT NULL DEFAULT 0)")
            connection.execute("ALTER TABLE vedtak ALTER COLUMN tekst SET STORAGE EXTERNAL, ALTER COLUMN dokument SET STORAGE EXTERNAL")
            connection.execute("INSERT INTO vedtak SELECT n, repeat(md5(n::text), 3200), jsonb_build_object('x', repeat(md5((-n)::text), 3200)) "
                               "FROM generate_series(1, 30) AS n")
            with Project({"app": (self.server.url("app"), "landing", "")}) as project:
                project.command("setup", "postgres", "app")
                project.start()
                project.wait_ready()
                self.wait_table(project, "app", "public.vedtak", "streaming")
                for place in ("postgres.stream.mid_transaction=kill@30", "warehouse.commit.after=kill@5", ""):
                    self.write(connection, rng)
                    if not place:
                        continue
                    project.kill()
                    project.start(failpoints=place)
                    self.write(connection, rng)
                    while project.process.poll() is None:
                        self.write(connection, rng)
                    project.start()
                    project.wait_ready()
                self.assert_converges(project, "app", ["vedtak"], seconds=120)
                holes = project.query("SELECT COUNT(*) FROM landing.vedtak WHERE tekst IS NULL OR dokument IS NULL")
                self.assertEqual(holes, [["0"]])
                self.assertEqual(project.stop(), 0)

    @staticmethod
    def write(connection, rng):
        for _ in range(20):
            key = rng.randint(1, 30)
            connection.execute("UPDATE vedtak SET lest = lest + 1 WHERE id = %s", (key,))
        with connection.transaction():  # an earlier change in the same transaction holds the value
            key = rng.randint(1, 30)
            connection.execute("UPDATE vedtak SET tekst = repeat(md5(random()::text), 3200) WHERE id = %s", (key,))
            connection.execute("UPDATE vedtak SET lest = lest + 1 WHERE id = %s", (key,))
        key = rng.randint(1, 30)  # a row that is gone before the value can be looked up
        connection.execute("INSERT INTO vedtak SELECT id + 100000, tekst, dokument FROM vedtak WHERE id = %s ON CONFLICT DO NOTHING", (key,))
        connection.execute("UPDATE vedtak SET lest = 7 WHERE id = %s", (key + 100000,))
        connection.execute("DELETE FROM vedtak WHERE id = %s", (key + 100000,))
        connection.execute("UPDATE vedtak SET id = id + 1000000 WHERE id = %s", (key,))  # a change of key
        connection.execute("UPDATE vedtak SET id = id - 1000000 WHERE id = %s", (key + 1000000,))


if __name__ == "__main__":
    unittest.main(verbosity=2)
