"""What `flytt render` writes: the golden files of a large configuration, the places' own schemas, and a warning for each thing
that gets lost. Schedules are compared slot by slot in src/scheduler/golden_test.cc."""

import configparser
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import jsonschema
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.flytt import PROGRAM, ROOT  # noqa: E402

GOLDEN = ROOT / "tests" / "golden" / "render"
SCHEMAS = pathlib.Path(__file__).resolve().parent / "schemas"
OPTIONS = {"nais": ["--image", "flytt.example/flytt:1", "--team", "sak", "--kafka-pool", "nav-prod"],
           "k8s": ["--image", "flytt.example/flytt:1", "--namespace", "data"], "systemd": [],
           "compose": ["--image", "flytt.example/flytt:1"]}
PLACES = tuple(OPTIONS)
SECONDS_MAX = 60  # passes only when a test has failed already
REMOTE = 'destination: {bigquery: {rest: "http://lager.example:9050", grpc: "lager.example:9060"}}\nstate: {sqlite: ./state.db}\n'
LARGE = (GOLDEN / "flytt.yaml").read_text()


def flytt(folder, *arguments, environment=None):
    """Without any variable that the configuration names."""
    return subprocess.run([str(PROGRAM), *arguments], cwd=folder, capture_output=True, text=True, timeout=SECONDS_MAX,
                          env={"PATH": os.environ["PATH"], **(environment or {})}, stdin=subprocess.DEVNULL)


def schema(name):
    return json.loads((SCHEMAS / f"{name}.json").read_text())


