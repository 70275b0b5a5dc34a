"""What the places do with rendered files before a process starts, and while it runs, as far as the process sees it.

Nothing here knows flytt's configuration: a place reads rendered files alone, by its own rules, and starts what they say, with
secrets that the test supplies. Where files would be mounted they are laid out below a folder, and that folder is put in front
of every such path in all rendered texts, before they are parsed: a mount namespace needs rights that are not everywhere.
Likewise the rendered port 8080 becomes a free one. Processes get no privileges, what is mounted read-only cannot be written, and
the rendered user is not taken over: it is the one that runs the test.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request

import yaml

from support.flytt import PROGRAM, Failed, wait_until
from support.postgres import free_port

PATHS = re.compile(r"(?<![\w/.])(?=/(etc/flytt|var/lib/|var/run/secrets|run/secrets|usr/local/bin/))")
PORT = re.compile(r"(?<![\d.])8080(?!\d)")
GRACE_SECONDS_DOCKER, GRACE_SECONDS_KUBERNETES = 10, 30  # where nothing is rendered


def writable(folder):
    for path in [folder, *folder.rglob("*")] if folder.exists() else []:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)


def fresh(folder):
    writable(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def write(path, text, mode):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)


def kill_commands(root):
    """What a container takes with it: runs that lie below its root."""
    mark = f"FLYTT_RUN_FOLDER={root}/".encode()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue


class Running:
    """One process, started as a place starts it. `is_alive`, `is_ready`: what the place asks."""

    def __init__(self, name, folder, root, argv, env, grace, is_alive=None, is_ready=None, is_container=True):
        self.name, self.root, self.env, self.grace, self.is_container = name, root, env, grace, is_container
        self.asks = {"alive": is_alive, "ready": is_ready}
        self.log = folder / f"{name}.{len(list(folder.glob(name + '.*')))}.log"
        rights = ["--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
        self.prefix = ["setpriv", "--no-new-privs", *rights]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*self.prefix, *argv], cwd="/", env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def text(self):
        return self.log.read_text(errors="replace")

    def ask(self, what):
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended with {self.process.returncode}\n{self.text()}")
        return self.asks[what]()

    def wait_ready(self):
        """First what says that it lives, then what says that it is ready."""
        for what in ("alive", "ready"):
            if self.asks[what]:
                wait_until(lambda what=what: self.ask(what), lambda what=what: f"{self.name} {what}\n{self.text()}")
        return self

    def run(self, *words):
        """Another process beside it, in the same place: docker exec, kubectl exec."""
        words = [str(PROGRAM), *words[1:]] if words[0] == "flytt" else words
        done = subprocess.run([*self.prefix, *words], cwd="/", env=self.env, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Failed(f"{words} ended with {done.returncode}\n{done.stdout}{done.stderr}\n{self.text()}")
        return done.stdout

    def wait(self, seconds=120):
        return self.process.wait(seconds)

    def stop(self):
        """SIGTERM, which is what none of the places renders otherwise, and its exit status within the grace."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(self.grace)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not stop within its {self.grace} s\n{self.text()}") from None
        if self.is_container:
            kill_commands(self.root)
        return self.process.returncode

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.is_container:
            kill_commands(self.root)


def http_probe(port, path):
    def ask():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return 200 <= answer.status < 400
        except urllib.error.HTTPError:
            return False
        except OSError:
            return False
    return ask


class Place:
    """Rendered files, and the folder below which they are laid out. `variables` and `files`: the secrets."""

    def __init__(self, rendered, folder, variables, files):
        self.folder, self.variables, self.files = pathlib.Path(folder), variables, files
        self.rendered = rendered["files"]
        self.running = []

    def close(self):
        for process in self.running:
            process.kill()
            kill_commands(process.root)
        writable(self.folder)

    def texts(self, root, port):
        """All files with the paths and the port of this machine."""
        return {name: PORT.sub(str(port), PATHS.sub(str(root), text)) for name, text in self.rendered.items()}

    def image(self, root):
        """What an image has: flytt, found by its name."""
        (root / "image").mkdir(parents=True, exist_ok=True)
        if not (root / "image" / "flytt").exists():
            (root / "image" / "flytt").symlink_to(PROGRAM)
        return {"PATH": f"{root / 'image'}:/usr/bin:/bin", "HOME": "/"}

    def begin(self, root, name, argv, env, grace, **more):
        process = Running(name, self.folder, root, argv, env, grace, **more)
        self.running.append(process)
        return process


# -- Kubernetes -------------------------------------------------------------------------------------------------------


