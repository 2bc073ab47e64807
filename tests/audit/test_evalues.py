"""Logs without a seed: exploration is tested by e-values, which accuse seldom and find what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from oo_sim.audit import Report, audit_tables
from oo_sim.audit.evalues import ALPHA, Evidence, bets
from oo_sim.audit.rows import Decisions

from .faulty import EpsilonDoubledUnlogged, NeverExplores, NeverLast
from .simulator import Row, Simulator

START = datetime(2026, 1, 1, tzinfo=UTC)


def _without_seed(simulator: Simulator) -> Report:
    return audit_tables(*simulator.run(), simulator.manifest() | {"seed": None})


@pytest.mark.parametrize("policy", ["linucb", "egreedy", "softmax", "random"])
def test_a_right_log_is_not_accused(policy: str) -> None:
    """Two tests, each at alpha 0.001, on fixed data."""
    report = _without_seed(Simulator(policy))
    assert report.clean
    assert set(report.policies[0].checks) >= {"rate", "choice"}
    assert "draw" not in report.policies[0].checks
    assert "e-values, each at alpha 0.001" in report.policies[0].notes[-1]


@pytest.mark.parametrize(
    ("kind", "policy", "check"),
    [
        (EpsilonDoubledUnlogged, "egreedy", "rate"),
        (NeverExplores, "egreedy", "rate"),
        (NeverLast, "random", "choice"),
    ],
)
def test_wrong_exploration_is_found(kind: type[Simulator], policy: str, check: str) -> None:
    first = _without_seed(kind(policy, users=20, rounds=60)).policies[0].first
    assert first is not None
    assert first.check == check


class Terse(Simulator):
    """Logs no probabilities, as most recommenders do."""

    def log_decision(self, row: Row) -> Row:
        return row | {"probs": None, "propensity": None, "ts": START}


class TerseNeverExplores(Terse, NeverExplores):
    """Logs no probabilities, and never explores."""


def test_known_policies_need_no_logged_probabilities() -> None:
    """What epsilon-greedy should have drawn from is derived, and its exploration tested against that."""
    right = _without_seed(Terse("egreedy")).policies[0]
    assert right.wrong == 0
    assert right.checks["rate"].judged == 500
    first = _without_seed(TerseNeverExplores("egreedy", users=20, rounds=60)).policies[0].first
    assert first is not None
    assert first.check == "rate"


def _log(chosen: Any, probs: Any) -> Decisions:
    """Decisions of which only the probabilities and the choice matter."""
    n, K = probs.shape
    flat, wide, probs = np.zeros(n, np.int64), np.ones((K, n), np.bool_), np.ascontiguousarray(probs.T)
    blank = np.full(n, np.nan)
    return Decisions(
        *(flat, flat, np.arange(n), flat, flat, wide, wide, probs, probs, wide, probs[:, None]),
        *(probs, chosen, blank, blank, flat, blank, blank, np.zeros(n, np.bool_)),
        *(flat, pa.nulls(n, pa.string()), pa.nulls(n, pa.string()), {}),
    )


def test_a_right_log_is_accused_at_most_as_often_as_stated() -> None:
    """2,000 logs of 200 right decisions: at most alpha are accused, 2 expected at the very most; more than 9
    come up in fewer than 1 of 10,000 seeds. (Ville's inequality holds at every length, so one length will
    do.)
    """
    rng, accused = np.random.default_rng(1), {"rate": 0, "choice": 0}
    probs = np.tile([0.05, 0.8, 0.05, 0.1], (200, 1))
    for _ in range(2000):
        chosen = rng.choice(4, 200, p=probs[0])
        for finding in Evidence().judge(bets(_log(chosen, probs))):
            accused[finding.check] += int(finding.wrong.any())
    assert ALPHA == 0.001
    assert max(accused.values()) <= 9


def test_evidence_is_gathered_over_shards_and_told_once() -> None:
    rng = np.random.default_rng(2)
    probs = np.tile([0.05, 0.85, 0.05, 0.05], (3000, 1))
    chosen = rng.choice(4, 3000, p=[0.12, 0.64, 0.12, 0.12])
    whole = Evidence().judge(bets(_log(chosen, probs)))[0]
    assert whole.wrong.sum() == 1
    evidence = Evidence()
    logs = [_log(chosen[start : start + 100], probs[:100]) for start in range(0, 3000, 100)]
    parts = [evidence.judge(bets(log))[0].wrong for log in logs]
    assert np.array_equal(np.concatenate(parts), whole.wrong)
