"""Commit → visible by a REST query for a random key: 1,000 changes/s over a large base, apply and checkpoint at work."""

import argparse
import http.client
import json
import random
import statistics
import subprocess
import sys
import threading
import time

from measure import print_table

from support.flytt import Project, wait_until
from support.postgres import BIN, Postgres


class Asker:
    """One kept-alive REST connection."""

    def __init__(self, project):
        self.project = project
        self.connection = http.client.HTTPConnection("127.0.0.1", project.rest_port, timeout=30)

    def balance(self, key):
        body = json.dumps({"query": f"SELECT abalance FROM landing.pgbench_accounts WHERE aid = {key}", "useLegacySql": False})
        self.connection.request("POST", f"/bigquery/v2/projects/{self.project.project}/queries", body, {"Content-Type": "application/json"})
        answer = json.load(self.connection.getresponse())
        if "rows" not in answer:
            raise RuntimeError(answer)
        return int(answer["rows"][0]["f"][0]["v"]) if answer["rows"] else None


def probe(server, project, rows, until, samples, queries):
    asker, rng = Asker(project), random.Random(5)
    with server.connect("bank") as connection:
        value = 1_000_000
        while time.monotonic() < until:
            value += 1
            key = rng.randint(1, rows)
            connection.execute("UPDATE pgbench_accounts SET abalance = %s WHERE aid = %s", (value, key))
            committed = time.monotonic()
            while True:
                asked = time.monotonic()
                seen = asker.balance(key)
                now = time.monotonic()
                queries.append((now - asked) * 1000)
                if seen == value:
                    samples.append((now - committed) * 1000)
                    break
                if now - committed > 30:
                    raise RuntimeError("a change is not visible after 30 s")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=90)
    parser.add_argument("--rate", type=int, default=1000)
    arguments = parser.parse_args()
    rows = arguments.scale * 100_000
    with Postgres({"shared_buffers": "1GB", "max_wal_size": "8GB"}) as server:
        server.create_database("bank")
        server.tool("pgbench", "-i", "-q", "-s", arguments.scale, "bank")
        # Keys beyond the base take the load, so that the probe's own rows are written by nobody else.
        # Events of half a kilobyte come on top: they fill the write-ahead log, so that checkpoints fall into the time.
        server.execute("CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)", database="bank")
        script = server.folder / "load.sql"
        script.write_text("\\set k random(1, 1000000)\nINSERT INTO pgbench_accounts VALUES (100000000 + :k, 1, 0, 'x') ON CONFLICT (aid) DO UPDATE SET bid = "
                          "pgbench_accounts.bid + 1;\nINSERT INTO events (body) VALUES (repeat(md5(:k::text), 16));\n")
        script.chmod(0o644)
        with Project({"bank": (server.url("bank"), "landing", 'tables: {include: ["public.pgbench_accounts", "public.events"]}')}) as project:
            project.command("setup", "postgres", "bank")
            project.start()
            project.wait_ready()
            wait_until(lambda: all(t["state"] == "streaming" for s in project.status()["streams"] for t in s["tables"]) and project.status()["streams"][0]["tables"],
                       "first copy", 300, step=0.5)
            load = subprocess.Popen([str(BIN / "pgbench"), "-h", "127.0.0.1", "-p", str(server.port), "-U", "admin", "-n", "-c", "2", "-f", str(script),
                                     "-R", str(arguments.rate), "-T", str(arguments.seconds + 5), "bank"], env={"PGPASSWORD": "admin"},
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            before = runs_of(project)
            samples, queries = [], []
            worker = threading.Thread(target=probe, args=(server, project, rows, time.monotonic() + arguments.seconds, samples, queries))
            worker.start()
            worker.join()
            printed = load.communicate()[0]
            runs = {name: count - before[name] for name, count in runs_of(project).items()}
            project.stop()
    tps = next((text for text in printed.splitlines() if text.startswith("tps")), "")
    q, a = statistics.quantiles(samples, n=100), statistics.quantiles(queries, n=100)
    print_table(["what", "p50 ms", "p90 ms", "p99 ms", "max ms", "samples"],
                [["commit to visible", *(f"{q[i]:.0f}" for i in (49, 89, 98)), f"{max(samples):.0f}", len(samples)],
                 ["one query", *(f"{a[i]:.0f}" for i in (49, 89, 98)), f"{max(queries):.0f}", len(queries)]])
    print(f"load: {tps}\nmeanwhile: {', '.join(f'{count} {name}' for name, count in runs.items())}")
    if 0 in runs.values():
        print("not all that should have been at work was: measure longer (--seconds)")
        return 1
    return 0 if q[98] <= 500 else 1


def runs_of(project):
    connection = http.client.HTTPConnection("127.0.0.1", project.health_port, timeout=10)
    connection.request("GET", "/metrics")
    found = dict(line.split() for line in connection.getresponse().read().decode().splitlines() if line.startswith("flytt_warehouse_") and "{" not in line)
    return {name: int(found[f"flytt_warehouse_{name}_total"]) for name in ("applies", "checkpoints")}


if __name__ == "__main__":
    sys.exit(main())
