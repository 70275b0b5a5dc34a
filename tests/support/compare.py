"""Source and destination, cell by cell: PostgreSQL's rows as its own SQL prints them, BigQuery's as GoogleSQL does.

Both sides are brought to one canonical text per cell by design: the type table in docs/reference/types.md says which.
"""

import base64
import json
import math

CANONICAL_SOURCE = {
    # BigQuery type → SQL over a PostgreSQL column that gives the canonical text
    "INTEGER": "{c}::text",
    # A cast would strip the padding of char(n) and add a mask to inet: what counts is the type's own output.
    "STRING": "CASE WHEN {c} IS NULL THEN NULL ELSE format('%s', {c}) END", "BOOLEAN": "CASE WHEN {c} THEN 'true' ELSE 'false' END",
    "FLOAT": "{c}::float8::text", "NUMERIC": "{c}::numeric::text", "BIGNUMERIC": "{c}::numeric::text",
    "BYTES": "encode({c}, 'base64')", "DATE": "{c}::text", "TIME": "{c}::text",
    "DATETIME": "to_char({c}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US')",
    "TIMESTAMP": "(extract(epoch from {c}) * 1000000)::numeric(30, 0)::text",
    "JSON": "{c}::text",
    "INTERVAL": "((extract(year FROM {c}) * 12 + extract(month FROM {c}))::bigint || ' ' || extract(day FROM {c})::bigint || ' ' || "
                "(extract(hour FROM {c}) * 3600000000 + extract(minute FROM {c}) * 60000000 + extract(microsecond FROM {c}))::bigint)",
}


def quote(name):
    return '"' + name.replace('"', '""') + '"'


def canonical_number(text):
    if text is None:
        return None
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def canonical_interval(text):
    """BigQuery's "[-]Y-M [-]D [-]H:M:S[.F]" → "months days microseconds"; the source's form is that already."""
    if ":" not in text:
        return text
    months, days, clock = text.split(" ")
    sign, parts = (-1, months[1:]) if months.startswith("-") else (1, months)
    year, month = parts.split("-")
    clock_sign, clock = (-1, clock[1:]) if clock.startswith("-") else (1, clock)
    hour, minute, second = clock.split(":")
    second, _, fraction = second.partition(".")
    micros = (int(hour) * 3600 + int(minute) * 60 + int(second)) * 1000000 + int(fraction.ljust(6, "0") or 0)
    return f"{sign * (int(year) * 12 + int(month))} {int(days)} {clock_sign * micros}"


def canonical_cell(kind, mode, text):
    """The same for both sides; `text` is what SQL or REST gave."""
    if text is None:
        return None
    if kind == "FLOAT":
        value = float(text)
        return "NaN" if math.isnan(value) else repr(value)
    if kind in ("NUMERIC", "BIGNUMERIC"):
        return canonical_number(text)
    if kind == "BYTES":
        return base64.b64decode(text).hex()
    if kind == "JSON":
        return json.dumps(json.loads(text, parse_float=str), sort_keys=True)
    if kind == "INTERVAL":
        return canonical_interval(text)
    if kind in ("TIME", "DATETIME") and "." in text:
        return text.rstrip("0").rstrip(".")
    return text


def destination_rows(project, path, columns, key):
    selected = ", ".join(f"`{name}`" for name, _, _ in columns)
    order = ", ".join(f"`{k}`" for k in key)
    rows = {}
    for row in project.query(f"SELECT {selected} FROM {path} ORDER BY {order}"):
        cells = tuple(
            tuple(canonical_cell(kind, mode, item["v"]) for item in cell) if mode == "REPEATED" else canonical_cell(kind, mode, cell)
            for (name, kind, mode), cell in zip(columns, row))
        identity = tuple(cell for (name, _, _), cell in zip(columns, cells) if name in key)
        if identity in rows:
            raise AssertionError(f"{path}: the key of one row stands twice")
        rows[identity] = cells
    return rows


