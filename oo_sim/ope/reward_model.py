"""The reward model of the doubly robust estimators: one ridge regression per user, on that user's earlier rewards only.

A prediction that depends on nothing but the past keeps DR unbiased without cross-fitting, on adaptive logs too.
Candidates of all decisions stand one after another (M of them); `first` (n,) is where each decision's candidates begin.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import ArrayLike

from oo_sim.ope.replay import nth
from oo_sim.ope.sums import I64
from oo_sim.stats.intervals import F64


def predictable_ridge(
    x: ArrayLike, first: ArrayLike, chosen: ArrayLike, r: ArrayLike, user: ArrayLike, prior: float = 1.0
) -> F64:
    """Predicted rewards (M,) of all candidates, each from the rewards of that user's earlier decisions.

    `x` (M, d) are the candidates' features, to which an intercept is added; `chosen` (n,) is the place of the chosen
    one within its decision; rows of a user are in order of time. All users learn side by side, decision by decision, by
    Sherman and Morrison's (1950) update of the inverse of A = prior I + sum of x x'. Costs (d + 1)^2 numbers a user.
    ValueError where prior <= 0 or a place lies outside its decision.
    """
    if not prior > 0.0:
        raise ValueError(f"prior: {prior} given; the ridge needs a positive number, such as 1")
    features, reward = np.asarray(x, dtype=np.float64), np.asarray(r, dtype=np.float64)
    M, begin, place = len(features), np.asarray(first, dtype=np.int64), np.asarray(chosen, dtype=np.int64)
    sizes = np.diff(np.r_[begin, M])
    if ((place < 0) | (place >= sizes)).any():
        at = int(np.flatnonzero((place < 0) | (place >= sizes))[0])
        raise ValueError(f"chosen: row {at} is {place[at]}, and that decision has {sizes[at]} candidates")
    _, who = np.unique(np.asarray(user), return_inverse=True)
    count = np.bincount(who)
    rank = np.empty(len(count), np.int64)
    rank[np.argsort(-count, kind="stable")] = np.arange(len(count))  # so that those who are left stand first
    turn, lane = nth(who), rank[who]
    order = np.lexsort((lane, turn))
    cuts = np.searchsorted(turn[order], np.arange(turn.max(initial=-1) + 2))
    d = features.shape[1] + 1
    inverse = np.tile(np.eye(d)[:, :, None] / prior, (1, 1, len(count)))  # users along the last axis, which is long
    theta = np.zeros((len(count), d))
    predicted = np.empty(M)
    for start, stop in itertools.pairwise(cuts):
        now, m = order[start:stop], stop - start  # one decision of each of the first m users
        flat, owner = _spread(begin[now], sizes[now])
        predicted[flat] = theta[owner, 0] + np.einsum("cd,cd->c", features[flat], theta[owner, 1:])
        served = begin[now] + place[now]
        v = np.concatenate([np.ones((1, m)), features[served].T])
        known = inverse[:, :, :m]
        u = np.einsum("den,en->dn", known, v)
        gain = 1.0 / (1.0 + (v * u).sum(axis=0))
        theta[:m] += ((gain * (reward[now] - predicted[served])) * u).T
        known -= (gain * u)[:, None] * u
    return predicted


def _spread(begin: I64, sizes: I64) -> tuple[I64, I64]:
    """The places of the candidates of some decisions, and which of these decisions each belongs to."""
    owner = np.repeat(np.arange(len(begin)), sizes)
    return begin[owner] + np.arange(len(owner)) - (np.cumsum(sizes) - sizes)[owner], owner


def chosen_q(q: ArrayLike, first: ArrayLike, place: ArrayLike) -> F64:
    """`q_chosen` (n,): the prediction (M,) of the candidate at `place` (n,) within its decision."""
    at = np.asarray(first, dtype=np.int64) + np.asarray(place, dtype=np.int64)
    return np.asarray(np.asarray(q, dtype=np.float64)[at])


def target_q(q: ArrayLike, pi: ArrayLike, first: ArrayLike) -> F64:
    """`q_target` (n,): the mean of the predictions `q` (M,) under the policy's probabilities `pi` (M,)."""
    product = np.asarray(q, dtype=np.float64) * np.asarray(pi, dtype=np.float64)
    return np.add.reduceat(product, np.asarray(first, dtype=np.int64))
