"""A query's rows into a table, against COPY (query) TO STDOUT (FORMAT binary) thrown away. One run, one machine.

Three ways: EXTERNAL_QUERY in a CREATE TABLE AS, `queries:` with the embedded warehouse in the same process, and `queries:` into a warehouse in
another process, whose peak memory is that of the transfer alone. Starts and ends of processes are inside the times; rows are compared after each.
"""

import argparse
import os
import subprocess
import sys

from measure import HEADER, line, measure, print_table

from support.flytt import PROGRAM, Project, wait_until
from support.postgres import BIN, Postgres

SQL = "SELECT id, kunde, belop, navn, adresse, tid, betalt, ref::text AS ref FROM orders"
RATIO_MIN, TRANSFER_MIB_MAX = 0.4, 256


def make_orders(server, rows):
    server.create_database("butikk")
    with server.connect("butikk") as connection:
        connection.execute("CREATE TABLE orders (id bigint PRIMARY KEY, kunde int, belop numeric(12, 2), navn text, adresse text, tid timestamptz, "
                           "betalt boolean, ref uuid)")
        connection.execute("INSERT INTO orders SELECT n, n % 1000, n * 0.37, 'Kunde nummer ' || n, 'Gata ' || n % 997 || ', 0' || n % 900 || ' Oslo', "
                           f"timestamptz '2024-01-01' + n * interval '13 s', n % 3 = 0, md5(n::text)::uuid FROM generate_series(1, {rows}) AS n")
        connection.execute("VACUUM ANALYZE orders")


def copy_to_nowhere(server):
    os.sync()
    with open(os.devnull, "wb") as nowhere:
        return measure([BIN / "psql", "-X", "-q", server.url("butikk"), "-c", f"COPY ({SQL}) TO STDOUT (FORMAT binary)"], stdout=nowhere)


def project_of(server, table, warehouse=None):
    body = (f'sources:\n  butikk: {{postgres: "{server.url("butikk")}"}}\nqueries:\n  orders: {{from: butikk, to: {table}, '
            f'schedule: {{every: "24 hours"}}, sql: "{SQL}"}}')
    return Project(body=body, warehouse=warehouse)


def run(project, *arguments):
    log = project.folder / "bench.log"
    os.sync()
    with open(log, "ab") as out:
        measured = measure([PROGRAM, *arguments], cwd=project.folder, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    if measured.status != 0:
        sys.exit(f"flytt {arguments[0]} ended with {measured.status}\n{log.read_text()[-3000:]}")
    return measured


def check(found, rows, what):
    if found != [str(rows), str(rows * (rows + 1) // 2)]:
        sys.exit(f"{what}: {found} instead of {rows} rows")


def one_round(server, rows, number):
    out = {"limit": copy_to_nowhere(server)}
    with project_of(server, "mart.orders") as project:
        out["query"] = run(project, "run", "--once")
        out["external"] = run(project, "query", f"CREATE TABLE mart.outside AS SELECT * FROM EXTERNAL_QUERY('butikk', '{SQL}')")
        for table in ("orders", "outside"):
            check(project.command("query", "--format", "csv", f"SELECT COUNT(*) AS n, SUM(id) AS s FROM mart.{table}").stdout.split()[1].split(","), rows, table)
    with Project({}, body="") as warehouse:
        warehouse.start_verb("warehouse", "--data", "./warehouse", "--http", f"127.0.0.1:{warehouse.rest_port}", "--grpc", f"127.0.0.1:{warehouse.grpc_port}",
                             "--project", "team")
        wait_until(lambda: "warehouse" in warehouse.log_text() and reachable(warehouse), warehouse.log_text)
        with project_of(server, "mart.orders", warehouse) as project:
            out["transfer"] = run(project, "run", "--once")
        check(warehouse.query("SELECT COUNT(*), SUM(id) FROM mart.orders")[0], rows, f"round {number}, another process")
        warehouse.stop()
    return out


def reachable(warehouse):
    try:
        warehouse.query("SELECT 1")
        return True
    except OSError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with Postgres({"shared_buffers": "1GB", "max_wal_size": "16GB"}) as server:
        make_orders(server, arguments.rows)
        rounds = [one_round(server, arguments.rows, n) for n in range(arguments.rounds)]
    names = {"query": "queries:, warehouse in the process", "external": "EXTERNAL_QUERY", "transfer": "queries:, warehouse elsewhere"}
    failed = False
    summary = []
    for key, name in names.items():
        ordered = sorted(rounds, key=lambda r: r["limit"].seconds / r[key].seconds)
        middle = ordered[len(ordered) // 2]
        ratio = middle["limit"].seconds / middle[key].seconds
        print_table(HEADER, [line("COPY (query) to nowhere", arguments.rows, middle["limit"]), line(name, arguments.rows, middle[key], middle["limit"])])
        peak = max(r[key].peak_mib for r in rounds)
        memory_max = TRANSFER_MIB_MAX if key == "transfer" else None
        summary.append([name, f"{ratio:.2f}", RATIO_MIN, f"{peak:.0f}", memory_max or ""])
        failed |= ratio < RATIO_MIN or (memory_max is not None and peak > memory_max)
    print_table(["what", "ratio", "must be at least", "peak MiB", "at most"], summary)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
