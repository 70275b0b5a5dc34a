"""Runs the flytt program in a folder of its own and asks it questions the way a user would."""

import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from support.postgres import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("FLYTT_PROGRAM", ROOT / "build" / "release" / "flytt"))


class Failed(AssertionError):
    pass


def wait_until(condition, what, seconds=60, step=0.05):
    """Waits for a condition of an outside process. The deadline only ends a test that has already failed."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds} s: {what() if callable(what) else what}")
        select.select([], [], [], step)


class Project:
    """A folder with flytt.yaml, the local warehouse and the logs of every run."""

    def __init__(self, streams=None, *, project="team", extra="", ports=True, warehouse=None, body=None, state="{sqlite: ./state.db}"):
        """`streams`: {name: (url, dataset, options)}, options as YAML flow text, for example 'freshness: 50ms'. Or `body`:
        the file's sources and streams as they are. `warehouse`: another project whose running warehouse is written to, with progress in `state`."""
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="flytt-project-"))
        self.rest_port, self.grpc_port, self.health_port = free_port(), free_port(), free_port()
        lines = [f"project: {project}", "destination: {local: ./warehouse}"]
        if warehouse:
            lines[1] = f'destination: {{bigquery: {{rest: "http://127.0.0.1:{warehouse.rest_port}", grpc: "127.0.0.1:{warehouse.grpc_port}"}}}}'
            lines += [f"state: {state}", f'listen: {{health: "127.0.0.1:{self.health_port}"}}']
        elif ports:
            lines.append(f'listen: {{health: "127.0.0.1:{self.health_port}", rest: "127.0.0.1:{self.rest_port}", grpc: "127.0.0.1:{self.grpc_port}"}}')
        if body is None:
            lines.append("sources:")
            for name, (url, _, _) in streams.items():
                lines.append(f'  {name}: {{postgres: "{url}"}}')
            lines.append("streams:")
            for name, (_, dataset, options) in streams.items():
                lines.append(f"  {name}: {{from: {name}, to: {dataset}{', ' + options if options else ''}}}")
        else:
            lines.append(body)
        (self.folder / "flytt.yaml").write_text("\n".join(lines) + "\n" + extra)
        self.project = project
        self.process = None
        self.runs = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.kill()
        if kind is not None and os.environ.get("FLYTT_KEEP"):
            print(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *arguments, check=True, environment=None, seconds=120):
        done = subprocess.run([str(PROGRAM), *arguments], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env={**os.environ, **(environment or {})}, timeout=seconds, stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise Failed(f"flytt {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.log_tail()}")
        return done

    def start(self, *arguments, failpoints="", environment=None):
        return self.start_verb("run", *arguments, failpoints=failpoints, environment=environment)

    def start_verb(self, verb, *arguments, failpoints="", environment=None):
        self.runs += 1
        self.log = self.folder / f"run{self.runs}.log"
        variables = {**os.environ, **(environment or {}), "FLYTT_FAILPOINTS": failpoints, "FLYTT_FAILPOINT_GATE": str(self.folder / "gate")}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(PROGRAM), verb, *arguments], cwd=self.folder, stdout=log, stderr=log, env=variables,
                                            stdin=subprocess.DEVNULL)
        return self.process

    def kill(self, how=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)
        self.process = None

    def stop(self, seconds=60):
        self.process.terminate()
        status = self.process.wait(seconds)
        self.process = None
        return status

    def wait_exit(self, seconds=120):
        status = self.process.wait(seconds)
        self.process = None
        return status

    def log_text(self):
        return self.log.read_text(errors="replace") if self.runs else ""

    def log_tail(self, lines=40):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def all_logs(self):
        return "".join(f.read_text(errors="replace") for f in sorted(self.folder.glob("run*.log")))

    def wait_log(self, text, seconds=60):
        def seen():
            if self.process and self.process.poll() is not None and text not in self.log_text():
                raise Failed(f"ended with {self.process.returncode} before {text!r}\n{self.log_tail()}")
            return text in self.log_text()
        wait_until(seen, lambda: f"log line {text!r}\n{self.log_tail()}", seconds)

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/isready", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def wait_ready(self, seconds=60):
        def ready():
            if self.process.poll() is not None:
                raise Failed(f"ended with {self.process.returncode}\n{self.log_tail()}")
            return self.is_ready()
        wait_until(ready, lambda: f"readiness\n{self.log_tail()}", seconds)

    def status(self):
        return json.loads(self.command("status", "--json").stdout)

    def rest(self, method, path, body=None, seconds=60):
        request = urllib.request.Request(f"http://127.0.0.1:{self.rest_port}/bigquery/v2/{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            refusal.msg = refusal.read().decode(errors="replace")[:600]
            raise

    def query(self, sql, seconds=120):
        """Rows as lists of REST cells (None, text, list or dict), by jobs.query over a socket, all pages."""
        body = {"query": sql, "useLegacySql": False, "formatOptions": {"useInt64Timestamp": True}, "timeoutMs": seconds * 1000}
        answer = self.rest("POST", f"projects/{self.project}/queries", body, seconds)
        rows = list(answer.get("rows", []))
        job = answer.get("jobReference", {}).get("jobId")
        while answer.get("pageToken"):
            answer = self.rest("GET", f"projects/{self.project}/queries/{job}?pageToken={answer['pageToken']}&formatOptions.useInt64Timestamp=true")
            rows += answer.get("rows", [])
        return [[cell["v"] for cell in row["f"]] for row in rows]

    def count(self, table):
        return int(self.query(f"SELECT COUNT(*) FROM {table}")[0][0])
