# ruff: noqa: E501
"""Which of the tests, the audit and the gate's matrix see each fault of `edits.py`: makes the table of docs/gate.md.

    python tests/mutants/plant.py --tests --out docs/faults.md [FIRST LAST]

Each fault is planted in a copy of the package, which runs without a compiler, on few users: minutes of a core for each
dozen. A fault outside of what decides (statistics, the server) leaves no trace in a simulated log; tests must see it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
PROBE = """
import json
from oo_sim.engine import Block, RoundError, simulate
from oo_sim.entrants import entrants
from oo_sim.gate import mechanisms
from oo_sim.gate.matrix import Cell, _fingerprint
from oo_sim.gate.sample import Sampler, Setting
from oo_sim.audit import UnusableLogError
from oo_sim.worlds import build

USERS, ROUNDS = 3, 44
TURNS = {0: ["linucb", "swlinucb:window=15", "egreedy:epsilon=0.4,decay=0.05,schedule=sqrt", "thompson:samples=6,scale=0.3"],
         1: ["linucb_disjoint", "dlinucb:gamma=0.9", "logistic_ts", "softmax"],
         2: ["restart_linucb:period=20", "bootstrap_ts", "squarecb", "oracle", "linucb:alpha=0.3,prior=0.5,features=oo7x"],
         3: ["linucb_hybrid:sharing=2", "thompson", "egreedy:epsilon=0.4,decay=0.05,schedule=cbrt", "random", "greedy:prior=2"]}
seen, wrong = {}, []
for i, name in enumerate(mechanisms.WORLDS):
    scenario = mechanisms.scenario(name).with_(users=USERS, rounds=ROUNDS)
    for spec in TURNS[i % 4][: 5 if name in ("plain", "expired", "punctual", "late") else 1]:
        if spec not in mechanisms.policies(name):
            continue
        cell = Cell(scenario, spec, mechanisms.bank(name))
        key = cell.name
        try:
            seen[key] = _fingerprint(cell).hex()
            if cell.bank is not None:
                continue
            world = build(scenario)
            (entrant,) = entrants(world, [spec])
            setting = Setting(entrant, scenario.seed, ROUNDS, world.has_reactions, scenario.canonical())
            block = Block(0, 0, USERS)
            sampler = Sampler(setting, block.user_ids)
            simulate(world, entrant.policy, block.lanes(scenario.seed), USERS, ROUNDS, [ROUNDS], observer=sampler)
            report = sampler.audit()
            if not report.clean:
                wrong.append(key + ": " + ", ".join(sorted({c for p in report.policies for c in p.firsts})))
        except (RoundError, UnusableLogError, Exception) as error:
            seen[key] = f"failed: {type(error).__name__}"
            wrong.append(f"{key}: {type(error).__name__}")
print(json.dumps([seen, wrong]))
"""  # fmt: skip


class Seen(NamedTuple):
    """What one fault did: whether a log or result changed, and who says so."""

    changed: bool
    gate: bool
    audit: str
    tests: str


def probed(package: Path) -> tuple[dict[str, str], list[str]]:
    """Hashes of the small matrix, and what the audit says, of the package in a directory."""
    env = os.environ | {"PYTHONPATH": str(package), "NUMBA_DISABLE_JIT": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=package, env=env, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        return {"import": ran.stderr[-200:]}, ["import fails"]
    seen, wrong = json.loads(ran.stdout)
    return seen, wrong


def planted(edits: list[Any], with_tests: bool) -> Iterator[tuple[Any, Seen]]:
    """Each fault in turn, and who sees it."""
    sound = None
    with tempfile.TemporaryDirectory(prefix="oo-sim-mutants-") as place:
        package = Path(place)
        for name in ("oo_sim", "scenarios", "tests"):
            shutil.copytree(ROOT / name, package / name, ignore=shutil.ignore_patterns("__pycache__", "*.parquet"))
        shutil.copy(ROOT / "pyproject.toml", package)
        sound, alarms = probed(package)
        assert not alarms, alarms
        for edit in edits:
            file = package / "oo_sim" / edit.file
            before = file.read_text()
            assert before.count(edit.old) == 1, edit
            file.write_text(before.replace(edit.old, edit.new))
            found, wrong = probed(package)
            tests = _tested(package, edit.tests) if with_tests else ""
            file.write_text(before)
            changed = found != sound
            yield edit, Seen(changed, changed, wrong[0] if wrong else "", tests)


def _tested(package: Path, tests: str) -> str:
    command = [sys.executable, "-m", "pytest", tests, "-q", "-x", "-p", "no:cacheprovider", "--timeout=120"]
    env = os.environ | {"PYTHONPATH": str(package)}
    ran = subprocess.run(command, cwd=package, env=env, capture_output=True, text=True, check=False)
    return "yes" if ran.returncode else "no"


def table(rows: list[tuple[Any, Seen]]) -> str:
    """The table in markdown."""
    lines = ["| room | fault | gate | audit | tests |", "|---|---|---|---|---|"]
    for edit, seen in rows:
        old, new = (" ".join(text.split()).replace("|", "\\|") for text in (edit.old, edit.new or "nothing"))
        gate = "yes" if seen.gate else "no trace"
        lines.append(f"| {edit.file} | `{old}` → `{new}` | {gate} | {seen.audit or '-'} | {seen.tests or 'not run'} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Plant some faults, or all, and write the table."""
    sys.path.insert(0, str(ROOT / "tests"))
    from mutants.edits import EDITS  # noqa: PLC0415

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("range", nargs="*", type=int)
    parser.add_argument("--tests", action="store_true")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    first, last = given.range or (0, len(EDITS))
    rows = []
    for edit, seen in planted(EDITS[first : last : given.step], given.tests):
        rows.append((edit, seen))
        print(edit.file, repr(edit.new)[:70], seen, flush=True)
        if given.out:
            given.out.write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
