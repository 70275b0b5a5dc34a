"""Guarantee 10: a second process on the same slot, folder or port says who holds it, and changes nothing."""

import pathlib
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.case import Scenario  # noqa: E402
from support.flytt import Project  # noqa: E402


class OneOfAKind(Scenario):
    def test_slot_folder_port(self):
        self.server.create_database("app")
        self.server.execute("CREATE TABLE t (id int PRIMARY KEY)", database="app")
        url = self.server.url("app")
        with Project({"app": (url, "landing", "")}) as first, Project({"app": (url, "landing", "")}) as second:
            first.command("setup", "postgres", "app")
            first.start()
            first.wait_ready()
            self.wait_table(first, "app", "public.t", "streaming")

            same_folder = first.command("run", check=False, seconds=90)
            self.assertEqual(same_folder.returncode, 1)
            self.assertIn(str(first.process.pid), same_folder.stderr)
            self.assertIn("run", same_folder.stderr)

            asked = first.command("query", "--format", "csv", "SELECT COUNT(*) AS n FROM landing.t")
            self.assertEqual(asked.stdout.split(), ["n", "0"], "a second process finds the running one")

            foreign = second.command("run", "--once", check=False, seconds=120)
            self.assertEqual(foreign.returncode, 1, foreign.stderr)
            self.assertIn("flytt_app", foreign.stderr)
            self.assertIn(str(self.server.execute("SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'flytt_app'")[0][0]), foreign.stderr)

            self.server.execute("INSERT INTO t VALUES (1)", database="app")
            self.assert_converges(first, "app", ["t"])
            self.assertEqual(first.stop(), 0)

            with socket.create_server(("127.0.0.1", first.rest_port)):
                taken = first.command("run", check=False, seconds=60)
            self.assertEqual(taken.returncode, 1)
            self.assertIn(str(first.rest_port), taken.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
