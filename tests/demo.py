"""The demonstration: all four recipes in one flytt. Two databases of a real PostgreSQL with writers that never pause and a topic of
a real Kafka, flytt killed once in the middle; a daily query; a product from the landing zone, and a story that is rendered when
it has changed. Then both sides are compared cell by cell.

Everything runs on 127.0.0.1 and is stopped at the end; the warehouse stays in .flytt/demo to be explored.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support import compare  # noqa: E402
from support.flytt import PROGRAM, Project, wait_until  # noqa: E402
from support.kafka import Kafka  # noqa: E402
from support.postgres import BIN, Postgres  # noqa: E402
from support.workload import Writers, make_sak  # noqa: E402

STARTED = time.monotonic()
DATABASES = {"bank": "landing_bank", "sak": "landing_sak"}


def say(text):
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def table(header, rows):
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, ["-" * w for w in widths], *rows]:
        print("  " + "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())


def make_bank(server, scale):
    server.create_database("bank")
    server.tool("pgbench", "-i", "-q", "-s", scale, "bank")
    with server.connect("bank") as connection:
        connection.execute("ALTER TABLE pgbench_history ADD COLUMN id bigserial PRIMARY KEY")
        connection.execute("CREATE TABLE puls (id bigint PRIMARY KEY, sendt timestamptz NOT NULL)")


class Freshness:
    """Writes a row, then asks the destination for it over REST until it is there: commit → visible, in milliseconds."""

    def __init__(self, server, project):
        self.server, self.project, self.stopping, self.samples = server, project, threading.Event(), []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        number = 0
        with self.server.connect("bank") as connection:
            while not self.stopping.wait(0.02):
                number += 1
                connection.execute("INSERT INTO puls VALUES (%s, clock_timestamp())", (number,))
                written = time.monotonic()
                while not self.stopping.is_set():
                    try:
                        if self.project.query(f"SELECT id FROM landing_bank.puls WHERE id = {number}", seconds=10):
                            self.samples.append((time.monotonic() - written) * 1000)
                            break
                    except OSError:
                        break  # flytt is down at this moment; the kill is part of the demonstration

    def stop(self):
        self.stopping.set()
        self.thread.join(30)


def process_tree(pid):
    children = subprocess.run(["ps", "--no-headers", "-o", "pid", "--ppid", str(pid)], stdout=subprocess.PIPE, text=True).stdout.split()
    return [pid] + [p for child in children for p in process_tree(int(child))]


def peak_memory_mib(pid):
    total = 0
    for process in process_tree(pid):
        try:
            status = pathlib.Path(f"/proc/{process}/status").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    return total / 1024


def lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def caught_up(server, project):
    target = lsn(server.execute("SELECT pg_current_wal_flush_lsn()::text")[0][0])

    def reached():
        streams = [s for s in project.status()["streams"] if s["name"] in DATABASES]
        return all(s["saved_position"] and lsn(s["saved_position"]) >= target and all(t["state"] == "streaming" for t in s["tables"]) for s in streams)
    wait_until(reached, "everything saved", 180, step=0.2)


def compare_all(server, project):
    rows, equal_everywhere = [], True
    for database, dataset in DATABASES.items():
        tables = [r[0] for r in server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1", database=database)]
        with server.connect(database) as connection:
            for name in tables:
                columns, _ = compare.table_columns(project, dataset, name)
                source_count = connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
                if source_count > 50_000 and all(kind in compare.DIGEST_TYPES for _, kind, _ in columns):
                    a = compare.digest_source(connection, f'"{name}"', columns)
                    b = compare.digest_destination(project, f"{dataset}.`{name}`", columns)
                    equal, how, count = a == b, "digest of every row", b[0]
                else:
                    found = compare.differences(project, connection, f'"{name}"', dataset, name)
                    equal, how, count = not found, "cell by cell", project.count(f"{dataset}.`{name}`")
                equal_everywhere &= equal
                rows.append([f"{dataset}.{name}", source_count, count, "equal" if equal else "DIFFERENT", how])
    return rows, equal_everywhere


CONFIGURATION = """\
sources:
  bank: {{postgres: "{bank}"}}
  sak: {{postgres: "{sak}"}}
  events: {{kafka: {{brokers: "{brokers}"}}}}

