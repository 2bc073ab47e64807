"""A log that is right passes every check, for every policy, however it is cut into shards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from oo_sim.audit import CHECKS, Report, TableSource, audit, audit_tables
from oo_sim.audit.shards import judged

from .faulty import NeverExplores, TipsAsTasks
from .simulator import DEFAULTS, SEED, Simulator

BASE = {"order", "id", "learned", "reward", "score", "probs", "propensity", "draw"}
RIDGE = BASE | {"features"}
JUDGED = {
    "linucb": RIDGE | {"argmax", "tie"},
    "egreedy": RIDGE | {"argmax", "tie", "explored"},
    "greedy": RIDGE | {"argmax", "tie"},
    "softmax": RIDGE,
    "random": BASE | {"features", "explored"},
    "oracle": BASE | {"argmax", "tie", "best"},
}


@pytest.mark.parametrize("policy", DEFAULTS)
def test_every_policy_passes_what_is_checked_of_it(policy: str) -> None:
    simulator = Simulator(policy, users=6, rounds=40)
    report = audit_tables(*simulator.run(), simulator.manifest())
    assert report.clean, report
    (found,) = report.policies
    assert set(found.checks) == JUDGED[policy]
    assert found.decisions == 240
    assert all(count.judged > 0 for count in found.checks.values())
    assert found.checks["draw"].judged == 240


@pytest.mark.parametrize(
    ("policy", "parameters"),
    [
        ("linucb", {"alpha": 0.3, "prior": 0.1, "features": "oo7x"}),
        ("egreedy", {"epsilon": 1.0}),
        ("egreedy", {"decay": 0.5, "features": "oo7x"}),
        ("softmax", {"temperature": 1e-3}),
    ],
)
def test_other_parameters_pass_too(policy: str, parameters: dict[str, Any]) -> None:
    simulator = Simulator(policy, users=5, rounds=30, **parameters)
    assert audit_tables(*simulator.run(), simulator.manifest()).clean


@pytest.mark.parametrize("by_user", [False, True])
@pytest.mark.parametrize("numbers", [1, 3_000, 10**7])
def test_shards_and_row_order_change_nothing(numbers: int, by_user: bool) -> None:
    """A time-ordered and a user-ordered log, in small chunks and shards, give the same report."""
    simulators = [Simulator("linucb", users=5, rounds=20), Simulator("egreedy", users=5, rounds=20)]
    tables = [simulator.run() for simulator in simulators]
    manifest = simulators[0].manifest()
    manifest["policies"] += simulators[1].manifest()["policies"]
    decided, learned = (pa.concat_tables(parts) for parts in zip(*tables, strict=True))
    whole = audit_tables(decided, learned, manifest)
    if by_user:
        decided = decided.sort_by([("policy", "descending"), ("user_id", "descending")])
        learned = learned.sort_by([("user_id", "ascending"), ("seq", "descending")])
    report = audit(
        TableSource(decided, "decisions", 16), TableSource(learned, "learnings", 16), manifest, numbers=numbers
    )
    assert report.clean
    assert {p.label: p.checks for p in report.policies} == {p.label: p.checks for p in whole.policies}


@pytest.mark.parametrize("seed", [SEED, None])
@pytest.mark.parametrize("kind", [Simulator, TipsAsTasks, NeverExplores])
@pytest.mark.parametrize("policy", DEFAULTS)
def test_how_many_threads_judge_changes_nothing(policy: str, kind: type[Simulator], seed: int | None) -> None:
    """Right and faulty logs, each user a shard of its own: the same report to the last note, and the same progress."""
    simulator = kind(policy, users=7, rounds=6)
    decided, learned = (TableSource(*each) for each in zip(simulator.run(), ("decisions", "learnings"), strict=True))
    manifest = simulator.manifest() | {"seed": seed}

    def found(workers: int) -> tuple[Report, list[int]]:
        counted = list[int]()
        return audit(decided, learned, manifest, numbers=1, workers=workers, progress=counted.append), counted

    one = found(1)
    assert one[1] == [6] * 7
    assert found(3) == one


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_shards_are_begun_than_workers_and_one(workers: int) -> None:
    """So that memory does not grow with the log; and what goes wrong in a thread comes out."""
    begun, done = 0, 0

    def shards() -> Iterator[Any]:  # whatever they are
        nonlocal begun
        for i in range(20):
            begun += 1
            yield i

    def negative(shard: Any) -> int:
        return -int(shard)

    for i in judged(shards(), negative, workers):
        assert i == -done
        done += 1
        assert begun - done <= (workers if workers > 1 else 0)
    assert done == begun == 20
    with pytest.raises(ZeroDivisionError):
        list(judged(shards(), lambda shard: 1 // (7 + negative(shard)), workers))


def test_an_empty_log_is_clean() -> None:
    simulator = Simulator("linucb", users=0)
    assert audit_tables(*simulator.run(), simulator.manifest()).policies == ()


def test_odd_but_legal_policies_bring_no_traceback() -> None:
    """No features at all, and an oracle that sees more than the truth."""
    blind = Simulator("linucb", users=2, rounds=10, features="none")
    assert audit_tables(*blind.run(), blind.manifest()).clean
    odd = Simulator("greedy", users=2, rounds=10)
    manifest = odd.manifest()
    manifest["policies"][0] |= {"name": "oracle", "parameters": {}}
    assert "sees 7 features" in audit_tables(*odd.run(), manifest).policies[0].notes[0]


def test_checks_are_described() -> None:
    """Each check has a sentence of its own, and every check that a report can hold is among them."""
    assert len(set(CHECKS.values())) == len(CHECKS)
    assert all(len(said.split()) >= 5 and said[0].islower() and not said.endswith(".") for said in CHECKS.values())
    assert set().union(*JUDGED.values()) <= set(CHECKS)
