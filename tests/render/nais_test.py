"""What nais refuses is refused by the list of its fields, and what it does with a manifest is what was meant."""

import copy
import pathlib
import sys
import unittest

import jsonschema

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from render_test import REMOTE, Render, schema  # noqa: E402

GOOGLE = "destination: {bigquery: {}}\nstate: {sqlite: ./state.db}\n"
QUERIES = "queries:\n" + "".join(f"  {name}: {{{source}schedule: {{every: 1h}}, to: {dataset}.t, sql: SELECT 1 AS a}}\n"
                                 for name, source, dataset in (("a", "from: sak, ", "landing"), ("b", "", "product")))
# What makes a manifest wrong: its kind, the place of a field, and the value that it gets; None: it is taken away.
WRONG = (
    # not known there
    ("Application", "spec.replica", {"min": 1}),
    ("Application", "spec.schedule", "0 4 * * *"),
    ("Application", "spec.startup.initialDelaySeconds", 5),
    ("Application", "spec.resources.limits.storage", "1Gi"),
    ("Application", "spec.logformat", "simple"),
    ("Naisjob", "spec.startingDeadlineSeconds", 60),
    ("Naisjob", "spec.replicas", {"min": 1}),
    ("Naisjob", "spec.filesFrom.0.path", "/etc/flytt"),
    ("Naisjob", "spec.gcp.bigQueryDatasets.0.location", "EU"),
    ("Naisjob", "spec.accessPolicy.outbound.external.0.protocol", "TCP"),
    ("Naisjob", "metadata.label", {}),
    ("Naisjob", "specification", {}),
    # another value
    ("Application", "apiVersion", "nais.io/v1"),
    ("Application", "spec.strategy.type", "recreate"),
    ("Application", "spec.port", "8080"),
    ("Application", "spec.prometheus.port", 8080),
    ("Application", "spec.replicas.min", "1"),
    ("Application", "spec.startup.port", 70000),
    ("Application", "spec.terminationGracePeriodSeconds", 181),
    ("Application", "spec.resources.limits.memory", "1T"),
    ("Application", "spec.filesFrom.0.emptyDir", {"medium": "disk"}),
    ("Application", "spec.accessPolicy.outbound.external.0.host", "https://bigquery.googleapis.com"),
    ("Naisjob", "kind", "NaisJob"),
    ("Naisjob", "spec.concurrencyPolicy", "forbid"),
    ("Naisjob", "spec.restartPolicy", "Always"),
    ("Naisjob", "spec.backoffLimit", 2.5),
    ("Naisjob", "spec.ttlSecondsAfterFinished", 2**31),
    ("Naisjob", "spec.command", "flytt run"),
    ("Naisjob", "spec.env", [{"name": "A", "value": 1}]),
    ("Naisjob", "spec.gcp.bigQueryDatasets.0.permission", "WRITE"),
    ("Naisjob", "spec.gcp.bigQueryDatasets.0.name", "Product-Sak"),
    ("Naisjob", "spec.gcp.sqlInstances", [{"type": "POSTGRES_11", "tier": "db-f1-micro"}]),
    ("Naisjob", "metadata.name", "A_job"),
    ("Naisjob", "metadata.labels.team", 7),
    # one too many, and two that are not taken together
    ("Application", "spec.gcp.sqlInstances", [{"type": "POSTGRES_17", "tier": "db-f1-micro"}] * 2),
    ("Naisjob", "spec.accessPolicy.outbound.external.0.ipv4", "10.0.0.1"),
    ("Naisjob", "spec.envFrom", [{"secret": "a", "configmap": "b"}]),
    # missing
    ("Application", "spec", None),
    ("Application", "spec.startup.path", None),
    ("Application", "spec.kafka.pool", None),
    ("Application", "metadata.name", None),
    ("Naisjob", "spec", None),
    ("Naisjob", "apiVersion", None),
    ("Naisjob", "spec.gcp.bigQueryDatasets.0.permission", None),
    ("Naisjob", "spec.gcp.bigQueryDatasets.0.name", None),
    ("Naisjob", "spec.gcp.sqlInstances", [{"type": "POSTGRES_17"}]),
    ("Naisjob", "spec.accessPolicy.outbound.external.0.host", None),
    ("Naisjob", "spec.filesFrom.0.configmap", None),
    ("Naisjob", "spec.filesFrom.0", {"emptyDir": {"medium": "Disk"}}),
)
# What is not rendered, and taken.
RIGHT = (
    ("Application", "spec.strategy", {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}),
    ("Application", "spec.image", None),
    ("Application", "spec.ingresses", ["https://flytt.example"]),
    ("Application", "spec.uses", {"postgres": [{"name": "sak", "role": "read", "envPrefix": "SAK_"}]}),
    ("Naisjob", "spec.gcp.sqlInstances", [{"type": "POSTGRES_18", "tier": "db-custom-1-3840", "maintenance": {"day": 1, "hour": 0}}]),
    ("Naisjob", "spec.observability", {"logging": {"enabled": True, "destinations": [{"id": "loki"}]}}),
    ("Naisjob", "spec.maskinporten", {"enabled": True, "scopes": {"exposes": [
        {"enabled": True, "name": "les", "product": "sak", "delegationSource": "altinn", "separator": "/"}]}}),
)


