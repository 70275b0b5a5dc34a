"""The recipe's programs, as a team has them in production, from a real broker into `flytt warehouse`: only addresses and
credentials are others. They are run as processes and know nothing of flytt (tests/clients/recipe)."""

import datetime
import json
import os
import pathlib
import subprocess
import sys
import unittest

from service import PROJECT, Service
from support.kafka import Kafka, deps_folder

PROGRAMS = pathlib.Path(__file__).resolve().parent / "recipe"
JARS = deps_folder() / "recipe-java" / "lib"
TABLE = f"{PROJECT}.landing_events.hendelser"
SECONDS_MAX = 120  # passes only when a test has failed already
UTC = datetime.timezone.utc

# What a message says and what the row then holds.
ROWS = (
    ({"stringValue": "alt", "booleanValue": True, "numericValue": 0, "timestampValue": "2024-02-29T12:34:56Z"},
     ("alt", True, 0, datetime.datetime(2024, 2, 29, 12, 34, 56, tzinfo=UTC))),
    ({"stringValue": "bare navnet", "numericValue": 1}, ("bare navnet", None, 1, None)),
    ({"stringValue": "", "booleanValue": None, "numericValue": 2, "timestampValue": None}, ("", None, 2, None)),
    ({"stringValue": "æøå 🧾 \"\\\n", "booleanValue": False, "numericValue": 3, "timestampValue": "2024-02-29T12:34:56.123456+01:00"},
     ("æøå 🧾 \"\\\n", False, 3, datetime.datetime(2024, 2, 29, 11, 34, 56, 123456, UTC))),
    ({"stringValue": "største", "booleanValue": True, "numericValue": 2**63 - 1, "timestampValue": "9999-12-31 23:59:59.999999 UTC"},
     ("største", True, 2**63 - 1, datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC))),
    ({"stringValue": "minste", "booleanValue": False, "numericValue": -2**63, "timestampValue": "0001-01-01T00:00:00Z"},
     ("minste", False, -2**63, datetime.datetime(1, 1, 1, tzinfo=UTC))),
)


def many(first, count):
    began = datetime.datetime(2024, 2, 29, tzinfo=UTC)
    for n in range(first, first + count):
        at = began + datetime.timedelta(milliseconds=n)
        yield ({"stringValue": f"hendelse {n}", "booleanValue": n % 2 == 0, "numericValue": n, "timestampValue": at.isoformat()},
               (f"hendelse {n}", n % 2 == 0, n, at))


def setUpModule():
    global kafka
    kafka = Kafka(tls=True)


def tearDownModule():
    kafka.close()


class Recipe:
    """The cases of each program; `command` starts it."""

    command = ()
    topics = 0

    def setUp(self):
        self.service = Service()
        self.addCleanup(self.service.close)
        self.client().create_dataset("landing_events")
        self.make_topic()

    def client(self):
        client = self.service.rest()
        self.addCleanup(client.close)
        return client

    def make_topic(self):
        Recipe.topics += 1
        self.topic = f"team.hendelser-v{Recipe.topics}"
        kafka.create_topic(self.topic, 2)

    def produce(self, rows):
        kafka.produce(self.topic, [{"value": json.dumps(message).encode(), "partition": n % 2} for n, (message, _) in enumerate(rows)])

    def run_program(self, messages, status=0, group="hendelser", environment=None):
        """What it printed, standard error included."""
        done = subprocess.run(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=SECONDS_MAX,
            env={**os.environ, "KAFKA_BROKERS": kafka.brokers, "KAFKA_TOPIC": self.topic, "KAFKA_GROUP": f"{group} {self.topic}",
                 "BIGQUERY_EMULATOR_HOST": self.service.endpoints["rest"], "GOOGLE_CLOUD_PROJECT": PROJECT,
                 "BIGQUERY_DATASET": "landing_events", "BIGQUERY_TABLE": "hendelser", "MESSAGES": str(messages),
                 **(environment or {})})
        self.assertEqual(done.returncode, status, f"{done.stdout}\n{self.service.log_text()}")
        return done.stdout

    def assert_rows(self, expected):
        found = self.client().query_and_wait(f"SELECT * FROM `{TABLE}`")
        self.assertEqual(sorted(map(repr, map(tuple, found))), sorted(map(repr, expected)))

    def test_every_row_arrives_as_it_was_written(self):
        rows = [*ROWS, *many(100, 200)]
        self.produce(rows)
        self.assertIn("the table was made", self.run_program(len(rows)))
        self.assert_rows([row for _, row in rows])
        self.assertEqual([(field.name, field.field_type, field.mode) for field in self.client().get_table(TABLE).schema],
                         [("stringValue", "STRING", "REQUIRED"), ("booleanValue", "BOOLEAN", "NULLABLE"), ("numericValue", "INTEGER", "NULLABLE"),
                          ("timestampValue", "TIMESTAMP", "NULLABLE")])

    def test_it_reads_with_a_certificate(self):
        certificate, key = kafka.certificates.issue("oppskrift")
        self.produce(many(0, 10))
        self.run_program(10, environment={"KAFKA_BROKERS": kafka.tls_brokers, "KAFKA_CA_PATH": str(kafka.certificates.ca),
                                          "KAFKA_CERTIFICATE_PATH": str(certificate), "KAFKA_PRIVATE_KEY_PATH": str(key)})
        self.assert_rows([row for _, row in many(0, 10)])

    def test_it_goes_on_after_the_warehouse_was_killed(self):
        before, after = list(many(0, 20)), list(many(20, 20))
        self.produce(before)
        self.assertIn("the table was made", self.run_program(len(before)))
        self.service.stop(9)
        self.service.start()
        self.produce(after)
        self.assertIn("the table was there", self.run_program(len(after)))
        self.assert_rows([row for _, row in before + after])
        # A group of its own reads from the earliest message on, and insertAll adds rows.
        self.run_program(len(before + after), group="en annen")
        self.assert_rows([row for _, row in before + after] * 2)

    def test_a_bad_message_is_an_insert_error(self):
        good = list(many(0, 1))
        self.produce(good)
        self.run_program(1)
        for message, field in (({"numericValue": 5}, "stringValue"), ({"stringValue": "x", "numericValue": "hemmelig"}, "numericValue"),
                               ({"stringValue": "x", "extraValue": 1}, "extraValue")):
            with self.subTest(field):
                self.make_topic()
                self.produce([(message, None)])
                printed = self.run_program(1, status=1)
                self.assertIn("insert errors", printed)
                self.assertIn("invalid", printed)
                self.assertIn(field, printed)
                self.assertNotIn("hemmelig", printed + self.service.log_text())
                self.assert_rows([row for _, row in good])


class InPython(Recipe, unittest.TestCase):
    command = (sys.executable, str(PROGRAMS / "recipe.py"))


class InJava(Recipe, unittest.TestCase):
    """The source as it is: java compiles it when it starts."""

    command = ("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*", str(PROGRAMS / "Recipe.java"))


if __name__ == "__main__":
    unittest.main()
