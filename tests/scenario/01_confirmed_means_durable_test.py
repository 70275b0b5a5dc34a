"""Guarantee 1: a gate between flytt and the destination swallows requests, then answers; the slot's confirmed position waits."""

import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.case import Scenario, lsn  # noqa: E402
from support.flytt import PROGRAM, Project, wait_until  # noqa: E402
from support.gate import Gate  # noqa: E402
from support.postgres import free_port  # noqa: E402


class ConfirmedMeansDurable(Scenario):
    def confirmed(self):
        return lsn(self.server.execute("SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = 'flytt_app'")[0][0])

    def replies_seen(self, count):
        """Waits until the server got `count` more standby status messages, so that a wrong confirmation would have arrived."""
        for _ in range(count):
            before = self.server.execute("SELECT max(reply_time) FROM pg_stat_replication")[0][0]
            wait_until(lambda: self.server.execute("SELECT max(reply_time) FROM pg_stat_replication")[0][0] not in (before, None),
                       "a standby status message", 60)

    def test_lost_requests_and_lost_answers_hold_the_confirmation(self):
        self.server.create_database("app")
        self.server.execute("CREATE TABLE t (id int PRIMARY KEY, v text)", database="app")
        rest, grpc = free_port(), free_port()
        with Project({"app": (self.server.url("app"), "landing", "")}) as project, Gate(grpc) as gate:
            warehouse = subprocess.Popen([str(PROGRAM), "warehouse", "--data", str(project.folder / "far"), "--http", f"127.0.0.1:{rest}",
                                          "--grpc", f"127.0.0.1:{grpc}", "--project", "team"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            try:
                warehouse.stdout.readline()
                text = (project.folder / "flytt.yaml").read_text().replace(
                    "destination: {local: ./warehouse}",
                    f'destination: {{bigquery: {{rest: "http://127.0.0.1:{rest}", grpc: "127.0.0.1:{gate.port}"}}}}\nstate: {{sqlite: ./state.db}}')
                (project.folder / "flytt.yaml").write_text(text)
                project.rest_port = rest
                self.run_against(project, gate)
            finally:
                warehouse.terminate()
                warehouse.wait(60)

    def run_against(self, project, gate):
        project.command("setup", "postgres", "app")
        project.start()
        project.wait_ready()
        self.wait_table(project, "app", "public.t", "streaming")
        self.server.execute("INSERT INTO t SELECT n, 'first' FROM generate_series(1, 100) AS n", database="app")
        self.assert_converges(project, "app", ["t"])

        for number, direction in ((1, "swallow_requests"), (2, "swallow_answers")):
            setattr(gate, direction, True)
            with self.server.connect("app") as connection:
                connection.execute("INSERT INTO t SELECT n, 'held' FROM generate_series(%s::int, %s::int) AS n", (number * 1000, number * 1000 + 99))
                held = lsn(connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()[0])
            wait_until(lambda: gate.swallowed > 0, "bytes in the gate")
            self.replies_seen(3)
            self.assertLess(self.confirmed(), held, direction)
            setattr(gate, direction, False)
            gate.swallowed = 0
            gate.cut()
            self.assert_converges(project, "app", ["t"], seconds=120)
            wait_until(lambda: self.confirmed() >= held, "the confirmation after the gate is open", 60)
        self.assertEqual(project.count("landing.t"), 300)
        self.assertEqual(project.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
