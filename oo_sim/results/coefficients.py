"""What the policies have learned against the truth: ridge coefficients of each user, from the log of a run with events.

Shapes: d features, n rows of a log, L lanes (a lane is a user in a replicate).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64
from oo_sim.logs import Lane, Log, LoggedPolicy
from oo_sim.policies import with_model
from oo_sim.policies.warm import precision
from oo_sim.results.run import Run, log_of

PLAIN_RIDGE = with_model("ridge")
"""Policies whose estimate is the ridge regression of all that they learned."""
_ROWS = 1 << 13
_EXACT = 1e-6


class Learned(NamedTuple):
    """One policy: its estimates and the true coefficients (L, d), of lanes whose truth is known."""

    label: str
    learned: F64
    truth: F64

    @property
    def error(self) -> float:
        """Root mean squared error over lanes and coefficients."""
        return float(np.sqrt(((self.learned - self.truth) ** 2).mean()))


class _Sums:
    """Of each lane: sum of x x' (L, d, d), of x y (L, d), and of y y (L,); lanes are added as they come."""

    def __init__(self, d: int) -> None:
        self.lanes: dict[Lane, int] = {}
        self.xx, self.xy, self.yy = np.zeros((0, d, d)), np.zeros((0, d)), np.zeros(0)
        self.rows = 0

    def add(self, lanes: Sequence[Lane], lane: I64, x: F64, y: F64) -> None:
        """Add rows x (n, d), y (n,) to the lanes whose places in `lanes` are lane (n,)."""
        places = np.array([self.lanes.setdefault(each, len(self.lanes)) for each in lanes])
        more = len(self.lanes) - len(self.yy)
        self.xx, self.xy, self.yy = (
            np.concatenate([each, np.zeros((more, *each.shape[1:]))]) for each in (self.xx, self.xy, self.yy)
        )
        if len(y):
            at = places[lane]
            np.add.at(self.xx, at, x[:, :, None] * x[:, None, :])
            np.add.at(self.xy, at, x * y[:, None])
            np.add.at(self.yy, at, y * y)
            self.rows += len(y)


def learned(run: Run) -> tuple[list[Learned], bool]:
    """What each plain ridge policy has learned by the end, and whether the truth is exact.

    The truth is the regression of the true expected rewards on the features of all that was served, by any policy on
    the same features: exact where they are linear in the features, else the best that a linear model could learn.
    Lanes whose served features do not span the space are left out. Raises `RunLogError` without events.
    """
    log = log_of(run)
    found = [p for p in log.policies if p.name in PLAIN_RIDGE and p.label not in run.failures]
    estimates = {p.label: _lessons(log, p) for p in found}
    truths = {p.features: _truth(log, p) for p in found}
    shown, exact = [], True
    for p in found:
        (truth, misfit), sums = truths[p.features], estimates[p.label]
        spans = [lane for lane in sums.lanes if lane in truth]
        if not spans:
            continue
        a, b = precision(p.parameters, sums.xx.shape[1])
        theta: F64 = np.linalg.solve(sums.xx + a, (sums.xy + b)[..., None])[..., 0].astype(np.float64, copy=False)
        own: F64 = theta[[sums.lanes[lane] for lane in spans]]
        shown.append(Learned(p.label, own, np.stack([truth[lane] for lane in spans])))
        exact = exact and misfit < _EXACT
    return shown, exact


def _lessons(log: Log, policy: LoggedPolicy) -> _Sums:
    """Of the features and rewards that a policy learned from."""
    sums = _Sums(len(policy.feature_names))
    for part in log.parts(policy.label, rows=_ROWS):
        kept = ~part.learned.reset
        sums.add(part.lanes, part.learned.lane[kept], part.learned.x[kept], part.learned.reward[kept])
    return sums


def _truth(log: Log, policy: LoggedPolicy) -> tuple[dict[Lane, F64], float]:
    """The true coefficients (d,) of the lanes of which they are known, and the root mean squared misfit."""
    d = len(policy.feature_names)
    sums = _Sums(d)
    for same in (p for p in log.policies if p.features == policy.features):
        for part in log.parts(same.label, rows=_ROWS, x=True):
            known = np.isfinite(part.expected)
            sums.add(part.lanes, part.lane[known], part.x[known], part.expected[known])
    spans = np.linalg.matrix_rank(sums.xx, tol=1e-6, hermitian=True) == d
    theta = np.zeros_like(sums.xy)
    theta[spans] = np.linalg.solve(sums.xx[spans], sums.xy[spans][..., None])[..., 0]
    left = (sums.yy - (theta * sums.xy).sum(axis=1))[spans].sum()
    truth = {lane: theta[place] for lane, place in sums.lanes.items() if spans[place]}
    return truth, float(np.sqrt(max(left, 0.0) / max(sums.rows, 1)))