class Render(unittest.TestCase):
    def folder(self, text=None):
        """A folder with this configuration; without one, with the large one."""
        folder = tempfile.mkdtemp(prefix="flytt-render-")
        self.addCleanup(shutil.rmtree, folder)
        if text is None:
            shutil.copytree(GOLDEN, folder, dirs_exist_ok=True)
        else:
            pathlib.Path(folder, "flytt.yaml").write_text(text)
        return folder

    def render(self, place, text=None, *options):
        done = flytt(self.folder(text), "render", place, "--json", *OPTIONS[place], *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        rendered = json.loads(done.stdout)
        rendered["files"] = {f["name"]: f["text"] for f in rendered["files"]}
        rendered["stderr"] = done.stderr
        return rendered

    def documents(self, rendered):
        return [d for name, text in rendered["files"].items() if name.endswith(".yaml") for d in yaml.safe_load_all(text)]

    def objects(self, rendered, kind):
        return {d["metadata"]["name"]: d for d in self.documents(rendered) if d["kind"] == kind}

    def sentences(self, rendered, about):
        return " | ".join(w["sentence"] for w in rendered["warnings"] if w["about"] == about)


class Golden(Render):
    def test_the_large_configuration(self):
        for place in PLACES:
            with self.subTest(place):
                done = flytt(GOLDEN, "render", place, "--jobs-apart", *OPTIONS[place])
                command = f"cd {GOLDEN.relative_to(ROOT)} && flytt render {place} --jobs-apart {' '.join(OPTIONS[place])} > {place}.txt"
                self.assertEqual(done.stdout, (GOLDEN / f"{place}.txt").read_text(), command)
                self.assertEqual(done.stderr, (GOLDEN / f"{place}.warnings.txt").read_text(), command)

    def test_files_are_what_is_printed(self):
        for place in PLACES:
            with self.subTest(place):
                folder = self.folder()
                done = flytt(folder, "render", place, "--jobs-apart", "--out", "ut", *OPTIONS[place])
                self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
                written = {p.name: p.read_text() for p in pathlib.Path(folder, "ut").iterdir()}
                self.assertEqual(written, self.render(place, None, "--jobs-apart")["files"])

    def test_every_warning_is_in_the_first_file_and_on_standard_error(self):
        for place in PLACES:
            with self.subTest(place):
                rendered = self.render(place, None, "--jobs-apart")
                first = " ".join(next(iter(rendered["files"].values())).replace("\n# ", " ").split())
                self.assertGreater(len(rendered["warnings"]), 3)
                for warning in rendered["warnings"]:
                    line = f"warning: {warning['about']}: {warning['sentence']}"
                    self.assertIn(line, first)
                    self.assertIn(line + "\n", rendered["stderr"])


class Schemas(Render):
    """With everything apart and with everything in the engine."""

    def renderings(self, place):
        local = "destination: {local: ./lager}\nqueries: {q: {schedule: {every: 1h}, to: d.q, sql: SELECT 1 AS a}}\n"
        for text, options in ((None, ["--jobs-apart"]), (None, []), (local, [])):
            yield self.render(place, text, *options)

    def check(self, document, *names):
        """Against the first of these schemas that has its kind."""
        known = next(known for known in map(schema, names) if document["kind"] in known["kinds"])
        form = known["definitions"][known["kinds"][document["kind"]]]
        jsonschema.Draft7Validator({**form, "definitions": known["definitions"]}).validate(document)

    def test_kubernetes(self):
        kinds = set()
        for rendered in self.renderings("k8s"):
            for document in self.documents(rendered):
                kinds.add(document["kind"])
                self.check(document, "kubernetes")
        self.assertEqual(kinds, set(schema("kubernetes")["kinds"]))

    def test_nais(self):
        kinds = set()
        for rendered in self.renderings("nais"):
            for document in self.documents(rendered):
                kinds.add(document["kind"])
                self.check(document, "nais", "kubernetes")
        self.assertEqual(kinds, {"Application", "Naisjob", "ConfigMap"})

    def test_a_wrong_field_is_seen(self):
        job = next(iter(self.objects(self.render("k8s", None, "--jobs-apart"), "CronJob").values()))
        job["spec"]["startingDeadlineSecond"] = 10
        with self.assertRaises(jsonschema.ValidationError):
            self.check(job, "kubernetes")

    @unittest.skipUnless(shutil.which("kubectl"), "kubectl is not here")
    def test_kubectl_reads_the_same(self):
        """By its own reader of YAML, for which other texts are numbers, truth values and ends of lines."""
        words = ["on", "1e3", "0x1", "~", " a", "a\u2028 b", "\ufeff", "\x01\x7f\x85", "a\n\n", "\t\n"]
        text = REMOTE + "jobs: " + json.dumps({"j": {"schedule": {"every": "1h"}, "run": ["x", *words], "files": dict.fromkeys(words[:5], "\u2028 x\n")}})
        for place in ("k8s", "nais"):
            for rendered in (self.render(place, None, "--jobs-apart"), self.render(place, text)):
                folder = self.folder("resources: [all.yaml]\n")
                pathlib.Path(folder, "flytt.yaml").rename(pathlib.Path(folder, "kustomization.yaml"))
                pathlib.Path(folder, "all.yaml").write_text("---\n".join(rendered["files"].values()))
                done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, timeout=SECONDS_MAX)
                self.assertEqual(done.returncode, 0, done.stderr)
                by_name = {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all(done.stdout)}
                self.assertEqual(by_name, {(d["kind"], d["metadata"]["name"]): d for d in self.documents(rendered)})
            job = yaml.safe_load(by_name["ConfigMap", "flytt-config"]["data"]["flytt.yaml"])["jobs"]["j"]
            self.assertEqual(job["run"], ["x", *words])

    def test_compose(self):
        for rendered in self.renderings("compose"):
            jsonschema.Draft7Validator(schema("compose")).validate(yaml.safe_load(rendered["files"]["compose.yaml"]))
            self.assertNotIn("${", rendered["files"]["compose.yaml"])

    def units(self):
        for rendered in self.renderings("systemd"):
            for name, text in rendered["files"].items():
                if name.endswith((".service", ".timer")):
                    yield name, text

    def test_systemd_settings_are_known(self):
        known = schema("systemd")
        for name, text in self.units():
            parsed = configparser.ConfigParser(strict=False, interpolation=None)
            parsed.optionxform = str
            parsed.read_string(text)
            for section in parsed.sections():
                self.assertIn(section, known[name.rsplit(".", 1)[1]], name)
                self.assertLessEqual(set(parsed[section]), set(known[name.rsplit(".", 1)[1]][section]), name)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not here")
    def test_systemd_takes_the_units(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in self.units():
                pathlib.Path(folder, name).write_text(text.replace("/usr/local/bin/flytt", "/bin/true"))
            units = sorted(map(str, pathlib.Path(folder).iterdir()))
            done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=SECONDS_MAX)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))


