"""The broker of the tests does what the tests believe of it."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import confluent_kafka

from support.flytt import wait_until
from support.gate import Gate
from support.kafka import Kafka


class KafkaFixture(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gate = Gate(0)
        cls.kafka = Kafka(tls=True, sasl=True, gate=cls.gate.port)
        cls.gate.target_port = cls.kafka.gate_target

    @classmethod
    def tearDownClass(cls):
        cls.kafka.close()
        cls.gate.close()

    def topics_seen(self, **settings):
        client = confluent_kafka.Consumer({"group.id": "look", **settings})
        try:
            return set(client.list_topics(timeout=10).topics)
        finally:
            client.close()

    def test_messages_survive_kill_and_aborted_ones_are_not_read(self):
        self.kafka.create_topic("a", partitions=2)
        self.kafka.produce("a", [{"value": b"1", "key": b"k", "partition": 1, "headers": [("h", b"v")], "timestamp": 5}])
        self.kafka.transaction("a", [{"value": b"no", "partition": 1}], commit=False)
        self.kafka.transaction("a", [{"value": b"2", "partition": 1}])
        # The marker of a transaction is written after its commit was answered.
        wait_until(lambda: len(self.kafka.read("a", 1)) == 2, "both committed messages")
        self.kafka.restart(kill=True)
        messages = self.kafka.read("a", 1)
        self.assertEqual([m.value() for m in messages], [b"1", b"2"])
        self.assertEqual((messages[0].key(), messages[0].headers(), messages[0].timestamp()[1]), (b"k", [("h", b"v")], 5))
        self.assertEqual([m.offset() for m in messages], [0, 3])
        self.assertEqual(self.kafka.read("a", 0), [])

    def test_topics_come_grow_shrink_and_go(self):
        self.kafka.create_topic("b", retention_ms=3_600_000)
        self.kafka.produce("b", [{"value": v, "key": v} for v in (b"1", b"2", b"3")])
        self.kafka.add_partitions("b", 3)
        self.kafka.truncate("b", 0, 2)
        self.assertEqual(self.kafka.ends("b"), {0: (2, 3), 1: (0, 0), 2: (0, 0)})
        self.kafka.delete_topic("b")
        self.assertNotIn("b", self.topics_seen(**{"bootstrap.servers": self.kafka.brokers}))

    def test_clients_need_a_certificate_or_a_password(self):
        self.kafka.create_topic("c")
        certificate, key = self.kafka.certificates.issue("client")
        tls = {"bootstrap.servers": self.kafka.tls_brokers, "security.protocol": "ssl", "log_level": 0,
               "ssl.ca.location": str(self.kafka.certificates.ca)}
        mine = {"ssl.certificate.location": str(certificate), "ssl.key.location": str(key)}
        self.assertIn("c", self.topics_seen(**tls, **mine))
        with self.assertRaises(confluent_kafka.KafkaException):
            confluent_kafka.Consumer({"group.id": "x", **tls}).list_topics(timeout=2)
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            sasl = {"bootstrap.servers": self.kafka.sasl_brokers, "security.protocol": "sasl_plaintext", "log_level": 0,
                    "sasl.mechanism": mechanism, "sasl.username": "alice"}
            self.assertIn("c", self.topics_seen(**sasl, **{"sasl.password": "alice-secret"}))
            with self.assertRaises(confluent_kafka.KafkaException):
                confluent_kafka.Consumer({"group.id": "x", **sasl, "sasl.password": "wrong"}).list_topics(timeout=2)

    def test_a_gate_is_between(self):
        self.kafka.create_topic("d")
        self.assertIn("d", self.topics_seen(**{"bootstrap.servers": self.kafka.gated_brokers}))
        self.gate.swallow_answers = True
        try:
            with self.assertRaises(confluent_kafka.KafkaException):
                confluent_kafka.Consumer({"group.id": "x", "bootstrap.servers": self.kafka.gated_brokers, "log_level": 0}).list_topics(timeout=1)
        finally:
            self.gate.swallow_answers = False


class OlderKafka(unittest.TestCase):
    def test_the_older_broker_stores_messages_and_offsets(self):
        with Kafka("3.9.2") as kafka:
            kafka.create_topic("a")
            kafka.produce("a", [b"1"])
            consumer = confluent_kafka.Consumer(kafka.client_settings(group_id="g", auto_offset_reset="earliest", enable_auto_commit=False))
            try:
                consumer.subscribe(["a"])
                message = consumer.poll(60)
                self.assertEqual(message.value(), b"1")
                consumer.commit(offsets=[confluent_kafka.TopicPartition("a", 0, 1, metadata="note")], asynchronous=False)
                self.assertEqual(list(kafka.members("g").values()), [[("a", 0)]])
            finally:
                consumer.close()
            self.assertEqual(kafka.committed("g"), {("a", 0): 1})
            kafka.forget_group("g")


if __name__ == "__main__":
    unittest.main()
