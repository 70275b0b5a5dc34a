"""A second opinion on our client's protocol: a BigQuery made only of Google's protos and Python's protobuf library.

It receives AppendRows calls, reads every row with the descriptor that came with it (protobuf's own dynamic messages, not
our decoder), keeps mirror tables by key and change sequence as Google documents it, and writes down every breach of the
protocol. Beside it a minimal REST service knows datasets and tables.

As a program: `peer_write.py --out FILE` prints {"rest": …, "grpc": …} on a line and runs until SIGTERM, then writes FILE:
{"tables": {"d.t": [row, …]}, "appends": [{"stream", "rows", "trace_id"}, …], "violations": [text, …]}.
"""

import argparse
import base64
import concurrent.futures
import datetime
import decimal
import http.server
import json
import re
import signal
import sys
import threading
import urllib.parse

import grpc
from google.cloud.bigquery_storage_v1 import types
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, unknown_fields
from google.rpc import code_pb2

COLUMN_NAME_OPTION = 454943157
STREAM = re.compile(r"projects/([^/]+)/datasets/([^/]+)/tables/([^/]+)/(?:streams/)?_default")
SEQUENCE = re.compile(r"[0-9A-Fa-f]{1,16}(/[0-9A-Fa-f]{1,16}){0,3}")
REQUEST_BYTES_MAX = 20 * 1024 * 1024
Request = type(types.AppendRowsRequest.pb(types.AppendRowsRequest()))
Response = type(types.AppendRowsResponse.pb(types.AppendRowsResponse()))
WriteStream = type(types.WriteStream.pb(types.WriteStream()))
GetWriteStreamRequest = type(types.GetWriteStreamRequest.pb(types.GetWriteStreamRequest()))
EPOCH = datetime.datetime(1970, 1, 1)


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


# -- rows -------------------------------------------------------------------------------------------------------------


def column_of(field):
    """The column that a field is for: its name, or the column_name option that our Python library does not know."""
    for unknown in unknown_fields.UnknownFieldSet(field.GetOptions()):
        if unknown.field_number == COLUMN_NAME_OPTION:
            return unknown.data.decode()
    return field.name


def packed_time(value):
    return datetime.time(value >> 32 & 31, value >> 26 & 63, value >> 20 & 63, value & 0xFFFFF)


def packed_datetime(value):
    day = datetime.date(value >> 46, value >> 42 & 15, value >> 37 & 31)
    return datetime.datetime.combine(day, packed_time(value & (1 << 37) - 1))


def scaled(value, scale):
    return value if isinstance(value, str) else format(decimal.Decimal(int.from_bytes(value, "little", signed=True)).scaleb(-scale, decimal.Context(prec=100)), "f")


def value_of(value, schema, field):
    """A proto value as JSON, read by the REST type of its column ("Data type conversions" of the Storage Write API)."""
    kind = schema["type"]
    if kind in ("RECORD", "STRUCT"):
        return row_of(value, schema["fields"])
    if kind == "RANGE":
        ends = [{"name": end, "type": schema["rangeElementType"]["type"]} for end in ("start", "end")]
        return row_of(value, ends)
    if kind in ("NUMERIC", "BIGNUMERIC"):
        return scaled(value, 9 if kind == "NUMERIC" else 38)
    if kind == "BYTES":
        return base64.b64encode(value).decode()
    if kind == "DATE" and isinstance(value, int):
        return (EPOCH + datetime.timedelta(days=value)).date().isoformat()
    if kind == "TIMESTAMP":
        return (EPOCH + datetime.timedelta(microseconds=value)).isoformat()
    if kind == "TIME" and isinstance(value, int):
        return packed_time(value).isoformat()
    if kind == "DATETIME" and isinstance(value, int):
        return packed_datetime(value).isoformat()
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, bytes):
        raise Refused(code_pb2.INVALID_ARGUMENT, f"{field.name}: bytes for {kind}")
    return value


