"""Guarantee 9: passwords and row values never reach logs, errors, metrics or status, also when things go wrong."""

import pathlib
import sys
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.case import Scenario  # noqa: E402
from support.flytt import Project, wait_until  # noqa: E402

PASSWORD = "passord-4711-hemmelig"
VALUE = "radverdi-4711-privat"


class NoSecretLeaks(Scenario):
    def test_everything_that_is_printed(self):
        self.server.create_database("app")
        with self.server.connect("app") as connection:
            connection.execute(f"CREATE ROLE leser LOGIN REPLICATION PASSWORD '{PASSWORD}'")
            connection.execute("CREATE TABLE t (id text PRIMARY KEY, d date, v text)")
            connection.execute("GRANT SELECT ON t TO leser")
            connection.execute("CREATE PUBLICATION flytt_app FOR TABLE t")
            connection.execute(f"INSERT INTO t VALUES ('{VALUE}', 'infinity', '{VALUE}')")
            with Project({"app": (self.server.url("app", "leser", PASSWORD), "landing", "")}) as project:
                printed = []
                for verb in (["check"], ["plan"], ["setup", "postgres", "app", "--print", "plain"]):
                    done = project.command(*verb, check=False)
                    printed += [done.stdout, done.stderr]
                project.start()
                project.wait_ready()
                self.wait_table(project, "app", "public.t", "streaming")
                connection.execute(f"INSERT INTO t VALUES ('{VALUE}-2', '-infinity', '{VALUE}')")
                wait_until(lambda: project.count("landing.t") == 2, project.log_tail)
                connection.execute("TRUNCATE t")
                self.wait_table(project, "app", "public.t", "detached")
                done = project.command("status", "--json")
                printed += [done.stdout, done.stderr]
                done = project.command("query", "SELECT missing FROM landing.t", check=False)
                printed += [done.stdout, done.stderr]
                with urllib.request.urlopen(f"http://127.0.0.1:{project.health_port}/metrics", timeout=10) as metrics:
                    printed.append(metrics.read().decode())
                connection.execute(f"ALTER ROLE leser PASSWORD '{PASSWORD}-ny'")
                project.kill()
                project.start()
                project.wait_log("password")
                project.kill()
                printed.append(project.all_logs())
                for text in printed:
                    self.assertNotIn(PASSWORD, text)
                    self.assertNotIn(VALUE, text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
