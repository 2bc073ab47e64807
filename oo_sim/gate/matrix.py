"""The matrix: hashes of what every policy does in every small world, in one file. Any bit that changes shows.

A hash cannot tell what was there before, but where it differs: in which round first, for which users, in which columns.
The decisions of user-0 are kept themselves, so that the first of them that differs is shown with its old values; what
a scenario file says is kept too. The
matrix of the package's own worlds also holds what statistics say of fixed outcomes (`numbers`) and what some runs log
(`logged`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from oo_sim.contract import I64, U64, Bool, Decision, Learned, Offer
from oo_sim.engine import forks
from oo_sim.engine.hashes import mix
from oo_sim.entrants import entrants
from oo_sim.errors import GateError
from oo_sim.experiment import lanes
from oo_sim.gate import environment, logged, mechanisms
from oo_sim.gate.numbers import numbers, other
from oo_sim.gate.results import Difference, MatrixReport
from oo_sim.results.result import write_whole
from oo_sim.scenario import Scenario, load, parse_spec
from oo_sim.work import Failure, Unit, play, recipe, remember
from oo_sim.worlds import TipBank, build

FILE = "matrix.json"
COLUMNS = ("offered", "truth", "x", "probs", "chosen", "propensity", "score", "explored", "learned")
"""What is hashed apart, so that it can be said what changed."""
_ALL = len(COLUMNS)
_KEPT = np.dtype([("chosen", "i1"), ("score", "<f4"), ("propensity", "<f4")])
"""What is kept of the first user's decisions; `chosen` is -1 in rounds without one."""
_FORMAT = 2
FAILED = "failed: "


class Cell(NamedTuple):
    """A policy in a world: what is run."""

    scenario: Scenario
    policy: str
    bank: TipBank | None

    @property
    def name(self) -> str:
        """Scenario and policy."""
        return f"{self.scenario.name} {self.policy}"


class Facts(TypedDict):
    """What the file holds: `unchecked` where private policies were recorded without the check of their lanes, and no
    `logs` or `worlds` where it was recorded before they were kept."""

    format: int
    scenarios: list[str]
    versions: dict[str, str]
    settings: dict[str, str]  # scenario -> hash
    accepted: list[str]  # reasons
    cells: dict[str, str]
    numbers: dict[str, float | None]
    logs: NotRequired[dict[str, str]]  # column -> hash
    worlds: NotRequired[dict[str, dict[str, Any]]]  # scenario -> what it says, of scenario files
    unchecked: NotRequired[bool]


class _Trace:
    """Hashes of each lane's columns, and a check of all of them after every round."""

    def __init__(self, users: int) -> None:
        self.hashes: U64 = np.zeros((_ALL, users), np.uint64)
        self.rounds: list[int] = []
        self.kept: list[tuple[int, float, float]] = []

    def decided(self, t: I64, offer: Offer, decision: Decision, active: Bool) -> None:
        """Take in a round's offer and decision."""
        n, c = self.hashes.shape[1], offer.candidates
        raw = (c.is_overdue, c.task_age_days, c.priority, c.is_llm, c.serial)
        columns: dict[str, tuple[Any, ...]] = {
            "offered": (t, c.hour, c.day, c.mask, *(np.where(c.mask, each, 0) for each in raw)),
            "truth": (offer.expected, offer.best),
            **{name: (getattr(decision, name),) for name in COLUMNS[2:8]},
        }
        for i, parts in enumerate(columns.values()):
            mix(self.hashes[i], *(np.asarray(part)[..., :n] for part in parts), where=active[:n])
        self.rounds.append(0)
        first = (int(decision.chosen[0]), float(decision.score[0]), float(decision.propensity[0]))
        self.kept.append(first if active[0] else (-1, 0.0, 0.0))

    def learned(self, learned: Learned) -> None:
        """Take in what was learned."""
        n, (x, reward, learn, decided, now, _) = self.hashes.shape[1], learned.learning
        if learn[:n].any():
            parts = (x, reward, learned.reaction, decided, now)
            mix(self.hashes[_ALL - 1], *(part[..., :n] for part in parts), where=learn[:n])
        self.rounds[-1] = int.from_bytes(hashlib.blake2b(self.hashes.tobytes(), digest_size=2).digest(), "little")


def cells(scenarios: Sequence[str | Path] = ()) -> list[Cell]:
    """The package's own worlds and policies, or the policies of some scenario files, cut to 64 users."""
    if scenarios:
        found = [load(each) for each in scenarios]
        cut = [each.with_(users=min(each.users, mechanisms.USERS), replicates=1) for each in found]
        return [Cell(each, policy, None) for each in cut for policy in each.policies]
    return [
        Cell(mechanisms.scenario(name), policy, mechanisms.bank(name))
        for name in mechanisms.WORLDS
        for policy in mechanisms.policies(name)
    ]