def row_of(message, schema):
    """{column: value}; NULL for absent fields, [] for empty arrays. Change columns are left out."""
    by_name = {column["name"].lower(): column for column in schema}
    row = {column["name"]: [] if column.get("mode") == "REPEATED" else None for column in schema}
    for field, value in message.ListFields():
        name = column_of(field)
        if name.startswith("_CHANGE_"):
            continue
        column = by_name.get(name.lower())
        if column is None:
            raise Refused(code_pb2.INVALID_ARGUMENT, f"the table has no column {name}")
        repeated = field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED
        if repeated != (column.get("mode") == "REPEATED"):
            raise Refused(code_pb2.INVALID_ARGUMENT, f"{name}: repeated or not")
        row[column["name"]] = [value_of(item, column, field) for item in value] if repeated else value_of(value, column, field)
    return row


def message_class(descriptor):
    """A class for a self-contained descriptor, by protobuf's own rules: it fails where Google's would."""
    file = descriptor_pb2.FileDescriptorProto(name="row.proto", syntax="proto2")
    file.message_type.add().CopyFrom(descriptor)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(descriptor.name))


def sequence_key(text):
    return tuple(int(section, 16) for section in text.split("/"))


class Table:
    def __init__(self, resource):
        self.resource = resource
        self.rows = {}       # key → (sequence, row or None after a DELETE)
        self.plain = []      # rows without a key

    @property
    def fields(self):
        return self.resource["schema"]["fields"]

    @property
    def key(self):
        return self.resource.get("tableConstraints", {}).get("primaryKey", {}).get("columns", [])

    def check_columns(self, row_class):
        names = {field["name"].lower() for field in self.fields}
        for field in row_class.DESCRIPTOR.fields:
            name = column_of(field)
            if not name.startswith("_CHANGE_") and name.lower() not in names:
                raise Refused(code_pb2.INVALID_ARGUMENT, f"the table has no column {name}")

    def take(self, message):
        kind = getattr(message, "_CHANGE_TYPE", "")
        sequence = getattr(message, "_CHANGE_SEQUENCE_NUMBER", "")
        row = row_of(message, self.fields)
        if not self.key:
            if kind:
                raise Refused(code_pb2.INVALID_ARGUMENT, "a change for a table without a key")
            self.plain.append(row)
            return
        if kind not in ("UPSERT", "DELETE"):
            raise Refused(code_pb2.INVALID_ARGUMENT, f"_CHANGE_TYPE {kind!r}")
        if sequence and not SEQUENCE.fullmatch(sequence):
            raise Refused(code_pb2.INVALID_ARGUMENT, f"_CHANGE_SEQUENCE_NUMBER {sequence!r}")
        key = tuple(row[name] for name in self.key)
        if None in key:
            raise Refused(code_pb2.INVALID_ARGUMENT, "a key column is NULL")
        order = sequence_key(sequence) if sequence else ()
        if key not in self.rows or self.rows[key][0] <= order:
            self.rows[key] = (order, row if kind == "UPSERT" else None)

    def visible(self):
        return self.plain + [row for _, row in self.rows.values() if row is not None]


# -- the service ------------------------------------------------------------------------------------------------------


