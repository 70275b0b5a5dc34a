"""Each thing that a place cannot say is a warning, and each thing that a platform has to be told is told."""

import json
import pathlib
import sys
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from places import parse_unit, specifiers, unit_words  # noqa: E402
from render_test import REMOTE, Render, flytt  # noqa: E402

QUERY = "queries:\n  q: {schedule: %s, to: d.t, sql: SELECT 1 AS a%s}\n"
DAILY = "{cron: '15 5 * * *', timezone: Europe/Oslo}"
# place, schedule, other keys, a part of the warning or None.
LOST = (
    ("k8s", DAILY, "", None),
    ("k8s", "{every: 30s}", "", "cron has no seconds: it stays in the engine"),
    ("systemd", "{every: 30s}", "", None),
    ("k8s", "{cron: '@every 10m'}", "", None),
    ("k8s", "{every: 48 hours}", "", "divides neither a day nor is it a week: it stays in the engine"),
    ("nais", "{every: 'first monday of month 07:30'}", "", "the n-th weekday of a month: it stays in the engine"),
    ("systemd", "{every: 'first monday of month 07:30'}", "", None),
    ("k8s", "{every: 90m}", "", "needs 2 lines of cron, so there are 2 objects"),
    ("k8s", "{cron: '30 2 * * *', timezone: Europe/Oslo}", "", "Kubernetes runs both passes"),
    ("systemd", "{cron: '30 2 * * *', timezone: Europe/Oslo}", "", "systemd runs the first pass only"),
    ("k8s", "{cron: '30 2 * * *', timezone: Asia/Tokyo}", "", None),
    ("k8s", "{every: 1h, start: '2026-01-01'}", "", "'start' and 'end' cannot be said there"),
    ("k8s", DAILY, ", missed: all", "'missed: all' is done when the next slot is due"),
    ("k8s", DAILY, ", missed: none", "startingDeadlineSeconds: 60"),
    ("nais", DAILY, ", missed: none", "may still run when it is late"),
    ("nais", DAILY, ", start_within: 1h", "a Naisjob has no startingDeadlineSeconds"),
    ("k8s", DAILY, ", start_within: 1h", None),
    ("k8s", DAILY, ", start_within: 5s", "raised to 10s"),
    ("systemd", DAILY, ", start_within: 1h", "a timer has no such limit"),
    ("k8s", DAILY, ", concurrency: replace", "while the old one may still be stopping"),
    ("systemd", DAILY, ", concurrency: replace", "a timer does not stop a unit that runs"),
    ("systemd", DAILY, ", concurrency: allow", "a unit runs once at a time"),
    ("k8s", DAILY, ", concurrency: allow", "a slot that comes while a pod runs is started after it"),
    ("nais", DAILY, ", concurrency: allow", "a slot that comes while a pod runs is started after it"),
    ("nais", DAILY, "", "a pod that is evicted is not started again"),
)
ALWAYS = ("its slots are remembered in", "a slot that comes while the unit runs", "a pod that is evicted")


