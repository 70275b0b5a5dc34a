"""Google's own Storage Write client for Python, unmodified, against our gRPC service."""

import queue
import unittest

import grpc
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types, writer
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.rpc import code_pb2

from service import PROJECT, Service

FIELD = descriptor_pb2.FieldDescriptorProto
CHANGES = (("_CHANGE_TYPE", FIELD.TYPE_STRING), ("_CHANGE_SEQUENCE_NUMBER", FIELD.TYPE_STRING))
PERSON = (("id", FIELD.TYPE_INT64), ("name", FIELD.TYPE_STRING), ("score", FIELD.TYPE_DOUBLE))


def message_class(fields, name="Row"):
    """A proto2 message with optional fields, made at run time."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}_{abs(hash(fields))}.proto", syntax="proto2")
    message = file.message_type.add(name=name)
    for number, (field, kind) in enumerate(fields, 1):
        message.field.add(name=field, number=number, type=kind, label=FIELD.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name)), message


def request(rows, *, stream=None, schema=None, offset=None):
    data = types.AppendRowsRequest.ProtoData(rows=types.ProtoRows(serialized_rows=[row.SerializeToString() for row in rows]))
    if schema is not None:
        data.writer_schema = types.ProtoSchema(proto_descriptor=schema)
    out = types.AppendRowsRequest(proto_rows=data)
    if stream is not None:
        out.write_stream = stream
    if offset is not None:
        out.offset = offset
    return out


class Connection:
    """One AppendRows call on the generated client, driven request by request.

    The library waits for the first answer before it returns the call, so the call begins when an answer is wanted."""

    def __init__(self, client):
        self.client = client
        self.requests = queue.SimpleQueue()
        self.routing = "write_stream="
        self.call = None

    def send(self, *requests):
        for item in requests:
            if self.call is None and item.write_stream:
                self.routing = "write_stream=" + item.write_stream
            self.requests.put(item)

    def next(self):
        if self.call is None:
            self.call = self.client.append_rows(iter(self.requests.get, None), metadata=(("x-goog-request-params", self.routing),))
        return next(self.call)

    def ask(self, item):
        self.send(item)
        return self.next()

    def end(self):
        """Closes our half and takes what still comes; a call that has failed already is left as it is."""
        self.requests.put(None)
        try:
            return list(self.call or [])
        except exceptions.GoogleAPICallError:
            return []


class StorageWrite(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.rest = cls.service.rest()
        cls.rest.create_dataset("landing")
        cls.client, cls.channel = cls.service.write()

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.rest.close()
        cls.service.close()

    def make_table(self, *, key=True, extra=()):
        name = self.id().rsplit(".", 1)[1]
        table = bigquery.Table(f"{PROJECT}.landing.{name}", [
            bigquery.SchemaField("id", "INT64", mode="REQUIRED"), bigquery.SchemaField("name", "STRING"),
            bigquery.SchemaField("score", "FLOAT64"), *extra])
        if key:
            table.table_constraints = bigquery.table.TableConstraints(primary_key=bigquery.table.PrimaryKey(["id"]), foreign_keys=None)
        self.rest.create_table(table)
        self.table = f"`{PROJECT}.landing.{name}`"
        return f"projects/{PROJECT}/datasets/landing/tables/{name}/streams/_default"

    def rows(self, columns="id, name"):
        return [tuple(row) for row in self.rest.query_and_wait(f"SELECT {columns} FROM {self.table} ORDER BY id")]

    def connect(self):
        connection = Connection(self.client)
        self.addCleanup(connection.end)
        return connection

    def test_changes_are_visible_when_they_are_answered(self):
        stream = self.make_table()
        row, schema = message_class(PERSON + CHANGES)
        connection = self.connect()

        def change(kind, sequence, **values):
            return row(_CHANGE_TYPE=kind, _CHANGE_SEQUENCE_NUMBER=sequence, **values)
        response = connection.ask(request([change("UPSERT", "1/A/1", id=1, name="a"), change("UPSERT", "1/A/3", id=2, name="b")], stream=stream, schema=schema))
        self.assertEqual(response._pb.WhichOneof("response"), "append_result")
        self.assertFalse(response._pb.append_result.HasField("offset"))
        self.assertEqual(response.write_stream, stream)
        self.assertEqual(self.rows(), [(1, "a"), (2, "b")])
        connection.ask(request([change("UPSERT", "1/B/1", id=1, name="newer"), change("DELETE", "1/B/3", id=2)]))
        self.assertEqual(self.rows(), [(1, "newer")])
        connection.ask(request([change("UPSERT", "1/A/5", id=1, name="late"), change("UPSERT", "1/A/7", id=2, name="late")]))
        self.assertEqual(self.rows(), [(1, "newer")], "an older change never wins")
        connection.ask(request([change("UPSERT", "1/C/1", id=2, name="again")]))
        self.assertEqual(self.rows("id, name, score"), [(1, "newer", None), (2, "again", None)])

    def test_sequences_of_other_forms(self):
        stream = self.make_table()
        row, schema = message_class(PERSON + CHANGES)
        connection = self.connect()
        for number, (sequence, name) in enumerate((("ABC", "low"), ("FFF/B", "middle"), ("FFF/ABC", "high"), ("BA/FFFFFFFF", "lowest"))):
            connection.ask(request([row(id=1, name=name, _CHANGE_TYPE="UPSERT", _CHANGE_SEQUENCE_NUMBER=sequence)], stream=stream, schema=schema if number == 0 else None))
        self.assertEqual(self.rows(), [(1, "high")])
        refused = connection.ask(request([row(id=1, name="x", _CHANGE_TYPE="UPSERT", _CHANGE_SEQUENCE_NUMBER="1/2/3/4/5")]))
        self.assertEqual(refused.error.code, code_pb2.INVALID_ARGUMENT)

    def test_rows_without_changes_go_to_a_table_without_key(self):
        stream = self.make_table(key=False)
        row, schema = message_class(PERSON)
        connection = self.connect()
        self.assertEqual(connection.ask(request([row(id=1, name="a"), row(id=1, name="b")], stream=stream.replace("/streams/", "/"), schema=schema)).error.code, 0)
        self.assertEqual(sorted(self.rows()), [(1, "a"), (1, "b")])
        changes, change_schema = message_class(PERSON + CHANGES)
        refused = connection.ask(request([changes(id=1, _CHANGE_TYPE="UPSERT")], stream=stream, schema=change_schema))
        self.assertEqual(refused.error.code, code_pb2.INVALID_ARGUMENT)

    def test_one_bad_row_refuses_its_request_and_names_itself(self):
        stream = self.make_table()
        row, schema = message_class(PERSON + CHANGES)
        connection = self.connect()
        good = row(id=1, name="a", _CHANGE_TYPE="UPSERT", _CHANGE_SEQUENCE_NUMBER="1")
        no_key = row(name="secret value", _CHANGE_TYPE="UPSERT", _CHANGE_SEQUENCE_NUMBER="1")
        wrong_type = row(id=3, _CHANGE_TYPE="REPLACE", _CHANGE_SEQUENCE_NUMBER="1")
        response = connection.ask(request([good, no_key, good, wrong_type], stream=stream, schema=schema))
        self.assertEqual(response.error.code, code_pb2.INVALID_ARGUMENT)
        self.assertEqual([(error.index, error.code.name) for error in response.row_errors], [(1, "FIELDS_ERROR"), (3, "FIELDS_ERROR")])
        self.assertNotIn("secret value", str(response))
        self.assertEqual(self.rows(), [])
        self.assertEqual(connection.ask(request([good])).error.code, 0)
        self.assertEqual(self.rows(), [(1, "a")])

    def storage_error(self, response):
        detail = types.StorageError()
        self.assertEqual(len(response.error.details), 1)
        self.assertTrue(response.error.details[0].Unpack(detail._pb))
        return detail

    def test_refusals_carry_googles_codes(self):
        stream = self.make_table()
        row, schema = message_class(PERSON + CHANGES)
        extra, extra_schema = message_class(PERSON + (("unknown", FIELD.TYPE_STRING),) + CHANGES)
        good = row(id=1, name="a", _CHANGE_TYPE="UPSERT", _CHANGE_SEQUENCE_NUMBER="1")
        connection = self.connect()
        missing = connection.ask(request([good], stream=stream.replace("/tables/", "/tables/no_"), schema=schema))
        self.assertEqual(missing.error.code, code_pb2.NOT_FOUND)
        self.assertEqual(self.storage_error(missing).code.name, "TABLE_NOT_FOUND")
        unknown = connection.ask(request([good], stream=stream.replace("_default", "made"), schema=schema))
        self.assertEqual((unknown.error.code, unknown.error.message), (code_pb2.INVALID_ARGUMENT, f"Invalid stream name. Entity: {stream.replace('_default', 'made')}"))
        mismatch = connection.ask(request([extra(id=1)], stream=stream, schema=extra_schema))
        self.assertEqual(mismatch.error.code, code_pb2.INVALID_ARGUMENT)
        self.assertEqual(self.storage_error(mismatch).code.name, "SCHEMA_MISMATCH_EXTRA_FIELDS")
        offset = connection.ask(request([good], stream=stream, schema=schema, offset=0))
        self.assertEqual(offset.error.code, code_pb2.INVALID_ARGUMENT)
        self.assertEqual(connection.ask(request([good], stream=stream, schema=schema)).error.code, 0)
        self.assertEqual(self.rows(), [(1, "a")])

    def test_several_tables_in_one_connection(self):
        first = self.make_table()
        first_table = self.table
        other = bigquery.Table(f"{PROJECT}.landing.several_tables_other", [bigquery.SchemaField("id", "INT64"), bigquery.SchemaField("flag", "BOOL")])
        self.rest.create_table(other)
        second = f"projects/{PROJECT}/datasets/landing/tables/several_tables_other/streams/_default"
        person, person_schema = message_class(PERSON + CHANGES)
        flag, flag_schema = message_class((("id", FIELD.TYPE_INT64), ("flag", FIELD.TYPE_BOOL)))
        connection = self.connect()
        requests = []
        for n in range(20):
            requests.append(request([person(id=n, name="a", _CHANGE_TYPE="UPSERT", _CHANGE_SEQUENCE_NUMBER="1")], stream=first, schema=person_schema))
            requests.append(request([flag(id=n, flag=True)], stream=second, schema=flag_schema))
        connection.send(*requests)
        answers = [connection.next() for _ in requests]
        self.assertEqual([answer.error.code for answer in answers], [0] * 40)
        self.assertEqual([answer.write_stream for answer in answers], [first, second] * 20)
        unnamed = connection.ask(request([flag(id=1)]))
        self.assertEqual(unnamed.error.code, code_pb2.INVALID_ARGUMENT)
        self.table = first_table
        self.assertEqual(len(self.rows()), 20)
        self.assertEqual([tuple(row) for row in self.rest.query_and_wait(f"SELECT COUNT(*) FROM `{PROJECT}.landing.several_tables_other`")], [(20,)])

    def test_many_requests_in_flight_are_answered_in_order(self):
        stream = self.make_table()
        row, schema = message_class(PERSON + CHANGES)
        connection = self.connect()
        count, rows_each = 200, 100
        for n in range(count):
            rows = [row(id=n * rows_each + i, name=f"n{i}", _CHANGE_TYPE="UPSERT", _CHANGE_SEQUENCE_NUMBER=f"1/{n:X}/{i:X}") for i in range(rows_each)]
            connection.send(request(rows, stream=stream if n == 0 else None, schema=schema if n == 0 else None))
        self.assertEqual([connection.next().error.code for _ in range(count)], [0] * count)
        self.assertEqual([tuple(r) for r in self.rest.query_and_wait(f"SELECT COUNT(*), COUNT(DISTINCT id) FROM {self.table}")], [(count * rows_each, count * rows_each)])

    def test_a_changed_table_is_announced(self):
        stream = self.make_table()
        row, schema = message_class(PERSON + CHANGES)
        connection = self.connect()
        change = row(id=1, name="a", _CHANGE_TYPE="UPSERT", _CHANGE_SEQUENCE_NUMBER="1")
        connection.ask(request([change], stream=stream, schema=schema))
        table = self.rest.get_table(self.table.strip("`"))
        table.schema = [*table.schema, bigquery.SchemaField("added", "STRING")]
        self.rest.update_table(table, ["schema"])
        announced = connection.ask(request([change]))
        self.assertEqual([field.name for field in announced.updated_schema.fields], ["id", "name", "score", "added"])
        self.assertEqual(len(connection.ask(request([change])).updated_schema.fields), 0)
        wider, wider_schema = message_class(PERSON + (("added", FIELD.TYPE_STRING),) + CHANGES)
        connection.ask(request([wider(id=2, added="x", _CHANGE_TYPE="UPSERT", _CHANGE_SEQUENCE_NUMBER="1")], stream=stream, schema=wider_schema))
        self.assertEqual(self.rows("id, name, added"), [(1, "a", None), (2, None, "x")])

    def test_the_stream_manager_of_the_library(self):
        stream = self.make_table()
        row, schema = message_class(PERSON + CHANGES)
        template = types.AppendRowsRequest(write_stream=stream, proto_rows=types.AppendRowsRequest.ProtoData(writer_schema=types.ProtoSchema(proto_descriptor=schema)))
        manager = writer.AppendRowsStream(self.client, template)
        futures = [manager.send(request([row(id=n, name="x", _CHANGE_TYPE="UPSERT", _CHANGE_SEQUENCE_NUMBER="1")])) for n in range(50)]
        for future in futures:
            future.result(60)
        manager.close()
        self.assertEqual(len(self.rows()), 50)

    def test_a_request_beyond_the_limit_is_refused(self):
        stream = self.make_table()
        row, schema = message_class(PERSON + CHANGES)
        connection = Connection(self.client)
        connection.send(request([row(id=1, name="x" * (21 << 20), _CHANGE_TYPE="UPSERT")], stream=stream, schema=schema))
        with self.assertRaises(exceptions.ResourceExhausted):
            connection.next()
        connection.end()
        self.assertEqual(self.rows(), [])

    def test_write_streams(self):
        stream = self.make_table()
        got = self.client.get_write_stream(request=types.GetWriteStreamRequest(name=stream, view=types.WriteStreamView.FULL))
        self.assertEqual((got.name, got.type_.name, got.location), (stream, "COMMITTED", "us"))
        self.assertEqual([(field.name, field.type_.name, field.mode.name) for field in got.table_schema.fields],
                         [("id", "INT64", "REQUIRED"), ("name", "STRING", "NULLABLE"), ("score", "DOUBLE", "NULLABLE")])
        self.assertEqual(len(self.client.get_write_stream(name=stream).table_schema.fields), 0)
        with self.assertRaises(exceptions.InvalidArgument) as caught:
            self.client.get_write_stream(name=stream.replace("_default", "other"))
        self.assertIn("Invalid stream name. Entity: ", str(caught.exception))
        with self.assertRaises(exceptions.NotFound):
            self.client.get_write_stream(name=stream.replace("/tables/", "/tables/no_"))
        with self.assertRaises(exceptions.NotFound):
            self.client.finalize_write_stream(name=stream)

    def test_types(self):
        stream = self.make_table(key=False, extra=(
            bigquery.SchemaField("flag", "BOOL"), bigquery.SchemaField("day", "DATE"), bigquery.SchemaField("at", "TIMESTAMP"),
            bigquery.SchemaField("amount", "NUMERIC"), bigquery.SchemaField("raw", "BYTES"), bigquery.SchemaField("doc", "JSON")))
        fields = (("id", FIELD.TYPE_INT64), ("flag", FIELD.TYPE_BOOL), ("day", FIELD.TYPE_INT32), ("at", FIELD.TYPE_INT64), ("amount", FIELD.TYPE_STRING),
                  ("raw", FIELD.TYPE_BYTES), ("doc", FIELD.TYPE_STRING))
        row, schema = message_class(fields)
        response = self.connect().ask(request([row(id=1, flag=True, day=19782, at=1_709_210_096_000_001, amount="12.5", raw=b"\x00\xff", doc='{"a": [1]}')], stream=stream, schema=schema))
        self.assertEqual(response.error.code, 0, response)
        (found,) = self.rest.query_and_wait(f"SELECT flag, CAST(day AS STRING), UNIX_MICROS(`at`), CAST(amount AS STRING), TO_HEX(raw) FROM {self.table}")
        self.assertEqual(tuple(found), (True, "2024-02-29", 1_709_210_096_000_001, "12.5", "00ff"))


class LostAnswers(unittest.TestCase):
    def test_an_answer_that_is_lost_is_durable_and_may_be_repeated(self):
        service = Service()
        self.addCleanup(service.close)
        service.stop()
        service.start(failpoints="gateway.append.drop_answer=error@2")
        rest = service.rest()
        self.addCleanup(rest.close)
        rest.create_dataset("landing")
        table = bigquery.Table(f"{PROJECT}.landing.t", [bigquery.SchemaField("id", "INT64"), bigquery.SchemaField("name", "STRING"), bigquery.SchemaField("score", "FLOAT64")])
        table.table_constraints = bigquery.table.TableConstraints(primary_key=bigquery.table.PrimaryKey(["id"]), foreign_keys=None)
        rest.create_table(table)
        stream = f"projects/{PROJECT}/datasets/landing/tables/t/streams/_default"
        row, schema = message_class(PERSON + CHANGES)
        client, channel = service.write()
        self.addCleanup(channel.close)

        def append(connection, number):
            return connection.ask(request([row(id=number, _CHANGE_TYPE="UPSERT", _CHANGE_SEQUENCE_NUMBER="1")], stream=stream, schema=schema))
        first = Connection(client)
        append(first, 1)
        with self.assertRaises(exceptions.ServiceUnavailable):
            append(first, 2)
        first.end()

        def count():
            return [tuple(r) for r in rest.query_and_wait(f"SELECT COUNT(*) FROM `{PROJECT}.landing.t`")]
        self.assertEqual(count(), [(2,)])
        second = Connection(client)
        self.assertEqual(append(second, 2).error.code, 0)
        second.end()
        self.assertEqual(count(), [(2,)])

    def test_an_orderly_stop_answers_what_was_read(self):
        service = Service()
        self.addCleanup(service.close)
        client, channel = service.write()
        self.addCleanup(channel.close)
        connection = Connection(client)
        self.assertEqual(connection.ask(request([], stream="nonsense")).error.code, code_pb2.INVALID_ARGUMENT)
        self.assertEqual(service.stop(), 0)  # although a connection is open
        with self.assertRaises((exceptions.ServiceUnavailable, grpc.RpcError)):
            connection.next()
        connection.end()


if __name__ == "__main__":
    unittest.main()