class Peer:
    """Thread-safe. Use as a context manager; `rest` and `grpc` are the endpoints."""

    def __init__(self):
        self.lock = threading.Lock()
        self.datasets = {}
        self.tables = {}        # (dataset, table) → Table
        self.appends = []
        self.violations = []
        self.metadata_requests = []
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(64), options=[("grpc.max_receive_message_length", REQUEST_BYTES_MAX)])
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("google.cloud.bigquery.storage.v1.BigQueryWrite", {
            "AppendRows": grpc.stream_stream_rpc_method_handler(self._append_rows, Request.FromString, Response.SerializeToString),
            "GetWriteStream": grpc.unary_unary_rpc_method_handler(self._get_write_stream, GetWriteStreamRequest.FromString, WriteStream.SerializeToString),
        }),))
        self.grpc = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.rest = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._http_thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._http_thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.stop(0).wait()
        self._http.shutdown()
        self._http.server_close()
        self._http_thread.join()

    def report(self):
        with self.lock:
            return {"tables": {".".join(name): table.visible() for name, table in self.tables.items()},
                    "appends": list(self.appends), "violations": list(self.violations)}

    def _get_write_stream(self, request, context):
        match = STREAM.fullmatch(request.name)
        if match is None:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Invalid stream name. Entity: {request.name}")
        with self.lock:
            if match.groups()[1:] not in self.tables:
                context.abort(grpc.StatusCode.NOT_FOUND, f"Requested entity was not found. Entity: {request.name}")
        return WriteStream(name=request.name, type=types.WriteStream.Type.COMMITTED, location="us")

    def _append_rows(self, requests, context):
        routing = "&".join(value for key, value in context.invocation_metadata() if key == "x-goog-request-params")
        connection = Connection(self)
        if "write_stream=" not in routing:
            self._breach("AppendRows without x-goog-request-params: write_stream=… (section 'Routing' of the API's guide)")
        for request in requests:
            try:
                yield connection.answer(request)
            except Refused as refused:
                response = Response(write_stream=connection.stream or "")
                response.error.code = refused.code
                response.error.message = str(refused)
                yield response

    def _breach(self, text):
        with self.lock:
            self.violations.append(text)

    def _handler(self):
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                method = self.headers.get("X-HTTP-Method-Override") or self.command
                status, answer = peer.answer_rest(method, self.path, json.loads(body) if body else None)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=UTF-8")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any
        return Handler

    # -- REST

    def answer_rest(self, method, target, body):
        path = [urllib.parse.unquote(part) for part in urllib.parse.urlsplit(target).path.split("/") if part]
        if path[:2] == ["bigquery", "v2"]:
            path = path[2:]
        with self.lock:
            self.metadata_requests.append((method, "/".join(path)))
            if path[:1] == ["projects"] and path[2:3] == ["datasets"]:
                if len(path) <= 4:
                    return self._datasets(method, path[1], path[3:], body)
                if path[4] == "tables" and len(path) <= 6:
                    return self._tables(method, path[1], path[3], path[5:], body)
        return error(501, "notImplemented", f"this peer has no {method} {target}")

    def _datasets(self, method, project, rest, body):
        name = rest[0] if rest else body["datasetReference"]["datasetId"] if body else None
        if method == "POST" and not rest:
            if name in self.datasets:
                return error(409, "duplicate", f"Already Exists: Dataset {project}:{name}")
            self.datasets[name] = {**body, "kind": "bigquery#dataset", "id": f"{project}:{name}", "etag": "e1", "creationTime": "1700000000000",
                                   "location": body.get("location", "US"), "datasetReference": {"projectId": project, "datasetId": name}}
        elif name not in self.datasets:
            return error(404, "notFound", f"Not found: Dataset {project}:{name}")
        elif method == "PATCH":
            self.datasets[name].update({key: value for key, value in body.items() if value is not None})
        elif method != "GET":
            return error(501, "notImplemented", "this peer keeps datasets")
        return 200, self.datasets[name]

    def _tables(self, method, project, dataset, rest, body):
        name = rest[0] if rest else body["tableReference"]["tableId"] if body else None
        if dataset not in self.datasets:
            return error(404, "notFound", f"Not found: Dataset {project}:{dataset}")
        known = self.tables.get((dataset, name))
        if method == "POST" and not rest:
            if known:
                return error(409, "duplicate", f"Already Exists: Table {project}:{dataset}.{name}")
            number = len(self.tables) + 1
            self.tables[dataset, name] = Table({
                **body, "kind": "bigquery#table", "id": f"{project}:{dataset}.{name}", "etag": f"t{number}-1", "type": "TABLE",
                "creationTime": str(1_700_000_000_000 + number), "lastModifiedTime": str(1_700_000_000_000 + number), "numRows": "0",
                "tableReference": {"projectId": project, "datasetId": dataset, "tableId": name}})
        elif known is None:
            return error(404, "notFound", f"Not found: Table {project}:{dataset}.{name}")
        elif method == "PATCH":
            before = [field["name"] for field in known.fields]
            known.resource.update({key: value for key, value in body.items() if value is not None})
            known.resource["etag"] += "+"
            if [field["name"] for field in known.fields][:len(before)] != before:
                self.violations.append(f"a patch of {dataset}.{name} removes or moves columns")
        elif method == "DELETE":
            del self.tables[dataset, name]
            return 200, {}
        elif method != "GET":
            return error(501, "notImplemented", f"this peer has no {method} for tables")
        return 200, self.tables[dataset, name].resource


