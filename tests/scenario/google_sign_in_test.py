"""A program at Google without a key: it signs in through a metadata server and runs a query, over TLS with the names of Google's
services. They lead to an embedded warehouse, by a proxy whose certificate only this program's own mount namespace trusts; other
services allow all that they are asked for and know no bucket and no API."""

import http.server
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.flytt import PROGRAM, wait_until  # noqa: E402
from support.postgres import free_port  # noqa: E402

AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
TOKEN = "ya29.hemmelig-4711"
ACCOUNT = "flytt@team-sak.iam.gserviceaccount.com"
ANSWERS = {"/": "computeMetadata/\n", "/computeMetadata/v1/project/project-id": "team-sak-dev",
           "/computeMetadata/v1/instance/service-accounts/default/email": ACCOUNT,
           "/computeMetadata/v1/instance/service-accounts/default/token": f'{{"access_token":"{TOKEN}","expires_in":3599,"token_type":"Bearer"}}'}
CONFIG = """destination: {bigquery: {}}
state: {sqlite: ./state.db}
queries: {q: {to: d.t, schedule: {every: 1h}, sql: "SELECT 4711 AS x"}}
"""


class Metadata(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        is_first = self.path not in self.server.asked
        self.server.asked.append(self.path)
        is_asked_well = self.headers["Metadata-Flavor"] == "Google" and "Authorization" not in self.headers
        self.send_response(503 if is_first else 200 if is_asked_well else 400)  # not ready at first
        if self.path != "/" or not is_first:
            self.send_header("Metadata-Flavor", "Google")
        self.end_headers()
        self.wfile.write(ANSWERS.get(self.path, "").encode())

    def log_message(self, *_):
        pass


class Google(threading.Thread):
    """Takes CONNECT, ends the TLS, and hands the requests for BigQuery to a warehouse."""

    def __init__(self, folder, warehouse_port):
        super().__init__(daemon=True)
        self.warehouse_port, self.streams, self.others_asked = warehouse_port, [], []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self):
        try:
            while True:
                peer, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(peer,), daemon=True).start()
        except OSError:
            pass  # closed

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.join()
        self.listener.close()

    def requests(self):
        """Of each its first line and its headers."""
        texts = [b"".join(stream).decode() for stream in self.streams]
        return [head for text in texts for head in re.findall(r"(?:GET|POST|PATCH|DELETE) \S+ HTTP/1\.1\r\n(?:[^\r\n]+\r\n)*\r\n", text)]

    def serve(self, peer):
        try:
            is_bigquery = peer.recv(4096).startswith(b"CONNECT bigquery.")
            peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            inside = self.context.wrap_socket(peer, server_side=True)
            if not is_bigquery:
                return self.answer_others(inside)
            outside = socket.create_connection(("127.0.0.1", self.warehouse_port))
            threading.Thread(target=self.pump, args=(outside, inside), daemon=True).start()
            self.streams.append([])
            self.pump(inside, outside, self.streams[-1])
        except OSError:
            pass

    def answer_others(self, peer):
        with peer, peer.makefile("rb") as lines:
            while first := lines.readline():
                head = first + b"".join(iter(lines.readline, b"\r\n"))
                self.others_asked.append(head.decode())
                length = re.search(rb"(?i)content-length: (\d+)", head)
                asked = lines.read(int(length[1]) if length else 0)
                status, answer = ("200 OK", asked) if b":testIamPermissions" in head else ("404 Not Found", b'{"error": {"message": "There is none."}}')
                peer.sendall(f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n".encode() + answer)

    def pump(self, source, target, stream=None):
        while data := source.recv(1 << 20):
            if stream is not None:
                stream.append(data)
                data = re.sub(rb"(?i)\r\nhost: [^\r]*", f"\r\nHost: 127.0.0.1:{self.warehouse_port}".encode(), data)
            target.sendall(data)
        target.close()


def can_unshare():
    return shutil.which("unshare") and shutil.which("openssl") and os.path.exists(AUTHORITIES) and subprocess.run(
        ["unshare", "-rm", "mount", "--bind", "/dev/null", AUTHORITIES], capture_output=True).returncode == 0


@unittest.skipUnless(can_unshare(), "no mount namespaces here, so nobody would trust the certificate")
class GoogleSignIn(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="flytt-google-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        (self.folder / "flytt.yaml").write_text(CONFIG)
        (self.folder / "names").write_text("subjectAltName=DNS:*.googleapis.com\n")
        for command in (
                "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca -addext basicConstraints=critical,CA:TRUE",
                "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server",
                "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem"):
            subprocess.run(["openssl", *command.split()], cwd=self.folder, check=True, capture_output=True)
        self.metadata = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
        self.metadata.asked = []
        threading.Thread(target=self.metadata.serve_forever, daemon=True).start()
        self.addCleanup(self.metadata.server_close)
        self.addCleanup(self.metadata.shutdown)
        self.rest = free_port()
        warehouse = subprocess.Popen([str(PROGRAM), "warehouse", "--data", "warehouse", "--http", f"127.0.0.1:{self.rest}", "--grpc",
                                      "127.0.0.1:0", "--project", "team-sak-dev"], cwd=self.folder, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.addCleanup(warehouse.wait)
        self.addCleanup(warehouse.kill)
        wait_until(self.make_dataset, "the warehouse")
        self.google = Google(self.folder, self.rest)
        self.google.start()
        self.addCleanup(self.google.close)

    def make_dataset(self):
        body = b'{"datasetReference":{"projectId":"team-sak-dev","datasetId":"d"},"location":"europe-north1"}'
        request = urllib.request.Request(f"http://127.0.0.1:{self.rest}/bigquery/v2/projects/team-sak-dev/datasets", data=body,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def flytt(self, *arguments):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GOOGLE_", "GCP_", "CLOUDSDK_"))}
        variables = {**kept, "HOME": str(self.folder), "GCE_METADATA_HOST": f"127.0.0.1:{self.metadata.server_port}",
                     "HTTPS_PROXY": f"http://127.0.0.1:{self.google.port}", "GOOGLE_CLOUD_QUOTA_PROJECT": "billed"}
        done = subprocess.run(["unshare", "-rm", "sh", "-c", f'mount --bind ca.pem {AUTHORITIES} && exec "$0" "$@"', str(PROGRAM), *arguments],
                              cwd=self.folder, env=variables, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        self.assertNotIn(TOKEN, done.stdout + done.stderr)
        return done

    def test_a_query_is_run_and_written(self):
        done = self.flytt("run", "--once")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("4711", self.flytt("query", "SELECT * FROM d.t").stdout)
        self.assertTrue(any("/projects/team-sak-dev/jobs" in request for request in self.google.requests()))
        for request in self.google.requests():
            self.assertIn(f"\r\nauthorization: Bearer {TOKEN}\r\n", request)
            self.assertIn("\r\nx-goog-user-project: billed\r\n", request)
        tokens = [path for path in self.metadata.asked if path.endswith("/token")]
        self.assertEqual(len(tokens), 3, "one that failed, and one for each process")
        self.assertTrue(self.flytt("check").stdout.startswith(f"project team-sak-dev, account {ACCOUNT}, by the metadata server "))

    def test_check_names_a_bucket_that_is_missing(self):
        with open(self.folder / "flytt.yaml", "a") as configuration:
            configuration.write("buckets: [team-sak-story]\n")
        done = self.flytt("check")
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertIn("there is no such bucket", done.stdout)
        self.assertIn("gcloud storage buckets create gs://team-sak-story --project=team-sak-dev --location=", done.stdout)
        self.assertTrue(any("/b/team-sak-story/iam/testPermissions?" in request for request in self.google.others_asked))
        for request in self.google.others_asked:
            self.assertIn(f"\r\nauthorization: Bearer {TOKEN}\r\n", request)


if __name__ == "__main__":
    unittest.main(verbosity=2)
