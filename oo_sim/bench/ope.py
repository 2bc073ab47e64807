"""Off-policy estimators on the same decisions: ours, with intervals over users, in turns with OBP's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from oo_sim import ope
from oo_sim.bench.measure import Spread, seconds
from oo_sim.contract import F64, I64
from oo_sim.ope.estimator import Estimator

K, D, EACH = 8, 7, 100
"""Candidates of a decision, features of a candidate, decisions of a user."""
TAU, LAMBDA = 10.0, 100.0


class Decisions(NamedTuple):
    """Logged decisions: the policy's probabilities and a model's predictions (n, K); the others are (n,)."""

    pi: F64
    q: F64
    chosen: I64
    p: F64
    r: F64
    user: I64


ESTIMATORS: Mapping[str, tuple[Estimator, str, Mapping[str, float]]] = {
    "ips": (ope.IPS, "InverseProbabilityWeighting", {}),
    "snips": (ope.SNIPS, "SelfNormalizedInverseProbabilityWeighting", {}),
    "dm": (ope.DM, "DirectMethod", {}),
    "dr": (ope.DR, "DoublyRobust", {}),
    "sndr": (ope.SNDR, "SelfNormalizedDoublyRobust", {}),
    "switch-dr": (ope.switching(TAU), "SwitchDoublyRobust", {"tau": TAU}),
    "dros": (ope.shrinking(LAMBDA), "DoublyRobustWithShrinkage", {"lambda_": LAMBDA}),
}
"""Ours, what it is called in OBP, and with which parameter."""


class Line(NamedTuple):
    """Milliseconds of an estimator; OBP's over ours, and how far its estimate is from ours, where it is installed."""

    name: str
    milliseconds: Spread
    ratio: Spread | None
    apart: float | None


class Measured(NamedTuple):
    """Each estimator alone, all of them in one pass, and the reward model of `dr` (seconds)."""

    lines: list[Line]
    together: Spread
    model: Spread
    installed: bool


def drawn(n: int, seed: int = 1) -> Decisions:
    """Decisions of a logging policy that explores, and a policy that differs from it."""
    rng = np.random.default_rng(seed)
    pi, p, q = (rng.dirichlet(np.full(K, a), n) for a in (0.5, 3.0, 1.0))
    p = 0.8 * p + 0.2 / K
    chosen = (rng.random((n, 1)) > p.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return Decisions(pi, q, chosen, p[np.arange(n), chosen], rng.random(n), np.arange(n) // EACH)


def rows(made: Decisions, *, model: bool) -> ope.Rows:
    """As our estimators take them, with or without the model's predictions."""
    at = np.arange(len(made.r)), made.chosen
    w = made.pi[at] / made.p
    if not model:
        return ope.rows(w, made.r, user=made.user)
    return ope.rows(w, made.r, made.q[at], np.einsum("nk,nk->n", made.q, made.pi), made.user)


def bench(repeats: int = 7, decisions: int = 1_000_000) -> Measured:
    """Measure every estimator on the same decisions, from the same arrays, in turns."""
    made = drawn(decisions - decisions % EACH or EACH)
    theirs = _obp(made)
    lines = []
    for name, (estimator, _, _) in ESTIMATORS.items():
        mine, other = list[float](), list[float]()
        for _ in range(repeats):
            mine.append(1e3 * seconds(lambda estimator=estimator: _ours(made, [estimator])))  # type: ignore[misc]
            if theirs:
                other.append(1e3 * seconds(theirs[name]))
        ratio = Spread.of([b / a for a, b in zip(mine, other, strict=True)]) if theirs else None
        apart = abs(theirs[name]() - _ours(made, [estimator])[0]) if theirs else None
        lines.append(Line(name, Spread.of(mine), ratio, apart))
    every = [estimator for estimator, _, _ in ESTIMATORS.values()]
    together = Spread.of([1e3 * seconds(lambda: _ours(made, every)) for _ in range(repeats)])
    x = np.random.default_rng(2).standard_normal((len(made.r) * K, D))
    first = np.arange(len(made.r)) * K
    model = Spread.of(
        [seconds(lambda: ope.predictable_ridge(x, first, made.chosen, made.r, made.user)) for _ in range(repeats)]
    )
    return Measured(lines, together, model, bool(theirs))


def _ours(made: Decisions, estimators: list[Estimator]) -> list[float]:
    sums = ope.sums(rows(made, model=any(each.uses_model for each in estimators)), estimators)
    return [ope.estimate(estimator, sums).value.estimate for estimator in estimators]


def _obp(made: Decisions) -> dict[str, Callable[[], float]]:
    """OBP's estimators on these decisions, as its documentation calls them; none where it cannot be imported."""
    try:
        room = import_module("obp.ope.estimators")
    except ImportError:
        return {}
    common: dict[str, Any] = {"action": made.chosen, "action_dist": made.pi[:, :, None]}
    logged = {"reward": made.r, "pscore": made.p}
    model = {"estimated_rewards_by_reg_model": made.q[:, :, None]}

    def call(name: str) -> Callable[[], float]:
        _, kind, parameters = ESTIMATORS[name]
        estimator = getattr(room, kind)(**parameters)
        wanted = common | ({} if name == "dm" else logged) | ({} if name in ("ips", "snips") else model)
        if name == "dm":
            wanted.pop("action")
        return lambda: float(estimator.estimate_policy_value(**wanted))

    return {name: call(name) for name in ESTIMATORS}
