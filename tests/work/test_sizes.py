"""What a run leaves on the disk is about what was estimated, over a table of sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oo_sim import run
from oo_sim.experiment import WHOLE, estimate, plan


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize(
    ("scenario", "asked"),
    [
        ("quickstart", {"users": 100, "rounds": 1000}),
        ("quickstart", {"users": 2000, "rounds": 50, "replicates": 2}),
        ("quickstart", {"users": 20, "rounds": 3000}),
        ("quickstart", {"users": 5000, "rounds": 20, "checkpoints": "last"}),
        ("quickstart", {"users": 5000, "rounds": 20, "checkpoints": "off"}),
        ("linear", {"users": 2000, "rounds": 50}),
        ("fatigue", {"users": 2000, "rounds": 50}),
    ],
)
def test_the_disk_that_a_run_takes_is_known_before(
    scenario: str, asked: dict[str, Any], resume: bool, tmp_path: Path
) -> None:
    work = tmp_path / "work" if resume else None
    asked = {"policies": ["random", "linucb"]} | asked
    others = {name: asked[name] for name in ("policies", "checkpoints") if name in asked}
    sizes = {name: value for name, value in asked.items() if name not in others}
    planned = plan(scenario, sizes=sizes, unit=None if resume else WHOLE, **others)
    told = estimate(planned, out=tmp_path / "run", resume=work).disk
    run(scenario, **asked, out=tmp_path / "run", resume=work, plot=False)
    taken = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert 0.7 * taken < told < 1.4 * taken
