"""Worlds are derived again by the audit's own code: right logs are clean, and what a world does otherwise is named.

A manifest that tells of another world than the one that was simulated is a fault of every kind, without touching code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import oo_sim
from oo_sim.audit import Report, audit_tables
from oo_sim.audit.lived import picked
from oo_sim.engine.feedback import Delayed
from oo_sim.scenario import load, shipped, validate

Change = Callable[[dict[str, Any]], None]


class Log:
    """A simulated log, and its audit under a changed scenario."""

    def __init__(self, path: Path) -> None:
        self.decisions, self.learnings = (
            pq.read_table(path / f"{name}.parquet") for name in ("decisions", "learnings")
        )
        self.manifest = json.loads((path / "manifest.json").read_text())

    def audit(self, change: Change | None = None, **options: Any) -> Report:
        manifest = deepcopy(self.manifest)
        if change is not None:
            change(manifest["scenario"])
        return audit_tables(self.decisions, self.learnings, manifest, **options)


def simulated(
    scenario: Any, path: Path, users: int = 24, rounds: int = 60, policies: Sequence[str] = ("egreedy", "oracle")
) -> Log:
    oo_sim.run(scenario, policies=policies, users=users, rounds=rounds, events=True, out=path, plot=False)
    return Log(path)


@pytest.mark.e2e
@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_world_is_derived_again(name: str, tmp_path: Path) -> None:
    report = simulated(name, tmp_path / "run").audit()
    assert report.clean, [policy.first for policy in report.policies]
    for policy in report.policies:
        for check in ("clock", "offer", "truth", "presence"):
            assert policy.checks[check].judged >= policy.decisions
        assert policy.checks["reaction"].judged > 0
        assert policy.checks["feedback"].judged > 0


TIPS: dict[str, Any] = {
    "kind": "tips",
    "tasks": {"count": 4},
    "segments": [{"name": "all", "preferences": {"priority": {"mean": 1, "sd": 0.5}, "hour_sin*is_llm": 0.4}}],
}
VARIANTS: dict[str, dict[str, Any]] = {
    "due by a normal": {"world": TIPS | {"tasks": {"count": 3, "due_in_days": {"normal": {"mean": 1, "sd": 4}}}}},
    "due by weights": {
        "world": TIPS | {"tasks": {"count": 5, "due_in_days": {"weights": {-3: 1, 0.5: 2, 7: 0}}, "whole_days": False}}
    },
    "tips alone": {"world": TIPS | {"tasks": {"count": 0}, "tips": {"count": {"min": 1, "max": 3}}}},
    "tips about tasks": {"world": TIPS | {"tips": {"count": {"min": 0, "max": 3}, "features": "task"}}},
    "no answers": {"world": TIPS | {"reactions": {"no_reaction": 1.0}}},
    "undated": {"world": TIPS | {"tasks": {"count": 3, "no_due_date": 1.0, "mode": "backlog"}}},
    "walk at one hour": {"world": TIPS | {"clock": {"mode": "walk", "from_hour": 5, "to_hour": 5}}},
    "constant delay": {"world": TIPS, "feedback": {"delay": {"constant": 3}, "window": 5}},
    "uniform delay beyond its window": {"world": TIPS, "feedback": {"delay": {"uniform": [0, 9]}, "window": 4}},
    "geometric delay": {"world": TIPS, "feedback": {"delay": {"geometric": {"mean": 2}}, "window": 6}},
    "late newcomers who leave": {
        "world": TIPS | {"arrivals": {"over": 50}, "churn": {"hazard": 0.05}},
        "feedback": {"delay": {"lognormal": {"median": 4, "sigma": 1}}, "window": 30},
    },
    "two drifts of one term": {
        "world": TIPS
        | {
            "drift": [
                {"abrupt": {"at": 10}, "preferences": {"priority": 3}},
                {"gradual": {"start": 15, "end": 40}, "preferences": {"is_overdue": 2}},
                {"periodic": {"days": [6]}, "preferences": {"priority": {"mean": -1, "sd": 1}}},
            ]
        }
    },
    "linear, Gaussian": {"world": {"kind": "linear", "dimension": 3, "candidates": 4, "contexts": "gaussian"}},
    "linear, Bernoulli": {
        "world": {"kind": "linear", "dimension": 2, "candidates": 3, "noise": "bernoulli"},
        "feedback": {"delay": {"constant": 2}, "window": 5, "missing": {"rate": 0.3}},
    },
}


@pytest.mark.e2e
@pytest.mark.parametrize("name", VARIANTS)
def test_worlds_that_no_shipped_scenario_has(name: str, tmp_path: Path) -> None:
    base = {"version": 1, "name": "t", "users": 12, "rounds": 60, "seed": 7, "replicates": 2, "policies": ["random"]}
    policies = ["egreedy", "oracle"] if VARIANTS[name]["world"]["kind"] == "tips" else ["greedy", "oracle"]
    log = simulated(validate(base | VARIANTS[name]), tmp_path / "run", policies=policies)
    report = log.audit()
    assert report.clean, [policy.first for policy in report.policies]
    assert sum(policy.checks["truth"].judged for policy in report.policies) > 100


@pytest.mark.parametrize("users", [1, 2, 3, 64, 65, 129])
def test_who_is_looked_at(users: int) -> None:
    """As many as asked for, from both ends; all of them, also where their number is odd."""
    for some in (users, 64):
        looked = [j for j in range(users) if picked(users, some)(f"user-{j}")]
        assert len(looked) == min(users, some)
        assert {looked[0], looked[-1]} == {0, users - 1}


def test_a_user_without_any_row_is_named(tmp_path: Path) -> None:
    """Whoever comes within the run decides; who would have come later has no row, and need not."""
    world = TIPS | {"arrivals": {"over": 40}}
    base = {"version": 1, "name": "t", "seed": 7, "policies": ["random"], "world": world}
    log = simulated(
        validate(base | {"users": 12, "rounds": 20}), tmp_path / "run", users=12, rounds=20, policies=["random"]
    )
    assert log.audit().clean
    assert len(set(log.decisions["user_id"].to_pylist())) < 12
    gone = log.decisions["user_id"][0].as_py()
    log.decisions, log.learnings = (
        table.filter(pc.not_equal(table["user_id"], gone)) for table in (log.decisions, log.learnings)
    )
    (found,) = log.audit().policies
    assert found.checks["presence"].wrong == 1
    assert (found.firsts["presence"].user_id, found.firsts["presence"].logged) == (gone, "no row")


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """The scenario that has every dynamic, with the times moved so that all of them happen soon."""
    data = load("changing_users").canonical()
    data["world"]["drift"][0]["abrupt"]["at"] = 20
    data["world"]["churn"] = {"bad_reactions": 15, "hazard": 0.01}
    data["world"]["arrivals"]["over"] = 10
    data["world"]["drift"].append(
        {"share": 0.5, "gradual": {"start": 5, "end": 30}, "preferences": {"intercept": {"mean": 0.5}}}
    )
    return simulated(
        validate(data), tmp_path_factory.mktemp("changing") / "run", users=40, rounds=40, policies=["egreedy"]
    )


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], float]]:
    """Every number of a scenario, with its path."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, (*path, key))
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from leaves(part, (*path, i))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


