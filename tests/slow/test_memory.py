"""What a run takes is within 20 % of the estimate, over a table of sizes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="this system does not tell"),
]

RUN = """
import json, sys
from pathlib import Path
import oo_sim
from oo_sim.experiment import WHOLE, plan, sizing

asked, home = json.loads(sys.argv[1]), Path(sys.argv[2])
out = home / "run" if asked.pop("out") else None
resume = home / "work" if asked.pop("resume", False) else None
workers, plot, events = asked.pop("workers", 1), asked.pop("plot", False), asked.pop("events", False)
asked["checkpoint_states"] = asked.pop("states", False)
sizes = {name: asked[name] for name in ("users", "rounds", "replicates") if name in asked}
others = {name: asked[name] for name in ("policies", "checkpoints") if name in asked}
unit = asked.get("unit") or (None if resume else WHOLE)
planned = plan("quickstart", unit=unit, sizes=sizes, remembers=asked["checkpoint_states"], **others)
how = {"workers": workers, "out": out, "resume": resume, "events": events, "plot": plot}
print(sizing.estimate(planned, **how).memory, flush=True)
oo_sim.run("quickstart", **asked, **how).table()
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def _share(process: int) -> int:
    """What a process has of its own, in kB, and its share of what it has with others."""
    try:
        return int(Path(f"/proc/{process}/smaps_rollup").read_text().split("\nPss:")[1].split()[0])
    except (OSError, IndexError):  # it has ended
        return 0


def _children(process: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


@pytest.mark.parametrize(
    "asked",
    [
        {"policies": ["linucb"], "users": 10, "rounds": 3, "out": True},
        {"policies": ["linucb"], "users": 10, "rounds": 3, "out": True, "plot": True},
        {"policies": ["random"], "users": 524_288, "rounds": 2, "checkpoints": "off", "out": True},
        {"policies": ["random", "linucb"], "users": 524_288, "rounds": 2, "checkpoints": "last", "out": True},
        {"policies": ["random"], "users": 524_288, "rounds": 10, "out": True},
        {"policies": ["random"], "users": 262_144, "rounds": 10, "out": True, "plot": True},
        {"policies": ["random"], "users": 262_144, "rounds": 10, "out": False},
        {"policies": ["random"], "users": 1_048_576, "rounds": 10, "out": False},
        {"policies": ["random"], "users": 1_048_576, "rounds": 10, "out": True, "resume": True},
        {"policies": ["random"], "users": 300_000, "rounds": 10, "out": True, "resume": True, "unit": 40_000},
        {"policies": ["swlinucb"], "users": 50_000, "rounds": 10, "out": True, "resume": True, "states": True},
        {"policies": ["random"], "users": 60_000, "rounds": 4, "replicates": 8, "out": True},
        {"policies": ["linucb"], "users": 3_000, "rounds": 50, "out": True, "events": True},
        {"policies": ["linucb", "random"], "users": 6_000, "rounds": 20, "out": True, "events": True, "workers": 2},
        {"policies": ["linucb"], "users": 120_000, "rounds": 50, "checkpoints": "last", "out": True},
        {"policies": ["random"], "users": 524_288, "rounds": 10, "out": True, "workers": 2},
        {"policies": ["linucb"], "users": 100_000, "rounds": 10, "out": True, "workers": 2},
    ],
    ids=json.dumps,
)
def test_the_estimate_is_within_20_percent(asked: dict[str, Any], tmp_path: Path) -> None:
    command, together = [sys.executable, "-c", RUN, json.dumps(asked), str(tmp_path)], 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            if children := _children(process.pid):
                together = max(together, sum(map(_share, (process.pid, *children))))
            time.sleep(0.02)
        assert process.stdout is not None
        estimate, alone = map(int, process.stdout.read().split())
    taken = max(alone, together) * 1024
    ratio = estimate / taken
    print(f"{asked}: {estimate / 1e6:.0f} MB estimated, {taken / 1e6:.0f} MB taken: {ratio:.2f}")
    assert 0.8 < ratio < 1.2
