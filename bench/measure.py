"""What every bench needs: wall time, CPU seconds and peak memory of a command, and one table at the end."""

import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))


class Measured:
    def __init__(self, seconds, cpu_seconds, peak_mib, status, output):
        self.seconds, self.cpu_seconds, self.peak_mib, self.status, self.output = seconds, cpu_seconds, peak_mib, status, output


def measure(command, **options):
    """Runs a command to its end. CPU and peak memory include its children that ended. With `stdout=PIPE` its output is kept."""
    began = time.monotonic()
    process = subprocess.Popen([str(c) for c in command], **options)
    output = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Measured(time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode, output)


def print_table(header, rows):
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, ["-" * w for w in widths], *rows]:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())
    print(flush=True)


def line(name, rows, measured, limit=None):
    return [name, f"{rows / measured.seconds:,.0f}", f"{measured.seconds:.2f}", f"{measured.cpu_seconds / rows * 1e6:.2f}", f"{measured.peak_mib:.0f}",
            "" if limit is None else f"{limit.seconds / measured.seconds:.2f}"]


HEADER = ["what", "rows/s", "wall s", "CPU s per million rows", "peak MiB", "ratio to limit"]