streams:                               # recipe 1: databases by change stream; recipe 3: a topic of JSON
  bank: {{from: bank, to: landing_bank}}
  sak: {{from: sak, to: landing_sak}}
  hendelser:
    from: events
    topics: [team.hendelser-v1]
    to: landing_events.hendelser
    schema:
      - {{name: stringValue, type: STRING, mode: REQUIRED}}
      - {{name: booleanValue, type: BOOL}}
      - {{name: numericValue, type: INT64}}
      - {{name: timestampValue, type: TIMESTAMP}}

queries:
  saker:                               # recipe 2: a query that runs in PostgreSQL, once a day
    from: sak
    schedule: {{cron: "15 5 * * *", timezone: Europe/Oslo}}
    to: landing_sak.saker_daglig
    sql: |
      WITH constants (version) AS (VALUES (now()))
      SELECT saksnr::text AS id, kontor AS "group", status::text, endret, version FROM sak, constants
  sak_per_kontor:                      # from the landing zone to a product
    schedule: {{every: 10s}}
    to: produkt_sak.sak_per_kontor
    sql: |
      SELECT kontor, status, COUNT(*) AS antall FROM landing_sak.sak GROUP BY kontor, status

jobs:                                  # recipe 4: a command, here one that renders a story when its product has changed
  story:
    after: [table:produkt_sak.sak_per_kontor]
    at_most: 5s
    run: [../../examples/story/render.py]
