"""What our engine sends, read by Google's protos in Python instead of our own decoder."""

import base64
import datetime
import decimal
import json
import unittest
import uuid

import grpc
from google.cloud import bigquery_storage_v1
from google.cloud.bigquery_storage_v1 import types
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import BigQueryWriteGrpcTransport
from google.rpc import code_pb2

from peer_write import Peer
from storage_write_client_test import CHANGES, FIELD, PERSON, Connection, message_class, request
from support.flytt import Project, wait_until
from support.postgres import Postgres

TABLE = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE everything (
  id bigint PRIMARY KEY, small smallint, flag boolean, single real, ratio double precision, price numeric(12, 3), wide numeric(50, 20),
  words text, code varchar(20), padded char(5), raw bytea, mark uuid, day date, clock time, at timestamp, moment timestamptz,
  span interval, doc jsonb, numbers int[], names text[], feeling mood, "æøå" text, "with space" text);
CREATE TABLE two_keys (a int, b text, v text, PRIMARY KEY (a, b));
"""

ROWS = """
INSERT INTO everything VALUES
 (1, -32768, true, 1.5, 'NaN', 123456.789, 12345678901234567890.12345678901234567890, 'plain', 'x', 'ab', '\\x00ff', '6f1e1c3e-0000-4000-8000-00000000abcd',
  '2024-02-29', '12:34:56.000001', '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789+02', '1 year 2 months 3 days 04:05:06.5', '{"a": [1, null, "x"]}',
  '{1,2,-3}', '{"a","b c",""}', 'glad', 'blåbær', 'spaced'),
 (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (3, 32767, false, '-Infinity', 1e308, -999999999.999, -0.00000000000000000001, E'line\\nbreak \\\\ "quote"', '', '', '', '00000000-0000-0000-0000-000000000000',
  '0001-01-01', '00:00:00', '9999-12-31 23:59:59.999999', '0001-01-01 00:00:00+00', '-1 day', '[]', '{}', '{}', 'sad', '', NULL);
INSERT INTO everything (id, words) SELECT n, repeat('long ', 1000) FROM generate_series(100, 2000) AS n;
INSERT INTO two_keys SELECT n % 10, 'b' || n, 'v' FROM generate_series(1, 50) AS n;
"""


def as_the_peer_shows(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime) and value.tzinfo:
        return value.astimezone(datetime.timezone.utc).replace(tzinfo=None).isoformat()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


def is_same(ours, theirs):
    """`ours` from PostgreSQL as psycopg reads it, `theirs` from the peer."""
    if isinstance(ours, decimal.Decimal):
        return theirs is not None and decimal.Decimal(theirs) == ours
    if isinstance(ours, float):
        return isinstance(theirs, str) and (float(theirs) == ours or ours != ours and theirs == "nan")
    if isinstance(ours, datetime.timedelta):
        return isinstance(theirs, str)  # its text is compared apart
    if isinstance(ours, dict) or ours == [] and isinstance(theirs, str):
        return json.loads(theirs) == ours
    return as_the_peer_shows(ours) == theirs


def differences(connection, table, key, seen):
    """Sentences about rows that differ between PostgreSQL and what the peer keeps."""
    cursor = connection.execute(f"SELECT * FROM {table}")
    names = [column.name for column in cursor.description]
    expected = {tuple(row[names.index(k)] for k in key): dict(zip(names, row)) for row in cursor}
    found = {tuple(row[k] for k in key): row for row in seen}
    out = [f"missing {k}" for k in expected.keys() - found.keys()] + [f"extra {k}" for k in found.keys() - expected.keys()]
    for k in expected.keys() & found.keys():
        for name, value in expected[k].items():
            theirs = found[k][name]
            if value is None and theirs == []:
                continue  # a NULL array arrives as an empty one
            if not is_same(value, theirs):
                out.append(f"{k} {name}: {value!r} became {theirs!r}")
    return out


class OurEngine(unittest.TestCase):
    def setUp(self):
        self.server = Postgres()
        self.addCleanup(self.server.close)
        self.server.create_database("app")
        self.server.execute(TABLE, database="app")
        self.server.execute(ROWS, database="app")

    def test_a_peer_of_googles_protos_reads_our_rows(self):
        with Peer() as peer, Project({"app": (self.server.url("app"), "landing", "")}) as project:
            config = project.folder / "flytt.yaml"
            config.write_text(config.read_text().replace(
                "destination: {local: ./warehouse}",
                f'destination: {{bigquery: {{rest: "{peer.rest}", grpc: "{peer.grpc}"}}}}\nstate: {{sqlite: ./state.db}}'))
            project.command("setup", "postgres", "app")
            project.start()

            def equal():
                if project.process.poll() is not None:
                    raise AssertionError(f"flytt ended with {project.process.returncode}\n{project.log_tail()}")
                tables = peer.report()["tables"]
                with self.server.connect("app") as connection:
                    self.found = differences(connection, "everything", ["id"], tables.get("landing.everything", []))
                    self.found += differences(connection, "two_keys", ["a", "b"], tables.get("landing.two_keys", []))
                return not self.found
            wait_until(equal, lambda: f"the copy: {self.found[:10]}\n{peer.violations}\n{project.log_tail()}")

            with self.server.connect("app") as connection:
                connection.execute("UPDATE everything SET words = 'changed', numbers = '{9}' WHERE id BETWEEN 100 AND 150")
                connection.execute("UPDATE everything SET small = 1 WHERE id = 1")
                connection.execute("DELETE FROM everything WHERE id > 1900")
                connection.execute("UPDATE two_keys SET a = 100 WHERE a = 1")
                connection.execute("INSERT INTO two_keys VALUES (1, 'b1', 'again')")
            wait_until(equal, lambda: f"the stream: {self.found[:10]}\n{peer.violations}\n{project.log_tail()}")
            (first,) = [row for row in peer.report()["tables"]["landing.everything"] if row["id"] == 1]
            self.assertEqual((first["span"], first["æøå"], first["with space"]), ("1-2 3 4:5:6.500000", "blåbær", "spaced"))
            self.assertEqual(project.stop(), 0)
            self.assertEqual(peer.report()["violations"], [])
            self.assertTrue(all(append["trace_id"] for append in peer.report()["appends"][:1]))


class ThePeer(unittest.TestCase):
    """The judge is judged: it must see what is wrong."""

    def setUp(self):
        self.peer = Peer()
        self.addCleanup(self.peer.__exit__)
        self.peer.answer_rest("POST", "/bigquery/v2/projects/p/datasets", {"datasetReference": {"datasetId": "d"}})
        self.peer.answer_rest("POST", "/bigquery/v2/projects/p/datasets/d/tables", {
            "tableReference": {"tableId": "t"}, "tableConstraints": {"primaryKey": {"columns": ["id"]}},
            "schema": {"fields": [{"name": "id", "type": "INTEGER"}, {"name": "name", "type": "STRING"}, {"name": "score", "type": "FLOAT"}]}})
        self.channel = grpc.insecure_channel(self.peer.grpc)
        self.addCleanup(self.channel.close)
        self.client = bigquery_storage_v1.BigQueryWriteClient(transport=BigQueryWriteGrpcTransport(channel=self.channel))
        self.stream = "projects/p/datasets/d/tables/t/streams/_default"
        self.row, self.schema = message_class(PERSON + CHANGES)

    def connect(self):
        connection = Connection(self.client)
        self.addCleanup(connection.end)
        return connection

    def change(self, kind="UPSERT", sequence="1/1/1", **values):
        return self.row(_CHANGE_TYPE=kind, _CHANGE_SEQUENCE_NUMBER=sequence, **values)

    def test_it_keeps_the_greatest_sequence(self):
        connection = self.connect()
        connection.ask(request([self.change(id=1, name="b", sequence="1/B/1")], stream=self.stream, schema=self.schema))
        connection.ask(request([self.change(id=1, name="a", sequence="1/A/FFF"), self.change("DELETE", "1/A/1", id=2)]))
        connection.ask(request([self.change(id=2, name="late", sequence="1/9/1")]))
        self.assertEqual(self.peer.report()["tables"], {"d.t": [{"id": 1, "name": "b", "score": None}]})
        self.assertEqual(self.peer.violations, [])

    def test_it_refuses_what_google_refuses(self):
        connection = self.connect()
        for bad in (self.change("REPLACE", id=1), self.change(sequence="x", id=1), self.change(name="no key")):
            self.assertEqual(connection.ask(request([bad], stream=self.stream, schema=self.schema)).error.code, code_pb2.INVALID_ARGUMENT)
        missing = connection.ask(request([self.change(id=1)], stream=self.stream.replace("/t/", "/other/"), schema=self.schema))
        self.assertEqual(missing.error.code, code_pb2.NOT_FOUND)
        self.assertEqual(self.peer.report()["tables"], {"d.t": []})

    def test_it_sees_breaches(self):
        connection = self.connect()
        connection.ask(request([self.change(id=1)], stream=self.stream, schema=self.schema, offset=0))
        wide, _ = message_class(PERSON + CHANGES + (("unsaid", FIELD.TYPE_STRING),))
        self.assertEqual(connection.ask(request([wide(id=2, _CHANGE_TYPE="UPSERT", unsaid="x")], stream=self.stream, schema=self.schema)).error.code, 0)
        arrow = types.AppendRowsRequest(write_stream=self.stream, arrow_rows=types.AppendRowsRequest.ArrowData())
        connection.ask(arrow)
        self.assertEqual(self.peer.violations, ["an offset on a default stream", f"a row of {self.stream} has fields that its descriptor lacks", "a request without proto_rows"])


if __name__ == "__main__":
    unittest.main()
