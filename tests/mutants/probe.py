# ruff: noqa: PLC0415 (the package is imported with the fault in it)
"""What the gate's matrix, its served trace and the audit see of the package as it is imported here, faults included.

Small worlds on three users, one after the other, and no further than until both have seen something.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

USERS, ROUNDS = 3, 44
MANY = ("plain", "masks", "expired", "punctual", "late", "drift")
"""Worlds in which every policy of a turn lives; in the others it is the first that can."""
TURNS: Sequence[tuple[str, ...]] = (
    (
        "linucb",
        "swlinucb:window=15,prior=0.5",
        "egreedy:epsilon=0.4,decay=0.05,schedule=sqrt",
        "thompson:samples=6,scale=0.3",
    ),
    ("linucb_disjoint", "dlinucb:gamma=0.9,prior=2", "logistic_ts", "softmax"),
    ("restart_linucb:period=20", "bootstrap_ts", "squarecb", "oracle", "linucb:alpha=0.3,prior=0.5,features=oo7x"),
    ("linucb_hybrid:sharing=2", "thompson", "egreedy:epsilon=0.4,decay=0.05,schedule=cbrt", "random", "greedy:prior=2"),
)
BESIDE = {"late": "swlinucb:window=4"}
"""What the matrix does not play: rewards that come just when their decision leaves the window."""


class Sight(NamedTuple):
    """What was seen: hashes of cells and of their logs, where the gate and the audit first saw a fault, and whether a
    log changed."""

    cells: dict[str, list[str]]
    gate: str = ""
    audit: str = ""
    log: bool = False


def cells(near: str = "") -> Iterator[Any]:
    """The worlds with their policies; those that `near` is part of come first."""
    from oo_sim.gate import mechanisms
    from oo_sim.gate.matrix import Cell

    found = []
    for i, name in enumerate(mechanisms.WORLDS):
        scenario = mechanisms.scenario(name).with_(users=USERS, rounds=ROUNDS)
        turn = sum(TURNS, ()) if name == "masks" else TURNS[i % 4]
        lives = [spec for spec in turn if spec in mechanisms.policies(name)]
        played = [*(lives if name in MANY else lives[:1]), *([BESIDE[name]] if name in BESIDE else [])]
        found += [Cell(scenario, spec, mechanisms.bank(name)) for spec in played]
    yield from sorted(found, key=lambda cell: not near or near not in cell.name)


def look(sound: Mapping[str, Sequence[str]] | None, near: str = "") -> Sight:
    """Run the cells; where it is known what the `sound` package gives, no further than needed."""
    sight = Sight({})
    for cell in cells(near):
        try:
            found, report = _lived(cell)
        except Exception as error:
            said = f"{cell.name}: {type(error).__name__}"
            return sight._replace(gate=sight.gate or said, audit=sight.audit or said, log=True)
        sight.cells[cell.name] = found
        wrong = [] if report is None else [check for policy in report.policies for check in policy.firsts]
        if wrong and not sight.audit:
            sight = sight._replace(audit=f"{cell.name}: {', '.join(wrong)}")
        if sound is None:
            continue
        if found[0] != sound[cell.name][0] and not sight.gate and cell.policy not in BESIDE.values():
            sight = sight._replace(gate=cell.name)
        sight = sight._replace(log=sight.log or found[1] != sound[cell.name][1])
        if sight.gate and sight.audit:
            break
    return sight


def _lived(cell: Any) -> tuple[list[str], Any]:
    """Hashes of all that happens in a cell and of its log, and the audit of the log."""
    from oo_sim.engine import Block, simulate
    from oo_sim.entrants import entrants
    from oo_sim.gate.matrix import _Trace
    from oo_sim.gate.sample import Sampler, Setting
    from oo_sim.worlds import build

    class Both:
        def decided(self, *given: Any) -> None:
            trace.decided(*given)
            sampler.decided(*given)

        def learned(self, learned: Any) -> None:
            trace.learned(learned)
            sampler.learned(learned)

    scenario, world = cell.scenario, build(cell.scenario, cell.bank)
    (entrant,) = entrants(world, [cell.policy])
    entrant = entrant._replace(bank=cell.bank)
    setting = Setting(entrant, scenario.seed, ROUNDS, world.has_reactions, scenario.canonical())
    block, trace = Block(0, 0, USERS), _Trace(USERS)
    sampler = Sampler(setting, block.user_ids)
    lanes = block.lanes(scenario.seed)
    tally = simulate(world, entrant.policy, lanes, USERS, ROUNDS, [ROUNDS], observer=Both())
    ends = trace.hashes.tobytes() + tally.totals.tobytes() + tally.sums.tobytes()
    hashed = hashlib.blake2b(ends, digest_size=6).hexdigest()
    report = sampler.audit()
    log = 0
    for table in sampler._tables():
        log = zlib.crc32(json.dumps(table.to_pylist(), default=str).encode(), log)
    return [hashed, f"{log:08x}"], report


def served(sound: Sequence[str] | None) -> tuple[list[str], str, str, bool]:
    """The trace through the server: its hashes, the first step that differs, what the audit says of its export, and
    whether that log is another."""
    from oo_sim.audit import audit_directory
    from oo_sim.serving import trace
    from oo_sim.serving.export import export_log

    said: list[str] = []
    exports = trace._exports

    def audited(state: Path, directory: Path) -> Iterator[tuple[str, str]]:
        with tempfile.TemporaryDirectory() as place:
            export_log(state, Path(place) / "log", window=3600.0)
            report = audit_directory(Path(place) / "log")
        said.extend(f"served: {check}" for policy in report.policies for check in policy.firsts)
        said.extend(f"served: {refused}" for refused in report.refused)
        yield from exports(state, directory)

    trace._exports = audited
    try:
        lines = trace.run_trace()
    except Exception as error:
        text = f"served: {type(error).__name__}"
        return [], text, text, True
    differs = "" if sound is None else trace.difference(list(sound), lines) or ""
    log = sound is not None and lines[-9:] != list(sound)[-9:]
    return lines, differs and f"served: {differs}", said[0] if said else "", log


def numbers() -> dict[str, float | None]:
    """What statistics say of fixed outcomes."""
    from oo_sim.gate import numbers as given

    return given.numbers()


def other_number(sound: Mapping[str, float | None]) -> str:
    """The first number that differs."""
    from oo_sim.gate import numbers as given

    try:
        return next((f"numbers {name}" for name, _, _ in given.other(sound, given.numbers())), "")
    except Exception as error:
        return f"numbers: {type(error).__name__}"


def logged() -> dict[str, str]:
    """What logs hold of the runs that are written for the matrix."""
    from oo_sim.gate import logged as given

    return given.logged()


def other_log(sound: Mapping[str, str]) -> str:
    """The first column of a log that is another one."""
    from oo_sim.gate import logged as given

    try:
        return next((f"log {name}" for name, _ in given.other(sound, given.logged())), "")
    except Exception as error:
        return f"log: {type(error).__name__}"
