"""Slots of rendered schedules, as the places' own programs compute them: `python3 foreign.py ../../../build/release/flytt > foreign.tsv`
with Go, systemd-analyze and PyYAML. flytt says the lines, robfig/cron and systemd say when they run. See README.md."""

import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

import yaml

HERE = pathlib.Path(__file__).resolve().parent
UTC = datetime.timezone.utc
SLOTS = 50
PROGRAM = pathlib.Path(tempfile.gettempdir(), "robfig_lines")
SCHEDULES = [("cron", text) for text in (
    "15 5 * * *", "30 2 * * *", "0 0 * * *", "0 4 1,15 * SUN", "*/15 8-16 * * 1-5", "0 * * * *", "*/10 * * * *", "0 */3 * * *",
    "5-50/15 1-3 * * *", "0 2 * * 0", "@weekly", "@monthly", "0 12 29 2 *", "59 23 31 * *", "0 4 1-7 * MON", "30 1,2,3 * * *")]
SCHEDULES += [("every", text) for text in (
    "90m", "24 hours", "12 hours", "10m", "7d", "30s", "45 minutes", "every monday,friday 09:30", "1,15 of jan,jul 07:00",
    "first,third monday of quarter 07:30", "1st sunday of month 02:30", "every 2 hours from 08:00 to 17:00",
    "every 6 hours from 20:30 to 09:00", "every 35 minutes from 00:00 to 23:00", "every 15 minutes synchronized", "daily 02:15")]
# Zones with an instant two hours before each of their changes in 2026, and others.
ZONES = {"Europe/Oslo": ("2026-03-28T23:00", "2026-10-24T23:00", "2026-06-11T20:00"), "America/New_York": ("2026-03-08T05:00", "2026-11-01T04:00"),
         "Australia/Lord_Howe": ("2026-04-04T13:00", "2026-10-03T13:30"), "Asia/Kathmandu": ("2026-02-20T20:00",), "UTC": ("2026-12-30T20:00",)}


def rendered(program, zone):
    """{language: {name of the query: (zone, lines)}}"""
    with tempfile.TemporaryDirectory() as folder:
        queries = {f"q{i}": {"schedule": {key: text, "timezone": zone}, "to": f"d.q{i}", "sql": "SELECT 1 AS a"}
                   for i, (key, text) in enumerate(SCHEDULES)}
        pathlib.Path(folder, "flytt.yaml").write_text(yaml.safe_dump(
            {"destination": {"bigquery": {"rest": "http://h:1", "grpc": "h:2"}}, "state": {"sqlite": "s.db"}, "queries": queries}))

        def files(place):
            printed = subprocess.run([program, "render", place, "--jobs-apart", "--json"], cwd=folder, check=True, capture_output=True, text=True).stdout
            return {f["name"]: f["text"] for f in json.loads(printed)["files"]}
        found = {"cron": {}, "calendar": {}}
        for name, text in files("k8s").items():
            jobs = [d for d in yaml.safe_load_all(text) if d["kind"] == "CronJob"]
            if jobs:
                found["cron"][name[len("flytt-"):-len(".yaml")]] = jobs[0]["spec"]["timeZone"], [j["spec"]["schedule"] for j in jobs]
        for name, text in files("systemd").items():
            if name.endswith(".timer"):
                found["calendar"][name[len("flytt-"):-len(".timer")]] = "", [line[11:] for line in text.splitlines() if line.startswith("OnCalendar=")]
        return found


def by_robfig(zone, lines, after):
    asked = "".join(f"{line}\t{zone}\t{after}\t{SLOTS}\n" for line in lines)
    printed = subprocess.run([PROGRAM], input=asked, check=True, capture_output=True, text=True).stdout
    return sorted({int(slot) for slot in printed.split() if int(slot) > after})[:SLOTS]  # it gives up after five years


def by_systemd(lines, after):
    base = datetime.datetime.fromtimestamp(after, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    found = set()
    for line in lines:
        printed = subprocess.run(["systemd-analyze", "calendar", f"--iterations={SLOTS}", f"--base-time={base}", line], check=True,
                                 capture_output=True, text=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"}).stdout
        for row in printed.splitlines():
            key, _, value = row.partition(": ")
            if key.strip() == "Next elapse" or key.strip().startswith("Iter."):
                found.add(int(datetime.datetime.strptime(value.strip()[4:-4], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()))
    return sorted(found)[:SLOTS]


def main():
    subprocess.run(["go", "build", "-o", PROGRAM, "./lines"], cwd=HERE / "robfig_cron", check=True)
    for zone, instants in ZONES.items():
        for language, queries in rendered(sys.argv[1], zone).items():
            for i, (key, text) in enumerate(SCHEDULES):
                if f"q{i}" not in queries:
                    print(language, key, text, zone, "", "", "", sep="\t")
                    continue
                its_zone, lines = queries[f"q{i}"]
                for instant in instants:
                    after = int(datetime.datetime.fromisoformat(instant + ":00+00:00").timestamp())
                    slots = by_robfig(its_zone, lines, after) if language == "cron" else by_systemd(lines, after)
                    steps = [b - a for a, b in zip([after, *slots], slots)]
                    print(language, key, text, zone, after, " | ".join(lines), " ".join(map(str, steps)), sep="\t")


if __name__ == "__main__":
    main()
