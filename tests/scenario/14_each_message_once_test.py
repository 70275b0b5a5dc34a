"""Guarantee 14: three processes share a topic's partitions and are killed, frozen and rebalanced, broker and warehouse
restart, connections are cut, answers are lost, the group's offsets are deleted; each message is in the table exactly once,
and those of a partition in their order."""

import argparse
import json
import pathlib
import random
import signal
import sys
import threading
import types
import unittest
import urllib.request

import confluent_kafka

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.flytt import Project, wait_until  # noqa: E402
from support.gate import Gate  # noqa: E402
from support.kafka import Kafka  # noqa: E402

OPTIONS = argparse.Namespace(messages=300_000, events=12, seed=7)
PARTITIONS = 12
CHUNK = 5000
ANSWERS_LOST = 400  # bytes of them: several appends


class Producer:
    """Writes numbered messages over all partitions, a batch at a time, up to what is allowed."""

    def __init__(self, kafka):
        self.kafka, self.sent, self.allowed, self.failure, self.is_ended = kafka, 0, 0, None, False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def allow(self, count):
        with self.changed:
            self.allowed = max(self.allowed, count)
            self.changed.notify()

    def close(self):
        with self.changed:
            self.is_ended = True
            self.changed.notify()
        self.thread.join()

    def has_sent(self, count):
        if self.failure:
            raise self.failure
        return self.sent >= count

    def _run(self):
        try:
            producer = self.kafka.producer(enable_idempotence=True)  # or a killed broker has messages twice
            while True:
                with self.changed:
                    self.changed.wait_for(lambda: self.is_ended or self.sent < self.allowed)
                    if self.is_ended:
                        return
                    numbers = range(self.sent, min(self.sent + CHUNK, self.allowed))
                self.kafka.produce("events", [{"value": json.dumps({"n": n, "text": f"message {n}"}).encode(), "partition": n % PARTITIONS}
                                              for n in numbers], producer)
                self.sent = numbers.stop
        except Exception as failure:  # told by the main thread
            self.failure = failure


