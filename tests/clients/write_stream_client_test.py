"""Streams with offsets: Google's own Storage Write client for Python against our COMMITTED, PENDING and BUFFERED streams."""

import unittest

from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types, writer
from google.protobuf import wrappers_pb2
from google.rpc import code_pb2

from service import PROJECT, Service
from storage_write_client_test import FIELD, Connection, message_class, request

ROW, SCHEMA = message_class((("id", FIELD.TYPE_INT64), ("name", FIELD.TYPE_STRING)), "Numbered")
KIND = types.WriteStream.Type


def numbered(first, count=1):
    return [ROW(id=n, name=f"n{n}") for n in range(first, first + count)]


class WriteStreams(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.connect_clients()
        cls.rest.create_dataset("landing")

    @classmethod
    def connect_clients(cls):
        cls.rest = cls.service.rest()
        cls.client, cls.channel = cls.service.write()

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.rest.close()
        cls.service.close()

    def setUp(self):
        self.table_id = self.id().rsplit(".", 1)[1]
        self.rest.create_table(bigquery.Table(f"{PROJECT}.landing.{self.table_id}", [
            bigquery.SchemaField("id", "INT64", mode="REQUIRED"), bigquery.SchemaField("name", "STRING")]))
        self.parent = self.client.table_path(PROJECT, "landing", self.table_id)

    def make(self, kind):
        return self.client.create_write_stream(parent=self.parent, write_stream=types.WriteStream(type_=kind)).name

    def connect(self):
        connection = Connection(self.client)
        self.addCleanup(connection.end)
        return connection

    def ids(self):
        return [row.id for row in self.rest.query_and_wait(f"SELECT id FROM `{PROJECT}.landing.{self.table_id}` ORDER BY id")]

    def storage_code(self, status):
        detail = types.StorageError()
        self.assertEqual(len(status.details), 1)
        self.assertTrue(status.details[0].Unpack(detail._pb))
        return detail.code.name

    def appended(self, connection, rows, **where):
        answer = connection.ask(request(rows, **where))
        if answer.error.code:
            return code_pb2.Code.Name(answer.error.code), self.storage_code(answer.error), answer.error.message
        self.assertTrue(answer._pb.append_result.HasField("offset"))
        return answer.append_result.offset

    def commit(self, *names):
        return self.client.batch_commit_write_streams(types.BatchCommitWriteStreamsRequest(parent=self.parent, write_streams=names))

    def test_a_committed_stream_counts_its_rows(self):
        made = self.client.create_write_stream(parent=self.parent, write_stream=types.WriteStream(type_=KIND.COMMITTED))
        self.assertTrue(made.name.startswith(self.parent + "/streams/"))
        self.assertEqual((made.type_, made.create_time), (KIND.COMMITTED, made.commit_time))
        self.assertEqual([field.name for field in made.table_schema.fields], ["id", "name"])
        connection = self.connect()
        self.assertEqual(self.appended(connection, numbered(0, 3), stream=made.name, schema=SCHEMA, offset=0), 0)
        self.assertEqual(self.ids(), [0, 1, 2])
        self.assertEqual(self.appended(connection, numbered(0, 3), offset=0), (
            "ALREADY_EXISTS", "OFFSET_ALREADY_EXISTS", f"The offset is within stream, expected offset 3, received 0 Entity: {made.name}"))
        self.assertEqual(self.appended(connection, numbered(9), offset=9), (
            "OUT_OF_RANGE", "OFFSET_OUT_OF_RANGE", f"The offset is beyond stream, expected offset 3, received 9 Entity: {made.name}"))
        self.assertEqual(self.appended(connection, numbered(3), offset=3), 3)
        self.assertEqual(self.appended(connection, numbered(4, 2)), 4)
        self.assertEqual(self.client.finalize_write_stream(name=made.name).row_count, 6)
        code, storage, message = self.appended(connection, numbered(6), offset=6)
        self.assertEqual((code, storage), ("INVALID_ARGUMENT", "STREAM_FINALIZED"))
        self.assertIn("Stream has been finalized", message)
        self.assertEqual(self.ids(), list(range(6)))

    def test_offsets_hold_after_a_kill(self):
        name = self.make(KIND.COMMITTED)
        self.assertEqual(self.appended(self.connect(), numbered(0, 5), stream=name, schema=SCHEMA, offset=0), 0)
        self.service.stop(9)
        self.close_clients()
        self.service.start()
        type(self).connect_clients()
        connection = self.connect()
        self.assertEqual(self.appended(connection, numbered(0, 5), stream=name, schema=SCHEMA, offset=0)[1], "OFFSET_ALREADY_EXISTS")
        self.assertEqual(self.appended(connection, numbered(5), offset=5), 5)
        self.assertEqual(self.ids(), list(range(6)))

    def close_clients(self):
        self.doCleanups()
        self.channel.close()
        self.rest.close()

    def test_many_appends_in_flight(self):
        name = self.make(KIND.COMMITTED)
        connection = self.connect()
        count = 2_000
        connection.send(*(request(numbered(n), stream=name if n == 0 else None, schema=SCHEMA if n == 0 else None, offset=n) for n in range(count)))
        self.assertEqual([connection.next().append_result.offset for _ in range(count)], list(range(count)))
        self.assertEqual(self.ids(), list(range(count)))

    def test_pending_streams_appear_together(self):
        first, second = self.make(KIND.PENDING), self.make(KIND.PENDING)
        self.assertEqual(self.appended(self.connect(), numbered(0, 2), stream=first, schema=SCHEMA, offset=0), 0)
        self.assertEqual(self.appended(self.connect(), numbered(10, 2), stream=second, schema=SCHEMA, offset=0), 0)
        self.assertEqual(self.ids(), [])
        self.assertEqual(self.client.finalize_write_stream(name=first).row_count, 2)
        early = self.commit(first, second)
        self.assertEqual([(error.code.name, error.entity) for error in early.stream_errors], [("INVALID_STREAM_STATE", second)])
        self.assertIsNone(early.commit_time)
        self.assertEqual(self.ids(), [])
        self.client.finalize_write_stream(name=second)
        done = self.commit(first, second)
        self.assertEqual(list(done.stream_errors), [])
        self.assertIsNotNone(done.commit_time)
        self.assertEqual(self.ids(), [0, 1, 10, 11])
        self.assertEqual([error.code.name for error in self.commit(first).stream_errors], ["STREAM_ALREADY_COMMITTED"])
        self.assertEqual(self.client.get_write_stream(name=first).commit_time, done.commit_time)

    def test_a_buffered_stream_appears_as_far_as_it_is_flushed(self):
        name = self.make(KIND.BUFFERED)
        with self.assertRaises(exceptions.OutOfRange) as caught:
            self.flush(name, 0)
        self.assertEqual(caught.exception.message, f"Offset 0 is beyond the end of the stream Entity: {name}")
        self.appended(self.connect(), numbered(0, 5), stream=name, schema=SCHEMA, offset=0)
        self.assertEqual(self.ids(), [])
        self.assertEqual(self.flush(name, 1), 1)
        self.assertEqual(self.ids(), [0, 1])
        self.assertEqual(self.flush(name, 4), 4)
        self.assertEqual(self.ids(), [0, 1, 2, 3, 4])

    def flush(self, name, offset):
        return self.client.flush_rows(types.FlushRowsRequest(write_stream=name, offset=wrappers_pb2.Int64Value(value=offset))).offset

    def test_mistakes_have_googles_codes(self):
        committed = self.make(KIND.COMMITTED)
        with self.assertRaises(exceptions.InvalidArgument):
            self.client.create_write_stream(parent=self.parent, write_stream=types.WriteStream())
        with self.assertRaises(exceptions.NotFound):
            self.client.create_write_stream(parent=self.parent + "_not", write_stream=types.WriteStream(type_=KIND.PENDING))
        with self.assertRaises(exceptions.NotFound):
            self.client.get_write_stream(name=f"{self.parent}/streams/w9999-1")
        with self.assertRaises(exceptions.InvalidArgument) as caught:
            self.client.get_write_stream(name=f"{self.parent}/streams/nonsense")
        self.assertEqual(caught.exception.message, f"Invalid stream name. Entity: {self.parent}/streams/nonsense")
        self.assertEqual([(error.code.name, error.error_message) for error in self.commit(committed).stream_errors], [
            ("INVALID_STREAM_TYPE", f"Stream must be created in pending mode, actual: WRITE_OPTIMIZED Entity: {committed}")])
        with self.assertRaises(exceptions.InvalidArgument):
            self.flush(committed, 0)
        gone = self.connect().ask(request(numbered(0), stream=f"{self.parent}/streams/w9999-1", schema=SCHEMA, offset=0))
        self.assertEqual((gone.error.code, self.storage_code(gone.error)), (code_pb2.NOT_FOUND, "STREAM_NOT_FOUND"))

    def test_a_refused_request_takes_no_offset(self):
        name = self.make(KIND.COMMITTED)
        connection = self.connect()
        refused = connection.ask(request([ROW(id=1), ROW(name="no key")], stream=name, schema=SCHEMA, offset=0))
        self.assertEqual([error.index for error in refused.row_errors], [1])
        self.assertEqual(self.appended(connection, numbered(2), offset=2)[1], "OFFSET_OUT_OF_RANGE")
        self.assertEqual(self.appended(connection, numbered(0), offset=0), 0)

    def test_the_stream_manager_of_the_library(self):
        name = self.make(KIND.PENDING)
        template = types.AppendRowsRequest(write_stream=name, proto_rows=types.AppendRowsRequest.ProtoData(
            writer_schema=types.ProtoSchema(proto_descriptor=SCHEMA)))
        manager = writer.AppendRowsStream(self.client, template)
        futures = [manager.send(request(numbered(n * 10, 10), offset=n * 10)) for n in range(50)]
        self.assertEqual([future.result(60).append_result.offset for future in futures], list(range(0, 500, 10)))
        manager.close()
        self.client.finalize_write_stream(name=name)
        self.commit(name)
        self.assertEqual(self.ids(), list(range(500)))

    def test_a_lost_answer_is_found_out_by_repeating(self):
        name = self.make(KIND.COMMITTED)
        self.service.stop()
        self.close_clients()
        self.service.start(failpoints="gateway.append.drop_answer=error@2")
        type(self).connect_clients()
        self.addCleanup(self.restart_unarmed)
        connection = self.connect()
        self.assertEqual(self.appended(connection, numbered(0), stream=name, schema=SCHEMA, offset=0), 0)
        with self.assertRaises(exceptions.GoogleAPICallError):
            connection.ask(request(numbered(1), offset=1))
        again = self.connect()
        self.assertEqual(self.appended(again, numbered(1), stream=name, schema=SCHEMA, offset=1)[1], "OFFSET_ALREADY_EXISTS")
        self.assertEqual(self.appended(again, numbered(2), offset=2), 2)
        self.assertEqual(self.ids(), [0, 1, 2])

    def restart_unarmed(self):
        self.channel.close()
        self.rest.close()
        self.service.stop()
        self.service.start()
        type(self).connect_clients()


if __name__ == "__main__":
    unittest.main()
