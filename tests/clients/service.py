"""Starts `flytt warehouse` for a test and points Google's own clients at it."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import grpc
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, bigquery_storage_v1
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import BigQueryWriteGrpcTransport

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("FLYTT_PROGRAM", ROOT / "build" / "release" / "flytt"))
PROJECT = "team-sak"


class Service:
    """A running warehouse in a folder of its own. `stop` and `start` again keep the folder."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="flytt-clients-"))
        self.process = None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self, failpoints=""):
        with open(self.folder / "warehouse.log", "ab") as log:
            self.process = subprocess.Popen(
                [str(PROGRAM), "warehouse", "--data", str(self.folder / "data"), "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0",
                 "--project", PROJECT],
                cwd=self.folder, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, "FLYTT_FAILPOINTS": failpoints})
        line = self.process.stdout.readline()  # ends when the program does
        if not line:
            raise AssertionError(f"flytt warehouse ended with {self.process.wait(60)}\n{self.log_text()}")
        self.endpoints = json.loads(line)

    def log_text(self):
        return (self.folder / "warehouse.log").read_text(errors="replace")

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(60)
        self.process.stdout.close()
        self.process = None
        return status

    def close(self):
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def rest(self):
        return bigquery.Client(project=PROJECT, credentials=AnonymousCredentials(),
                               client_options=ClientOptions(api_endpoint=self.endpoints["rest"]))

    def write(self):
        """The official client, and its channel, which the caller closes."""
        channel = grpc.insecure_channel(self.endpoints["grpc"])
        return bigquery_storage_v1.BigQueryWriteClient(transport=BigQueryWriteGrpcTransport(channel=channel)), channel
