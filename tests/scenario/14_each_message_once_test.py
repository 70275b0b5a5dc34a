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
        return self.answer_of(self.warehouse, sql)

    @staticmethod
    def answer_of(warehouse, sql):
        try:
            return warehouse.query(sql)
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


class Members(unittest.TestCase):
    """Processes of one group. A session ends only after ten minutes, which no wait of these tests reaches."""

    def test_a_killed_member_has_its_partitions_at_once_and_a_stopped_one_gives_them_away(self):
        with Kafka() as kafka, Project(body="sources: {}\n") as warehouse:
            kafka.create_topic("events", 4)
            kafka.produce("events", [json.dumps({"n": -1}).encode()])  # shows the columns
            warehouse.start_verb("warehouse", "--data", "./warehouse", "--http", f"127.0.0.1:{warehouse.rest_port}",
                                 "--grpc", f"127.0.0.1:{warehouse.grpc_port}", "--project", "team")
            wait_until(lambda: EachMessageOnce.answer_of(warehouse, "SELECT 1"), warehouse.log_tail)
            body = (f'sources:\n  events: {{kafka: {{brokers: "{kafka.brokers}", session_timeout: 10m}}}}\n'
                    "streams:\n  events: {from: events, topics: [events], to: landing}\n")
            with Project(body=body, warehouse=warehouse) as first, Project(body=body, warehouse=warehouse) as second:
                sent = 0

                def held(member):
                    return sorted(p["partition"] for p in EachMessageOnce.partitions(member))

                def tails():
                    return f"{held(first)} {held(second)}\n{first.log_tail()}\n{second.log_tail()}"

                def arrive():
                    nonlocal sent
                    kafka.produce("events", [{"value": json.dumps({"n": sent + n}).encode(), "partition": n % 4} for n in range(400)])
                    sent += 400  # and the first one
                    wait_until(lambda: EachMessageOnce.answer_of(warehouse, "SELECT COUNT(*), COUNT(DISTINCT n) FROM landing.events")
                               == [[str(sent + 1)] * 2], tails)
                first.start()
                wait_until(lambda: len(held(first)) == 4, tails)
                second.start()
                wait_until(lambda: len(held(first)) == len(held(second)) == 2, tails)
                arrive()
                before = held(first), held(second)
                for member in (second, first):
                    member.kill()
                    member.start()
                    wait_until(lambda: (held(first), held(second)) == before, tails)
                    arrive()
                self.assertEqual(second.stop(), 0)
                wait_until(lambda: len(held(first)) == 4, tails)
                arrive()


class TopicsMadeAnew(unittest.TestCase):
    """A topic that was deleted and made anew under its name has other messages at the places that are remembered."""

    def setUp(self):
        self.kafka = Kafka()
        self.addCleanup(self.kafka.close)

    def send(self, first, count):
        self.kafka.produce("events", [json.dumps({"n": n}).encode() for n in range(first, first + count)])

    def body(self, stream="events", options=""):
        return (f'sources:\n  events: {{kafka: {{brokers: "{self.kafka.brokers}"}}}}\n'
                f"streams:\n  {stream}: {{from: events, topics: [events], to: landing.{stream}{options}}}\n")

    @staticmethod
    def set_body(project, body):
        path = project.folder / "flytt.yaml"
        path.write_text(path.read_text().split("sources:")[0] + body)

    @staticmethod
    def rows(project, table):
        return project.command("query", "--format", "csv", f"SELECT COUNT(*), MIN(n), MAX(n) FROM landing.{table}").stdout.split()[1]

    def test_it_is_noticed_whatever_number_of_messages_it_has(self):
        for count in (50, 150):
            with Project(body=self.body()) as project:
                self.kafka.create_topic("events", 1)
                self.send(0, 100)
                project.command("run", "--once")
                self.kafka.delete_topic("events")
                self.kafka.create_topic("events", 1)
                self.send(1000, count)
                stopped = project.command("run", "--once", check=False)
                self.assertNotEqual(stopped.returncode, 0)
                self.assertIn("topic events was deleted and made anew", stopped.stderr)
                self.assertEqual(self.rows(project, "events"), "100,0,99")
                # One of the choices, and what it takes: the table must not hold rows of the old topic.
                self.set_body(project, self.body(options=", lost: earliest"))
                held = project.command("run", "--once", check=False)
                self.assertNotEqual(held.returncode, 0)
                self.assertIn("holds rows of the topic that was called events before", held.stderr)
                self.assertEqual(self.rows(project, "events"), "100,0,99")
                self.set_body(project, self.body(options=", lost: earliest").replace("landing.events", "landing.anew"))
                project.command("run", "--once")
                self.assertEqual(self.rows(project, "anew"), f"{count},1000,{999 + count}")
                # The other one.
                self.set_body(project, self.body("others"))
                project.command("run", "--once")
                self.assertEqual(self.rows(project, "others"), f"{count},1000,{999 + count}")
                self.kafka.delete_topic("events")
                for group in ("flytt_events", "flytt_others"):
                    self.kafka.forget_group(group)

    def test_it_is_noticed_while_it_is_read(self):
        self.kafka.create_topic("events", 1)
        self.send(0, 100)
        with Project(body=self.body()) as project:
            project.start()
            wait_until(lambda: EachMessageOnce.answer_of(project, "SELECT COUNT(*) FROM landing.events") == [["100"]], project.log_tail)
            self.kafka.delete_topic("events")
            self.kafka.create_topic("events", 1)
            self.send(1000, 150)
            wait_until(lambda: "made anew" in str(project.status()["streams"][0]["error"]), lambda: f"{project.status()}\n{project.log_tail()}", 90)


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
