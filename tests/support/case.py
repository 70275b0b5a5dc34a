"""What the scenarios share: a server, a project, and the words to wait for."""

import unittest

from support import compare
from support.flytt import wait_until
from support.postgres import Postgres


def lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


class Scenario(unittest.TestCase):
    """One PostgreSQL server per class; `settings` may be overridden."""

    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Postgres(cls.settings)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def differences(self, project, database, name, dataset="landing"):
        with self.server.connect(database) as connection:
            return compare.differences(project, connection, name, dataset, name)

    def assert_converges(self, project, database, names, dataset="landing", seconds=60):
        """Both sides become the same cell by cell."""
        found = {}

        def equal():
            try:
                found.update({n: self.differences(project, database, n, dataset) for n in names})
            except OSError as failure:
                found["rest"] = str(failure)
                return False
            found.pop("rest", None)
            return not any(found.values())
        wait_until(equal, lambda: f"{found}\n{project.log_tail()}", seconds, step=0.2)

    def tables(self, project, stream):
        return {t["source_table"]: t for s in project.status()["streams"] if s["name"] == stream for t in s["tables"]}

    def wait_table(self, project, stream, table, state, seconds=60):
        def reached():
            entry = self.tables(project, stream).get(table)
            return entry if entry and entry["state"] == state else None
        return wait_until(reached, lambda: f"{table} {state}: {project.status()}\n{project.log_tail()}", seconds, step=0.1)