def changed(document, place, value):
    out = copy.deepcopy(document)
    *path, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    parent = out
    for part in path:
        parent = parent[part]
    if value is not None:
        parent[last] = value
    else:
        parent.pop(last, None)
    return out


class Fields(Render):
    def setUp(self):
        rendered = self.render("nais", None, "--jobs-apart")
        self.rendered = {kind: self.objects(rendered, kind) for kind in ("Application", "Naisjob")}
        known = schema("nais")
        self.validators = {kind: jsonschema.Draft7Validator({**known["definitions"][name], "definitions": known["definitions"]})
                           for kind, name in known["kinds"].items()}

    def document(self, kind):
        return next(iter(self.rendered[kind].values()))

    def test_what_is_wrong_is_refused(self):
        for kind, place, value in WRONG:
            with self.subTest(f"{kind} {place} {value}"):
                wrong = changed(self.document(kind), place, value)
                self.assertNotEqual(wrong, self.document(kind))
                with self.assertRaises(jsonschema.ValidationError):
                    self.validators[kind].validate(wrong)

    def test_what_is_not_rendered_is_known_too(self):
        for kind, place, value in RIGHT:
            with self.subTest(f"{kind} {place}"):
                self.validators[kind].validate(changed(self.document(kind), place, value))

    def test_the_list_is_closed_and_has_no_loose_ends(self):
        known = schema("nais")["definitions"]
        used = set()

        def walk(form, name):
            if not isinstance(form, dict):
                return
            if "$ref" in form:
                used.add(form["$ref"].removeprefix("#/definitions/"))
            if form.get("type") == "object":
                self.assertEqual(form["additionalProperties"], False if "properties" in form else {"type": "string"}, name)
                self.assertLessEqual(set(form.get("required", ())), set(form.get("properties", ())), name)
            if form.get("type") == "array":
                self.assertIn("items", form, name)
            for key, part in form.items():
                if key == "properties":
                    for inner, value in part.items():
                        self.assertTrue({"type", "$ref", "const"} & set(value), f"{name}.{inner}")
                        walk(value, f"{name}.{inner}")
                elif key in ("items", "additionalProperties"):
                    walk(part, name)

        for name, form in known.items():
            jsonschema.Draft7Validator.check_schema(form)
            walk(form, name)
        self.assertEqual(used | set(schema("nais")["kinds"].values()), set(known))


