"""How often the gate is right over many checks, and how long a check takes; run with -s to see the figures.

A bank of runs is made first: the same users in several replicates, so with other luck. A check then compares, for each
user, two replicates drawn at random: nothing was lost, and nothing but luck differs.
"""

from __future__ import annotations

import time
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from oo_sim.contract import F64, I64, Batch, Policy, Probs
from oo_sim.entrants import Entrant, entrants
from oo_sim.gate import Verdict, check, record
from oo_sim.gate.baseline import read
from oo_sim.gate.judge import Finding, Judgement, alpha_at, judge, looks
from oo_sim.gate.measure import Stage
from oo_sim.gate.recording import stage
from oo_sim.policies import make

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

UNCHANGED, LOSSES = 2000, 300
LUCKS = 8
"""Replicates in a bank: 56 ordered pairs for each of some thousand users."""


class Bank(NamedTuple):
    """Expected reward per decision up to each mark, in each replicate: (LUCKS, C, n)."""

    ready: Stage
    margin: float
    sound: F64
    worse: F64


@cache
def bank(policy: str) -> Bank:
    """The users of a default baseline under the sound policy, and under one that chooses at random now and then."""
    ready = stage("quickstart")
    baseline, margin = recorded(policy)
    (sound,) = entrants(ready.world, [policy])
    (worse,) = entrants(ready.world, [distracted(make(policy), 0.011)])
    runs = [lucks(ready, each, baseline) for each in (sound, worse)]
    return Bank(ready, margin, *runs)


@cache
def recorded(policy: str) -> tuple[int, float]:
    """How many users a default baseline stores, and its margin."""
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as directory:
        (path,) = record("quickstart", policies=[policy], directory=Path(directory))
        baseline = read(path)
        size = sum(path.with_suffix(suffix).stat().st_size for suffix in (".json", ".parquet"))
        print(f"\n{policy}: {baseline.users:,} users, power {baseline.facts.power}, {size / 1000:.0f} kB", end="")
        return baseline.users, baseline.facts.margin


def lucks(ready: Stage, entrant: Entrant, users: int) -> F64:
    scale = ready.world.scale * np.array(ready.marks)[:, None]
    return np.array([ready.run(entrant, 0, users, None, replicate).totals / scale for replicate in range(LUCKS)])


def distracted(policy: Policy, share: float) -> Policy:
    """A policy that chooses at random in a share of its decisions."""

    def probs(scores: F64, batch: Batch) -> Probs:
        own = policy.probs(scores, batch)
        uniform = share * batch.mask / batch.mask.sum(axis=0)
        return Probs((1.0 - share) * own.total + uniform, (1.0 - share) * own.explored + uniform)

    return policy._replace(name="distracted", probs=probs, explores=True)


def verdict(steps: F64, marks: list[int], margin: float) -> Finding:
    """As a check looks at more and more users."""
    planned = looks(steps.shape[1])
    for look, after in enumerate(planned):
        judged = judge(steps[:, :after], marks, margin, alpha=alpha_at(look, planned))
        if judged.finding is not Finding.INCONCLUSIVE:
            break
    return judged.finding


def pick(runs: F64, which: I64) -> F64:
    """Each user's values (C, n) in the replicate that was drawn for them."""
    return np.asarray(runs[which, :, np.arange(runs.shape[2])].T)


@pytest.mark.parametrize("policy", ["linucb", "egreedy"])
def test_other_luck_does_not_fail(policy: str) -> None:
    """At most 0.1 % of 2,000 unchanged policies fail, and at most 1 % are inconclusive."""
    data, rng = bank(policy), np.random.default_rng(1)
    n = int(data.sound.shape[2])
    found: Counter[Finding] = Counter()
    for _ in range(UNCHANGED):
        first = rng.integers(0, LUCKS, n)
        second = (first + rng.integers(1, LUCKS, n)) % LUCKS
        steps = pick(data.sound, second) - pick(data.sound, first)
        found[verdict(steps, data.ready.marks, data.margin)] += 1
    print(f"\n| {policy}, nothing lost | {dict(found)} |", end="")
    assert found[Finding.REGRESSED] <= UNCHANGED // 1000
    assert found[Finding.INCONCLUSIVE] <= UNCHANGED // 100


@pytest.mark.parametrize("policy", ["linucb", "egreedy"])
def test_a_loss_of_the_margin_fails(policy: str) -> None:
    """At least 99 % of 300 policies that lose the margin fail; the loss is made exact by a shift of its mean."""
    data, rng = bank(policy), np.random.default_rng(2)
    n = int(data.sound.shape[2])
    lost = float(data.worse[:, -1].mean() - data.sound[:, -1].mean())
    found: Counter[Finding] = Counter()
    for _ in range(LOSSES):
        first, second = rng.integers(0, LUCKS, n), rng.integers(0, LUCKS, n)
        steps = pick(data.worse, second) - pick(data.sound, first) - lost - data.margin
        found[verdict(steps, data.ready.marks, data.margin)] += 1
    print(f"\n| {policy}, margin {data.margin:.5f} lost (unshifted {-lost:.5f}) | {dict(found)} |", end="")
    assert found[Finding.REGRESSED] >= 0.99 * LOSSES


def test_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One scenario and two policies: identical code under 2 s after start-up, a changed one under 10 s, on two idle
    cores, also where all stored users are looked at. The change is a harmless one, in NumPy: the slower kind, which
    goes through all layers."""
    record("quickstart", policies=["linucb", "egreedy"], directory=tmp_path)

    def rewritten(name: str) -> Policy:
        sound = make(name)
        score = sound.score
        return sound._replace(score=lambda state, batch, noise: score(state, batch, noise) * (1.0 + 1e-13))

    check(directory=tmp_path)
    start = time.perf_counter()
    same = check(directory=tmp_path)
    identical = time.perf_counter() - start
    start = time.perf_counter()
    other = check("quickstart", policies=[rewritten("linucb"), rewritten("egreedy")], directory=tmp_path)
    changed = time.perf_counter() - start
    start = time.perf_counter()
    faulty = [make("linucb")._replace(score=make("greedy", {"features": "oo5"}).score), make("egreedy")]
    failing = check("quickstart", policies=faulty, directory=tmp_path)
    failed = time.perf_counter() - start

    def unsure(*given: Any, **named: Any) -> Judgement:
        return judge(*given, **named)._replace(finding=Finding.INCONCLUSIVE)

    monkeypatch.setattr("oo_sim.gate.checking.judge", unsure)
    start = time.perf_counter()
    long = check("quickstart", policies=[rewritten("linucb"), rewritten("egreedy")], directory=tmp_path)
    everybody = time.perf_counter() - start
    print(
        f"\nidentical {identical:.1f} s, changed {changed:.1f} s, faulty {failed:.1f} s, all {everybody:.1f} s", end=""
    )
    assert [case.users for case in long.cases] == [read(path).users for path in sorted(tmp_path.glob("*.json"))]
    assert {case.verdict for case in same.cases} == {Verdict.IDENTICAL}
    assert {case.verdict for case in other.cases} <= {Verdict.EQUIVALENT, Verdict.IDENTICAL}
    assert failing.exit_code == 5
    assert identical < 2.0
    assert max(changed, everybody) < 10.0
