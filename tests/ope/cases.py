"""Logged decisions whose truth is known, and every estimator under one signature."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.ope import Estimator, Rows, estimate, merge, rows, sums
from oo_sim.ope.sums import I64
from oo_sim.stats import Interval
from oo_sim.stats.intervals import F64


class Log(NamedTuple):
    """A log of `users` x `rounds` decisions among K candidates, with the evaluated policy's true value for it."""

    decisions: Rows
    pi: F64  # (n, K)
    p: F64  # (n, K)
    x: F64  # (n, K, d)
    chosen: I64
    expected: F64  # (n,), of the chosen ones
    truth: float


def log(seed: int, users: int = 60, rounds: int = 20, arms: int = 4, sharpness: float = 2.0) -> Log:
    """Users differ in their linear rewards; logging is a softmax of noise, the target a softmax of the truth's mean.

    Rewards are -1 or 1. `truth` is the expected reward of the target over these very situations.
    """
    rng = np.random.default_rng(seed)
    n, d = users * rounds, 3
    user = np.repeat(np.arange(users), rounds)
    theta = rng.normal([0.5, -0.3, 0.2], 0.3, (users, d))
    x = rng.uniform(-1.0, 1.0, (n, arms, d))
    expected = np.tanh(np.einsum("nkd,nd->nk", x, theta[user]))
    p = _softmax(rng.normal(0.0, 0.5, (n, arms)))
    pi = _softmax(sharpness * (x @ np.array([0.5, -0.3, 0.2])))
    chosen = (rng.random(n)[:, None] > p.cumsum(axis=1)[:, :-1]).sum(axis=1)
    at = np.arange(n), chosen
    r = np.where(rng.random(n) < (1.0 + expected[at]) / 2.0, 1.0, -1.0)
    guess = 0.8 * expected
    decisions = rows(pi[at] / p[at], r, guess[at], (guess * pi).sum(axis=1), user)
    return Log(decisions, pi, p, x, chosen, expected[at], float((expected * pi).sum(axis=1).mean()))


def _softmax(score: F64) -> F64:
    grown = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def value(estimator: Estimator, *parts: Rows) -> Interval:
    """The estimate over one or several parts of a log."""
    return estimate(estimator, merge(sums(part, [estimator]) for part in parts)).value


def picked(decisions: Rows, at: I64) -> Rows:
    """Some decisions, in the order given."""
    return Rows(*(column[at] for column in decisions))
