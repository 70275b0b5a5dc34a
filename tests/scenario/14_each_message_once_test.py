"""Guarantee 14: three processes share a topic's partitions and are killed, frozen and rebalanced, and the broker and the
warehouse restart; each message is in the table exactly once, and those of a partition in their order."""

import argparse
import json
import pathlib
import random
import signal
import sys
import threading
import unittest

import confluent_kafka

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.flytt import Project, wait_until  # noqa: E402
from support.kafka import Kafka  # noqa: E402

OPTIONS = argparse.Namespace(messages=300_000, events=12, seed=7)
PARTITIONS = 12


class Producer:
    """Writes numbered messages over all partitions, a batch at a time, until all are stored."""

    def __init__(self, kafka, total):
        self.kafka, self.total, self.sent, self.failure = kafka, total, 0, None
        self.may_send = threading.Event()
        self.may_send.set()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            producer = self.kafka.producer(enable_idempotence=True)  # or a killed broker has messages twice
            for begin in range(0, self.total, 5000):
                self.may_send.wait()
                self.kafka.produce("events", [{"value": json.dumps({"n": n, "text": f"message {n}"}).encode(), "partition": n % PARTITIONS}
                                              for n in range(begin, min(begin + 5000, self.total))], producer)
                self.sent = min(begin + 5000, self.total)
        except Exception as failure:  # told by the main thread
            self.failure = failure


class EachMessageOnce(unittest.TestCase):
    def setUp(self):
        self.kafka = Kafka()
        self.addCleanup(self.kafka.close)
        self.kafka.create_topic("events", PARTITIONS)
        self.random = random.Random(OPTIONS.seed)
        self.warehouse = Project(body="sources: {}\n")
        self.addCleanup(self.warehouse.__exit__, None)
        self.start_warehouse()
        source = f'sources:\n  events: {{kafka: {{brokers: "{self.kafka.brokers}", session_timeout: 6s}}}}\n'
        streams = "streams:\n  events: {from: events, topics: [events], to: landing}\n"
        self.members = []
        for _ in range(3):
            member = Project(body=source + streams, warehouse=self.warehouse)
            self.addCleanup(member.__exit__, None)
            self.members.append(member)
            member.start()

    def start_warehouse(self):
        project = self.warehouse
        project.start_verb("warehouse", "--data", "./warehouse", "--http", f"127.0.0.1:{project.rest_port}",
                           "--grpc", f"127.0.0.1:{project.grpc_port}", "--project", "team")
        wait_until(lambda: self.answer("SELECT 1") is not None, project.log_tail)

    def answer(self, sql):
        try:
            return self.warehouse.query(sql)
        except OSError:
            return None

    # -- events

    def kill(self, member):
        member.kill()
        member.start()

    def freeze(self, member):
        """Beyond the session's timeout: its partitions go to others, and then it wakes up."""
        member.process.send_signal(signal.SIGSTOP)
        try:
            others = [m for m in self.members if m is not member]
            wait_until(lambda: sum(len(self.partitions(m)) for m in others) == PARTITIONS, self.tails, 120, step=0.5)
        finally:
            member.process.send_signal(signal.SIGCONT)

    def leave_and_return(self, member):
        member.stop()
        member.start()

    def restart_broker(self, _):
        self.kafka.restart(kill=self.random.random() < 0.5)

    def restart_warehouse(self, _):
        self.warehouse.kill()
        self.start_warehouse()

    def forget_group(self, _):
        for member in self.members:
            member.kill()

        def forgotten():
            try:
                self.kafka.forget_group("flytt_events")
                return True
            except confluent_kafka.KafkaException as refusal:  # until the dead members' sessions have ended
                return refusal.args[0].code() == confluent_kafka.KafkaError.GROUP_ID_NOT_FOUND
        wait_until(forgotten, "an empty group", 90, step=1)
        for member in self.members:
            member.start()

    # -- looks

    @staticmethod
    def partitions(member):
        streams = json.loads(member.command("status", "--json").stdout)["streams"]
        return [p for stream in streams for p in stream["partitions"] if p["state"] == "reading"]

    def rows(self):
        answer = self.answer("SELECT COUNT(*) FROM landing.events")
        return int(answer[0][0]) if answer else 0

    def tails(self):
        return f"{self.rows()} rows\n" + "\n\n".join(f"{m.status()['streams']}\n{m.log_tail(15)}" for m in self.members)

    def test_everything_goes_wrong(self):
        producer = Producer(self.kafka, OPTIONS.messages)
        kinds = [self.kill, self.freeze, self.leave_and_return, self.restart_broker, self.restart_warehouse, self.forget_group]
        events = [kinds[i % len(kinds)] for i in range(OPTIONS.events)]
        self.random.shuffle(events)
        for number, event in enumerate(events):
            share = OPTIONS.messages * (number + 1) // (len(events) + 1)
            wait_until(lambda: producer.failure or producer.sent >= share, lambda: f"{producer.sent} sent", 300, step=0.2)
            self.assertIsNone(producer.failure)
            producer.may_send.clear()
            wait_until(lambda: self.rows() >= share // 2, self.tails, 180, step=0.2)  # in the middle of the work, not before it
            print(f"  event {number + 1}: {event.__name__}, {producer.sent} sent, {self.rows()} rows", flush=True)
            event(self.members[self.random.randrange(3)])
            producer.may_send.set()
        wait_until(lambda: producer.failure or producer.sent == OPTIONS.messages, lambda: f"{producer.sent} sent", 600, step=0.2)
        producer.thread.join()
        self.assertIsNone(producer.failure)
        wait_until(lambda: self.rows() >= OPTIONS.messages, self.tails, 300, step=1)

        def caught_up():
            found = [p for m in self.members for p in self.partitions(m)]
            return len(found) == PARTITIONS and all(p["lag"] == 0 for p in found)
        wait_until(caught_up, self.tails, 60, step=1)
        total = str(sum(end for _, end in self.kafka.ends("events").values()))
        place = "SELECT DISTINCT _kafka_topic, _kafka_partition, _kafka_offset FROM landing.events"
        self.assertEqual(self.answer(f"SELECT (SELECT COUNT(*) FROM landing.events), (SELECT COUNT(*) FROM ({place}))"), [[total, total]],
                         self.tails())
        self.assertEqual(self.answer("SELECT COUNT(DISTINCT n), MIN(n), MAX(n) FROM landing.events"),
                         [[str(OPTIONS.messages), "0", str(OPTIONS.messages - 1)]])
        for member in self.members:
            self.assertEqual(member.stop(), 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seed", type=int, default=OPTIONS.seed)
    parser.add_argument("--messages", type=int)
    parser.add_argument("--events", type=int)
    asked, rest = parser.parse_known_args()
    if asked.long:
        OPTIONS.messages, OPTIONS.events = 5_000_000, 100
    OPTIONS.seed = asked.seed
    OPTIONS.messages = asked.messages or OPTIONS.messages
    OPTIONS.events = asked.events if asked.events is not None else OPTIONS.events
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
