#!/usr/bin/env python3
"""Renders a small data story: a page with a chart and a table, from one query. Python's standard library is all it needs.

FLYTT_PROGRAM and FLYTT_CONFIG are given by flytt, and say how to ask. The page goes into STORY_FOLDER (index.html, replaced as
a whole) and, where STORY_URL is set, there by PUT as multipart/form-data with STORY_TOKEN as bearer token.
Exit code 78 says that another attempt will not help: an address or a token has to be mended.
"""

import html
import json
import os
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request

TABLE = "produkt_sak.sak_per_kontor"
COLOURS = {"ny": "#3380a5", "under_arbeid": "#c77300", "lukket": "#5c6670"}
NO_USE_TO_TRY_AGAIN = 78

PAGE = """<!doctype html>
<html lang="no">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Saker per kontor</title>
<style>
  body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
  table {{ border-collapse: collapse }} td, th {{ padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #ccc }}
  th:first-child, td:first-child {{ text-align: left }} svg {{ width: 100%; height: auto }} footer {{ color: #555; font-size: .85rem }}
</style>
<h1>Saker per kontor</h1>
<p>{lead}</p>
{chart}
{table}
<footer>Kilde: {source}. Laget {slot}.</footer>
</html>
"""


def ask(sql):
    """Rows of a query as dictionaries, by the flytt that runs this."""
    done = subprocess.run([os.environ["FLYTT_PROGRAM"], "query", "--config", os.environ["FLYTT_CONFIG"], "--format", "json", sql],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit("the query failed: its message is above")
    return json.loads(done.stdout)


def chart(offices, statuses, counts):
    """A stacked bar for each office, as SVG."""
    width, left, bar, gap = 640, 110, 24, 12
    longest = max((sum(counts.get((office, status), 0) for status in statuses) for office in offices), default=0) or 1
    height = len(offices) * (bar + gap) + 40
    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="Antall saker per kontor og status">']
    for line, office in enumerate(offices):
        y, x = line * (bar + gap), float(left)
        parts.append(f'<text x="{left - 8}" y="{y + bar * 0.7:.0f}" text-anchor="end" font-size="14">Kontor {html.escape(str(office))}</text>')
        for status in statuses:
            count = counts.get((office, status), 0)
            length = count / longest * (width - left - 10)
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{length:.1f}" height="{bar}" fill="{COLOURS.get(status, "#888")}">'
                         f"<title>{html.escape(status)}: {count}</title></rect>")
            x += length
    for place, status in enumerate(statuses):
        x = left + place * 150
        parts.append(f'<rect x="{x}" y="{height - 24}" width="14" height="14" fill="{COLOURS.get(status, "#888")}"/>'
                     f'<text x="{x + 20}" y="{height - 12}" font-size="14">{html.escape(status)}</text>')
    return "\n".join(parts) + "\n</svg>"


def render(rows):
    offices = sorted({int(row["kontor"]) for row in rows})
    statuses = sorted({row["status"] for row in rows}, key=lambda status: (list(COLOURS) + [status]).index(status))
    counts = {(int(row["kontor"]), row["status"]): int(row["antall"]) for row in rows}
    total = sum(counts.values())
    still_open = sum(count for (_, status), count in counts.items() if status != "lukket")
    head = "".join(f"<th>{html.escape(status)}</th>" for status in statuses)
    body = "".join(f"<tr><td>Kontor {office}</td>" + "".join(f"<td>{counts.get((office, status), 0)}</td>" for status in statuses) + "</tr>\n"
                   for office in offices)
    return PAGE.format(lead=f"Av {total} saker er {still_open} ikke lukket.", chart=chart(offices, statuses, counts),
                       table=f"<table><tr><th>Kontor</th>{head}</tr>\n{body}</table>",
                       source=html.escape(TABLE), slot=html.escape(os.environ.get("FLYTT_SLOT", "")))


def put_into_folder(folder, page):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".index.html.new").write_text(page, encoding="utf-8")
    (folder / ".index.html.new").replace(folder / "index.html")  # readers see the old page or the new one
    print(f"the story lies in {folder / 'index.html'}")


def send(url, token, page):
    mark = "flytt-story-" + os.urandom(8).hex()
    body = (f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="index.html"\r\nContent-Type: text/html\r\n\r\n'.encode()
            + page.encode() + f"\r\n--{mark}--\r\n".encode())
    request = urllib.request.Request(url, data=body, method="PUT", headers={"Authorization": f"Bearer {token}", "Content-Type": f"multipart/form-data; boundary={mark}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            print(f"the story was sent to {url}: {answer.status}")
    except urllib.error.HTTPError as refusal:
        print(f"{url} refuses the story: {refusal.code} {refusal.reason}", file=sys.stderr)
        sys.exit(NO_USE_TO_TRY_AGAIN if 400 <= refusal.code < 500 and refusal.code not in (408, 429) else 1)
    except OSError as trouble:
        sys.exit(f"{url} cannot be reached: {trouble}")


def main():
    page = render(ask(f"SELECT kontor, status, antall FROM {TABLE} ORDER BY kontor, status"))
    here = pathlib.Path(os.environ["FLYTT_CONFIG"]).resolve().parent
    put_into_folder(here / os.environ.get("STORY_FOLDER", "story"), page)
    if url := os.environ.get("STORY_URL"):
        if not (token := os.environ.get("STORY_TOKEN")):
            print("STORY_URL is set, STORY_TOKEN is not", file=sys.stderr)
            sys.exit(NO_USE_TO_TRY_AGAIN)
        send(url, token, page)


if __name__ == "__main__":
    main()