IDLE = {
    ("version",), ("users",), ("replicates",), ("seed",), ("rounds",),
    ("world", "tasks", "count", "min"), ("world", "tips", "count", "min"),  # the ends of one number are looked at below
    ("world", "segments", 0, "weight"), ("world", "segments", 1, "weight"),  # a hair less moves nobody
}  # fmt: skip
"""Numbers that say nothing of the world, or whose small change changes nothing in so short a log."""


def _paths() -> list[tuple[Any, ...]]:
    data = load("changing_users").canonical()
    return [path for path, _ in leaves(data) if path not in IDLE]


@pytest.mark.parametrize("path", _paths(), ids=lambda path: ".".join(map(str, path)))
def test_every_number_of_a_scenario_matters(path: tuple[Any, ...], changing: Log) -> None:
    """The log is held against a scenario in which this one number is another: some check of the world names it."""

    def change(scenario: dict[str, Any]) -> None:
        *way, last = path
        at: Any = scenario
        for step in way:
            at = at[step]
        value = at[last]
        if path[-1] in ("share", "window"):
            at[last] = type(value)(0.3 * value)
        elif isinstance(value, int):
            at[last] = value + 1 if path[-3:-1] != ("periodic", "days") else (value + 2) % 7
        else:
            at[last] = value * 1.3 if value else 0.2

    report = changing.audit(change)
    named = {check for policy in report.policies for check in policy.firsts}
    assert named & {"presence", "clock", "offer", "truth", "reaction", "feedback"}, report.policies[0].checks


