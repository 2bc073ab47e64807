"""Memory does not grow with the number of rounds, but for the curves themselves."""

from __future__ import annotations

import subprocess
import sys

import pytest

PEAKS = """
import resource, tempfile
from pathlib import Path
from oo_sim import run
def most():  # in kB; ru_maxrss counts bytes on macOS, and on Linux what the parent held before exec as well
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return int(status.read_text().split("VmHWM:")[1].split()[0])
def peak(rounds, users, events):
    with tempfile.TemporaryDirectory() as home:
        run("quickstart", policies=["egreedy"], users=users, rounds=rounds, threads=1, plot=False,
            events=events, out=f"{home}/run" if events else None)
    return most()
print(peak(50, 64, False), peak(4000, 64, False), peak(300, 64, True), peak(2500, 64, True))
"""


@pytest.mark.e2e
@pytest.mark.subprocess
def test_peak_memory_does_not_depend_on_rounds() -> None:
    """4000 rounds fit where 50 did, and 160,000 logged decisions, of 2.6 kB each before they are packed, pass through
    buffers of a fixed size. Measured: 7 MB and 90 MB more, of 299 and 530 MB."""
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    few, many, logged_few, logged_many = (int(kilobytes) / 1024 for kilobytes in done.stdout.split())
    assert many - few < 20
    assert many < 600
    assert logged_many - logged_few < 160
