"""Guarantee 15: messages that cannot become rows are in quarantine with position and reason, exactly those, also when every
second message is one of them; the good ones are rows as if nothing had happened."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.flytt import Project, wait_until  # noqa: E402
from support.kafka import Kafka  # noqa: E402

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

# What is wrong with a message of which everything else is right.
BAD_FIELDS = [
    ("s", 'null'), ("b", '"maybe"'), ("b", '3'), ("i", '1.5'), ("i", '9223372036854775808'), ("i", '-9223372036854775809'), ("i", '"12x"'),
    ("i", 'true'), ("i", '{}'), ("i", '[1]'), ("f", '"abc"'), ("f", 'false'), ("n", '1e40'), ("n", '0.12345678901'), ("n", '"x"'),
    ("t", '"yesterday"'), ("t", '"2024-13-01T00:00:00Z"'), ("t", '"2024-02-30T00:00:00Z"'), ("t", '17'), ("t", '"10000-01-01T00:00:00Z"'),
    ("t", '{}'), ("d", '"2024-2-30"'), ("d", '"01.02.2024"'), ("d", '5'), ("y", '"not base64!"'), ("y", '7'), ("r", '5'), ("r", '[]'),
    ("r", '{"a":"x"}'), ("r", '{"a":1.5}'), ("l", '5'), ("l", '[1,"x"]'), ("l", '[1,null]'), ("l", '[[1]]'), ("l", '{"a":1}'),
]
BAD_MESSAGES = [
    b"", b" ", b"{", b"}", b"nonsense", b"[]", b"[{}]", b"5", b'"text"', b"true", b"null", b"{}", b'{"b":true}', b'{"s":}', b'{"s" "x"}',
    b'{"s":"x",}', b"{'s':'x'}", b'{"s":"x"} tail', b'{"s":"x"}{"s":"y"}', b'{"s":"\xff\xfe"}', b'{"s":"\xc3"}', b'{"s":"x","i":01}',
    b'{"s":"x","f":NaN}', b'{"s":"x","j":' + b"[" * 600 + b"]" * 600 + b"}", b'\x00\x00\x00\x00\x07{"s":"x"}',
    b'{"s":"\\ud800"}', b'{"s":"a\nb"}',
]


def poison():
    for column, value in BAD_FIELDS:
        fields = {"s": '"x"'}
        fields[column] = value
        yield ("{" + ",".join(f'"{k}":{v}' for k, v in fields.items()) + "}").encode()
    yield from BAD_MESSAGES


def good(number):
    return json.dumps({"s": f"text {number}", "b": True, "i": number, "f": 0.5, "n": "1.25", "t": "2024-02-29T12:34:56Z",
                       "d": "2024-02-29", "y": "AAEC", "j": {"k": [1, None]}, "r": {"a": 1}, "l": [1, 2]}).encode()


class PoisonStopsNobody(unittest.TestCase):
    def test_every_kind_in_between_good_ones(self):
        bad = list(poison())
        with Kafka() as kafka:
            kafka.create_topic("blandet", 2)
            messages, expected, offsets = [], set(), [0, 0]
            for number in range(4 * len(bad)):
                is_bad = number % 2 == 1
                partition = (number // 2) % 2
                if is_bad:
                    expected.add(f"blandet/{partition}/{offsets[partition]}")
                offsets[partition] += 1
                messages.append({"value": bad[(number // 2) % len(bad)] if is_bad else good(number), "partition": partition,
                                 "headers": [("kilde", b"\x00pr\xc3\xb8ve")]})
            kafka.produce("blandet", messages)
            body = (f'sources:\n  events: {{kafka: {{brokers: "{kafka.brokers}"}}}}\nstreams:\n  blandet:\n    from: events\n'
                    f"    topics: [blandet]\n    to: landing\n    metadata: [topic, partition, offset, timestamp, headers]\n{SCHEMA}")
            with Project(body=body) as project:
                project.start()
                wait_until(lambda: project.is_ready(), project.log_tail)

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
                self.assertTrue(all(entry["reason"] and entry["table"] == "blandet" for entry in listed))
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
