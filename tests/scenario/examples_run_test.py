"""Each configuration of examples/ does what its first lines say, with real servers."""

import http.server
import pathlib
import shutil
import subprocess
import sys
import threading
import unittest

from support.flytt import ROOT, Project, wait_until
from support.kafka import Kafka
from support.postgres import Postgres
from support.workload import make_sak

EXAMPLES = ROOT / "examples"


def project_of(example, change=lambda text: text):
    """Its sources and what follows, in a folder and with ports of its own."""
    text = (EXAMPLES / example / "flytt.yaml").read_text()
    project = Project(body=change(text[text.index("sources:"):]))
    for file in (EXAMPLES / example).iterdir():
        if file.is_file() and file.name != "flytt.yaml":
            shutil.copy(file, project.folder)
    return project


class Collector:
    """Takes what is sent by PUT with the right token."""

    def __init__(self, token):
        self.stories, self.refused = [], 0
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                is_welcome = self.headers["Authorization"] == f"Bearer {token}"
                if is_welcome:
                    collector.stories.append(body.decode())
                else:
                    collector.refused += 1
                self.send_response(200 if is_welcome else 401)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/quarto/update/1"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Databases(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Postgres()
        make_sak(cls.server, "sak")
        cls.environment = {"SAK_URL": cls.server.url("sak"), "BANK_URL": cls.server.url("bank")}
        cls.server.create_database("bank")
        with cls.server.connect("bank") as connection:
            connection.execute("CREATE TABLE konto (id bigint PRIMARY KEY, saldo numeric(20, 2)); CREATE TABLE logg (id bigint PRIMARY KEY);"
                               "INSERT INTO konto SELECT n, n FROM generate_series(1, 100) AS n")
        with cls.server.connect("sak") as connection:
            connection.execute("CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY)")

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def test_several_databases_with_tables_left_out(self):
        with project_of("postgres") as project:
            for source in ("sak", "bank"):
                project.command("setup", "postgres", source, environment=self.environment)
            project.command("run", "--once", environment=self.environment)
            status = {s["name"]: sorted(t["source_table"] for t in s["tables"]) for s in project.status()["streams"]}
            self.assertEqual(status, {"sak": ["public.person", "public.sak", "public.vedtak"], "bank": ["public.konto"]})
            counted = project.command("query", "--format", "csv", "SELECT (SELECT COUNT(*) FROM landing_sak.sak), (SELECT SUM(saldo) FROM landing_bank.konto)")
            self.assertEqual(counted.stdout.split()[1], "500,5050")
            for source in ("sak", "bank"):
                project.command("teardown", source, environment=self.environment)

    def test_a_query_in_a_database(self):
        with project_of("query") as project:
            refused = project.command("run", "--once", check=False)
            self.assertEqual(refused.returncode, 2)
            self.assertIn("'SAK_URL' is not set; query 'tables' reads from this source", refused.stderr)
            project.command("run", "--once", environment=self.environment)
            rows = project.command("query", "--format", "csv", "SELECT name, `type` FROM landing_sak.tables WHERE name = 'vedtak'").stdout.split()
            self.assertEqual(rows, ["name,type", "vedtak,r"])

    def test_a_story_that_is_told_again_when_its_product_has_changed(self):
        collector = Collector("a-token")
        self.addCleanup(collector.close)

        def change(text):
            return text.replace("every: 1m", "every: 15s").replace("timeout: 5m", "timeout: 5m\n    at_most: 1s").replace("# env:", "env:").replace("# secrets:", "secrets:").replace(
                "https://stories.example.no/quarto/update/0a1b", collector.url)
        environment = {**self.environment, "STORY_TOKEN": "a-token"}
        with project_of("story", change) as project:
            project.command("setup", "postgres", "sak", environment=environment)
            project.start(environment=environment)
            project.wait_ready()
            wait_until(lambda: collector.stories, project.log_tail, 90)
            self.assertIn("Av 500 saker er 333 ikke lukket", collector.stories[0])
            self.assertIn("<svg", collector.stories[0])
            self.server.execute("UPDATE sak SET status = 'lukket' WHERE saksnr IN ('S-1', 'S-3')", database="sak")
            wait_until(lambda: "Av 500 saker er 331 ikke lukket" in collector.stories[-1], project.log_tail, 90)
            page = (project.folder / "story" / "index.html").read_text()
            self.assertIn("Saker per kontor", page)
            project.stop()
            self.assertNotIn("a-token", project.all_logs())
            self.server.execute("UPDATE sak SET status = 'ny' WHERE saksnr IN ('S-1', 'S-3')", database="sak")
            project.command("teardown", "sak", environment=environment)


class Topic(unittest.TestCase):
    def test_messages_become_rows(self):
        with Kafka() as kafka, project_of("kafka") as project:
            kafka.create_topic("team.hendelser-v1", 2)
            environment = {"KAFKA_BROKERS": kafka.brokers}
            subprocess.run([sys.executable, str(pathlib.Path(project.folder) / "produce.py"), "100"], check=True,
                           env={"KAFKA_BROKERS": kafka.brokers, "PYTHONPATH": ":".join(sys.path)})
            project.command("run", "--once", environment=environment)
            counted = project.command("query", "--format", "csv", "SELECT COUNT(*), COUNT(DISTINCT numericValue) FROM landing_events.hendelser", environment=environment)
            self.assertEqual(counted.stdout.split()[1], "100,100")


if __name__ == "__main__":
    unittest.main(verbosity=2)