class Lost(Render):
    def test_each_loss_is_said_and_nothing_else(self):
        for place, schedule, more, part in LOST:
            with self.subTest(f"{place} {schedule} {more}"):
                rendered = self.render(place, REMOTE + QUERY % (schedule, more), "--jobs-apart")
                sentences = [w["sentence"] for w in rendered["warnings"] if w["about"] == "query:q"]
                others = [s for s in sentences if not s.startswith(ALWAYS)]
                if part is None:
                    self.assertEqual(others, [])
                else:
                    self.assertIn(part, " | ".join(sentences))
                    self.assertLessEqual(len(others), 1)

    def test_in_the_engine_nothing_is_lost(self):
        for place, schedule, more, _ in LOST:
            self.assertEqual(self.sentences(self.render(place, REMOTE + QUERY % (schedule, more)), "query:q"), "")

    def test_what_waits_stays_with_what_it_waits_for(self):
        text = REMOTE + ("queries:\n  a: {schedule: {every: 1h}, to: d.a, sql: SELECT 1 AS a}\n  c: {schedule: {every: 1h}, to: d.c, sql: SELECT 1 AS a}\n"
                         "  b: {schedule: {every: 1h}, to: d.b, sql: SELECT 1 AS a, after: ['query:a']}\n")
        rendered = self.render("k8s", text, "--jobs-apart")
        self.assertEqual(set(self.objects(rendered, "CronJob")), {"flytt-c"})
        self.assertIn("it waits for query:a", self.sentences(rendered, "query:b"))
        self.assertIn("query:b waits for it", self.sentences(rendered, "query:a"))

    def test_what_runs_on_changes_stays(self):
        text = REMOTE + ("queries:\n  a: {schedule: {every: 1h}, to: d.a, sql: SELECT 1 AS a}\n"
                         "  b: {to: d.b, sql: SELECT 1 AS a, after: ['query:a']}\n")
        rendered = self.render("k8s", text, "--jobs-apart")
        self.assertEqual(self.objects(rendered, "CronJob"), {})
        self.assertIn("it waits for query:a", self.sentences(rendered, "query:b"))

    def test_names(self):
        text = REMOTE + "queries:\n" + "".join(f"  {name}: {{schedule: {{every: 1h}}, to: d.{'abcd'[i]}, sql: SELECT 1 AS a}}\n"
                                                for i, name in enumerate(("A_b", "a-b", "x" * 90, "_y_")))
        names = set(self.objects(self.render("k8s", text, "--jobs-apart"), "CronJob"))
        self.assertEqual(len(names), 4)
        for name in names:
            self.assertRegex(name, r"^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$")
        self.assertIn("it is called 'flytt-y' there", self.sentences(self.render("k8s", text, "--jobs-apart"), "query:_y_"))

    def test_replicas_need_a_shared_state(self):
        rendered = self.render("k8s", REMOTE + QUERY % (DAILY, ""), "--replicas", "2")
        self.assertEqual(self.objects(rendered, "Deployment")["flytt"]["spec"]["replicas"], 1)
        self.assertEqual(self.objects(rendered, "Deployment")["flytt"]["spec"]["strategy"], {"type": "Recreate"})
        self.assertIn("a state file of SQLite", self.sentences(rendered, "--replicas"))

    def test_nothing_runs_beside_a_local_warehouse(self):
        local = "destination: {local: ./lager}\n" + QUERY % (DAILY, "")
        done = flytt(self.folder(local), "render", "k8s", "--jobs-apart")
        self.assertEqual(done.returncode, 2)
        self.assertIn("one process holds the warehouse", done.stderr)
        rendered = self.render("k8s", local)
        self.assertIn("its data needs the volume", self.sentences(rendered, "destination.local"))
        self.assertEqual(set(self.objects(rendered, "PersistentVolumeClaim")), {"flytt-state"})


class Memory(Render):
    def limit(self, text):
        return self.objects(self.render("k8s", text), "Deployment")["flytt"]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]

    def test_it_follows_the_bounds(self):
        query = QUERY % (DAILY, "")
        self.assertEqual(self.limit(REMOTE + query), "416Mi")  # 256 and a quarter of it, the program 96
        self.assertEqual(self.limit(REMOTE + "memory: {engine: 1GiB}\n" + query), "1376Mi")
        self.assertEqual(self.limit("destination: {local: ./l}\n" + query), "1120Mi")  # 256 + 512 and a quarter, 64, 96
        job = "jobs: {j: {schedule: {every: 1h}, run: [x], limits: {memory: 1GiB}, completions: 4, parallelism: 2}}\n"
        self.assertEqual(self.limit(REMOTE + job), "2176Mi")  # two times 1 GiB and a supervisor, 96


class Programs(Render):
    """Where a program beside the configuration is looked for."""

    TEXT = REMOTE + "jobs: {j: {schedule: {every: 1h}, run: [./rydd.sh]}, k: {schedule: {every: 1h}, run: [/usr/bin/quarto]}}\n"

    def test_a_program_beside_the_configuration(self):
        for place, part in (("k8s", "will not be found"), ("nais", "will not be found"), ("compose", "means /etc/flytt there"),
                            ("systemd", "has to be in /etc/flytt, too")):
            for options in ((), ("--config", "./flytt.yaml")):
                rendered = self.render(place, self.TEXT, *options)
                self.assertIn(part, self.sentences(rendered, "job:j"), place)
                self.assertNotIn(part, self.sentences(rendered, "job:k"), place)


class Nais(Render):
    def application(self, text, *options):
        rendered = self.render("nais", text, *options)
        return rendered, self.objects(rendered, "Application")["flytt"]["spec"]

    def source(self, url):
        return REMOTE + f'sources: {{sak: {{postgres: "{url}"}}}}\nstreams: {{sak: {{from: sak, to: landing}}}}\n'

    def test_another_applications_database(self):
        rendered, spec = self.application(self.source("${env:NAIS_DATABASE_SAK_BACKEND_SAK_URL}"))
        self.assertEqual(spec["envFrom"], [{"secret": "google-sql-sak-backend"}])
        self.assertIn("nais lets in only the application that declares", self.sentences(rendered, "NAIS_DATABASE_SAK_BACKEND_SAK_URL"))

    def test_a_database_of_its_own(self):
        rendered, spec = self.application(self.source("${env:NAIS_DATABASE_FLYTT_SAK_URL}"))
        self.assertEqual(spec["gcp"]["sqlInstances"][0]["databases"], [{"name": "sak"}])
        self.assertNotIn("envFrom", spec)
        self.assertIn("guesses", self.sentences(rendered, "gcp.sqlInstances"))

    def test_addresses(self):
        _, spec = self.application(self.source("postgres://leser:${env:PASSORD}@db.example:5433/sak"))
        external = spec["accessPolicy"]["outbound"]["external"]
        self.assertIn({"host": "db.example", "ports": [{"port": 5433}]}, external)
        self.assertIn({"host": "lager.example", "ports": [{"port": 9060}]}, external)
        rendered, _ = self.application(self.source("${env:SAK_URL}"))
        self.assertIn("its host is not known here", self.sentences(rendered, "source sak"))
        _, spec = self.application(self.source("postgres://leser@10.1.2.3/sak"))
        self.assertIn({"ipv4": "10.1.2.3", "ports": [{"port": 5432}]}, spec["accessPolicy"]["outbound"]["external"])

    def test_kafka_of_the_platform(self):
        text = REMOTE + "sources: {h: {kafka: {}}}\nstreams: {h: {from: h, to: landing, topics: [t]}}\n"
        _, spec = self.application(text)
        self.assertEqual(spec["kafka"], {"pool": "nav-prod"})
        self.assertNotIn("envFrom", spec)