def source_rows(connection, table, columns, key):
    selected = []
    for name, kind, mode in columns:
        if mode == "REPEATED":
            element = CANONICAL_SOURCE[kind].format(c="e")
            selected.append(f"CASE WHEN {quote(name)} IS NULL THEN ARRAY[]::text[] ELSE ARRAY(SELECT {element} FROM unnest({quote(name)}) WITH ORDINALITY AS u(e, n) ORDER BY n) END")
        else:
            selected.append(CANONICAL_SOURCE[kind].format(c=quote(name)))
    rows = {}
    with connection.cursor() as cursor:
        cursor.execute("SET timezone = 'UTC'; SET bytea_output = 'hex'; SET extra_float_digits = 1; SET datestyle = 'ISO, YMD'")
        cursor.execute(f"SELECT {', '.join(selected)} FROM {table}")
        for row in cursor:
            cells = tuple(
                tuple(canonical_cell(kind, mode, item) for item in cell) if mode == "REPEATED" else canonical_cell(kind, mode, cell)
                for (name, kind, mode), cell in zip(columns, row))
            identity = tuple(cell for (name, _, _), cell in zip(columns, cells) if name in key)
            rows[identity] = cells
    return rows


def table_columns(project, dataset, table):
    """[(name, REST type, mode)] and key names, as tables.get tells them."""
    answer = project.rest("GET", f"projects/{project.project}/datasets/{dataset}/tables/{table}")
    columns = [(f["name"], f["type"], f.get("mode", "NULLABLE")) for f in answer["schema"]["fields"]]
    return columns, answer["tableConstraints"]["primaryKey"]["columns"]


def differences(project, connection, source_table, dataset, table, limit=5):
    """Keys that are missing, extra or different; an empty list when both sides are the same cell by cell."""
    columns, key = table_columns(project, dataset, table)
    source = source_rows(connection, source_table, columns, key)
    destination = destination_rows(project, f"{dataset}.`{table}`", columns, key)
    found = []
    for identity, cells in source.items():
        if identity not in destination:
            found.append(("missing", identity))
        elif destination[identity] != cells:
            where = [name for (name, _, _), a, b in zip(columns, cells, destination[identity]) if a != b]
            found.append(("different", identity, where))
    found += [("extra", identity) for identity in destination.keys() - source.keys()]
    return found if limit is None else found[:limit]


# For tables too large to carry over: two sums of 40 bits of an MD5 over the row's canonical text, on both sides.

def digest_source(connection, table, columns):
    text = " || '|' || ".join(f"coalesce({CANONICAL_SOURCE[kind].format(c=quote(name))}, '~')" for name, kind, _ in columns)
    bits = "('x' || substr(h, {0}, 10))::bit(40)::bigint"
    sql = (f"SELECT count(*), coalesce(sum({bits.format(1)}), 0)::text, coalesce(sum({bits.format(11)}), 0)::text "
           f"FROM (SELECT md5({text}) AS h FROM {table}) AS digests")
    return tuple(str(v) for v in connection.execute(sql).fetchone())


def digest_destination(project, path, columns):
    cell = {"INTEGER": "CAST({c} AS STRING)", "STRING": "{c}", "BOOLEAN": "CAST({c} AS STRING)", "DATE": "CAST({c} AS STRING)",
            "DATETIME": "FORMAT_DATETIME('%Y-%m-%dT%H:%M:%E6S', {c})", "TIMESTAMP": "CAST(UNIX_MICROS({c}) AS STRING)"}
    text = " || '|' || ".join(f"COALESCE({cell[kind].format(c=f'`{name}`')}, '~')" for name, kind, _ in columns)
    bits = "CAST('0x' || SUBSTR(h, {0}, 10) AS INT64)"
    sql = (f"SELECT COUNT(*), COALESCE(SUM({bits.format(1)}), 0), COALESCE(SUM({bits.format(11)}), 0) "
           f"FROM (SELECT TO_HEX(MD5({text})) AS h FROM {path})")
    return tuple(project.query(sql, seconds=300)[0])


DIGEST_TYPES = {"INTEGER", "STRING", "BOOLEAN", "DATE", "DATETIME", "TIMESTAMP"}
