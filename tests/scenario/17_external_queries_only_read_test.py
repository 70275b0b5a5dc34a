"""Guarantee 17: EXTERNAL_QUERY reads a real PostgreSQL in one snapshot, and nothing gets through it that writes."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.flytt import Project  # noqa: E402
from support.postgres import Postgres  # noqa: E402

RECIPE = """
-- the recipe as it stands
SELECT * FROM EXTERNAL_QUERY('europe-north1.sak', '''
  WITH constants (version) AS (VALUES (TIMESTAMPTZ '2024-03-01 00:00:00+00'))
  SELECT id::text, name, "group", pii, created, "type"::text, /* of these rows */ version
  FROM dataproducts, constants
''') ORDER BY id"""


class ExternalQueriesOnlyRead(unittest.TestCase):
    def setUp(self):
        self.server = Postgres()
        self.addCleanup(self.server.close)
        self.server.execute("CREATE DATABASE sak")
        for sql in ("CREATE TYPE kind AS ENUM ('raw', 'derived')",
                    """CREATE TABLE dataproducts (id uuid PRIMARY KEY, name text, "group" text, pii boolean, created timestamptz, "type" kind)""",
                    """INSERT INTO dataproducts SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'blåbær ' || n, 'g', n % 2 = 0,
                    timestamptz '2024-02-29 12:00:00+01' + n * interval '1 day', 'raw' FROM generate_series(1, 20000) AS n""",
                    "CREATE FUNCTION adds() RETURNS int LANGUAGE sql AS 'DELETE FROM dataproducts RETURNING 1'"):
            self.server.execute(sql, database="sak")
        self.project = Project({"sak": (self.server.url("sak"), "landing", "")})
        self.addCleanup(self.project.__exit__, None)
        self.project.command("setup", "postgres", "sak")
        self.project.command("run", "--once")

    def ask(self, sql):
        return self.project.command("query", "--format", "csv", sql).stdout.splitlines()

    def refusal(self, sql):
        done = self.project.command("query", sql, check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        return done.stderr

    def test_the_recipe_and_what_is_built_on_it(self):
        rows = self.ask(RECIPE)
        self.assertEqual(rows[0], "id,name,group,pii,created,type,version")
        self.assertEqual(len(rows), 20001)
        self.assertEqual(rows[1].split(",")[:4], ["00000000-0000-0000-0000-000000000001", "blåbær 1", "g", "false"])
        self.ask("CREATE TABLE landing.versions AS " + RECIPE.strip().split("\n", 1)[1])
        joined = """SELECT COUNT(*) AS n, COUNTIF(d.name = e.name) AS same, COUNT(DISTINCT v.version) AS versions
          FROM landing.dataproducts AS d JOIN landing.versions AS v ON v.id = d.id
          JOIN EXTERNAL_QUERY('sak', 'SELECT id::text AS id, name FROM dataproducts') AS e ON e.id = d.id"""
        self.assertEqual(self.ask(joined), ["n,same,versions", "20000,20000,1"])

    def test_what_writes_or_is_not_one_query_is_refused(self):
        for inner in ("DELETE FROM dataproducts RETURNING id::text", "WITH gone AS (DELETE FROM dataproducts RETURNING 1 AS n) SELECT * FROM gone",
                      "SELECT adds() AS n", "SELECT 1 AS n; DELETE FROM dataproducts", "SELECT 1 AS n) TO STDOUT; DELETE FROM dataproducts; COPY (SELECT 1 AS n",
                      "SELECT 1 AS n INTO stolen", "TRUNCATE dataproducts"):
            with self.subTest(inner):
                self.assertIn("Invalid table-valued function EXTERNAL_QUERY", self.refusal(f"SELECT * FROM EXTERNAL_QUERY('sak', '''{inner}''')"))
        self.assertEqual(self.server.execute("SELECT count(*) FROM dataproducts", database="sak")[0][0], 20000)

    def test_what_is_wrong_is_named(self):
        for sql, expected in (
                ("SELECT * FROM EXTERNAL_QUERY('sak', 'SELECT id FROM dataproducts')",
                 "Invalid table-valued function external_query Postgres type (OID = 2950) isn't supported now at [1:15]"),
                ("SELECT * FROM EXTERNAL_QUERY('nobody', 'SELECT 1 AS n')", "Not found: Connection nobody; PostgreSQL sources of the configuration are sak"),
                ("SELECT * FROM EXTERNAL_QUERY('eu.sak', 'SELECT 1 AS n')", "is in another location"),
                ("SELECT * FROM EXTERNAL_QUERY('other.europe-north1.sak', 'SELECT 1 AS n')", "is of another project"),
                ("SELECT * FROM EXTERNAL_QUERY('sak', 'SELECT nothing AS n')", 'column "nothing" does not exist'),
                ("SELECT * FROM EXTERNAL_QUERY('sak', 'SELECT 1 AS n', '{\"a\": 1}')", "Unknown option a"),
                ("SELECT * FROM EXTERNAL_QUERY('sak', 'SELECT 1.0000000001 AS n')", "column n cannot be represented")):
            with self.subTest(sql):
                self.assertIn(expected, self.refusal(sql))
        self.server.stop("immediate")
        self.assertIn("Connect to PostgreSQL server failed", self.refusal("SELECT * FROM EXTERNAL_QUERY('sak', 'SELECT 1 AS n')"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