def _plant(target: str, around: Callable[..., Any]) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        module, _, name = target.rpartition(".")
        original = getattr(__import__(module, fromlist=[name]), name)
        patch.setattr(target, lambda *given, **named: around(original, *given, **named))

    return plant


def _answered(fault: Callable[[Any], Any]) -> Callable[..., Any]:
    def around(respond: Any, plan: Any, state: Any, t: int, decision: Any) -> Any:
        response, state = respond(plan, state, t, decision)
        return fault(response), state

    return around


FAULTS: dict[str, tuple[str, Callable[[pytest.MonkeyPatch], None]]] = {
    "reactions of another user": (
        "reaction",
        _plant(
            "oo_sim.worlds.tips._respond",
            _answered(lambda r: type(r)(*(column.take(range(1, len(column) + 1), mode="wrap") for column in r))),
        ),
    ),
    "appetite does not come back": ("truth", _plant("oo_sim.worlds.fatigue.recover", lambda *_: None)),
    "walks stand still": ("truth", _plant("oo_sim.worlds.drift.walk", lambda *_: None)),
    "users never leave": ("presence", _plant("oo_sim.worlds.dynamics.leave", lambda *_: None)),
    "a done task stays": ("offer", _plant("oo_sim.worlds.tips._replace_done", lambda *_: None)),
    "a backlog does not age": ("offer", _plant("oo_sim.worlds.tips._let_time_pass", lambda *_: None)),
    "missing reports are reported": (
        "feedback",
        lambda patch: patch.setattr(Delayed, "_missing", lambda self, *given: np.zeros(len(self._arrived))),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_a_world_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check, plant = FAULTS[name]
    plant(monkeypatch)
    data = load("changing_users").canonical()
    data["world"]["churn"] = {"bad_reactions": 12, "hazard": 0.02}
    data["world"]["arrivals"] = {"over": 4}
    log = simulated(validate(data), tmp_path / "run", users=12, rounds=40, policies=["egreedy"])
    (policy,) = log.audit().policies
    assert check in policy.firsts, policy.checks
    assert "should be" in str(policy.firsts[check])


def test_some_users_are_looked_at_unless_all_are(tmp_path: Path) -> None:
    """A fault in the middle of the population is for --full."""
    log = simulated("tiny_sets", tmp_path / "run", users=130, rounds=5, policies=["random"])
    rows = log.decisions.to_pylist()
    row = next(row for row in rows if row["user_id"] == "user-65" and row["t"] == 3)
    row["best_expected_reward"] += 0.01
    log.decisions = log.decisions.from_pylist(rows, log.decisions.schema)
    some, every = log.audit(), log.audit(full=True)
    assert some.world == "64 of 130 users, over all their rounds"
    assert every.world == "130 of 130 users, over all their rounds"
    assert some.clean
    (wrong,) = every.policies[0].firsts.values()
    assert (wrong.check, wrong.user_id, wrong.t) == ("truth", "user-65", 3)