"""


def setup(server, kafka, scale):
    say(f"PostgreSQL listens on 127.0.0.1:{server.port}, Kafka on {kafka.brokers}; filling the databases (pgbench scale {scale}, and the sak application)")
    make_bank(server, scale)
    make_sak(server, "sak")
    kafka.create_topic("team.hendelser-v1", 4)
    folder = ROOT / ".flytt" / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    project = Project(body=CONFIGURATION.format(bank=server.url("bank"), sak=server.url("sak"), brokers=kafka.brokers))
    shutil.copytree(project.folder, folder, dirs_exist_ok=True)
    shutil.rmtree(project.folder)
    project.folder = folder
    (folder / "flytt.yaml").chmod(0o600)
    return project


def copy_everything(server, project):
    project.command("setup", "postgres", "bank")
    project.command("setup", "postgres", "sak")
    say("publication and grants are made: flytt setup postgres bank, flytt setup postgres sak")
    began = time.monotonic()
    project.start()
    project.wait_ready()

    def copied():
        tables = [t for s in project.status()["streams"] if s["name"] in DATABASES for t in s["tables"]]
        return len(tables) == 8 and all(t["state"] == "streaming" for t in tables)
    wait_until(copied, "first copy of every table", 300, step=0.1)
    seconds = time.monotonic() - began
    rows = sum(server.execute(f"SELECT count(*) FROM {t}", database="bank")[0][0] for t in ("pgbench_accounts", "pgbench_branches", "pgbench_tellers"))
    say(f"{rows} rows copied in {seconds:.1f} s: {rows / seconds:,.0f} rows/s, from the start of the process to everything queryable")


def live_part(server, kafka, project, seconds, messages):
    say("applications write, and a topic gets messages; nobody waits for anybody")
    bank = subprocess.Popen([str(BIN / "pgbench"), "-h", "127.0.0.1", "-p", str(server.port), "-U", "admin", "-n", "-c", "2", "-R", "250", "-T", str(seconds * 2),
                             "bank"], env={"PGPASSWORD": "admin"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    producer = subprocess.Popen([sys.executable, str(ROOT / "examples/kafka/produce.py"), str(messages)], cwd=project.folder,
                                env={**os.environ, "KAFKA_BROKERS": kafka.brokers})
    sak = Writers(server, "sak", seed=7, count=2, pause=0.005)
    fresh = Freshness(server, project)
    try:
        time.sleep(seconds)
        peak = peak_memory_mib(project.process.pid)
        project.kill()
        say("flytt was killed with kill -9, in the middle of everything; starting it again")
        project.start()
        project.wait_ready()
        bank.wait(seconds * 4 + 60)
        if producer.wait(120) != 0:
            raise RuntimeError("the messages could not be produced")
    finally:
        fresh.stop()
        transactions = sak.stop()
        bank.kill()
        producer.kill()
    say(f"writers stopped after {transactions} sak transactions; waiting until everything is saved")
    caught_up(server, project)
    wait_until(lambda: sum(kafka.committed("flytt_hendelser").values()) == messages + 1, project.log_tail, 120)
    return max(peak, peak_memory_mib(project.process.pid)), fresh.samples


def each_once(project, messages):
    rows, distinct = project.query("SELECT COUNT(*), COUNT(DISTINCT numericValue) FROM landing_events.hendelser")[0]
    say(f"{messages} good messages and a bad one: {rows} rows, {distinct} different ones")
    return int(rows) == int(distinct) == messages


def scheduled_part(project):
    """The daily query by hand, then the product and its story, which nobody has to ask for."""
    say("recipe 2, by hand: flytt job run saker --wait: " + project.command("job", "run", "saker", "--wait").stdout.strip())
    index = project.folder / "story" / "index.html"

    def told():
        open_cases = project.query("SELECT SUM(antall) FROM produkt_sak.sak_per_kontor WHERE status != 'lukket'")[0][0]
        return index.exists() and f"er {open_cases} ikke lukket" in index.read_text()
    wait_until(told, lambda: "a story of the product's newest rows\n" + project.log_tail(), 120, step=0.2)
    return index


def show(project, index):
    """One screen: what runs, what is fresh, what was rejected, what runs next, where the story lies."""
    for title, arguments in (("What runs, and what is fresh", ["status"]), ("What was rejected", ["quarantine", "list"]), ("What runs next", ["job", "next", "--count", "1"])):
        print(f"\n  {title}: flytt {' '.join(arguments)}\n")
        print("\n".join("    " + line for line in project.command(*arguments).stdout.rstrip().splitlines()))
    print(f"\n  The story lies in {index.relative_to(ROOT)}\n", flush=True)


def finish(server, project):
    rows, equal = compare_all(server, project)
    print()
    table(["table", "source rows", "destination rows", "content", "compared"], rows)
    print()
    status = project.stop()
    say(f"flytt stopped on SIGTERM with status {status}")
    warehouse = subprocess.Popen([str(PROGRAM), "warehouse", "--data", str(project.folder / "warehouse"), "--project", project.project,
                                  "--http", f"127.0.0.1:{project.rest_port}", "--grpc", f"127.0.0.1:{project.grpc_port}"],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        warehouse.stdout.readline()
        server.execute("UPDATE person SET saldo = coalesce(saldo, 0) + 0.0001 WHERE id = 77", database="sak")
        with server.connect("sak") as connection:
            found = compare.differences(project, connection, "person", "landing_sak", "person")
        say(f"one cell flipped in the source while flytt is down; the comparison says: {found}")
        seen = len(found) == 1 and found[0][0] == "different" and found[0][2] == ["saldo"]
    finally:
        warehouse.terminate()
        warehouse.wait(60)
    return equal and seen and status == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=10, help="pgbench scale (100,000 accounts each)")
    parser.add_argument("--seconds", type=int, default=10, help="how long writers run before and after the kill")
    parser.add_argument("--messages", type=int, default=200_000, help="of the topic")
    arguments = parser.parse_args()
    with Postgres() as server, Kafka() as kafka:
        project = setup(server, kafka, arguments.scale)
        try:
            copy_everything(server, project)
            peak, samples = live_part(server, kafka, project, arguments.seconds, arguments.messages)
            good = each_once(project, arguments.messages)
            show(project, scheduled_part(project))
            good &= finish(server, project)
        except BaseException:
            print(project.log_tail(), file=sys.stderr)
            raise
        finally:
            project.kill()
    quantiles = statistics.quantiles(samples, n=100) if len(samples) > 2 else [float("nan")] * 99
    print(f"\n  freshness, commit to visible by a REST query, kill included: p50 {quantiles[49]:.0f} ms, p99 {quantiles[98]:.0f} ms ({len(samples)} samples)")
    print(f"  peak memory of flytt and its helper: {peak:.0f} MiB\n")
    relative = project.folder.relative_to(ROOT)
    print("  Go on exploring:")
    print(f"    build/release/flytt query --data {relative}/warehouse 'SELECT status, COUNT(*) AS n FROM `{project.project}.landing_sak.sak` GROUP BY status ORDER BY n DESC'")
    print(f"    build/release/flytt warehouse --data {relative}/warehouse      # BigQuery's REST on 127.0.0.1:9050, gRPC on 127.0.0.1:9060")
    print("    build/release/flytt init --postgres postgres://USER:PASSWORD@HOST/DATABASE")
    print("\n  " + ("Everything is equal." if good else "SOMETHING DIFFERS."))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
