"""insertAll of one row: the time until it is durable and answered, beside a request that only reads and the disk's own fsync."""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from measure import ROOT, print_table


def millis(times):
    times.sort()
    return [f"{statistics.median(times) * 1000:.2f}", f"{times[int(len(times) * 0.99)] * 1000:.2f}"]


def timed(count, work):
    times = []
    for n in range(count):
        began = time.perf_counter()
        work(n)
        times.append(time.perf_counter() - began)
    return times


def cpu_millis(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def row(n):
    return {"stringValue": "a" * 50, "booleanValue": True, "numericValue": n, "timestampValue": "2024-02-29T12:34:56Z"}


def by_google_client(rest, count):
    """The same row by Google's client for Python, which does more of its own for each request."""
    client = bigquery.Client(project="bench", credentials=AnonymousCredentials(), client_options={"api_endpoint": f"http://{rest}"})
    table = client.get_table("bench.d.t")

    def insert(n):
        if client.insert_rows_json(table, [row(n)]):
            raise RuntimeError("a row was refused")

    timed(50, insert)
    times = timed(count, insert)
    client.close()
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--program", default=os.environ.get("FLYTT_PROGRAM", ROOT / "build" / "release" / "flytt"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flytt-bench-") as folder:
        process = subprocess.Popen([str(options.program), "warehouse", "--data", f"{folder}/data", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--project", "bench"],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            rest = json.loads(process.stdout.readline())["rest"].removeprefix("http://")
            connection = http.client.HTTPConnection(rest, timeout=60)

            def ask(method, path, body=None):
                connection.request(method, f"/bigquery/v2/projects/bench{path}", None if body is None else json.dumps(body), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status >= 300 or b"insertErrors" in text:
                    raise RuntimeError(text)

            ask("POST", "/datasets", {"datasetReference": {"datasetId": "d"}})
            fields = [{"name": "stringValue", "type": "STRING", "mode": "REQUIRED"}, {"name": "booleanValue", "type": "BOOL"},
                      {"name": "numericValue", "type": "INT64"}, {"name": "timestampValue", "type": "TIMESTAMP"}]
            ask("POST", "/datasets/d/tables", {"tableReference": {"tableId": "t"}, "schema": {"fields": fields}})

            def insert(n):
                ask("POST", "/datasets/d/tables/t/insertAll", {"rows": [{"insertId": f"i{n}", "json": row(n)}]})

            timed(50, insert)
            spent = -cpu_millis(process.pid)
            rows = [["insertAll of one row", *millis(timed(options.count, lambda n: insert(n + 50)))]]
            spent += cpu_millis(process.pid)
            rows += [
                ["GET of the dataset", *millis(timed(options.count, lambda n: ask("GET", "/datasets/d")))]]
            with open(f"{folder}/probe", "ab", buffering=0) as probe:
                def sync(_):
                    probe.write(b"x" * 300)
                    os.fsync(probe.fileno())
                rows.append(["300 bytes and fsync", *millis(timed(options.count, sync))])
            rows.append(["insertAll by Google's client for Python", *millis(by_google_client(rest, options.count))])
        finally:
            process.terminate()
            process.wait(60)
    print_table(["what", "p50 ms", "p99 ms"], rows)
    print(f"CPU of the server for each insertAll: {spent / options.count:.2f} ms")
    limit = float(rows[1][1]) + float(rows[2][1])
    print(f"ratio of insertAll's median to request and fsync: {float(rows[0][1]) / limit:.2f}")


if __name__ == "__main__":
    sys.exit(main())
