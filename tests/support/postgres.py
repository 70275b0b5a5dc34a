"""A throw-away PostgreSQL server on a free port, started from Debian's binaries and stopped by process id."""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile

import psycopg

BIN = pathlib.Path(os.environ.get("FLYTT_POSTGRES_BIN", "/usr/lib/postgresql/15/bin"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def as_server_user(command):
    """PostgreSQL refuses to run as root: its programs then run as `postgres`."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command]


class Postgres:
    """Superuser `admin` (password `admin`), database `postgres`. Use as a context manager."""

    def __init__(self, settings=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="flytt-pg-"))
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.port = free_port()
        self.settings = {
            "wal_level": "logical", "max_wal_senders": "20", "max_replication_slots": "20", "fsync": "off",
            "shared_buffers": "256MB", "max_wal_size": "4GB", "log_min_messages": "warning",
            "unix_socket_directories": str(self.folder), "listen_addresses": "127.0.0.1", "port": str(self.port),
            **(settings or {}),
        }
        self._pg_ctl_environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        self._make()

    def _run(self, *command):
        done = subprocess.run(as_server_user([str(c) for c in command]), cwd=self.folder, env=self._pg_ctl_environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            log = self.folder / "log"
            raise RuntimeError(f"{command[0]} failed: {done.stdout}\n{log.read_text() if log.exists() else ''}")
        return done.stdout

    def _make(self):
        password = self.folder / "password"
        password.write_text("admin")
        password.chmod(0o644)
        data = self.folder / "data"
        self._run(BIN / "initdb", "-D", data, "-U", "admin", "--auth=scram-sha-256", f"--pwfile={password}", "-E", "UTF8", "--no-sync")
        with open(data / "postgresql.conf", "a") as conf:
            for name, value in self.settings.items():
                conf.write(f"{name} = '{value}'\n")
        self.start()

    def start(self):
        self._run(BIN / "pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-t", "60", "start")

    def stop(self, mode="fast"):
        self._run(BIN / "pg_ctl", "-D", self.folder / "data", "-w", "-t", "60", "-m", mode, "stop")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if not self.folder.exists():
            return
        try:
            if (self.folder / "data" / "postmaster.pid").exists():
                self.stop("immediate")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database="postgres", user="admin", password="admin", port=None):
        return f"postgres://{user}:{password}@127.0.0.1:{port or self.port}/{database}"

    def connect(self, database="postgres", user="admin", password="admin", autocommit=True):
        return psycopg.connect(self.url(database, user, password), autocommit=autocommit)

    def execute(self, sql, parameters=None, database="postgres"):
        with self.connect(database) as connection:
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def create_database(self, name):
        self.execute(f'CREATE DATABASE "{name}"')

    def tool(self, name, *arguments, **options):
        environment = {**os.environ, "PGPASSWORD": "admin"}
        return subprocess.run([str(BIN / name), "-h", "127.0.0.1", "-p", str(self.port), "-U", "admin", *map(str, arguments)],
                              env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options).stdout