_SIZE = 4 * (_ALL + 1) + 2 * mechanisms.USERS
_ROUND = 2 + _KEPT.itemsize


def _check_lanes(wanted: Sequence[Cell]) -> None:
    """Refuse private policies whose lanes interact, as `run` does."""
    for cell in wanted:
        if parse_spec(cell.policy).private:
            world = build(cell.scenario)
            lanes.check(world, entrants(world, [cell.policy]), cell.scenario.seed)


def _fingerprint(cell: Cell) -> bytes | Failure:
    """Checks of each column and the curves (4 bytes), of each user (2) and after each round (2); then what is kept."""
    world = build(cell.scenario, cell.bank)
    (entrant,) = entrants(world, [cell.policy])
    users, rounds = cell.scenario.users, cell.scenario.rounds
    remember(made := recipe(cell.scenario, entrant), world, entrant)
    trace = _Trace(users)
    played = play(Unit(made, 0, 0, users, rounds, (rounds,)), 1, users, lambda _: nullcontext(trace))
    if played.failure is not None:
        return played.failure
    columns = b"".join(hashlib.blake2b(row.tobytes(), digest_size=4).digest() for row in trace.hashes)
    columns += hashlib.blake2b(np.ascontiguousarray(played.sums).tobytes(), digest_size=4).digest()
    ends = np.concatenate([trace.hashes.view(np.int64), played.totals.reshape(-1, users)])
    each = b"".join(
        hashlib.blake2b(np.ascontiguousarray(ends[:, i]).tobytes(), digest_size=2).digest() for i in range(users)
    )
    checks = b"".join(one.to_bytes(2, "little") for one in trace.rounds)
    return columns + each.ljust(2 * mechanisms.USERS, b"\0") + checks + np.array(trace.kept, _KEPT).tobytes()


