"""First copy against COPY (FORMAT binary) thrown away; change stream against pg_recvlogical thrown away. One run, one machine.

The stream is a backlog of 60 % inserts, 30 % updates, 10 % deletes over the copied base; flytt's clock stops when everything is
durable, visible, and moved from the change log into the base. The process's start and end are inside its time.
"""

import argparse
import os
import statistics
import subprocess
import sys

from measure import HEADER, line, measure, print_table

from support.flytt import PROGRAM, Project
from support.postgres import BIN, Postgres

def copy_to_nowhere(server, database, table):
    with open(os.devnull, "wb") as nowhere:
        return measure([BIN / "psql", "-X", "-q", server.url(database), "-c", f"COPY (SELECT * FROM {table}) TO STDOUT (FORMAT binary)"], stdout=nowhere)


def run_once(project):
    log = open(project.folder / "bench.log", "ab")
    measured = measure([PROGRAM, "run", "--once"], cwd=project.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    if measured.status != 0:
        sys.exit(f"flytt run --once ended with {measured.status}\n{(project.folder / 'bench.log').read_text()[-3000:]}")
    return measured


def make_orders(server, database, rows):
    with server.connect(database) as connection:
        connection.execute("CREATE TABLE orders (id bigint PRIMARY KEY, kunde int, belop numeric(12, 2), navn text, adresse text, tid timestamptz, "
                           "betalt boolean, ref uuid, ekstra jsonb)")
        connection.execute("INSERT INTO orders SELECT n, n % 1000, n * 0.37, 'Kunde nummer ' || n, 'Gata ' || n % 997 || ', 0' || n % 900 || ' Oslo', "
                           "timestamptz '2024-01-01' + n * interval '13 s', n % 3 = 0, md5(n::text)::uuid, jsonb_build_object('n', n, 'kanal', 'nett') "
                           f"FROM generate_series(1, {rows}) AS n")
        connection.execute("VACUUM ANALYZE orders")


def bench_copy(server, database, table, rows, rounds):
    results = []
    for _ in range(rounds):
        os.sync()  # or the disk still writes what was made before while flytt waits for its own rows
        limit = copy_to_nowhere(server, database, table)
        with Project({"app": (server.url(database), "landing", f'tables: {{include: ["public.{table}"]}}')}) as project:
            project.command("setup", "postgres", "app")
            mine = run_once(project)
            counted = project.command("query", "--format", "csv", f"SELECT COUNT(*) AS n FROM landing.{table}").stdout.split()[1]
            if int(counted) != rows:
                sys.exit(f"{table}: {counted} rows instead of {rows}")
            project.command("teardown", "app")
        results.append((limit, mine))
    results.sort(key=lambda r: r[0].seconds / r[1].seconds)
    limit, mine = results[len(results) // 2]
    ratios = [r[0].seconds / r[1].seconds for r in results]
    print_table(HEADER, [line(f"COPY {table} to nowhere", rows, limit), line(f"flytt, first copy of {table}", rows, mine, limit)])
    print(f"ratios of {rounds} rounds: {', '.join(f'{r:.2f}' for r in ratios)}\n")
    return statistics.median(ratios)


def write_backlog(server, database, base_rows, changes):
    """Transactions of 100 changes by two connections of pgbench; the mix is 60/30/10."""
    script = "BEGIN;\n" + "".join(
        ("INSERT INTO pgbench_accounts (aid, bid, abalance, filler) VALUES (nextval('aids'), 1, 7, 'ny');\n" * 6)
        + (f"\\set a{i} random(1, {base_rows})\nUPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :a{i};\n" * 3)
        + f"\\set d{i} random(1, {base_rows})\nDELETE FROM pgbench_accounts WHERE aid = :d{i};\n" for i in range(10)) + "COMMIT;\n"
    path = server.folder / "mix.sql"
    path.write_text(script)
    path.chmod(0o644)
    server.execute(f"CREATE SEQUENCE aids START {base_rows + 1} CACHE 1000", database=database)
    server.tool("pgbench", "-n", "-c", "2", "-t", changes // 200, "-f", path, database)


def bench_stream(server, database, base_rows, changes):
    with Project({"app": (server.url(database), "landing", 'tables: {include: ["public.pgbench_accounts"]}')}) as project:
        project.command("setup", "postgres", "app")
        run_once(project)
        server.execute("SELECT pg_create_logical_replication_slot('grense', 'pgoutput')", database=database)
        write_backlog(server, database, base_rows, changes)
        end = server.execute("SELECT pg_current_wal_flush_lsn()::text")[0][0]
        server.execute("SELECT pg_logical_emit_message(true, 'end', 'end')", database=database)
        limit = measure([BIN / "pg_recvlogical", "-d", server.url(database), "-S", "grense", "--start", "-f", os.devnull, f"--endpos={end}", "--no-loop",
                         "-o", "proto_version=1", "-o", "publication_names=flytt_app", "-o", "binary=true"])
        if limit.status != 0:
            sys.exit("pg_recvlogical failed")
        mine = run_once(project)
        expected = server.execute("SELECT count(*), sum(abalance) FROM pgbench_accounts", database=database)[0]
        found = project.command("query", "--format", "csv", "SELECT COUNT(*) AS n, SUM(abalance) AS s FROM landing.pgbench_accounts").stdout.split()[1]
        if found != f"{expected[0]},{expected[1]}":
            sys.exit(f"stream: {found} instead of {expected}")
        server.execute("SELECT pg_drop_replication_slot('grense')")
        project.command("teardown", "app")
    print_table(HEADER, [line("pg_recvlogical to nowhere", changes, limit), line("flytt, change stream", changes, mine, limit)])
    return limit.seconds / mine.seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, default=50, help="100,000 accounts each; the promise is about 50")
    parser.add_argument("--changes", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["accounts", "orders", "stream"])
    arguments = parser.parse_args()
    rows = arguments.scale * 100_000
    ratios = {}
    with Postgres({"shared_buffers": "2GB", "max_wal_size": "16GB"}) as server:
        server.create_database("bank")
        server.tool("pgbench", "-i", "-q", "-s", arguments.scale, "bank")
        if arguments.only in (None, "accounts"):
            ratios["first copy, accounts"] = bench_copy(server, "bank", "pgbench_accounts", rows, arguments.rounds)
        if arguments.only in (None, "orders"):
            server.create_database("butikk")
            make_orders(server, "butikk", rows * 2 // 5)
            ratios["first copy, orders"] = bench_copy(server, "butikk", "orders", rows * 2 // 5, arguments.rounds)
        if arguments.only in (None, "stream"):
            ratios["change stream"] = bench_stream(server, "bank", rows, arguments.changes)
    limits = {"first copy, accounts": 0.5, "first copy, orders": 0.5, "change stream": 0.4}
    print_table(["what", "ratio", "must be at least"], [[k, f"{v:.2f}", limits[k]] for k, v in ratios.items()])
    return 0 if all(v >= limits[k] for k, v in ratios.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
