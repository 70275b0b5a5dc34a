"""Guarantee 15: messages that cannot become rows are in quarantine with position and reason, exactly those, also when every
second message is one of them; the good ones are rows as if nothing had happened. Dead letters are stored before a place is saved."""

import json
import pathlib
import signal
import sys
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.flytt import Project, wait_until  # noqa: E402
from support.kafka import AUTHORIZER, Kafka  # noqa: E402

SCHEMA = """    schema:
      - {name: s, type: STRING, mode: REQUIRED}
      - {name: b, type: BOOL}
      - {name: i, type: INT64}
      - {name: f, type: FLOAT64}
      - {name: n, type: NUMERIC}
      - {name: t, type: TIMESTAMP}
      - {name: d, type: DATE}
      - {name: y, type: BYTES}
      - {name: j, type: JSON}
      - {name: r, type: STRUCT, fields: [{name: a, type: INT64}]}
      - {name: l, type: INT64, mode: REPEATED}
"""

OTHER, FORM = "the value has another JSON type than {} takes", "the text does not have the form of {}"
RANGE, DECIMALS = "the value is outside the range of {}", "the value has more decimals than {} keeps"
MISSING, NO_TEXT = "the field is required, but null or missing", "the bytes are not UTF-8"
BROKEN = "the message is not JSON: it is cut off or breaks the grammar"
NO_OBJECT = "the message is JSON, but not an object with fields"

# What is wrong with a message of which everything else is right: field, value, the column to blame and the reason.
BAD_FIELDS = [
    ("s", 'null', "s", MISSING),
    ("b", '"maybe"', "b", OTHER.format("BOOL")),
    ("b", '3', "b", OTHER.format("BOOL")),
    ("i", '1.5', "i", DECIMALS.format("INT64")),
    ("i", '9223372036854775808', "i", RANGE.format("INT64")),
    ("i", '-9223372036854775809', "i", RANGE.format("INT64")),
    ("i", '"12x"', "i", FORM.format("INT64")),
    ("i", 'true', "i", OTHER.format("INT64")),
    ("i", '{}', "i", OTHER.format("INT64")),
    ("i", '[1]', "i", OTHER.format("INT64")),
    ("f", '"abc"', "f", FORM.format("FLOAT64")),
    ("f", 'false', "f", OTHER.format("FLOAT64")),
    ("n", '1e40', "n", RANGE.format("NUMERIC")),
    ("n", '0.12345678901', "n", DECIMALS.format("NUMERIC")),
    ("n", '"x"', "n", FORM.format("NUMERIC")),
    ("t", '"yesterday"', "t", FORM.format("TIMESTAMP")),
    ("t", '"2024-13-01T00:00:00Z"', "t", FORM.format("TIMESTAMP")),
    ("t", '"2024-02-30T00:00:00Z"', "t", FORM.format("TIMESTAMP")),
    ("t", '17', "t", OTHER.format("TIMESTAMP")),
    ("t", '"10000-01-01T00:00:00Z"', "t", FORM.format("TIMESTAMP")),
    ("t", '{}', "t", OTHER.format("TIMESTAMP")),
    ("d", '"2024-2-30"', "d", FORM.format("DATE")),
    ("d", '"01.02.2024"', "d", FORM.format("DATE")),
    ("d", '5', "d", OTHER.format("DATE")),
    ("y", '"not base64!"', "y", FORM.format("BYTES")),
    ("y", '7', "y", OTHER.format("BYTES")),
    ("r", '5', "r", OTHER.format("STRUCT<a INT64>")),
    ("r", '[]', "r", OTHER.format("STRUCT<a INT64>")),
    ("r", '{"a":"x"}', "r.a", FORM.format("INT64")),
    ("r", '{"a":1.5}', "r.a", DECIMALS.format("INT64")),
    ("l", '5', "l", OTHER.format("ARRAY<INT64>")),
    ("l", '[1,"x"]', "l", FORM.format("ARRAY<INT64>")),
    ("l", '[1,null]', "l", "an element is null, which an ARRAY cannot hold"),
    ("l", '[[1]]', "l", OTHER.format("ARRAY<INT64>")),
    ("l", '{"a":1}', "l", OTHER.format("ARRAY<INT64>")),
]
BAD_MESSAGES = [
    (b'', "", "the message is empty"),
    (b' ', "", BROKEN),
    (b'{', "", BROKEN),
    (b'}', "", BROKEN),
    (b'nonsense', "", BROKEN),
    (b'[]', "", NO_OBJECT),
    (b'[{}]', "", NO_OBJECT),
    (b'5', "", NO_OBJECT),
    (b'"text"', "", NO_OBJECT),
    (b'true', "", NO_OBJECT),
    (b'null', "", NO_OBJECT),
    (b'{}', "s", MISSING),
    (b'{"b":true}', "s", MISSING),
    (b'{"s":}', "", BROKEN),
    (b'{"s" "x"}', "", BROKEN),
    (b'{"s":"x",}', "", BROKEN),
    (b"{'s':'x'}", "", BROKEN),
    (b'{"s":"x"} tail', "", BROKEN),
    (b'{"s":"x"}{"s":"y"}', "", BROKEN),
    (b'{"s":"\xff\xfe"}', "", NO_TEXT),
    (b'{"s":"\xc3"}', "", NO_TEXT),
    (b'{"s":"x","i":01}', "", BROKEN),
    (b'{"s":"x","f":NaN}', "", BROKEN),
    (b'{"s":"x","j":' + b"[" * 600 + b"]" * 600 + b"}", "j", "the value is nested more than 500 levels deep"),
    (b'\x00\x00\x00\x00\x07{"s":"x"}', "", "the message is framed for a schema registry (schema id 7), and only plain "
     "JSON, text and bytes are understood: let its producer write plain JSON, or read the topic in format bytes"),
    (b'{"s":"\\ud800"}', "", BROKEN),
    (b'{"s":"a\nb"}', "", BROKEN),
]