def kubernetes_words(words, env):
    """$(NAME) is a variable, $$(NAME) is not."""
    def value(found):
        return found[0][1:] if found[0].startswith("$$") else env.get(found[1], found[0])
    return [re.sub(r"\$?\$\((\w+)\)", value, word) for word in words]


def give_to_group(folder, policy):
    """What kubelet does with fsGroup when it mounts a volume: SetVolumeOwnership."""
    if policy == "OnRootMismatch" and folder.stat().st_mode & 0o2770 == 0o2770:
        return
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o7777 | (0o2770 if path.is_dir() else 0o660))


def mount_texts(folder, texts, mode):
    """As kubelet writes ConfigMaps and Secrets: links to a folder that is replaced as a whole."""
    fresh(folder)
    for name, text in texts.items():
        if not isinstance(text, str) or not re.fullmatch(r"[-._a-zA-Z0-9]+", name):
            raise Failed(f"a ConfigMap or Secret cannot have {name!r}: {text!r}")
        write(folder / "..1" / name, text, mode)
        (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data").symlink_to("..1")
    for path in (folder / "..1", folder):
        if path.exists():
            path.chmod(0o555)


@dataclasses.dataclass
class Object:
    """A pod that may be started: of a Deployment or a CronJob."""

    kind: str
    name: str
    spec: dict
    pod: dict


class Kubernetes(Place):
    def __init__(self, *args):
        super().__init__(*args)
        self.ports = {}

    def kinds(self):
        return {d["metadata"]["name"]: d for text in self.rendered.values() for d in yaml.safe_load_all(text)
                if d["kind"] in ("Deployment", "CronJob", "Application", "Naisjob")}

    def start(self, name, replica=0):
        """A pod of the object; each has a root of its own, which a claim outlives."""
        root = self.folder / f"{name}-{replica}"
        root.mkdir(exist_ok=True)
        port = self.ports.setdefault(root, free_port())
        documents = [d for text in self.texts(root, port).values() for d in yaml.safe_load_all(text)]
        texts = {d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "ConfigMap"}
        [found] = [d for d in documents if d["metadata"]["name"] == name and d["kind"] in self.KINDS]
        return self.start_object(root, found, texts)

    KINDS = ("Deployment", "CronJob")

    def start_object(self, root, found, config_maps):
        spec = found["spec"]["template"]["spec"] if found["kind"] == "Deployment" else found["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        [container] = spec["containers"]
        volumes = {v["name"]: v for v in spec["volumes"]}
        for mount in container["volumeMounts"]:
            if mount["mountPath"] != "/tmp":
                self.mount(volumes[mount["name"]], pathlib.Path(mount["mountPath"]), spec, config_maps)
        env = self.image(root)
        for variable in container.get("env", []):
            self.add_variable(variable, env)
        words = kubernetes_words([*container["command"], *container["args"]], env)
        ports = {p["name"]: p["containerPort"] for p in container.get("ports", [])}
        probes = {name: http_probe(ports[container[name]["httpGet"]["port"]], container[name]["httpGet"]["path"])
                  for name in ("startupProbe", "readinessProbe") if name in container}
        return self.begin(root, found["metadata"]["name"], words, env, spec.get("terminationGracePeriodSeconds", GRACE_SECONDS_KUBERNETES),
                          is_alive=probes.get("startupProbe"), is_ready=probes.get("readinessProbe"))

    def add_variable(self, variable, env):
        if "value" in variable:
            env[variable["name"]] = variable["value"]
            return
        reference = variable["valueFrom"]["secretKeyRef"]
        value = {"flytt-env": self.variables}[reference["name"]].get(reference["key"])
        if value is None and not reference.get("optional"):
            raise Failed(f"CreateContainerConfigError: {reference}")
        if value is not None:
            env[variable["name"]] = value

    def mount(self, volume, path, spec, config_maps):
        if "configMap" in volume:
            mount_texts(path, config_maps[volume["configMap"]["name"]], volume["configMap"].get("defaultMode", 0o644))
        elif "secret" in volume:
            secret = volume["secret"]
            files = {"flytt-files": self.files}[secret["secretName"]]
            mount_texts(path, {i["path"]: files[i["key"]] for i in secret["items"]}, secret["defaultMode"])
        else:
            if "emptyDir" in volume:
                fresh(path)
            path.mkdir(parents=True, exist_ok=True)
            give_to_group(path, spec["securityContext"].get("fsGroupChangePolicy", "Always"))


class Nais(Kubernetes):
    """Pods as naiserator makes them of Applications and Naisjobs."""

    KINDS = ("Application", "Naisjob")

    def start_object(self, root, found, config_maps):
        spec = found["spec"]
        env = self.image(root)
        for source in spec.get("envFrom", []):
            env.update({"flytt-env": self.variables}[source["secret"]])
        for source in spec["filesFrom"]:
            path = pathlib.Path(source["mountPath"])
            if "configmap" in source:
                mount_texts(path, config_maps[source["configmap"]], 0o644)
            elif "secret" in source:
                mount_texts(path, {"flytt-files": self.files}[source["secret"]], 0o644)
            else:
                if "emptyDir" in source:
                    fresh(path)
                path.mkdir(parents=True, exist_ok=True)
                give_to_group(path, "OnRootMismatch")
        env.update({v["name"]: v["value"] for v in spec.get("env", [])})
        probes = {name: http_probe(spec["port"], spec[name]["path"]) for name in ("startup", "readiness") if name in spec}
        return self.begin(root, found["metadata"]["name"], kubernetes_words(spec["command"], env), env, spec["terminationGracePeriodSeconds"],
                          is_alive=probes.get("startup"), is_ready=probes.get("readiness"))


# -- systemd ----------------------------------------------------------------------------------------------------------


def parse_unit(text):
    """{section: [(key, value)]}, systemd.syntax(7)."""
    sections, section, line = {}, None, ""
    for part in text.split("\n"):
        if not line and (not part.strip() or part.lstrip()[0] in "#;"):
            continue
        line += part
        if (len(line) - len(line.rstrip("\\"))) % 2 == 1:
            line = line[:-1] + " "
            continue
        if line.startswith("["):
            section = sections.setdefault(line.strip()[1:-1], [])
        else:
            key, separator, value = line.partition("=")
            if not separator:
                raise Failed(f"systemd would leave out the line {line!r}")
            section.append((key.strip(), value.strip()))
        line = ""
    return sections


def unit_words(text):
    """Words of a setting, with quotes and backslashes taken away, and %% made %: systemd.syntax(7), systemd.unit(5)."""
    words, word, quote, i = [], None, "", 0
    while i < len(text):
        c = text[i]
        if c == "\\" and i + 1 < len(text):
            word = (word or "") + {"n": "\n", "t": "\t", "s": " "}.get(text[i + 1], text[i + 1])
            i += 1
        elif quote:
            if c == quote:
                quote = ""
            else:
                word += c
        elif c in "\"'":
            quote, word = c, word or ""
        elif c in " \t":
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + c
        i += 1
    if quote:
        raise Failed(f"a quote is not closed: {text!r}")
    return [specifiers(w) for w in [*words, *([] if word is None else [word])]]


def specifiers(text):
    if re.search(r"(?<!%)(?:%%)*%(?!%)", text):
        raise Failed(f"systemd would put something in the place of a specifier of {text!r}")
    return text.replace("%%", "%")


def exec_words(text, env):
    """ExecStart=, systemd.service(5): $NAME and ${NAME} are variables, $$ is a dollar."""
    def value(found):
        return "$" if found[0] == "$$" else env.get(found[1] or found[2], "")
    return [re.sub(r"\$\$|\$\{(\w+)\}|\$(\w+)", value, word) for word in unit_words(text)]


def parse_environment_file(text):
    """EnvironmentFile=, systemd.exec(5): '…' is taken as it stands, \\ escapes elsewhere."""
    found, i = {}, 0
    while i < len(text):
        if text[i] in "#;\n ":
            i = i + 1 if text[i] in "\n " else text.index("\n", i)
            continue
        equals = text.index("=", i)
        name, value, quote, i = text[i:equals], "", "", equals + 1
        while i < len(text) and (quote or text[i] != "\n"):
            if quote != "'" and text[i] == "\\":
                i += 1
                value += text[i]
            elif quote and text[i] == quote:
                quote = ""
            elif not quote and text[i] in "\"'":
                quote = text[i]
            else:
                value += text[i]
            i += 1
        found[name] = value
    return found


def environment_file(variables):
    """As the rendering asks for it: NAME='value'."""
    return "".join(f"{name}='{value}'\n" for name, value in variables.items())


class Systemd(Place):
    """One machine: all units share /etc/flytt."""

    def __init__(self, *args):
        super().__init__(*args)
        self.port = free_port()
        self.root = self.folder / "machine"
        self.units, self.active = {}, {}
        etc = self.root / "etc/flytt"
        for name, text in self.texts(self.root, self.port).items():
            if name.endswith((".service", ".timer")):
                self.units[name] = parse_unit(text)
            elif name == "flytt.conf":
                self.home = text.split()[-1]
            else:
                write(etc / name, text, 0o644)
        write(etc / "flytt.env", environment_file(self.variables), 0o600)
        for name, text in self.files.items():
            write(etc / "secrets" / name, text, 0o640)
        for folder in (etc / "secrets", etc):
            if folder.exists():
                folder.chmod(0o555)
        (self.root / "usr/local/bin").mkdir(parents=True)
        (self.root / "usr/local/bin/flytt").symlink_to(PROGRAM)

    def start(self, name):
        """As a timer or `systemctl start` does it: a unit that is active stays as it is."""
        if name in self.active and self.active[name].process.poll() is None:
            return self.active[name]
        service = self.units[name + ".service"]["Service"]
        setting = dict(service)
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.home, "USER": setting["User"]}
        for key, value in service:
            if key == "EnvironmentFile":
                env.update(parse_environment_file(pathlib.Path(value).read_text()))
            if key == "Environment":
                env.update(word.split("=", 1) for word in unit_words(value))
        state = self.root / "var/lib" / setting["StateDirectory"]
        state.mkdir(parents=True, exist_ok=True)
        state.chmod(int(setting["StateDirectoryMode"], 8))
        if pathlib.Path(setting["WorkingDirectory"]) != state:
            raise Failed(f"200/CHDIR: {setting['WorkingDirectory']}")
        words = exec_words(setting["ExecStart"], env)
        health = yaml.safe_load(pathlib.Path(words[-1]).read_text()).get("listen", {}).get("health")
        probe = http_probe(self.port, "/isready") if health else None
        self.active[name] = self.begin(self.root, name, words, env, int(setting["TimeoutStopSec"]),
                                       is_ready=probe, is_container=False)
        return self.active[name]


# -- Compose ----------------------------------------------------------------------------------------------------------


def interpolated(node):
    """In every value of the file; a variable of the machine is never meant."""
    if isinstance(node, dict):
        return {key: interpolated(value) for key, value in node.items()}
    if isinstance(node, list):
        return [interpolated(value) for value in node]
    if not isinstance(node, str):
        return node
    for found in re.findall(r"\$(.?)", node):
        if found != "$" and re.search(r"(?<!\$)(?:\$\$)*\$(?!\$)", node):
            raise Failed(f"Compose would put something in the place of a variable of {node!r}")
    return node.replace("$$", "$")


def parse_dotenv(text):
    """Lines NAME='value' are taken as they stand; elsewhere $ and # are Compose's own."""
    found = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", text, re.M):
        quoted = re.fullmatch(r"'([^']*)'", value)
        if not quoted and re.search(r"[$#\\\"]", value):
            raise Failed(f"Compose would change {name}")
        found[name] = quoted[1] if quoted else value
    return found


def seconds(text):
    return int(text[:-1]) * {"s": 1, "m": 60}[text[-1]]


class Compose(Place):
    def start(self, name, replica=0):
        root = self.folder / f"{name}-{replica}"
        root.mkdir(exist_ok=True)
        texts = self.texts(root, free_port())
        file = interpolated(yaml.safe_load(texts["compose.yaml"]))
        service = file["services"][name]
        writable(root / "etc")
        for config in service["configs"]:
            source = file["configs"][config["source"]]["file"]
            write(pathlib.Path(config["target"]), texts[source.removeprefix("./")], 0o444)
        (root / "etc/flytt").chmod(0o555)
        for secret in service.get("secrets", []):
            source = pathlib.PurePath(file["secrets"][secret]["file"])
            write(root / "run/secrets" / secret, self.files[source.name], 0o444)
        for volume in service.get("volumes", []):
            source, _, target = volume.rpartition(":")
            if source and source not in file["volumes"]:
                raise Failed(f"service {name!r} refers to undefined volume {source}")
            pathlib.Path(target).mkdir(parents=True, exist_ok=True)
        for folder in service["tmpfs"]:
            if not folder.startswith("/tmp"):
                fresh(pathlib.Path(folder))
        env = {**self.image(root), **service.get("environment", {})}
        for path in service.get("env_file", []):
            env.update({"flytt.env": parse_dotenv(environment_file(self.variables))}[path])
        check = service["healthcheck"]["test"]
        if check[0] != "CMD":
            raise Failed(f"a health check of another form: {check}")
        is_ready = lambda: subprocess.run(check[1:], env=env, capture_output=True, timeout=seconds(service["healthcheck"]["timeout"])).returncode == 0
        grace = seconds(service["stop_grace_period"]) if "stop_grace_period" in service else GRACE_SECONDS_DOCKER
        return self.begin(root, name, [*service["entrypoint"], *service["command"]], env, grace, is_ready=is_ready)


PLACES = {"k8s": Kubernetes, "nais": Nais, "systemd": Systemd, "compose": Compose}
