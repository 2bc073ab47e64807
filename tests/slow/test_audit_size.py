"""How fast an audit is, and that its memory hardly grows with the log; run with -s to see the figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import oo_sim

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.subprocess]

AUDIT = """
import resource, sys, time
from oo_sim.audit import audit, open_log
start = time.process_time()
report = audit(*open_log(sys.argv[1]), numbers=150_000)
seconds = time.process_time() - start
assert report.clean, report
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(sum(policy.decisions for policy in report.policies), seconds, peak)
"""
"""Shards are a fifth of what they are by default, so that a small log fills many."""


class Cost(NamedTuple):
    """What an audit took: decisions, seconds of CPU, bytes at its peak."""

    decisions: float
    seconds: float
    peak: float


def cost(users: int, path: Path) -> Cost:
    """Simulate a log and audit it in a process of its own."""
    oo_sim.run("quickstart", policies=["linucb", "egreedy"], users=users, rounds=100, events=True, out=path, plot=False)
    ran = subprocess.run([sys.executable, "-c", AUDIT, str(path)], capture_output=True, text=True, check=True)
    return Cost(*map(float, ran.stdout.split()))


def test_speed_and_memory(tmp_path: Path) -> None:
    """At least 40,000 decisions a second on a core that is busy elsewhere. As arrays, a decision of ten candidates
    takes over 1,000 bytes; less than an eighth of that may stay, most of it an index of who a row is about."""
    small, large = (cost(users, tmp_path / str(users)) for users in (2000, 8000))
    speed = large.decisions / large.seconds
    growth = (large.peak - small.peak) / (large.decisions - small.decisions)
    print(f"\n{large.decisions:,.0f} decisions: {speed:,.0f} a second, {large.peak / 1e6:.0f} MB", end="")
    print(f", {growth:.0f} bytes for each decision more", end="")
    assert speed >= 40_000
    assert growth <= 125