def poison():
    """Message, column to blame, reason."""
    for field, value, column, reason in BAD_FIELDS:
        fields = {"s": '"x"'}
        fields[field] = value
        yield ("{" + ",".join(f'"{k}":{v}' for k, v in fields.items()) + "}").encode(), column, reason
    yield from BAD_MESSAGES


def good(number):
    return json.dumps({"s": f"text {number}", "b": True, "i": number, "f": 0.5, "n": "1.25", "t": "2024-02-29T12:34:56Z",
                       "d": "2024-02-29", "y": "AAEC", "j": {"k": [1, None]}, "r": {"a": 1}, "l": [1, 2]}).encode()


class PoisonStopsNobody(unittest.TestCase):
    def test_every_kind_in_between_good_ones(self):
        bad = list(poison())
        with Kafka() as kafka:
            kafka.create_topic("blandet", 2)
            messages, expected, offsets = [], {}, [0, 0]
            for number in range(4 * len(bad)):
                is_bad = number % 2 == 1
                partition = (number // 2) % 2
                value = good(number)
                if is_bad:
                    value, *why = bad[(number // 2) % len(bad)]
                    expected[f"blandet/{partition}/{offsets[partition]}"] = tuple(why)
                offsets[partition] += 1
                messages.append({"value": value, "partition": partition,
                                 "headers": [("kilde", b"\x00pr\xc3\xb8ve")]})
            kafka.produce("blandet", messages)
            body = (f'sources:\n  events: {{kafka: {{brokers: "{kafka.brokers}"}}}}\nstreams:\n  blandet:\n    from: events\n'
                    f"    topics: [blandet]\n    to: landing\n    metadata: [topic, partition, offset, timestamp, headers]\n{SCHEMA}")
            with Project(body=body) as project:
                project.start()
                project.wait_ready()

                def settled():
                    return sum(kafka.committed("flytt_blandet").values()) == len(messages)
                wait_until(settled, lambda: f"{kafka.committed('flytt_blandet')}\n{project.log_tail()}")
                rows = [row[0] for row in project.query("SELECT CONCAT(_kafka_topic, '/', CAST(_kafka_partition AS STRING), '/',"
                                                       " CAST(_kafka_offset AS STRING)) FROM landing.blandet")]
                self.assertEqual(len(set(rows)), len(rows), "a row is there twice")
                listed = json.loads(project.command("quarantine", "list", "blandet", "--json", "--limit", "10000").stdout)["entries"]
                found = {entry["position"] for entry in listed}
                wrong = {place: value[:60] for place, value in self.by_place(messages)
                         if (place in expected) != (place in found) or (place in expected) == (place in rows)}
                self.assertEqual(wrong, {}, "good messages that are missing or set aside, and bad ones that are rows or nowhere")
                self.assertEqual(len(listed), len(expected))
                self.assertEqual({entry["position"]: (entry["column"], entry["reason"]) for entry in listed}, expected)
                self.assertEqual({entry["table"] for entry in listed}, {"blandet"})
                shown = project.command("quarantine", "show", next(iter(expected))).stdout
                self.assertIn('"raw":', shown)
                self.retry_after_a_mended_schema(project, messages, len(rows))
                project.command("quarantine", "drop", "blandet")
                self.assertEqual(json.loads(project.command("quarantine", "list", "--json").stdout)["entries"], [])
                project.stop()
                for value in ("not base64!", "yesterday", "01.02.2024"):
                    self.assertNotIn(value, project.all_logs())

    def retry_after_a_mended_schema(self, project, messages, rows):
        """`i` becomes a FLOAT64 for those that are read again; each of them is a row afterwards, once, however often it is tried."""
        mended = json.loads(project.command("quarantine", "list", "blandet", "--json", "--limit", "10000").stdout)["entries"]
        tried = {entry["position"] for entry in mended if entry["column"] == "b"}
        text = (project.folder / "flytt.yaml").read_text().replace("{name: b, type: BOOL}", "{name: b2, type: STRING, from: b}")
        (project.folder / "mended.yaml").write_text(text.replace("streams:", "streams:", 1) + "    scalars_as_strings: true\n")
        for _ in range(2):
            done = project.command("quarantine", "retry", "blandet", "--config", "mended.yaml", check=False)
            self.assertEqual(done.returncode, 3, done.stdout + done.stderr)  # the others are still bad
        left = json.loads(project.command("quarantine", "list", "blandet", "--json", "--limit", "10000").stdout)["entries"]
        self.assertEqual({entry["position"] for entry in left} & tried, set())
        whole = {place for place, value in self.by_place(messages) if value and self.is_text(value)}
        self.assertEqual([entry for entry in left if entry["attempts"] != (2 if entry["position"] in whole else 0)], [])
        self.assertEqual(project.count("landing.blandet"), rows + len(tried))
        self.assertEqual(project.count("landing.blandet WHERE _kafka_timestamp IS NULL OR ARRAY_LENGTH(_kafka_headers) != 1"), 0)
        self.assertEqual(project.query("SELECT DISTINCT TO_HEX(h.value) FROM landing.blandet, UNNEST(_kafka_headers) AS h"), [["007072c3b87665"]])
        self.assertEqual(project.count("(SELECT DISTINCT _kafka_partition, _kafka_offset FROM landing.blandet)"), rows + len(tried))

    def test_what_is_retried_keeps_its_place_among_the_values_of_its_key(self):
        bad = '"b":"maybe"'
        messages = [("k1", '{"s":"old"}'), ("k1", f'{{"s":"mended",{bad}}}'), ("k2", f'{{"s":"too old",{bad}}}'), ("k2", '{"s":"newer"}'),
                    ("k3", f'{{"s":"only",{bad}}}')]
        with Kafka() as kafka:
            kafka.create_topic("rettet", 1)
            kafka.produce("rettet", [{"key": key, "value": value.encode()} for key, value in messages])
            body = (f'sources:\n  events: {{kafka: {{brokers: "{kafka.brokers}"}}}}\nstreams:\n  rettet:\n    from: events\n'
                    f"    topics: [rettet]\n    to: landing\n    delivery: upsert\n{SCHEMA}")
            with Project(body=body) as project:
                project.start()
                project.wait_ready()
                wait_until(lambda: sum(kafka.committed("flytt_rettet").values()) == len(messages), project.log_tail)
                self.assertEqual(project.query("SELECT _kafka_key, s FROM landing.rettet ORDER BY 1"), [["k1", "old"], ["k2", "newer"]])
                text = (project.folder / "flytt.yaml").read_text().replace("{name: b, type: BOOL}", "{name: b2, type: STRING, from: b}")
                (project.folder / "mended.yaml").write_text(text)
                project.command("quarantine", "retry", "rettet", "--config", "mended.yaml")
                self.assertEqual(project.query("SELECT _kafka_key, s FROM landing.rettet ORDER BY 1"),
                                 [["k1", "mended"], ["k2", "newer"], ["k3", "only"]])
                self.assertEqual(self.listed(project), [])
                kafka.produce("rettet", [{"key": "k4", "value": b"nonsense"}])
                wait_until(lambda: len(self.listed(project)) == 1, project.log_tail)
                self.assertEqual(project.command("quarantine", "retry", "rettet", check=False).returncode, 3)
                self.assertEqual([entry["attempts"] for entry in self.listed(project)], [1])
                project.command("quarantine", "drop", "rettet")
                self.assertEqual(self.listed(project), [])

    @staticmethod
    def listed(project):
        return json.loads(project.command("quarantine", "list", "rettet", "--json").stdout)["entries"]

    @staticmethod
    def is_text(value):
        try:
            value.decode()
            return True
        except UnicodeDecodeError:
            return False

    @staticmethod
    def by_place(messages):
        offsets = [0, 0]
        for message in messages:
            partition = message["partition"]
            yield f"blandet/{partition}/{offsets[partition]}", message["value"]
            offsets[partition] += 1


# Where a crash would hurt, each the first time that it is passed with letters of the round: they are stored, the batch is
# durable, its places are saved (and the group does not know it yet).
KILLS = ("kafka.letters.stored", "pipeline.receipt.before_save", "pipeline.save.after")


class DeadLetters(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = Kafka(sasl=True, settings=AUTHORIZER)

    @classmethod
    def tearDownClass(cls):
        cls.kafka.close()

    def produce_round(self, number):
        """Good and bad ones of both partitions in turn; the place and the message of every bad one, and the places of the good."""
        bad, good_ones = {}, set()
        messages = []
        for i, value in enumerate([b"nonsense", b'{"s":1}', b"", None, b'{"b":true}']):
            place = f"brev/{i % 2}/{self.ends[i % 2]}"
            bad[place] = {"value": value, "key": f"k{number}.{i}" if i else None, "partition": i % 2, "timestamp": 1_700_000_000_000 + i,
                          "headers": [("h", b"\x00\xff"), ("h", None), ("flytt.topic", b"theirs")] if i else []}
            good_ones.add(f"brev/{i % 2}/{self.ends[i % 2] + 1}")
            messages += [bad[place], {"value": good(i), "partition": i % 2}]
            self.ends[i % 2] += 2
        self.kafka.produce("brev", messages)
        return bad, good_ones

    def test_they_are_the_messages_as_they_were_whenever_the_process_is_killed(self):
        self.kafka.create_topic("brev", 2)
        self.kafka.create_topic("brev.doede", 1)
        self.ends = [0, 0]
        body = (f'sources:\n  events: {{kafka: {{brokers: "{self.kafka.brokers}"}}}}\n'
                f"streams:\n  brev:\n    from: events\n    topics: [brev]\n    to: landing\n    dead_letters: brev.doede\n{SCHEMA}")
        bad, good_ones = {}, set()
        with Project(body=body) as project:
            for number, failpoint in enumerate(KILLS):
                passage, is_hit, ended = 0, False, 0
                while not is_hit:
                    if ended == 0:  # at first, and when a run came to its end before it passed so often
                        more_bad, more_good = self.produce_round(number)
                        bad.update(more_bad)
                        good_ones |= more_good
                        passage = 0
                    passage += 1
                    project.start("--once", failpoints=f"{failpoint}=kill@{passage}")
                    ended = project.wait_exit()
                    self.assertIn(ended, (0, -signal.SIGKILL), f"{failpoint}@{passage}\n{project.log_tail()}")
                    stored = {self.place(letter) for letter in self.kafka.read("brev.doede")}
                    saved = self.passed(project, bad)
                    self.assertEqual(saved - stored, set(), "places were saved without their letters")
                    is_hit = ended != 0 and (saved if failpoint == "pipeline.save.after" else stored) & more_bad.keys()
            project.command("run", "--once")
            letters = self.kafka.read("brev.doede")
            self.assertEqual({self.place(letter) for letter in letters}, bad.keys())
            for letter in letters:
                self.assert_is(letter, bad[self.place(letter)])
            listed = json.loads(project.command("quarantine", "list", "--json").stdout)["entries"]
            self.assertEqual(sorted(e["position"] for e in listed), sorted(bad))
            reasons = {e["position"]: e["reason"] for e in listed}
            self.assertEqual({self.place(letter): self.header(letter, "flytt.reason") for letter in letters}, reasons)
            rows = project.command("query", "--format", "csv", "SELECT CONCAT(_kafka_topic, '/', CAST(_kafka_partition AS STRING), '/',"
                                   " CAST(_kafka_offset AS STRING)) FROM landing.brev").stdout.split()[1:]
            self.assertEqual(sorted(rows), sorted(good_ones))

    def test_they_are_counted_by_topic(self):
        for topic in ("talt.a", "talt.b", "talt.doede"):
            self.kafka.create_topic(topic, 1)
        self.kafka.produce("talt.a", [{"value": b"nonsense", "headers": [("flytt.topic", b"theirs")]}, {"value": good(0)}, {"value": b"{"}])
        self.kafka.produce("talt.b", [{"value": b"nonsense"}])
        body = (f'sources:\n  events: {{kafka: {{brokers: "{self.kafka.brokers}"}}}}\n'
                f"streams:\n  talt:\n    from: events\n    topics: [talt.a, talt.b]\n    to: landing\n    dead_letters: talt.doede\n{SCHEMA}")

        def counted():
            with urllib.request.urlopen(f"http://127.0.0.1:{project.health_port}/metrics", timeout=10) as answer:
                return sorted(line for line in answer.read().decode().splitlines() if line.startswith("flytt_dead_letters_total"))
        with Project(body=body) as project:
            project.start()
            project.wait_ready()
            wanted = ['flytt_dead_letters_total{stream="talt",topic="talt.a"} 2', 'flytt_dead_letters_total{stream="talt",topic="talt.b"} 1']
            wait_until(lambda: counted() == wanted, lambda: f"{counted()}\n{project.log_tail()}")
            self.assertEqual(len(self.kafka.read("talt.doede")), 3)
            self.assertEqual(project.stop(), 0)

    @staticmethod
    def passed(project, places):
        """Those of the places that the state file has gone past."""
        saved = {(p["topic"], str(p["partition"])): p["saved"] for stream in project.status()["streams"] for p in stream["partitions"]}
        return {place for place in places for topic, partition, offset in [place.split("/")] if int(offset) < (saved.get((topic, partition)) or 0)}

    @staticmethod
    def header(letter, name):
        return [value for key, value in letter.headers() if key == name][-1].decode()

    def place(self, letter):
        return "/".join(self.header(letter, f"flytt.{part}") for part in ("topic", "partition", "offset"))

    def assert_is(self, letter, message):
        key = message["key"].encode() if message["key"] else None
        self.assertEqual((letter.value(), letter.key(), self.header(letter, "flytt.timestamp")), (message["value"], key, str(message["timestamp"])))
        self.assertGreater(letter.timestamp()[1], 1_750_000_000_000, "old letters would be thrown away by the topic's retention")
        theirs = message["headers"]
        self.assertEqual(letter.headers()[:len(theirs)], theirs)
        ours = ["flytt.topic", "flytt.partition", "flytt.offset"] + ["flytt.column"] * (message["value"] == b'{"s":1}') + ["flytt.reason", "flytt.timestamp"]
        self.assertEqual([name for name, _ in letter.headers()[len(theirs):] if name != "flytt.column"], [n for n in ours if n != "flytt.column"])
        if message["value"] == b'{"s":1}':
            self.assertEqual(self.header(letter, "flytt.column"), "s")

    def test_the_largest_one_is_a_letter_too(self):
        large = b"hemmelig" * (3 << 20)  # more than a producer keeps by default, and than quarantine keeps of a message
        for topic in ("inn.stor", "doede.stor"):
            self.kafka.create_topic(topic, 1, max_message_bytes=32 << 20)
        self.kafka.produce("inn.stor", [large, good(0)], self.kafka.producer(message_max_bytes=32 << 20))
        body = (f'sources:\n  events: {{kafka: {{brokers: "{self.kafka.brokers}"}}}}\n'
                f"streams:\n  stor:\n    from: events\n    topics: [inn.stor]\n    to: landing\n    dead_letters: doede.stor\n{SCHEMA}")
        with Project(body=body) as project:
            project.command("run", "--once")
        self.assertTrue([m.value() for m in self.kafka.read("doede.stor")] == [large])

    def test_a_missing_topic_is_named_before_there_are_any(self):
        self.kafka.create_topic("inn.rent", 1)
        self.kafka.produce("inn.rent", [good(0)])
        body = (f'sources:\n  events: {{kafka: {{brokers: "{self.kafka.brokers}"}}}}\n'
                f"streams:\n  rent:\n    from: events\n    topics: [inn.rent]\n    to: landing\n    dead_letters: doede.rent\n{SCHEMA}")
        with Project(body=body) as project:
            stopped = project.command("run", "--once", check=False)
            self.assertNotEqual(stopped.returncode, 0)
            self.assertIn("could not write dead letters to topic doede.rent of source 'events': it does not exist: make it", stopped.stderr)
            self.kafka.create_topic("doede.rent", 1)
            project.command("run", "--once")

    def test_a_topic_that_takes_none_holds_the_place_back_and_is_named(self):
        refusals = {  # what is wrong with the topic, what the error says to do, and the doing of it
            "mangler": ("make it", lambda topic: self.kafka.create_topic(topic, 1)),
            "liten": ("max.message.bytes", lambda topic: self.kafka.alter_topic(topic, max_message_bytes=100_000)),
            "pakket": ("cleanup.policy", lambda topic: self.kafka.alter_topic(topic, cleanup_policy="delete")),
            "stengt": ("grant this user Write", lambda topic: self.kafka.grant("alice", "WRITE", "TOPIC", topic)),
        }
        self.kafka.create_topic("doede.liten", 1, max_message_bytes=1000)
        self.kafka.create_topic("doede.pakket", 1, cleanup_policy="compact")
        self.kafka.create_topic("doede.stengt", 1)
        self.kafka.grant("alice", "READ", "TOPIC", "inn.stengt")
        self.kafka.grant("alice", "READ", "GROUP", "flytt_stengt")
        self.kafka.grant("alice", "DESCRIBE", "TOPIC", "doede.stengt")
        password = 'sasl: {user: alice, password: "${env:P}"}'
        body = (f'sources:\n  events: {{kafka: {{brokers: "{self.kafka.brokers}"}}}}\n'
                f'  safe: {{kafka: {{brokers: "{self.kafka.sasl_brokers}", {password}}}}}\nstreams:\n')
        secret = b"hemmelig " * 200  # longer than one topic takes
        for name in refusals:
            self.kafka.create_topic(f"inn.{name}", 1)
            self.kafka.produce(f"inn.{name}", [good(0), secret, good(1)])
            body += (f"  {name}:\n    from: {'safe' if name == 'stengt' else 'events'}\n    topics: [inn.{name}]\n    to: landing.{name}\n"
                     f"    dead_letters: doede.{name}\n{SCHEMA}")
        with Project(body=body) as project:
            stopped = project.command("run", "--once", check=False, environment={"P": "alice-secret"})
            self.assertNotEqual(stopped.returncode, 0)
            lines = [json.loads(line) for line in stopped.stderr.splitlines() if line.startswith("{")]
            failures = {line["stream"]: line["error"] for line in lines if line["message"] == "stream failed"}
            self.assertEqual(len([line for line in lines if line["level"] == "error" and "stream" in line]), len(failures), stopped.stderr)
            self.assertEqual(failures.keys(), refusals.keys())
            for name, (next_step, _) in refusals.items():
                self.assertIn(f"to topic doede.{name} of source ", failures[name])
                self.assertIn(next_step, failures[name])
                self.assertLessEqual(self.kafka.committed(f"flytt_{name}").get((f"inn.{name}", 0), 0), 1, "the place of the message was passed")
            for text in ("hemmelig", "alice-secret"):
                self.assertNotIn(text, stopped.stderr + stopped.stdout)
            for name, (_, mend) in refusals.items():
                mend(f"doede.{name}")

            def ends_well():  # rights take a moment from the controller to the broker
                return project.command("run", "--once", check=False, environment={"P": "alice-secret"}).returncode == 0
            wait_until(ends_well, "every stream ends")
            for name in refusals:
                self.assertEqual({m.value() for m in self.kafka.read(f"doede.{name}")}, {secret})
                rows = project.command("query", "--format", "csv", f"SELECT i FROM landing.{name} ORDER BY i", environment={"P": "alice-secret"}).stdout
                self.assertEqual(rows.split()[1:], ["0", "1"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
