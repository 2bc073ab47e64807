"""Whether a fit may be believed: how well it predicts what it has not seen, and whether people stayed as they were."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, REWARDS
from oo_sim.fitting.em import NODES, WEIGHTS, Assigned, assigned, blended, parabolas
from oo_sim.fitting.people import Population, Reactions
from oo_sim.stats import t_test

_STEPS = 30


def marginal(data: Reactions, people: Population) -> F64:
    """The log likelihood (N,) of each user's reactions together, under people that were fitted without them.

    Laplace at the mode under each segment, found by Newton's method, halved where it would overshoot.
    """
    S, N = people.segments, data.users
    logs = np.empty((S, N))
    for s in range(S):
        alone = Population(np.ones(1), people.mean[s : s + 1], people.sd[s : s + 1], people.cuts)
        at = np.tile(people.mean[s], (N, 1))
        for _ in range(_STEPS):
            to = assigned(alone, parabolas(data, at, people.cuts)).centre[0]
            step = to - at
            far = np.abs(step).max(axis=1, initial=0.0)
            at = at + step * np.minimum(1.0, 3.0 / np.maximum(far, 1e-12))[:, None]
            if far.max(initial=0.0) < 1e-4:
                break
        logs[s] = assigned(alone, parabolas(data, at, people.cuts)).log
    top = logs.max(axis=0)
    relative = np.exp(np.maximum(logs - top, -700.0))
    return np.asarray(top + np.log(np.maximum(people.share @ relative, 1e-300)))


def predicted(later: Reactions, users: Assigned, people: Population) -> F64:
    """The probabilities (M, 5) of each reaction in rows that were not fitted, of users (N,) that were.

    The coefficients are as each user's fitted rows leave them: normal under each segment, mixed by the segments.
    """
    owner = later.owner
    out = np.zeros((len(later.y), len(people.cuts) + 1))
    for s in range(people.segments):
        u = np.einsum("md,md->m", later.X, users.centre[s][owner])
        spread = np.sqrt(np.einsum("md,md->m", later.X**2, users.variance[s][owner]))
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            below = _below(people.cuts[:, None] - (u + spread * node))
            each = np.diff(np.concatenate([np.zeros((1, len(u))), below, np.ones((1, len(u)))]), axis=0).T
            out += weight * users.share[owner, s][:, None] * each
    return out


def _below(bound: F64) -> F64:
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(-bound, -700.0, 700.0))))


class Calibration(NamedTuple):
    """Mean predicted and observed reward by group (a tenth of the predictions, or an hour), and how many rows."""

    group: I64
    predicted: F64
    observed: F64
    rows: I64


def calibration(later: Reactions, probabilities: F64, group: I64 | None = None) -> Calibration:
    """By tenth of the predicted reward, or by the `group` (M,) given."""
    value = probabilities @ np.array(REWARDS)
    if group is None:
        group = (np.argsort(np.argsort(value, kind="stable"), kind="stable") * 10 // max(len(value), 1)).astype(
            np.int64
        )
    labels, at = np.unique(group, return_inverse=True)
    rows = np.bincount(at)
    observed = np.bincount(at, np.array(REWARDS)[later.y]) / rows
    return Calibration(labels, np.bincount(at, value) / rows, observed, rows)


class Drift(NamedTuple):
    """The term whose meaning moved most between the halves of the users' rounds, and the chance of that by luck."""

    term: str
    segment: int
    p_value: float


def drift(data: Reactions, users: Assigned, people: Population) -> Drift:
    """A score test that no coefficient's mean, in any segment, differs between the halves of each user's reactions.

    The slope of a user's log likelihood in "half x term" is 0 on average over users if people stay as they are, on
    adaptive logs too, as past choices are given. Student's t over users for each term and segment, Bonferroni over all.
    """
    at = blended(users)
    owner = data.owner
    u = np.einsum("md,md->m", data.X, at[owner])
    below = _below(np.r_[-np.inf, people.cuts, np.inf][:, None] - u) if len(u) else np.zeros((6, 0))
    rows = np.arange(len(u))
    slope = below[data.y + 1, rows] + below[data.y, rows] - 1.0
    place = rows - data.first[owner]
    half = np.where(place * 2 >= data.sizes[owner], 0.5, -0.5)
    score = np.zeros((data.users, data.X.shape[1]))
    np.add.at(score, owner, (half * slope)[:, None] * data.X)
    tests = [
        (t_test(users.share[:, s] * score[:, j]), s, j) for s in range(people.segments) for j in range(score.shape[1])
    ]
    tests = [(1.0 if np.isnan(p) else p, s, j) for p, s, j in tests]
    p, s, j = min(tests)
    return Drift(data.terms[j], s, min(1.0, p * len(tests)))
