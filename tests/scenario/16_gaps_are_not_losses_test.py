"""Guarantee 16: aborted transactions and compaction leave gaps, and the rows are just the messages that are there; messages that
are gone before they were read, and topics that were made anew, are named with the choices that there are."""

import json
import pathlib
import sys
import time
import unittest

import confluent_kafka

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.flytt import Project, wait_until  # noqa: E402
from support.kafka import Kafka  # noqa: E402


def messages(numbers, **fields):
    return [{"value": json.dumps({"n": n}).encode(), "partition": n % 2, **fields} for n in numbers]


class GapsAreNotLosses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = Kafka(settings={"log.cleaner.backoff.ms": 100, "log.initial.task.delay.ms": 100})

    @classmethod
    def tearDownClass(cls):
        cls.kafka.close()

    def project(self, topic, options=""):
        project = Project(body=f'sources:\n  events: {{kafka: {{brokers: "{self.kafka.brokers}", session_timeout: 6s}}}}\n'
                               f"streams:\n  {topic}: {{from: events, topics: [{topic}], to: landing{options}}}\n")
        self.addCleanup(project.__exit__, None)
        return project

    def choose(self, project, options):
        file = project.folder / "flytt.yaml"
        file.write_text(file.read_text().replace("to: landing", f"to: landing, {options}", 1))

    def rows(self, project, topic):
        """[(partition, offset, n)], each as often as it is there, in the order of the table."""
        answer = json.loads(project.command("query", "--format", "json", f"SELECT _kafka_partition, _kafka_offset, n FROM landing.{topic}").stdout)
        return sorted((int(row["_kafka_partition"]), int(row["_kafka_offset"]), int(row["n"])) for row in answer)

    def there(self, topic):
        """What a reader of committed messages sees."""
        return sorted((m.partition(), m.offset(), json.loads(m.value())["n"]) for p in self.kafka.partitions(topic) for m in self.kafka.read(topic, p))

    def run_once(self, project):
        return project.command("run", "--once", check=False)

    def assert_runs_once(self, project):
        done = self.run_once(project)
        self.assertEqual(done.returncode, 0, done.stderr)

    def assert_refuses(self, project, *words):
        done = self.run_once(project)
        self.assertNotEqual(done.returncode, 0)
        for word in words:
            self.assertIn(word, done.stderr)

    # -- aborted transactions

    def test_aborted_transactions_are_not_rows(self):
        self.kafka.create_topic("orders", 2)
        project = self.project("orders")
        self.kafka.produce("orders", messages(range(100)))
        self.kafka.transaction("orders", messages(range(100, 200)), commit=False)
        self.kafka.transaction("orders", messages(range(200, 300)))
        self.assert_runs_once(project)
        self.assertEqual([n for _, _, n in sorted(self.rows(project, "orders"), key=lambda row: row[2])], [*range(100), *range(200, 300)])
        self.kafka.transaction("orders", messages(range(300, 400)), commit=False)  # nothing is to be written, and it ends all the same
        self.assert_runs_once(project)
        ends = {("orders", p): end for p, (_, end) in self.kafka.ends("orders").items()}
        self.assertEqual(self.kafka.committed("flytt_orders"), ends)
        self.kafka.transaction("orders", messages(range(400, 500)))
        self.assert_runs_once(project)
        self.assertEqual(self.rows(project, "orders"), self.there("orders"))

    def test_an_open_transaction_is_waited_for(self):
        self.kafka.create_topic("pending", 2)
        project = self.project("pending")
        self.kafka.produce("pending", messages(range(10)))
        producer = self.kafka.producer(transactional_id="flytt-pending")
        producer.init_transactions(60)
        producer.begin_transaction()
        self.kafka.produce("pending", messages(range(10, 20)), producer)
        self.kafka.produce("pending", messages(range(20, 30)))
        self.assert_runs_once(project)
        self.assertEqual(self.rows(project, "pending"), self.there("pending"))
        self.assertEqual(len(self.rows(project, "pending")), 10)
        producer.commit_transaction(60)
        self.assert_runs_once(project)
        self.assertEqual(self.rows(project, "pending"), self.there("pending"))
        self.assertEqual(len(self.rows(project, "pending")), 30)

    def test_gaps_are_passed_also_when_everything_but_the_table_is_forgotten(self):
        self.kafka.create_topic("forgotten", 2)
        project = self.project("forgotten")
        for begin in range(0, 200, 20):
            self.kafka.transaction("forgotten", messages(range(begin, begin + 20)), commit=begin % 40 == 0)
        self.assert_runs_once(project)
        self.kafka.forget_group("flytt_forgotten")
        for file in project.folder.glob("**/state*"):
            file.unlink()
        self.kafka.transaction("forgotten", messages(range(200, 220)))
        self.assert_runs_once(project)
        self.assertEqual(self.rows(project, "forgotten"), self.there("forgotten"))

    # -- compaction

    def test_a_compacted_topic_is_what_is_left_of_it(self):
        self.kafka.create_topic("people", 2, cleanup_policy="compact", segment_ms=100, min_cleanable_dirty_ratio=0.01,
                                min_compaction_lag_ms=0, max_compaction_lag_ms=100)
        project = self.project("people")

        def write(numbers):
            self.kafka.produce("people", [{**m, "key": f"key {i % 7}"} for i, m in enumerate(messages(numbers))])

        def compacted():
            write(range(1000, 1002))  # a segment that is written to is not cleaned
            return len(self.there("people")) < sum(end for _, end in self.kafka.ends("people").values()) / 2
        write(range(500))
        wait_until(compacted, "compaction", 90, step=0.5)
        left = self.there("people")
        self.assert_runs_once(project)
        first = self.rows(project, "people")
        self.assertLessEqual({row for row in self.there("people")}, set(first))  # what is there now was there then
        self.assertLessEqual(set(first), set(left) | set(self.there("people")))
        write(range(500, 700))
        self.assert_runs_once(project)
        rows = self.rows(project, "people")
        self.assertEqual(len(rows), len(set(rows)))
        self.assertLessEqual(set(self.there("people")), set(rows))
        self.assertLessEqual(set(first), set(rows))

    # -- messages that are gone

    def truncated(self, topic):
        """100 messages are rows, 50 of each partition; 100 more were written, and of those 25 of each partition are gone."""
        self.kafka.create_topic(topic, 2)
        project = self.project(topic)
        self.kafka.produce(topic, messages(range(100)))
        self.assert_runs_once(project)
        self.kafka.produce(topic, messages(range(100, 200)))
        for partition in range(2):
            self.kafka.truncate(topic, partition, 75)
        return project

    def test_messages_that_are_gone_are_named(self):
        project = self.truncated("gone")
        self.assert_refuses(project, "the remembered place 50 of partition gone/", "holds offsets 75 to 100", "have been deleted",
                            "earliest", "latest", "lost")
        self.assertEqual(len(self.rows(project, "gone")), 100)

    def test_earliest_goes_on_with_what_is_left(self):
        project = self.truncated("earliest")
        self.choose(project, "lost: earliest")
        self.assert_runs_once(project)
        self.assertEqual([n for _, _, n in sorted(self.rows(project, "earliest"), key=lambda row: row[2])], [*range(100), *range(150, 200)])

    def test_latest_goes_on_with_what_comes(self):
        project = self.truncated("latest")
        self.choose(project, "lost: latest")
        project.start()
        project.wait_log("a remembered place is gone, and reading goes on from another")
        wait_until(lambda: self.kafka.committed("flytt_latest") == {("latest", 0): 100, ("latest", 1): 100}, project.log_tail)
        self.kafka.produce("latest", messages(range(200, 210)))
        wait_until(lambda: self.kafka.committed("flytt_latest") == {("latest", 0): 105, ("latest", 1): 105}, project.log_tail)
        self.assertEqual(project.stop(), 0)
        self.assertEqual([n for _, _, n in sorted(self.rows(project, "latest"), key=lambda row: row[2])], [*range(100), *range(200, 210)])

    def test_a_topic_that_is_cut_behind_what_is_read_loses_nothing(self):
        self.kafka.create_topic("behind", 2)
        project = self.project("behind")
        self.kafka.produce("behind", messages(range(100)))
        self.assert_runs_once(project)
        self.kafka.produce("behind", messages(range(100, 200)))
        for partition in range(2):
            self.kafka.truncate("behind", partition, 50)
        self.assert_runs_once(project)
        self.assertEqual([n for _, _, n in sorted(self.rows(project, "behind"), key=lambda row: row[2])], [*range(200)])

    # -- a topic that was made anew

    def made_anew(self, topic, count):
        self.kafka.create_topic(topic, 2)
        project = self.project(topic)
        self.kafka.produce(topic, messages(range(100)))
        self.assert_runs_once(project)
        self.kafka.delete_topic(topic)
        self.kafka.create_topic(topic, 2)
        self.kafka.produce(topic, messages(range(1000, 1000 + count)))
        return project

    def test_a_topic_made_anew_is_named(self):
        project = self.made_anew("anew", 20)
        self.assert_refuses(project, "topic anew was deleted and made anew", "partition anew/", "another name", "another table")
        self.assertEqual(len(self.rows(project, "anew")), 100)

    def test_a_topic_made_anew_is_not_taken_for_what_its_table_has(self):
        """Its offsets are those of other messages, so that no choice of a place is right with this table."""
        project = self.made_anew("again", 20)
        self.choose(project, "lost: earliest")
        self.assert_refuses(project, "again", "holds rows of the topic that was called again before", "name another in `to`")
        self.assertEqual(len(self.rows(project, "again")), 100)
        file = project.folder / "flytt.yaml"
        file.write_text(file.read_text().replace("again: {", "second: {").replace("to: landing", "to: landing.second", 1))
        self.assert_runs_once(project)
        self.assertEqual(self.rows(project, "second"), self.there("again"))

    def test_an_upsert_goes_on_with_a_topic_made_anew(self):
        """Its messages win over those of the old one, at lower offsets and although they say that they are older."""
        self.kafka.create_topic("renewed", 2)
        project = self.project("renewed", ", delivery: upsert")
        now = int(time.time() * 1000)

        def write(numbers, timestamp):
            self.kafka.produce("renewed", [{**m, "key": f"key {n % 10}", "timestamp": timestamp} for n, m in zip(numbers, messages(numbers))])
        write(range(100), now)
        self.assert_runs_once(project)
        self.kafka.delete_topic("renewed")
        self.kafka.create_topic("renewed", 2)
        write(range(1000, 1008), now - 3_600_000)
        self.assert_runs_once(project)
        self.assertEqual(sorted(n for _, _, n in self.rows(project, "renewed")), [98, 99, *range(1000, 1008)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