class EachMessageOnce(unittest.TestCase):
    def setUp(self):
        self.broker_gate = Gate(0)
        self.addCleanup(self.broker_gate.close)
        self.kafka = Kafka(gate=self.broker_gate.port)
        self.addCleanup(self.kafka.close)
        self.broker_gate.target_port = self.kafka.gate_target
        self.kafka.create_topic("events", PARTITIONS)
        self.warehouse = Project(body="sources: {}\n")
        self.addCleanup(self.warehouse.__exit__, None)
        self.start_warehouse()
        self.producer = Producer(self.kafka)
        self.addCleanup(self.producer.close)
        self.members = []

    def start_warehouse(self):
        project = self.warehouse
        project.start_verb("warehouse", "--data", "./warehouse", "--http", f"127.0.0.1:{project.rest_port}",
                           "--grpc", f"127.0.0.1:{project.grpc_port}", "--project", "team")
        wait_until(lambda: self.answer("SELECT 1") is not None, project.log_tail)

    def start_member(self):
        """One that reaches the broker and the warehouse through gates."""
        gates = [Gate(self.warehouse.rest_port), Gate(self.warehouse.grpc_port)]
        for gate in gates:
            self.addCleanup(gate.close)
        source = f'sources:\n  events: {{kafka: {{brokers: "{self.kafka.gated_brokers}", session_timeout: 6s}}}}\n'
        streams = "streams:\n  events: {from: events, topics: [events], to: landing}\n"
        member = Project(body=source + streams, warehouse=types.SimpleNamespace(rest_port=gates[0].port, grpc_port=gates[1].port))
        member.gates = gates
        self.addCleanup(member.__exit__, None)
        self.members.append(member)
        member.start()
        return member

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

    def rebalance(self, member):
        member.stop()
        member.start()

    def restart_broker(self, _):
        self.kafka.restart(kill=self.random.random() < 0.5)

    def cut_from_broker(self, _):
        self.producer.allow(self.producer.sent + CHUNK)
        self.broker_gate.cut()

    def cut_from_warehouse(self, member):
        self.producer.allow(self.producer.sent + CHUNK)
        for gate in member.gates:
            gate.cut()

    def lose_answers(self, member):
        """The warehouse has the rows, and the member does not hear of it."""
        wait_until(lambda: self.partitions(member), self.tails, 120, step=0.5)  # it writes; taking over asks through the same gate
        gate = member.gates[1]
        gate.swallowed, gate.swallow_answers = 0, True

        def lost():
            self.producer.allow(self.producer.sent + PARTITIONS * 10)
            return gate.swallowed >= ANSWERS_LOST
        wait_until(lost, self.tails, 120, step=0.1)
        gate.swallow_answers = False
        gate.cut()

    def restart_warehouse(self, _):
        self.warehouse.kill()
        self.start_warehouse()

    def forget_group(self, _):
        for member in self.members:
            member.kill()
        self.delete_the_group()
        for member in self.members:
            member.start()

    def delete_the_group(self):
        def forgotten():
            try:
                self.kafka.forget_group("flytt_events")
                return True
            except confluent_kafka.KafkaException as refusal:  # until the dead members' sessions have ended
                return refusal.args[0].code() == confluent_kafka.KafkaError.GROUP_ID_NOT_FOUND
        wait_until(forgotten, "an empty group", 90, step=1)

    # -- looks

    @staticmethod
    def partitions(member):
        streams = json.loads(member.command("status", "--json").stdout)["streams"]
        return [p for stream in streams for p in stream["partitions"] if p["state"] == "reading"]

    @staticmethod
    def metric(member, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{member.health_port}/metrics", timeout=10) as answer:
            return sum(float(line.split()[-1]) for line in answer.read().decode().splitlines() if line.startswith(name))

    def rows(self):
        answer = self.answer("SELECT COUNT(*) FROM landing.events")
        return int(answer[0][0]) if answer else 0

    def tails(self):
        return f"{self.producer.sent} sent, {self.rows()} rows\n" + "\n\n".join(f"{m.status()['streams']}\n{m.log_tail(15)}" for m in self.members)

    def assert_each_once(self):
        """Rows come back in the order in which they were kept."""
        total, ends = self.producer.sent, self.kafka.ends("events")
        place = "SELECT DISTINCT _kafka_topic, _kafka_partition, _kafka_offset FROM landing.events"
        self.assertEqual(self.answer(f"SELECT (SELECT COUNT(*) FROM landing.events), (SELECT COUNT(*) FROM ({place}))"),
                         [[str(total), str(total)]], self.tails())
        self.assertEqual(sum(end for _, end in ends.values()), total)
        for partition, (_, end) in ends.items():
            kept = self.answer(f"SELECT _kafka_offset, n FROM landing.events WHERE _kafka_topic = 'events' AND _kafka_partition = {partition}")
            sent = [[str(offset), str(offset * PARTITIONS + partition)] for offset in range(end)]
            first = next((i for i, (row, wanted) in enumerate(zip(kept, sent)) if row != wanted), None)
            self.assertTrue(kept == sent, f"events/{partition} from row {first} on: {first is not None and kept[first:first + 5]}")

    def wait_until_caught_up(self):
        wait_until(lambda: self.rows() >= self.producer.sent, self.tails, 300, step=1)

        def caught_up():
            found = [p for m in self.members for p in self.partitions(m)]
            return len(found) == PARTITIONS and all(p["lag"] == 0 for p in found)
        wait_until(caught_up, self.tails, 60, step=1)

    # -- cases

    def test_everything_goes_wrong(self):
        print(f"  seed {OPTIONS.seed}: {OPTIONS.messages} messages, {OPTIONS.events} events", flush=True)
        self.random = random.Random(OPTIONS.seed)
        for _ in range(3):
            self.start_member()
        kinds = [self.kill, self.freeze, self.rebalance, self.restart_broker, self.cut_from_broker, self.cut_from_warehouse,
                 self.lose_answers, self.restart_warehouse, self.forget_group]
        events = (kinds + self.random.choices(kinds, k=max(OPTIONS.events - len(kinds), 0)))[:OPTIONS.events]
        self.random.shuffle(events)
        for number, event in enumerate(events):
            share = OPTIONS.messages * (number + 1) // (len(events) + 1)
            self.producer.allow(share)
            wait_until(lambda: self.producer.has_sent(share), lambda: f"{self.producer.sent} sent", 300, step=0.1)
            wait_until(lambda: self.rows() >= share // 2, self.tails, 180, step=0.2)  # in the middle of the work, not before it
            print(f"  event {number + 1}: {event.__name__}, {self.producer.sent} sent, {self.rows()} rows", flush=True)
            event(self.random.choice(self.members))
        self.producer.allow(OPTIONS.messages)
        wait_until(lambda: self.producer.has_sent(OPTIONS.messages), lambda: f"{self.producer.sent} sent", 600, step=0.2)
        self.wait_until_caught_up()
        self.assert_each_once()
        for member in self.members:
            self.assertEqual(member.stop(), 0)

    def test_a_batch_that_waited_for_room_is_not_written_when_its_partitions_are_gone(self):
        self.wake_up_with_a_full_window(lambda: None)

    def test_a_process_that_the_group_has_forgotten_writes_nothing_twice(self):
        self.wake_up_with_a_full_window(self.delete_the_group)

    def wake_up_with_a_full_window(self, meanwhile):
        """Frozen while nothing it sends arrives and its window is full; when it wakes up another has done all of it."""
        first = self.start_member()
        self.producer.allow(CHUNK)
        wait_until(lambda: self.rows() == CHUNK, first.log_tail)
        before = self.metric(first, "flytt_bigquery_append_requests_total")
        first.gates[1].swallow_requests = True

        def is_full():
            self.producer.allow(self.producer.sent + PARTITIONS * 20)
            requests = self.metric(first, "flytt_bigquery_append_requests_total") - before
            return requests >= 512 and self.metric(first, "flytt_pipeline_channel_bytes") > 0
        wait_until(is_full, first.log_tail, step=0.02)
        first.process.send_signal(signal.SIGSTOP)
        try:
            meanwhile()
            second = self.start_member()
            wait_until(lambda: self.rows() == self.producer.sent == self.producer.allowed, second.log_tail, 120, step=0.5)
        finally:
            first.gates[1].swallow_requests = False
            first.gates[1].cut()
            first.process.send_signal(signal.SIGCONT)
        first.wait_log("partitions lost to other members")
        self.wait_until_caught_up()
        for member in self.members:
            self.assertEqual(member.stop(), 0)
        self.assert_each_once()


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
    parser.add_argument("--seed", type=int)
    parser.add_argument("--messages", type=int)
    parser.add_argument("--events", type=int)
    asked, rest = parser.parse_known_args()
    if asked.long:
        OPTIONS.messages, OPTIONS.events, OPTIONS.seed = 5_000_000, 100, random.SystemRandom().randrange(1_000_000)
    OPTIONS.seed = asked.seed if asked.seed is not None else OPTIONS.seed
    OPTIONS.messages = asked.messages or OPTIONS.messages
    OPTIONS.events = asked.events if asked.events is not None else OPTIONS.events
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
