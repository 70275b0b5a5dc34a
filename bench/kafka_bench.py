"""Topics into tables: against a bare librdkafka consumer that throws its messages away, against the recipe's program in
Python, the time from produced to visible, and memory with many partitions. One run, one machine.

What is compared is the time that messages flow. The bare consumer's is from its first message to its last. flytt's is from its
first message (as its log has it) until the rows of the last one are committed, visible and remembered in state, as a scrape of its
metrics every few milliseconds sees it. Whole processes, with start, joining the group and leaving it, are shown beside that.
"""

import argparse
import datetime
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import urllib.error

from measure import ROOT, measure, print_table

from support.flytt import PROGRAM, Project, wait_until
from support.kafka import Kafka

SCHEMA = ("[{name: stringValue, type: STRING, mode: REQUIRED}, {name: booleanValue, type: BOOL}, {name: numericValue, type: INT64}, "
          "{name: timestampValue, type: TIMESTAMP}]")


def message(number):
    return json.dumps({"stringValue": f"hendelse {number}", "booleanValue": number % 2 == 0, "numericValue": number,
                       "timestampValue": f"2024-02-29T12:34:{number % 60:02d}.{number % 1000000:06d}Z"}).encode()


def project_of(kafka, topic, delivery):
    return Project(body=f'sources:\n  events: {{kafka: {{brokers: "{kafka.brokers}"}}}}\nstreams:\n'
                        f"  events: {{from: events, topics: [{topic}], to: landing.events, delivery: {delivery}, schema: {SCHEMA}}}\n")


class Flow:
    """Watches a running flytt from beside: when its first message came and when all `count` messages were settled."""

    def __init__(self, project, log, count):
        self.project, self.log, self.count = project, log, count
        self.settled = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _watch(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.project.health_port, timeout=5)
        while not self._end.wait(0.01):
            try:
                connection.request("GET", "/metrics")
                text = connection.getresponse().read().decode()
            except OSError:  # it does not listen yet, or no more
                connection.close()
                continue
            saved = [line.rsplit(" ", 1)[1] for line in text.splitlines() if line.startswith("flytt_pipeline_saved_position{")]
            if saved and int(saved[0]) >= self.count:
                self.settled = time.time()
                return

    def seconds(self):
        first = next(entry for entry in map(json.loads, self.log.read_text().splitlines()) if entry["message"] == "messages arrive")
        return self.settled - datetime.datetime.fromisoformat(first["time"].replace("Z", "+00:00")).timestamp()


