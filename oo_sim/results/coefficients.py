"""What the policies have learned against the truth: ridge coefficients of each user, from the log of a run with events.

Shapes: d features, n rows of a log, L lanes (a lane is a user in a replicate).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oo_sim.contract import F64, I64
from oo_sim.logs import LoggedPolicy
from oo_sim.policies import with_model
from oo_sim.policies.warm import precision
from oo_sim.results.run import Run

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


class _Sums(NamedTuple):
    """Of each lane: sum of x x' (L, d, d), of x y (L, d), and of y y (L,)."""

    xx: F64
    xy: F64
    yy: F64

    def add(self, lane: I64, x: F64, y: F64) -> None:
        """Add rows x (n, d), y (n,) to their lanes (n,)."""
        np.add.at(self.xx, lane, x[:, :, None] * x[:, None, :])
        np.add.at(self.xy, lane, x * y[:, None])
        np.add.at(self.yy, lane, y * y)


def learned(run: Run) -> tuple[list[Learned], bool]:
    """What each plain ridge policy has learned by the end, and whether the truth is exact.

    The truth is the regression of the true expected rewards on the features of all that was served, by any policy on
    the same features: exact where they are linear in the features, else the best that a linear model could learn.
    Lanes whose served features do not span the space are left out. Raises `RunLogError` without events.
    """
    policies = {p.label: p for p in run.manifest.policies if p.name in PLAIN_RIDGE}
    found = [policies[label] for label in run.manifest.labels if label in policies and label not in run.failures]
    estimates = {p.label: _sums(run, p) for p in found}
    truths = {p.features: _truth(run, p) for p in found}
    shown, exact = [], True
    for p in found:
        (truth, spans, misfit), sums = truths[p.features], estimates[p.label]
        a, b = precision(p.parameters, sums.xx.shape[1])
        theta = np.linalg.solve(sums.xx + a, (sums.xy + b)[..., None])[..., 0]
        if spans.any():
            shown.append(Learned(p.label, theta[spans], truth[spans]))
            exact = exact and misfit < _EXACT
    return shown, exact


def _empty(run: Run, d: int) -> _Sums:
    lanes = run.manifest.users * run.manifest.replicates
    return _Sums(np.zeros((lanes, d, d)), np.zeros((lanes, d)), np.zeros(lanes))


def _sums(run: Run, policy: LoggedPolicy) -> _Sums:
    sums = _empty(run, len(policy.feature_names))
    for batch in run.events("learnings").batches(["policy", "replicate", "user_id", "kind", "x", "reward"], _ROWS):
        own = batch.filter(pc.and_(pc.equal(batch["policy"], policy.label), pc.equal(batch["kind"], "reward")))
        if len(own):
            sums.add(_lanes(run, own), _matrix(own["x"]), own["reward"].to_numpy())
    return sums


def _truth(run: Run, policy: LoggedPolicy) -> tuple[F64, F64, float]:
    """True coefficients (L, d), which lanes they are known of (L,), and the root mean squared misfit."""
    same = [p.label for p in run.manifest.policies if p.features == policy.features]
    d = len(policy.feature_names)
    sums, rows = _empty(run, d), 0
    columns = ["policy", "replicate", "user_id", "x", "chosen", "expected_reward"]
    for batch in run.events("decisions").batches(columns, _ROWS):
        own = batch.filter(pc.is_in(batch["policy"], pa.array(same)))
        if len(own):
            # The chosen one's place among all candidates of the batch, flattened.
            place = pa.array(own["x"].offsets.to_numpy()[:-1] - own["x"].offsets[0].as_py() + own["chosen"].to_numpy())
            x = _matrix(own["x"].flatten().take(place))
            sums.add(_lanes(run, own), x, own["expected_reward"].to_numpy())
            rows += len(own)
    spans = np.linalg.matrix_rank(sums.xx, tol=1e-6, hermitian=True) == d
    theta = np.zeros_like(sums.xy)
    theta[spans] = np.linalg.solve(sums.xx[spans], sums.xy[spans][..., None])[..., 0]
    left = sums.yy - (theta * sums.xy).sum(axis=1)
    return theta, spans, float(np.sqrt(max(left[spans].sum(), 0.0) / max(rows, 1)))


def _lanes(run: Run, batch: pa.RecordBatch) -> I64:
    users = pa.array([f"user-{i}" for i in range(run.manifest.users)])
    place = pc.index_in(batch["user_id"], users).to_numpy(zero_copy_only=False)
    lanes: I64 = batch["replicate"].to_numpy().astype(np.int64) * run.manifest.users + place
    return lanes


def _matrix(lists: pa.ListArray) -> F64:
    rows: F64 = lists.flatten().to_numpy(zero_copy_only=False).reshape(len(lists), -1)
    return rows
