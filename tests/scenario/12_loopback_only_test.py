"""Guarantee 12: the warehouse's listeners stay on loopback; another Host or a foreign Origin is refused."""

import http.client
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.flytt import PROGRAM, Project  # noqa: E402
from support.postgres import free_port  # noqa: E402


class LoopbackOnly(unittest.TestCase):
    def test_listeners(self):
        with Project({}) as project:
            for flag in ("--http", "--grpc"):
                done = project.command("warehouse", flag, "0.0.0.0:0", check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn("loopback", done.stderr)
            port = free_port()
            warehouse = subprocess.Popen([str(PROGRAM), "warehouse", "--data", str(project.folder / "w"), "--http", f"127.0.0.1:{port}", "--grpc", "127.0.0.1:0"],
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            try:
                warehouse.stdout.readline()
                self.assertEqual(self.ask(port, {}), 200)
                self.assertEqual(self.ask(port, {"Host": "bank.example"}), 403)
                self.assertEqual(self.ask(port, {"Origin": "https://evil.example"}), 403)
                self.assertEqual(self.ask(port, {"Origin": f"http://127.0.0.1:{port}"}), 200)
            finally:
                warehouse.terminate()
                self.assertEqual(warehouse.wait(60), 0)
            self.assertEqual((project.folder / "w").stat().st_mode & 0o777, 0o700)

    @staticmethod
    def ask(port, headers):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/bigquery/v2/projects/p/datasets", headers=headers)
        status = connection.getresponse().status
        connection.close()
        return status


if __name__ == "__main__":
    unittest.main(verbosity=2)