class Manifests(Render):
    def specs(self, text, *options):
        rendered = self.render("nais", text, *options)
        return rendered, {name: d["spec"] for kind in ("Application", "Naisjob") for name, d in self.objects(rendered, kind).items()}

    def text(self, url="${env:NAIS_DATABASE_FLYTT_SAK_URL}"):
        return REMOTE + f'sources: {{sak: {{postgres: "{url}"}}}}\nstreams: {{sak: {{from: sak, to: landing}}}}\n' + QUERIES

    def test_a_changed_configuration_changes_the_spec(self):
        """nais compares the spec and the labels, and gives a pod no annotations of an Application."""
        one, other = (self.specs(REMOTE + QUERIES.replace("SELECT 1", select).replace("from: sak, ", ""))[1]["flytt"] for select in ("SELECT 1", "SELECT 2"))
        self.assertNotEqual(one["env"], other["env"])
        self.assertEqual([variable["name"] for variable in one["env"]], ["CONFIGURATION_FINGERPRINT"])
        self.assertEqual({**one, "env": 0}, {**other, "env": 0})

    def test_one_engine_at_a_time(self):
        _, specs = self.specs(self.text())
        self.assertEqual(specs["flytt"]["replicas"], {"min": 1, "max": 1, "disableAutoScaling": True})
        self.assertEqual(specs["flytt"]["strategy"], {"type": "Recreate"})

    def test_a_pod_has_time_to_stop_after_it_has_slept(self):
        _, specs = self.specs(self.text(), "--jobs-apart")
        self.assertEqual({spec["terminationGracePeriodSeconds"] for spec in specs.values()}, {75})

    def test_only_the_engine_declares_its_database(self):
        rendered, specs = self.specs(self.text(), "--jobs-apart")
        self.assertEqual(specs["flytt"]["gcp"]["sqlInstances"][0]["databases"], [{"name": "sak"}])
        self.assertNotIn("gcp", specs["flytt-a"])
        self.assertEqual(specs["flytt-a"]["envFrom"], [{"secret": "google-sql-flytt"}])
        self.assertNotIn("envFrom", specs["flytt-b"])
        self.assertIn("lets in only the application that declares", self.sentences(rendered, "NAIS_DATABASE_FLYTT_SAK_URL"))

    def test_the_engine_declares_a_database_that_only_a_job_reads(self):
        text = self.text() + "jobs: {j: {schedule: {every: 30s}, run: [x]}}\n"
        _, specs = self.specs(text.replace("streams: {sak: {from: sak, to: landing}}\n", ""), "--jobs-apart")
        self.assertEqual(specs["flytt"]["gcp"]["sqlInstances"][0]["databases"], [{"name": "sak"}])
        self.assertEqual(specs["flytt-a"]["envFrom"], [{"secret": "google-sql-flytt"}])

    def test_one_database_is_declared_and_the_others_are_said(self):
        text = REMOTE + ("sources: {a: {postgres: '${env:NAIS_DATABASE_FLYTT_A_URL}'}, b: {postgres: '${env:NAIS_DATABASE_FLYTT_B_URL}'}}\n"
                         "streams: {a: {from: a, to: landing_a}, b: {from: b, to: landing_b}}\n")
        rendered, specs = self.specs(text)
        self.assertEqual(specs["flytt"]["gcp"]["sqlInstances"][0]["databases"], [{"name": "a"}])
        self.assertIn("only a of a and b is declared", self.sentences(rendered, "gcp.sqlInstances"))

    def test_each_workload_reaches_only_what_it_needs(self):
        _, specs = self.specs(self.text("postgres://leser@db.example/sak"), "--jobs-apart")
        hosts = {name: [rule.get("host") for rule in spec["accessPolicy"]["outbound"]["external"]] for name, spec in specs.items()}
        self.assertEqual(hosts, {"flytt": ["db.example", "lager.example", "lager.example"],
                                 "flytt-a": ["db.example", "lager.example", "lager.example"], "flytt-b": ["lager.example", "lager.example"]})

    def test_the_state_is_reached_too(self):
        text = self.text().replace("state: {sqlite: ./state.db}", 'state: {postgres: "postgres://flytt@tilstand.example/flytt"}')
        _, specs = self.specs(text, "--jobs-apart")
        for spec in specs.values():
            self.assertIn({"host": "tilstand.example", "ports": [{"port": 5432}]}, spec["accessPolicy"]["outbound"]["external"])

    def test_addresses_that_no_rule_can_name(self):
        for host, kind in (("db.example", "host"), ("10.1.2.3", "ipv4"), ("sak-db", None), ("sak.team.svc.cluster.local", None),
                           ("localhost", None), ("sak_db.example", None), ("10.1.2.300", None), ("db-.example", None), ("x" * 64 + ".example", None)):
            with self.subTest(host):
                rendered, specs = self.specs(self.text(f"postgres://leser@{host}:5433/sak"))
                rules = [rule for rule in specs["flytt"]["accessPolicy"]["outbound"]["external"] if rule.get("host") != "lager.example"]
                self.assertEqual(rules, [{kind: host, "ports": [{"port": 5433}]}] if kind else [])
                self.assertEqual("accessPolicy.outbound.rules" in self.sentences(rendered, "source sak"), kind is None)

    def test_an_address_has_its_port_always(self):
        _, specs = self.specs(self.text("postgres://leser@10.1.2.3:443/sak"))
        self.assertIn({"ipv4": "10.1.2.3", "ports": [{"port": 443}]}, specs["flytt"]["accessPolicy"]["outbound"]["external"])

    def test_who_reads_topics_is_said(self):
        text = REMOTE + "sources: {h: {kafka: {}}}\nstreams: {h: {from: h, to: landing, topics: [t]}}\n" + QUERIES.replace("from: sak, ", "")
        rendered, specs = self.specs(text, "--jobs-apart")
        self.assertEqual([name for name, spec in specs.items() if "kafka" in spec], ["flytt"])
        self.assertIn("flytt in its acl", self.sentences(rendered, "kafka"))

    def test_secrets_are_given_as_a_whole(self):
        jobs = "jobs:\n" + "".join(f"  {name}: {{schedule: {{every: 1h}}, run: [x], secrets: {{{variable}: '${{env:{variable}}}'}},\n"
                                   f"    files: {{k: '${{file:{file}}}'}}}}\n" for name, variable, file in (("a", "A", "./a"), ("b", "B", "./b")))
        rendered, specs = self.specs(REMOTE + jobs, "--jobs-apart")
        for name in ("flytt-a", "flytt-b"):
            self.assertEqual(specs[name]["envFrom"], [{"secret": "flytt-env"}])
        self.assertIn("has those of the others", self.sentences(rendered, "Secret flytt-env"))
        self.assertIn("has those of the others", self.sentences(rendered, "Secret flytt-files"))
        rendered, _ = self.specs(REMOTE + jobs.replace("B", "A").replace("./b", "./a"), "--jobs-apart")
        self.assertEqual(self.sentences(rendered, "Secret flytt-env") + self.sentences(rendered, "Secret flytt-files"), "")

    def test_datasets_are_of_the_teams_project(self):
        rendered, _ = self.specs("project: et-prosjekt\n" + GOOGLE + QUERIES.replace("from: sak, ", ""))
        self.assertIn("flytt writes to project et-prosjekt", self.sentences(rendered, "gcp.bigQueryDatasets"))


if __name__ == "__main__":
    unittest.main()