def fingerprints(wanted: Sequence[Cell], workers: int | None = None) -> dict[str, str]:
    """What every cell does, as text; on forked processes where the system can, as a cell is too small to be divided."""
    longest = max((cell.scenario.rounds for cell in wanted), default=0)
    out = forks.shared(len(wanted), -(-(_SIZE + _ROUND * longest + 8) // 8)).view(np.uint8)
    failed: dict[int, str] = {}

    def work(i: int) -> None:
        found = _fingerprint(wanted[i])
        if isinstance(found, Failure):
            failed[i] = f"{FAILED}{found.what}"
            return
        out[i, : len(found)] = np.frombuffer(found, np.uint8)
        out[i, -1] = 1

    workers = forks.processes(workers)
    if workers > 1 and len(wanted) > 1 and forks.possible():
        forks.forked(workers, len(wanted), work, lambda: None)
    for i in range(len(wanted)):
        if not out[i, -1]:
            work(i)
    sizes = [_SIZE + _ROUND * cell.scenario.rounds for cell in wanted]
    return {
        cell.name: failed.get(i) or base64.b85encode(out[i, : sizes[i]].tobytes()).decode()
        for i, cell in enumerate(wanted)
    }


def record_matrix(
    scenarios: Sequence[str | Path] = (),
    *,
    directory: Path,
    workers: int | None = None,
    force: bool = False,
    unchecked: bool = False,
) -> Path:
    """Record the matrix of the package's own worlds, or of some scenario files. Raises GateError where one exists and
    `force` is not given, and where a policy fails; a private policy whose lanes interact is refused unless `unchecked`,
    which the file keeps."""
    path = directory / FILE
    if path.exists() and not force:
        raise GateError(f"{path}: exists already; --force replaces it by what policies do now")
    return _write(path, [str(each) for each in scenarios], workers, [], unchecked)


def accept_matrix(*, reason: str, directory: Path, workers: int | None = None) -> Path:
    """Take what policies do now in place of what is recorded, with a reason that the file keeps. Raises GateError."""
    if not reason.strip():
        raise GateError("reason: it is empty; say why the change is right, for those who read the matrix later")
    path = directory / FILE
    before = _read(path)
    return _write(
        path, before["scenarios"], workers, [*before.get("accepted", []), reason.strip()], bool(before.get("unchecked"))
    )


def _write(path: Path, scenarios: list[str], workers: int | None, accepted: list[str], unchecked: bool) -> Path:
    wanted = cells(scenarios)
    if not unchecked:
        _check_lanes(wanted)
    found = fingerprints(wanted, workers)
    if bad := [name for name, text in found.items() if text.startswith(FAILED)]:
        raise GateError(f"{bad[0]}: {found[bad[0]]}; a matrix holds no policy that fails")
    facts: Facts = {
        "format": _FORMAT,
        "scenarios": scenarios,
        "versions": environment.versions(),
        "settings": {cell.scenario.name: cell.scenario.content_hash()[:16] for cell in wanted},
        "accepted": accepted,
        "cells": found,
        "numbers": {} if scenarios else numbers(),
        "logs": {} if scenarios else logged.logged(),
    }
    if scenarios:
        facts["worlds"] = {cell.scenario.name: environment.settings(cell.scenario) for cell in wanted}
    if unchecked:
        facts["unchecked"] = True
    write_whole(path, (json.dumps(facts, indent=0, sort_keys=True) + "\n").encode(), parents=True)
    return path


def check_matrix(*, directory: Path, workers: int | None = None) -> MatrixReport:
    """Run every recorded cell again. Raises GateError where there is no matrix, or it is damaged."""
    start, path = time.perf_counter(), directory / FILE
    recorded = _read(path)
    wanted = cells(recorded["scenarios"])
    if not recorded.get("unchecked"):
        _check_lanes(wanted)
    now = fingerprints(wanted, workers)
    rounds = {cell.name: cell.scenario.rounds for cell in wanted}
    told = environment.elsewhere(recorded["versions"])
    hashes = {cell.scenario.name: cell.scenario.content_hash()[:16] for cell in wanted}
    worlds = {cell.scenario.name: cell.scenario for cell in wanted}
    found = []
    for name in dict.fromkeys([*recorded["cells"], *now]):
        before, after = recorded["cells"].get(name), now.get(name)
        if before == after:
            continue
        text = _where(before, after, rounds.get(name, 0))
        world = name.partition(" ")[0]
        if hashes.get(world) != recorded["settings"].get(world):
            kept = recorded.get("worlds", {}).get(world)
            where = environment.changed(kept, environment.settings(worlds[world])) if kept and world in worlds else ""
            text += "; the scenario has changed" + (f": {where}" if where else "")
        found.append(Difference(name, text + (f"; recorded with {told}" if told else "")))
    said = other(recorded["numbers"], numbers()) if recorded["numbers"] else []
    found += [Difference(f"numbers {name}", f"{was} before, {here} now") for name, was, here in said]
    written = logged.other(recorded["logs"], logged.logged()) if recorded.get("logs") else []
    found += [Difference(f"log {name}", what) for name, what in written]
    same = sum(recorded["cells"].get(name) == text for name, text in now.items())
    return MatrixReport(len(now), same, tuple(found), time.perf_counter() - start)


def _read(path: Path) -> Facts:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GateError(f"{path}: there is no matrix; record one with `oo-sim gate record --matrix`") from None
    except (OSError, ValueError) as error:
        raise GateError(f"{path}: can't be read: {error}") from error
    if not isinstance(facts, dict) or facts.get("format") != _FORMAT or not isinstance(facts.get("cells"), dict):
        raise GateError(f"{path}: is not a matrix of format {_FORMAT}; record it again")
    found: Facts = facts  # type: ignore[assignment]
    return found


def _where(before: str | None, after: str | None, rounds: int) -> str:
    """The first round, the users and the columns that differ, and the first user's first decision that does."""
    if before is None:
        return "is not recorded"
    if after is None:
        return "is recorded, and is not run any more"
    if after.startswith(FAILED):
        return after
    was, now = (np.frombuffer(base64.b85decode(text), np.uint8) for text in (before, after))
    if len(was) != len(now):
        return "has another number of rounds than recorded"
    differs = was != now
    columns = [name for i, name in enumerate((*COLUMNS, "curves")) if differs[4 * i : 4 * i + 4].any()]
    each = differs[4 * (_ALL + 1) : _SIZE].reshape(-1, 2).any(axis=1)
    ahead = differs[_SIZE : _SIZE + 2 * rounds].reshape(-1, 2).any(axis=1)
    users = np.flatnonzero(each)
    who = "no user's totals" if len(users) == 0 else f"{len(users)} users, the first user-{users[0]}"
    when = f"from round {np.argmax(ahead) + 1} on" if ahead.any() else "in what was earned"
    kept = (np.frombuffer(values.tobytes()[_SIZE + 2 * rounds :], _KEPT) for values in (was, now))
    return f"changed {when}, of {who}: {', '.join(columns) or 'rewards'}{_shown(*kept)}"


def _shown(was: NDArray[np.void], now: NDArray[np.void]) -> str:
    """The first decision of user-0 that is another one, before and after; no others are kept."""
    for r in np.flatnonzero(was != now)[:1].tolist():
        fields = [name for name in _KEPT.names or () if was[name][r] != now[name][r]]
        said = ", ".join(f"{name} {was[name][r]:.9g} before, {now[name][r]:.9g} now" for name in fields)
        return f"; user-0 in round {r + 1}: {said}"
    return "; what is kept of user-0's decisions is as recorded"