def error(code, reason, message):
    return code, {"error": {"code": code, "message": message, "status": reason, "errors": [{"message": message, "domain": "global", "reason": reason}]}}


class Connection:
    """The state of one AppendRows call and what Google demands of it (storage.proto, AppendRowsRequest)."""

    def __init__(self, peer):
        self.peer = peer
        self.stream = None
        self.row_class = None
        self.switched = False

    def answer(self, request):
        self._choose(request)
        rows = request.proto_rows.rows.serialized_rows
        with self.peer.lock:
            table = self.peer.tables.get(STREAM.fullmatch(self.stream).groups()[1:])
            if table is None:
                raise Refused(code_pb2.NOT_FOUND, f"Requested entity was not found. Entity: {self.stream}")
            table.check_columns(self.row_class)
            messages = [self._parse(row) for row in rows]
            for message in messages:
                table.take(message)
            self.peer.appends.append({"stream": self.stream, "rows": len(rows), "trace_id": request.trace_id})
        response = Response(write_stream=self.stream)
        response.append_result.SetInParent()
        return response

    def _choose(self, request):
        named = request.write_stream
        if not named and self.stream is None:
            self.peer._breach("the first request of a connection names no stream")
            raise Refused(code_pb2.INVALID_ARGUMENT, "write_stream is missing")
        if not named and self.switched:
            self.peer._breach("a request after a change of table names no stream")
        if named and STREAM.fullmatch(named) is None:
            self.peer._breach(f"the stream {named} is not a default stream")
            raise Refused(code_pb2.INVALID_ARGUMENT, f"Invalid stream name. Entity: {named}")
        is_switch = bool(named) and self.stream is not None and named != self.stream
        self.switched = self.switched or is_switch
        self.stream = named or self.stream
        if request.HasField("offset"):
            self.peer._breach("an offset on a default stream")
        if request.WhichOneof("rows") != "proto_rows":
            self.peer._breach("a request without proto_rows")
            raise Refused(code_pb2.INVALID_ARGUMENT, "no proto_rows")
        if request.ByteSize() > REQUEST_BYTES_MAX:
            self.peer._breach("a request beyond 20 MB")
        if request.proto_rows.HasField("writer_schema"):
            self.row_class = message_class(request.proto_rows.writer_schema.proto_descriptor)
        elif self.row_class is None or is_switch:
            self.peer._breach("a request for a new table brings no schema")
            raise Refused(code_pb2.INVALID_ARGUMENT, "writer_schema is missing")

    def _parse(self, row):
        message = self.row_class.FromString(row)
        if len(unknown_fields.UnknownFieldSet(message)) > 0:
            self.peer.violations.append(f"a row of {self.stream} has fields that its descriptor lacks")
        return message


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with Peer() as peer:
        print(json.dumps({"rest": peer.rest, "grpc": peer.grpc}), flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
        with open(options.out, "w", encoding="utf-8") as out:
            json.dump(peer.report(), out, ensure_ascii=False, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