class Configuration(Render):
    def test_what_is_not_the_places_own_stays(self):
        original = yaml.safe_load(LARGE)
        for place in PLACES:
            with self.subTest(place):
                rendered = self.render(place)
                is_object = place in ("nais", "k8s")
                text = self.objects(rendered, "ConfigMap")["flytt-config"]["data"]["flytt.yaml"] if is_object else rendered["files"]["flytt.yaml"]
                found = yaml.safe_load(text)
                for key in ("streams", "jobs", "memory", "project", "location"):
                    if key == "jobs":
                        found[key]["fortelling"]["files"].pop("hemmelig.json")
                        original[key]["fortelling"]["files"].pop("hemmelig.json", None)
                    self.assertEqual(found[key], original[key])
                self.assertEqual(found["queries"].pop("nattlig")["sql"], "${file:daglig.sql}")
                self.assertEqual(found["queries"], {k: v for k, v in original["queries"].items() if k != "nattlig"})

    def test_a_job_apart_has_only_its_own_secrets(self):
        jobs = self.objects(self.render("k8s", None, "--jobs-apart"), "CronJob")
        maps = self.objects(self.render("k8s", None, "--jobs-apart"), "ConfigMap")

        def variables(name):
            pod = jobs[name]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
            return [v["name"] for v in pod["containers"][0].get("env", []) if "valueFrom" in v]
        self.assertEqual(variables("flytt-dataproducts"), ["NAIS_DATABASE_SAK_SAK_URL"])
        self.assertEqual(variables("flytt-fortelling"), ["NADA_TOKEN"])
        self.assertEqual(variables("flytt-nattlig"), [])
        self.assertEqual(set(maps["flytt-nattlig-config"]["data"]), {"flytt.yaml", "daglig.sql"})
        self.assertEqual(set(yaml.safe_load(maps["flytt-fortelling-config"]["data"]["flytt.yaml"])),
                         {"project", "location", "destination", "state", "listen", "memory", "jobs"})

    def test_the_engine_does_not_run_what_runs_apart(self):
        maps = self.objects(self.render("k8s", None, "--jobs-apart"), "ConfigMap")
        engine = yaml.safe_load(maps["flytt-config"]["data"]["flytt.yaml"])
        apart = [yaml.safe_load(m["data"]["flytt.yaml"]) for name, m in maps.items() if name != "flytt-config"]
        self.assertNotIn("jobs", engine)
        self.assertEqual(set(engine["queries"]), {"annenhver", "mandag", "sekunder", "etter", "etter_denne"})
        ran = [name for part in [engine, *apart] for key in ("queries", "jobs") for name in part.get(key, {})]
        original = yaml.safe_load(LARGE)
        self.assertEqual(sorted(ran), sorted([*original["queries"], *original["jobs"]]))

    def test_flytt_takes_what_was_rendered(self):
        text = REMOTE + "queries:\n  kveld: {schedule: {cron: '30 21 * * *', timezone: Europe/Oslo}, to: d.t, sql: \"SELECT '# ikke' AS a\\n\"}\n"
        rendered = self.render("systemd", text, "--jobs-apart")
        before = flytt(self.folder(text), "job", "next", "--json")
        after = flytt(self.folder(rendered["files"]["flytt-kveld.yaml"]), "job", "next", "--json")
        self.assertEqual(before.returncode, 0, before.stderr)
        self.assertEqual(after.stdout, before.stdout)

    def test_no_secret_is_read_or_written(self):
        secret = "svært-hemmelig"
        folder = self.folder()
        pathlib.Path(folder, "secret").mkdir()
        pathlib.Path(folder, "secret", "hemmelig.json").write_text(secret)
        for place in PLACES:
            done = flytt(folder, "render", place, "--jobs-apart", environment={
                name: secret for name in ("NAIS_DATABASE_SAK_SAK_URL", "PARTNER_PASSWORD", "NADA_TOKEN", "KAFKA_BROKERS", "KAFKA_PRIVATE_KEY")})
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn(secret, done.stdout + done.stderr)

    def test_names_of_files_stay_texts(self):
        """Kubernetes makes "true" of a key on."""
        for name in ("on", "1e3", "0x1", "null"):
            folder = self.folder(REMOTE + f'queries: {{q: {{schedule: {{every: 1h}}, to: d.q, sql: "${{file:{name}}}"}}}}\n')
            pathlib.Path(folder, name).write_text("SELECT 1 AS a\n")
            done = flytt(folder, "render", "k8s", *OPTIONS["k8s"])
            self.assertEqual(done.returncode, 0, done.stderr)
            data = next(yaml.safe_load_all(done.stdout))["data"]
            self.assertEqual(set(data), {"flytt.yaml", name})

    def test_a_statement_replaces_no_file_of_the_place(self):
        for place, name in (("compose", "compose.yaml"), ("systemd", "flytt.conf")):
            folder = self.folder(REMOTE + f'queries: {{q: {{schedule: {{every: 1h}}, to: d.q, sql: "${{file:{name}}}"}}}}\n')
            pathlib.Path(folder, name).write_text("SELECT 1 AS a\n")
            done = flytt(folder, "render", place, "--json", *OPTIONS[place])
            names = [f["name"] for f in json.loads(done.stdout)["files"]]
            self.assertEqual(len(names), len(set(names)), names)

    def test_two_secrets_of_one_name_are_two(self):
        """The key of the service account, and a file that happens to be called alike."""
        text = ("destination: {bigquery: {}}\nstate: {sqlite: ./s}\n"
                "jobs: {j: {schedule: {every: 1h}, run: [x], files: {k: '${file:google-key.json}'}}}\n")
        rendered = self.render("compose", text)
        self.assertEqual(set(yaml.safe_load(rendered["files"]["compose.yaml"])["secrets"]), {"google-key.json", "2-google-key.json"})

    def test_a_password_in_the_file_is_refused(self):
        done = flytt(self.folder(REMOTE + 'sources: {a: {postgres: "postgres://u:hemmelig@h/d"}}\nstreams: {a: {from: a, to: l}}\n'), "render", "k8s")
        self.assertEqual(done.returncode, 2)
        self.assertIn("'sources.a.postgres' holds a secret itself", done.stderr)
        self.assertNotIn("hemmelig", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