class Systemd(Render):
    def test_commands_survive(self):
        text = REMOTE + "jobs: {j: {schedule: {every: 1h}, run: [x]}}\n"
        self.assertIn("\nKillMode=process\n", self.render("systemd", text)["files"]["flytt.service"])
        self.assertIn("\nKillMode=mixed\n", self.render("systemd", REMOTE + QUERY % (DAILY, ""))["files"]["flytt.service"])

    def test_folders_of_commands_can_be_written(self):
        """And /tmp is not emptied under a command that goes on."""
        text = REMOTE + "jobs: {j: {schedule: {every: 1h}, run: [x], folder: './a b%\"c'}, k: {schedule: {every: 1h}, run: [x], folder: /srv/k}}\n"
        unit = parse_unit(self.render("systemd", text)["files"]["flytt.service"])
        service = dict(unit["Service"])
        self.assertEqual(unit_words(service["ReadWritePaths"]), ["/tmp", "/var/tmp", '-/etc/flytt/a b%"c', "-/srv/k"])
        self.assertNotIn("PrivateTmp", service)
        self.assertEqual(dict(parse_unit(self.render("systemd", REMOTE + QUERY % (DAILY, ""))["files"]["flytt.service"])["Service"])["PrivateTmp"], "yes")

    def test_engines_of_one_machine_are_apart(self):
        text = "destination: {local: ./l}\n" + QUERY % (DAILY, "")
        for name in ("flytt", "sak"):
            files = self.render("systemd", text, "--name", name)["files"]
            service = dict(parse_unit(files[f"{name}.service"])["Service"])
            self.assertEqual(service["ExecStart"], f"/usr/local/bin/flytt run --config /etc/flytt/{name}.yaml")
            self.assertEqual((service["StateDirectory"], service["WorkingDirectory"]), (name, f"/var/lib/{name}"))
            self.assertEqual(yaml.safe_load(files[f"{name}.yaml"])["destination"], {"local": f"/var/lib/{name}/warehouse"})

    def test_a_name_is_no_setting(self):
        """Streams may be called anything."""
        name = "100%h\n[Service]\nExecStart=/bin/false\r[Service]\u2028x\\"
        text = REMOTE + f'sources: {{sak: {{postgres: "${{env:SAK_URL}}"}}}}\nstreams: {{{json.dumps(name)}: {{from: sak, to: landing}}}}\n'
        unit = parse_unit(self.render("systemd", text)["files"]["flytt.service"])
        self.assertEqual(set(unit), {"Unit", "Service", "Install"})
        self.assertEqual([value for key, value in unit["Service"] if key == "ExecStart"], ["/usr/local/bin/flytt run --config /etc/flytt/flytt.yaml"])
        self.assertTrue(specifiers(dict(unit["Unit"])["Description"]).startswith("flytt: 100%h [Service] ExecStart"))
        for place in ("k8s", "nais", "compose"):
            self.documents(self.render(place, text))

    def test_what_was_missed(self):
        for missed, persistent in (("last", "yes"), ("none", "no")):
            timer = self.render("systemd", REMOTE + QUERY % (DAILY, f", missed: {missed}"), "--jobs-apart")["files"]["flytt-q.timer"]
            self.assertIn(f"\nPersistent={persistent}\n", timer)

    def test_a_unit_beside_the_engine_has_its_own_state_and_no_address(self):
        text = REMOTE + "listen: {health: '127.0.0.1:8080'}\n" + QUERY % (DAILY, "")
        found = yaml.safe_load(self.render("systemd", text, "--jobs-apart")["files"]["flytt-q.yaml"])
        self.assertEqual(found["state"], {"sqlite": "/var/lib/flytt-q/state.db"})
        self.assertEqual(found["listen"], {})


if __name__ == "__main__":
    unittest.main()
