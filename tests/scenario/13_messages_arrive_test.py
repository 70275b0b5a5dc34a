"""Guarantee 13: the recipe. Messages of a topic are rows of a table that is made when it is missing, from the first one on."""

import json
import pathlib
import re
import sys
import unittest
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.flytt import Project, wait_until  # noqa: E402
from support.kafka import AUTHORIZER, Kafka  # noqa: E402

SCHEMA = """
    schema:
      - {name: stringValue, type: STRING, mode: REQUIRED}
      - {name: booleanValue, type: BOOL}
      - {name: numericValue, type: INT64}
      - {name: timestampValue, type: TIMESTAMP}
"""


def message(number):
    return json.dumps({"stringValue": f"text {number}", "booleanValue": number % 2 == 0, "numericValue": number,
                       "timestampValue": f"2024-02-29T12:34:{number % 60:02d}.123456789Z"}).encode()


def body(kafka, streams, settings=""):
    return f'sources:\n  events: {{kafka: {{brokers: "{kafka.brokers}"{settings}}}}}\nstreams:\n{streams}'


class MessagesArrive(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = Kafka()

    @classmethod
    def tearDownClass(cls):
        cls.kafka.close()

    def lanes(self, project, stream):
        return {(p["topic"], p["partition"]): p for s in project.status()["streams"] if s["name"] == stream for p in s["partitions"]}

    def test_the_recipe(self):
        self.kafka.create_topic("team.hendelser-v1", 3)
        self.kafka.produce("team.hendelser-v1", [message(n) for n in range(1000)])
        streams = "  hendelser:\n    from: events\n    topics: [team.hendelser-v1]\n    to: landing_events.hendelser\n" + SCHEMA
        with Project(body=body(self.kafka, streams)) as project:
            planned = json.loads(project.command("plan", "--json").stdout)["tables"][0]
            self.assertEqual(planned["action"], "create")
            self.assertEqual([c["name"] for c in planned["columns"]][:4], ["stringValue", "booleanValue", "numericValue", "timestampValue"])
            self.assertEqual(project.command("check").returncode, 0)
            project.start()
            project.wait_ready()
            wait_until(lambda: self.rows(project) == 1000, lambda: f"1000 rows\n{project.log_tail()}")
            self.kafka.produce("team.hendelser-v1", [message(n) for n in range(1000, 1500)])
            wait_until(lambda: self.rows(project) == 1500, lambda: f"1500 rows\n{project.log_tail()}")
            self.assertEqual(project.query("SELECT COUNT(DISTINCT numericValue), SUM(numericValue), COUNTIF(booleanValue), MIN(timestampValue)"
                                           " FROM landing_events.hendelser")[0][:3], ["1500", str(sum(range(1500))), "750"])
            self.assertEqual(project.query("SELECT COUNT(*) FROM (SELECT DISTINCT _kafka_topic, _kafka_partition, _kafka_offset"
                                           " FROM landing_events.hendelser)"), [["1500"]])
            wait_until(lambda: sum(self.kafka.committed("flytt_hendelser").values()) == 1500, "committed offsets")
            for _, metadata in self.kafka.commits("flytt_hendelser").values():
                self.assertRegex(metadata, r"^flytt1:[A-Za-z0-9+/]+=+$")
            wait_until(lambda: all(p["lag"] == 0 for p in self.lanes(project, "hendelser").values()), lambda: project.status())
            self.assertEqual(len(self.lanes(project, "hendelser")), 3)
            self.assertEqual(project.stop(), 0)
            self.assertEqual(sum(p["saved"] for p in self.lanes(project, "hendelser").values()), 1500)

    def rows(self, project):
        try:
            return project.count("landing_events.hendelser")
        except OSError:
            return -1

    def test_once_ends_when_everything_is_there(self):
        self.kafka.create_topic("once", 2)
        self.kafka.produce("once", [message(n) for n in range(500)])
        with Project(body=body(self.kafka, "  once: {from: events, topics: [once], to: landing}\n")) as project:
            for extra in (0, 250):
                self.kafka.produce("once", [message(500 + n) for n in range(extra)])
                project.command("run", "--once")
                found = project.command("query", "--format", "csv", "SELECT COUNT(*), SUM(numericValue) FROM landing.once").stdout.split()
                self.assertEqual(found[1], f"{500 + extra},{sum(range(500 + extra))}")

    def test_at_least_once_and_upsert(self):
        self.kafka.create_topic("many", 2)
        self.kafka.create_topic("state", 2)
        self.kafka.produce("many", [message(n) for n in range(300)])
        self.kafka.produce("state", [{"key": f"k{n % 10}", "value": message(n)} for n in range(300)] +
                           [{"key": "k3", "value": None}])
        streams = ("  many: {from: events, topics: [many], to: landing, delivery: at_least_once}\n"
                   "  state: {from: events, topics: [state], to: landing, delivery: upsert}\n")
        with Project(body=body(self.kafka, streams)) as project:
            project.start()
            project.wait_ready()

            def equal():
                try:
                    return project.count("landing.many") == 300 and project.query(
                        "SELECT COUNT(*), MIN(numericValue) FROM landing.state") == [["9", "290"]]
                except OSError:
                    return False
            wait_until(equal, project.log_tail)
            project.stop()
            self.kafka.add_partitions("state", 3)
            self.kafka.add_partitions("many", 3)
            project.start()
            project.wait_log("a topic of upserts has got another partition")
            self.assertIn("state/2", project.log_text())
            self.assertEqual(project.log_text().count("has got another partition"), 1)

    def test_each_key_of_an_upsert_has_its_newest_value_while_its_topic_grows(self):
        """Keys move into partitions with lower offsets, old ones as well as new ones, while flytt is killed again and again."""
        keys, newest, partitions = [f"key {n}" for n in range(80)], {}, 2
        self.kafka.create_topic("grows", partitions)

        def produce(rounds, deleted=()):
            messages = []
            for _ in range(rounds):
                for key in keys:
                    produce.number += 1
                    newest[key] = None if key in deleted else produce.number
                    messages.append({"key": key, "value": message(produce.number) if key not in deleted else None,
                                     "partition": zlib.crc32(key.encode()) % partitions})
            self.kafka.produce("grows", messages)
        produce.number = 0

        def rows(project):
            return {key: int(number) for key, number in project.query("SELECT _kafka_key, numericValue FROM landing.grows")}

        def grow(to):
            nonlocal partitions
            self.kafka.add_partitions("grows", to)
            partitions = to

        def shows_the_newest(project):
            expected = {key: number for key, number in newest.items() if number is not None}
            read = lambda: self.kafka.committed("flytt_grows")  # noqa: E731
            wait_until(lambda: sum(read().values()) == self.length("grows"), lambda: f"{read()}\n{project.log_tail()}", 120)
            self.assertEqual(rows(project), expected)

        with Project(body=body(self.kafka, "  grows: {from: events, topics: [grows], to: landing, delivery: upsert}\n")) as project:
            produce(30)
            project.start()
            project.wait_ready()
            shows_the_newest(project)
            produce(5)
            project.kill()  # what it has read is read again, in part
            grow(5)
            produce(1, deleted=keys[::7])
            produce(1, deleted=keys[::7])
            project.start()
            project.wait_ready()
            shows_the_newest(project)
            self.assertIn("a topic of upserts has got another partition", project.log_text())
            produce(20, deleted=keys[::5])
            project.kill()
            grow(6)
            produce(1)
            grow(9)  # twice while nobody looks
            produce(1, deleted=keys[::3])
            project.start()
            project.wait_ready()
            project.kill()  # in the midst of it
            project.start()
            project.wait_ready()
            shows_the_newest(project)
            self.assertEqual(project.stop(), 0)

    def length(self, topic):
        return sum(len(self.kafka.read(topic, p)) for p in self.kafka.partitions(topic))

    def test_tls_and_scram_with_the_newest_broker(self):
        self.prove_ourselves("4.3.0")

    def test_tls_and_scram_with_an_older_broker(self):
        self.prove_ourselves("3.9.2")

    def prove_ourselves(self, version):
        with Kafka(version, tls=True, sasl=True) as kafka:
            kafka.create_topic("safe", 1)
            kafka.produce("safe", [message(n) for n in range(10)])
            self.read_with_a_certificate(kafka)
            for mechanism in ("scram-sha-256", "scram-sha-512"):
                self.read_with_a_password(kafka, mechanism, kafka.sasl_brokers, "")
                self.read_with_a_password(kafka, mechanism, kafka.sasl_tls_brokers, f"tls: {{ca: {kafka.certificates.ca}}}, ")

    def read_with_a_certificate(self, kafka):
        certificate, key = kafka.certificates.issue("flytt")
        body = "sources:\n  events: {kafka: {}}\nstreams:\n  safe: {from: events, topics: [safe], to: landing}\n"
        platform = {"KAFKA_BROKERS": kafka.tls_brokers, "KAFKA_CA_PATH": str(kafka.certificates.ca),
                    "KAFKA_CERTIFICATE_PATH": str(certificate), "KAFKA_PRIVATE_KEY": key.read_text()}
        with Project(body=body) as project:
            self.assertEqual(project.command("check", environment=platform).returncode, 0)
            self.assert_reads_all(project, platform)
            # A certificate that does not belong to the key, and none at all.
            for wrong in ({"KAFKA_CERTIFICATE_PATH": str(kafka.certificates.broker_certificate)},
                          {"KAFKA_CERTIFICATE_PATH": "", "KAFKA_PRIVATE_KEY": ""}):
                refused = project.command("check", environment={**platform, **wrong}, check=False)
                self.assertEqual(refused.returncode, 3, refused.stdout)
                self.assertIn("certificate", refused.stdout)
                self.assertIn("sources.events", refused.stdout)

    def read_with_a_password(self, kafka, mechanism, brokers, tls):
        sasl = f'{tls}sasl: {{mechanism: {mechanism}, user: alice, password: "${{env:P}}"}}'
        body = (f'sources:\n  events: {{kafka: {{brokers: "{brokers}", {sasl}}}}}\n'
                f"streams:\n  safe: {{from: events, topics: [safe], to: landing, group: {mechanism}-of-{brokers.replace(':', '-')}}}\n")
        with Project(body=body) as project:
            right, wrong = {"P": "alice-secret"}, {"P": "feil-hemmelighet"}
            self.assertEqual(project.command("check", environment=right).returncode, 0)
            self.assert_reads_all(project, right)
            refused = project.command("check", environment=wrong, check=False)
            self.assertEqual(refused.returncode, 3, refused.stdout)
            self.assertIn("check the SASL user and password", refused.stdout)
            self.assertIn("sources.events.kafka.sasl", refused.stdout)
            stopped = project.command("run", "--once", environment=wrong, check=False)
            self.assertNotEqual(stopped.returncode, 0)
            self.assertIn("of source 'events': check the SASL user and password", stopped.stderr)
            for text in (refused.stdout, refused.stderr, stopped.stdout, stopped.stderr):
                self.assertNotIn("feil-hemmelighet", text)

    def assert_reads_all(self, project, environment):
        project.command("run", "--once", environment=environment)
        found = project.command("query", "--format", "csv", "SELECT COUNT(*) FROM landing.safe", environment=environment).stdout.split()
        self.assertEqual(found[1], "10")

    def test_check_names_every_right_that_is_missing_and_what_grants_it(self):
        with Kafka(tls=True, sasl=True, settings=AUTHORIZER) as kafka:
            for topic in ("full", "tom", "brev"):  # a right is missed before the first message, too
                kafka.create_topic(topic, 1)
            kafka.produce("full", [message(n) for n in range(10)])
            password = 'sasl: {user: alice, password: "${env:P}"}'
            body = (f'sources:\n  events: {{kafka: {{brokers: "{kafka.sasl_brokers}", {password}}}}}\nstreams:\n'
                    "  full: {from: events, topics: [full], to: landing, group: gruppe}\n"
                    "  tom: {from: events, topics: [tom], to: landing, group: gruppe, dead_letters: brev}\n")
            self.look_with_a_certificate(kafka)
            with Project(body=body) as project:
                environment = {"P": "alice-secret"}

                def missing():
                    """{(rule, the right and its object in the command)} of what check finds."""
                    done = project.command("check", "--json", environment=environment, check=False)
                    found = json.loads(done.stdout)["findings"]
                    self.assertEqual(done.returncode, 3 if found else 0)
                    commands = [(f["rule"], re.search(r"kafka-acls.sh --bootstrap-server (\S+) --add --allow-principal 'User:alice' --operation (.*?)(,|$)",
                                                      f["fix"])) for f in found]
                    self.assertTrue(all(c and c.group(1) == kafka.sasl_brokers for _, c in commands), found)
                    return {(rule, command.group(2)) for rule, command in commands}

                def missing_becomes(expected):  # rights take a moment from the controller to the broker
                    wait_until(lambda: missing() == expected, lambda: f"{missing()} instead of {expected}")
                read = {topic: ("read", f"Read --topic {topic}") for topic in ("full", "tom")}
                join, write = ("group", "Read --group gruppe"), ("dead_letters", "Write --topic brev")
                missing_becomes({("topics", "Read --topic full"), ("topics", "Read --topic tom"), join, write})
                for kind, name in (("TOPIC", "full"), ("TOPIC", "tom"), ("TOPIC", "brev"), ("GROUP", "gruppe")):
                    kafka.grant("alice", "DESCRIBE", kind, name)  # all may be seen, and nothing else
                missing_becomes({read["full"], read["tom"], join, write})
                kafka.grant("alice", "READ", "TOPIC", "full")
                missing_becomes({read["tom"], join, write})
                kafka.grant("alice", "READ", "GROUP", "gruppe")
                missing_becomes({read["tom"], write})
                kafka.grant("alice", "WRITE", "TOPIC", "brev")
                missing_becomes({read["tom"]})
                kafka.grant("alice", "READ", "TOPIC", "tom")
                missing_becomes(set())
                # No other right is needed, also not for the first dead letter.
                kafka.produce("tom", [message(0), b"nonsense"])
                project.command("run", "--once", environment=environment)
                for table, count in (("full", "10"), ("tom", "1")):
                    found = project.command("query", "--format", "csv", f"SELECT COUNT(*) FROM landing.{table}", environment=environment)
                    self.assertEqual(found.stdout.split()[1], count)
                self.assertEqual([m.value() for m in kafka.read("brev")], [b"nonsense"])
                kafka.delete_topic("brev")
                done = project.command("check", environment=environment, check=False)
                self.assertEqual(done.returncode, 3)
                self.assertIn("make the topic, or take 'streams.tom.dead_letters' away", done.stdout)

    def look_with_a_certificate(self, kafka):
        """`init` needs no right but to read the topics; without it the topic is named, and those that may be read are sampled."""
        certificate, key = kafka.certificates.issue("flytt")
        environment = {"KAFKA_BROKERS": kafka.tls_brokers, "KAFKA_CA_PATH": str(kafka.certificates.ca),
                       "KAFKA_CERTIFICATE_PATH": str(certificate), "KAFKA_PRIVATE_KEY_PATH": str(key)}
        kafka.grant("CN=flytt", "READ", "TOPIC", "full")
        kafka.grant("CN=flytt", "DESCRIBE", "TOPIC", "tom")
        with Project(body="sources: {}\nstreams: {}\n") as project:
            def made():
                done = project.command("init", "--force", "--config", "made.yaml", environment=environment, check=False)
                return (project.folder / "made.yaml").read_text() if done.returncode == 0 else ""
            wait_until(lambda: "topics: [full]" in made() and "tom may not be read" in made(), made)
            for _ in range(5):  # the answer about a group that nobody asked for may come before or after the messages
                text = made()
                self.assertIn("{name: numericValue, type: INT64}", text)
                self.assertIn("# tom may not be read: ", text)
                self.assertNotIn("brev", text)

    def test_init_and_check_name_what_is_there_and_what_is_missing(self):
        self.kafka.create_topic("kjent", 1)
        self.kafka.produce("kjent", [message(n) for n in range(20)])
        with Project(body="sources: {}\nstreams: {}\n") as project:
            project.command("init", "--kafka", self.kafka.brokers, "--config", "made.yaml")
            made = (project.folder / "made.yaml").read_text()
            self.assertIn("topics: [kjent]", made)
            self.assertIn("{name: numericValue, type: INT64}", made)
            self.assertEqual(project.command("plan", "--config", "made.yaml").returncode, 0)
        with Project(body=body(self.kafka, "  s: {from: events, topics: [ukjent], to: landing}\n")) as project:
            missing = project.command("check", check=False)
            self.assertEqual(missing.returncode, 3)
            self.assertIn("ukjent", missing.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