def bench_throughput(kafka, partitions, count, rounds):
    """The medians of all rounds' ratios and of flytt's rows per second, both of the time that messages flow."""
    topic = f"p{partitions}"
    kafka.create_topic(topic, partitions)
    kafka.produce(topic, (message(n) for n in range(count)))
    table, ratios, whole_ratios, speeds = [], [], [], []
    for number in range(1, rounds + 1):
        limit = measure([ROOT / "build" / "release" / "kafka_source_bench", kafka.brokers, topic, count, 1, "bare"], stdout=subprocess.PIPE)
        limit_flow = float(limit.output)
        with project_of(kafka, topic, "exactly_once") as project:
            path = project.folder / "bench.log"
            with open(path, "wb") as log, Flow(project, path, count) as flow:
                mine = measure([PROGRAM, "run", "--once"], cwd=project.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            found = project.command("query", "--format", "csv", "SELECT COUNT(*), SUM(numericValue) FROM landing.events").stdout.split()[1]
            if mine.status != 0 or limit.status != 0 or flow.settled is None or found != f"{count},{sum(range(count))}":
                sys.exit(f"{topic}: ended with {mine.status} and {found}")
            mine_flow = flow.seconds()
        kafka.forget_group("flytt_events")
        ratios.append(limit_flow / mine_flow)
        whole_ratios.append(limit.seconds / mine.seconds)
        speeds.append(count / mine_flow)
        for name, flow_seconds, whole, ratio in (("bare", limit_flow, limit, ""), ("flytt", mine_flow, mine, f"{ratios[-1]:.2f}")):
            table.append([f"{number}: {name}, {partitions} partition(s)", f"{count / flow_seconds:,.0f}", f"{flow_seconds:.2f}", ratio, f"{whole.seconds:.2f}",
                          f"{whole.cpu_seconds / count * 1e6:.2f}", f"{whole.peak_mib:.0f}"])
    print_table(["round", "rows/s", "flow s", "ratio", "process s", "CPU s per million rows", "peak MiB"], table)
    print(f"median ratio {statistics.median(ratios):.2f} of the flow (this one counts), {statistics.median(whole_ratios):.2f} of whole processes\n", flush=True)
    return statistics.median(ratios), statistics.median(speeds)


def bench_recipe(kafka, count):
    """Messages per second of the recipe's program; its start is not counted, so that few messages are enough."""
    kafka.create_topic("recipe", 1)
    kafka.produce("recipe", (message(n) for n in range(count)))
    with project_of(kafka, "recipe", "exactly_once") as project:
        project.start_verb("warehouse", "--http", f"127.0.0.1:{project.rest_port}", "--grpc", "127.0.0.1:0")
        wait_until(lambda: answers(project), project.log_tail)
        connection = http.client.HTTPConnection("127.0.0.1", project.rest_port, timeout=30)
        connection.request("POST", f"/bigquery/v2/projects/{project.project}/datasets", json.dumps({"datasetReference": {"datasetId": "landing"}}),
                           {"Content-Type": "application/json"})
        connection.getresponse().read()
        took = []
        for number in (1, count):
            environment = {**os.environ, "KAFKA_BROKERS": kafka.brokers, "KAFKA_TOPIC": "recipe", "KAFKA_GROUP": f"recipe{number}", "MESSAGES": str(number),
                           "GOOGLE_CLOUD_PROJECT": project.project, "BIGQUERY_DATASET": "landing", "BIGQUERY_TABLE": f"t{number}",
                           "BIGQUERY_EMULATOR_HOST": f"http://127.0.0.1:{project.rest_port}"}
            measured = measure([sys.executable, ROOT / "tests" / "clients" / "recipe" / "recipe.py"], env=environment, stdout=subprocess.DEVNULL)
            if measured.status != 0:
                sys.exit("the recipe's program failed")
            took.append(measured.seconds)
        project.stop()
    return (count - 1) / (took[1] - took[0])


def answers(project):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", project.rest_port, timeout=2)
        connection.request("GET", f"/bigquery/v2/projects/{project.project}/datasets")
        return connection.getresponse().status == 200
    except OSError:
        return False


def bench_visible(kafka, rate, seconds, is_poisoned):
    """Milliseconds from the broker's receipt of a message to the first answer that holds it. Poisoned: every second message of the
    load cannot be a row."""
    topic = "poisoned" if is_poisoned else "visible"
    kafka.create_topic(topic, 6)
    end, samples = threading.Event(), []

    def load():
        producer, began, sent = kafka.producer(), time.monotonic(), 0
        while not end.wait(0.01):
            while sent < (time.monotonic() - began) * rate:
                producer.produce(topic, b'{"stringValue": 7, "numericValue": "x"}' if is_poisoned and sent % 2 else message(sent))
                sent += 1
            producer.poll(0)
        producer.flush(30)

    with project_of(kafka, topic, "exactly_once") as project:
        project.start()
        project.wait_ready()
        worker = threading.Thread(target=load)
        worker.start()
        connection = http.client.HTTPConnection("127.0.0.1", project.rest_port, timeout=30)
        probe, until, number = kafka.producer(linger_ms=0), time.monotonic() + seconds, 10**9
        try:
            while time.monotonic() < until:
                number += 1
                probe.produce(topic, message(number))
                probe.flush(30)
                received = time.monotonic()
                while True:
                    body = json.dumps({"query": f"SELECT COUNT(*) FROM landing.events WHERE numericValue = {number}", "useLegacySql": False})
                    connection.request("POST", f"/bigquery/v2/projects/{project.project}/queries", body, {"Content-Type": "application/json"})
                    answer = json.load(connection.getresponse())
                    if answer.get("rows", [{"f": [{"v": "0"}]}])[0]["f"][0]["v"] == "1":
                        break
                    if time.monotonic() > received + 30:
                        sys.exit("a message is not visible after 30 s")
                samples.append((time.monotonic() - received) * 1000)
        finally:
            end.set()
            worker.join()
        project.stop()
    q = statistics.quantiles(samples[5:], n=100)  # the first ones hold the making of the table
    print_table(["what", "p50 ms", "p99 ms", "max ms", "samples"], [[f"produced to visible at {rate:,}/s" + (", half of them poison" if is_poisoned else ""), f"{q[49]:.0f}", f"{q[98]:.0f}", f"{max(samples[5:]):.0f}", len(samples) - 5]])
    return q[98]


def rows_of(project):
    try:
        return project.count("landing.events")
    except urllib.error.HTTPError as error:
        if error.code == 404:  # the table is not made yet
            return 0
        raise


def bench_memory(kafka, partitions, delivery, count):
    topic = f"wide{partitions}"
    kafka.create_topic(topic, partitions)
    kafka.produce(topic, (message(n) for n in range(count)))
    with project_of(kafka, topic, delivery) as project:
        process = project.start()
        project.wait_ready(120)
        wait_until(lambda: rows_of(project) >= count, project.log_tail, 120, step=0.5)
        peak = next(int(text.split()[1]) for text in open(f"/proc/{process.pid}/status") if text.startswith("VmHWM")) / 1024
        project.stop()
    print(f"{partitions} partitions, {delivery}, {count:,} messages: peak {peak:.0f} MiB\n", flush=True)
    return peak


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--only", choices=["throughput", "visible", "memory"])
    options = parser.parse_args()
    subprocess.run(["ninja", "-C", ROOT / "build" / "release", "kafka_source_bench"], check=True, stdout=subprocess.DEVNULL)
    rows = []
    with Kafka() as kafka:
        if options.only in (None, "throughput"):
            speeds = []
            for partitions in (1, 6):
                ratio, speed = bench_throughput(kafka, partitions, options.messages, options.rounds)
                rows.append([f"of a bare consumer, {partitions} partition(s)", f"{ratio:.2f}", "at least 0.3", ratio >= 0.3])
                speeds.append(speed)
            recipe = bench_recipe(kafka, 2000)
            rows.append([f"of the recipe's program in Python ({recipe:,.0f}/s)", f"{min(speeds) / recipe:.0f}", "at least 300", min(speeds) / recipe >= 300])
        if options.only in (None, "visible"):
            for is_poisoned in (False, True):
                p99 = bench_visible(kafka, 10_000, options.seconds, is_poisoned)
                name = "produced to visible at 10,000/s" + (", half of them poison" if is_poisoned else "")
                rows.append([f"{name}, p99 ms", f"{p99:.0f}", "at most 300", p99 <= 300])
        if options.only in (None, "memory"):
            for partitions, delivery in ((1000, "at_least_once"), (200, "exactly_once")):
                peak = bench_memory(kafka, partitions, delivery, 200_000)
                rows.append([f"peak MiB, {partitions} partitions, {delivery}", f"{peak:.0f}", "at most 256", peak <= 256])
    print_table(["what", "measured", "must be", "is"], [[*row[:3], "yes" if row[3] else "NO"] for row in rows])
    return 0 if all(row[3] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
