"""A throw-away Apache Kafka broker (KRaft mode, one node) on free ports, from the jars that tools/deps keeps.

It is started, stopped and killed by process id, and ends with the program that started it. Always there: a plaintext
listener. `tls=True` adds one that demands client certificates of the fixture's own authority, `sasl=True` one with
SCRAM users, both together a third with SCRAM over TLS; `gate=` one that tells clients to come through a port of ours (support/gate.py).
"""

import contextlib
import functools
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import confluent_kafka
from confluent_kafka import admin

from support.flytt import wait_until
from support.postgres import free_port

VERSION = "4.3.0"
AUTHORIZER = {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users": "User:ANONYMOUS"}
SECONDS = 60  # for one answer of the broker; passes only when a test has failed already


def deps_folder():
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    return pathlib.Path(os.environ.get("FLYTT_DEPS_DIR", cache / "flytt" / "deps"))


class Certificates:
    """An authority with one certificate for the broker and any number for clients, made by openssl. All PEM."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.ca = self.folder / "ca.pem"
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                  "-subj", "/CN=flytt test authority", "-keyout", "ca.key", "-out", "ca.pem")
        self.broker_certificate, self.broker_key = self.issue("broker", "subjectAltName=DNS:localhost,IP:127.0.0.1")

    def _run(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {arguments[0]} failed: {done.stdout}")

    def issue(self, name, extension="extendedKeyUsage=clientAuth"):
        """(certificate, key), paths of PEM files; the key in PKCS#8, as Kafka wants it."""
        (self.folder / f"{name}.ext").write_text(extension + "\n")
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                  "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                  "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"


class Kafka:
    """A running broker. Use as a context manager. `brokers` is the plaintext address for clients."""

    def __init__(self, version=VERSION, *, tls=False, sasl=False, users=None, gate=None, settings=None, heap="512m"):
        """`users`: {name: password} of SCRAM-SHA-256 and -512. `gate`: a port through which clients of `gated_brokers` are
        sent; it should forward to `gate_target`. `settings`: further lines of server.properties."""
        self.jars = deps_folder() / f"kafka-{version}" / "lib"
        if not self.jars.is_dir():
            raise RuntimeError(f"{self.jars} is missing: run ./dev deps")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="flytt-kafka-"))
        self.version, self.heap, self.process = version, heap, None
        self.users = users or ({"alice": "alice-secret"} if sasl else {})
        try:
            self.certificates = Certificates(self.folder / "tls") if tls else None
            self._listeners(tls, sasl, gate)
            self._configure(settings or {})
            self._format()
            self.start()
        except BaseException:
            self.close()
            raise

    def _listeners(self, tls, sasl, gate):
        self.port, self._controller = free_port(), free_port()
        self.brokers = f"127.0.0.1:{self.port}"
        self._ports = {"PLAINTEXT": ("PLAINTEXT", self.port, self.port)}
        if tls:
            self.tls_port = free_port()
            self.tls_brokers = f"localhost:{self.tls_port}"
            self._ports["SSL"] = ("SSL", self.tls_port, self.tls_port)
        if sasl:
            self.sasl_port = free_port()
            self.sasl_brokers = f"127.0.0.1:{self.sasl_port}"
            self._ports["SASL"] = ("SASL_PLAINTEXT", self.sasl_port, self.sasl_port)
        if tls and sasl:
            self.sasl_tls_port = free_port()
            self.sasl_tls_brokers = f"localhost:{self.sasl_tls_port}"
            self._ports["SASLTLS"] = ("SASL_SSL", self.sasl_tls_port, self.sasl_tls_port)
        if gate:
            self.gate_target = free_port()
            self.gated_brokers = f"127.0.0.1:{gate}"
            self._ports["GATED"] = ("PLAINTEXT", self.gate_target, gate)

    def _configure(self, settings):
        address = {"SSL": "localhost", "SASLTLS": "localhost"}
        lines = {
            "process.roles": "broker,controller", "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller}", "controller.listener.names": "CONTROLLER",
            "listeners": ",".join([f"CONTROLLER://127.0.0.1:{self._controller}"] +
                                  [f"{name}://127.0.0.1:{port}" for name, (_, port, _) in self._ports.items()]),
            "advertised.listeners": ",".join(f"{name}://{address.get(name, '127.0.0.1')}:{told}"
                                             for name, (_, _, told) in self._ports.items()),
            "listener.security.protocol.map": ",".join(["CONTROLLER:PLAINTEXT"] +
                                                       [f"{name}:{kind}" for name, (kind, _, _) in self._ports.items()]),
            "inter.broker.listener.name": "PLAINTEXT", "log.dirs": str(self.folder / "data"),
            "num.partitions": "1", "auto.create.topics.enable": "false", "num.network.threads": "2", "num.io.threads": "2",
            "offsets.topic.replication.factor": "1", "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4", "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000", "log.cleaner.backoff.ms": "100",
            "log.retention.check.interval.ms": "500",
        }
        if self.version.startswith("4."):
            lines.update({"share.coordinator.state.topic.replication.factor": "1", "share.coordinator.state.topic.min.isr": "1"})
        if self.certificates:
            store = self.folder / "tls" / "broker-store.pem"
            store.write_text(self.certificates.broker_key.read_text() + self.certificates.broker_certificate.read_text())
            lines.update({"ssl.keystore.type": "PEM", "ssl.keystore.location": str(store), "ssl.truststore.type": "PEM",
                          "ssl.truststore.location": str(self.certificates.ca), "ssl.client.auth": "required"})
        if self.users:
            scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            lines["sasl.enabled.mechanisms"] = "SCRAM-SHA-256,SCRAM-SHA-512"
            for listener in {"SASL", "SASLTLS"} & self._ports.keys():
                for mechanism in ("256", "512"):
                    lines[f"listener.name.{listener.lower()}.scram-sha-{mechanism}.sasl.jaas.config"] = scram
        lines.update(settings)
        self.properties = self.folder / "server.properties"
        self.properties.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        (self.folder / "simplelogger.properties").write_text("org.slf4j.simpleLogger.defaultLogLevel=warn\n")

    def _java(self, *arguments):
        return ["setpriv", "--pdeathsig", "KILL", "java", f"-Xms{self.heap}", f"-Xmx{self.heap}", "-XX:+UseSerialGC",
                "-cp", f"{self.folder}:{self.jars}/*", *map(str, arguments)]

    def _format(self):
        users = []
        for name, password in self.users.items():
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                users += ["--add-scram", f"{mechanism}=[name={name},password={password}]"]
        done = subprocess.run(self._java("kafka.tools.StorageTool", "format", "-t", "ZmxpdHQtdGVzdC1ub2RlMQ", "-c", self.properties, *users),
                              cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"Kafka's storage could not be formatted: {done.stdout}")

    # -- Life

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self._java("kafka.Kafka", self.properties), cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)

        def answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended with {self.process.returncode}:\n{self.log_tail()}")
            with contextlib.suppress(confluent_kafka.KafkaException):
                return self.admin.list_topics(timeout=1)
        wait_until(answers, self.log_tail, SECONDS)

    def stop(self):
        """Ends the broker in order; its data stays."""
        self._signal(signal.SIGTERM)

    def kill(self):
        """kill -9; its data stays."""
        self._signal(signal.SIGKILL)

    def _signal(self, number):
        if self.process:
            self.process.send_signal(number)
            self.process.wait(SECONDS)
            self.process = None

    def restart(self, kill=False):
        self.kill() if kill else self.stop()
        self.__dict__.pop("admin", None)  # one that knew the broker before would wait for answers that do not come
        self.start()

    def suspend(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def log_tail(self):
        log = self.folder / "log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""

    # -- Clients

    def client_settings(self, **more):
        return {"bootstrap.servers": self.brokers, "log_level": 0, **{key.replace("_", "."): value for key, value in more.items()}}

    @functools.cached_property
    def admin(self):
        return admin.AdminClient(self.client_settings())

    def create_topic(self, name, partitions=1, **config):
        """`config`: topic settings with _ for the dots: cleanup_policy="compact", retention_ms=1000."""
        options = {key.replace("_", "."): str(value) for key, value in config.items()}
        self._done(self.admin.create_topics([admin.NewTopic(name, partitions, 1, config=options)]))
        wait_until(lambda: len(self.partitions(name)) == partitions, f"topic {name} has its partitions", SECONDS)

    def delete_topic(self, name):
        self._done(self.admin.delete_topics([name]))
        wait_until(lambda: name not in self.admin.list_topics(timeout=SECONDS).topics, f"topic {name} is gone", SECONDS)

    def add_partitions(self, name, total):
        self._done(self.admin.create_partitions([admin.NewPartitions(name, total)]))
        wait_until(lambda: len(self.partitions(name)) == total, f"topic {name} has {total} partitions", SECONDS)

    def alter_topic(self, name, **config):
        """`config`: topic settings as of create_topic."""
        entries = [admin.ConfigEntry(key.replace("_", "."), str(value), incremental_operation=admin.AlterConfigOpType.SET) for key, value in config.items()]
        self._done(self.admin.incremental_alter_configs([admin.ConfigResource(admin.ResourceType.TOPIC, name, incremental_configs=entries)]))

    def truncate(self, name, partition, before):
        """Deletes the messages of a partition before an offset."""
        self._done(self.admin.delete_records([confluent_kafka.TopicPartition(name, partition, before)]))

    def partitions(self, name):
        found = self.admin.list_topics(name, timeout=SECONDS).topics[name]
        return [] if found.error else sorted(found.partitions)

    @staticmethod
    def _done(futures):
        for future in futures.values():
            future.result(SECONDS)

    # -- Rights, of a broker with `settings=AUTHORIZER`: who comes through the plaintext listener may do everything

    def grant(self, user, operation, kind, name):
        """`operation`: "READ"; `kind`: "TOPIC" or "GROUP"."""
        self._done(self.admin.create_acls([admin.AclBinding(admin.ResourceType[kind], name, admin.ResourcePatternType.LITERAL, f"User:{user}", "*",
                                                            admin.AclOperation[operation], admin.AclPermissionType.ALLOW)]))

    # -- Messages

    def producer(self, **settings):
        """A producer that waits for nothing: call flush. `transactional_id=` makes it one for transactions."""
        return confluent_kafka.Producer(self.client_settings(**{"linger_ms": 5, **settings}))

    def produce(self, topic, messages, producer=None):
        """Messages are values, or dicts with value, key, headers, partition, timestamp (ms). Returns when all are stored."""
        own = producer or self.producer()
        failures = []
        for message in messages:
            fields = message if isinstance(message, dict) else {"value": message}
            fields = {key: value for key, value in fields.items() if value is not None}
            while True:
                try:
                    own.produce(topic, on_delivery=lambda error, _: error and failures.append(error), **fields)
                    break
                except BufferError:
                    own.poll(0.1)
        own.flush(SECONDS)
        if failures:
            raise RuntimeError(f"{len(failures)} messages were not stored, the first: {failures[0]}")

    def transaction(self, topic, messages, commit=True, transactional_id="flytt-test"):
        producer = self.producer(transactional_id=transactional_id)
        producer.init_transactions(SECONDS)
        producer.begin_transaction()
        self.produce(topic, messages, producer)
        producer.commit_transaction(SECONDS) if commit else producer.abort_transaction(SECONDS)

    def read(self, topic, partition=0, begin=0):
        """All messages of a partition that are committed now, from an offset on."""
        consumer = confluent_kafka.Consumer(self.client_settings(group_id="flytt-test-reader", enable_auto_commit=False,
                                                                 enable_partition_eof=True, isolation_level="read_committed"))
        messages = []
        try:
            consumer.assign([confluent_kafka.TopicPartition(topic, partition, begin)])
            while True:
                message = consumer.poll(SECONDS)
                if message is None:
                    raise RuntimeError(f"{topic}/{partition} gave no answer")
                if message.error():
                    if message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                        return messages
                    raise confluent_kafka.KafkaException(message.error())
                messages.append(message)
        finally:
            consumer.close()

    def ends(self, topic):
        """{partition: (first offset, next offset)}."""
        consumer = confluent_kafka.Consumer(self.client_settings(group_id="flytt-test-reader"))
        try:
            return {p: consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, p), timeout=SECONDS) for p in self.partitions(topic)}
        finally:
            consumer.close()

    # -- Groups

    def _has_group(self, group):
        """Asked first: this client's library ends the process when it is asked about a group that no broker knows."""
        return any(listed.group_id == group for listed in self.admin.list_consumer_groups().result(SECONDS).valid)

    def committed(self, group):
        """{(topic, partition): offset} of what the group has committed."""
        return {place: offset for place, (offset, _) in self.commits(group).items()}

    def commits(self, group):
        """{(topic, partition): (offset, metadata)} of what the group has committed."""
        if not self._has_group(group):
            return {}
        request = [confluent_kafka.ConsumerGroupTopicPartitions(group)]
        result = self.admin.list_consumer_group_offsets(request)[group].result(SECONDS)
        return {(p.topic, p.partition): (p.offset, p.metadata) for p in result.topic_partitions if p.offset >= 0}

    def members(self, group):
        """{client id: [(topic, partition)]} of a group."""
        if not self._has_group(group):
            return {}
        described = self.admin.describe_consumer_groups([group])[group].result(SECONDS)
        return {m.client_id: [(p.topic, p.partition) for p in m.assignment.topic_partitions] for m in described.members}

    def forget_group(self, group):
        """Deletes a group's offsets; it must be empty. An answer that a restart of the broker has lost is an error soon."""
        self._done(self.admin.delete_consumer_groups([group], request_timeout=10))
