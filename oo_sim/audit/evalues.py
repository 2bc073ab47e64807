"""Exploration tested without knowing the random numbers: anytime-valid e-values.

An e-process bets against the claim that each choice was drawn with the probabilities that were logged. Its
expected growth is at most 1 while the claim is true, so by Ville's inequality it passes 1/alpha with
probability at most alpha, however often one looks. Each is an average of likelihood ratios over a fixed
grid of alternatives, the method of mixtures (Ramdas, Grunwald, Vovk and Shafer 2023, "Game-theoretic
statistics and safe anytime-valid inference").
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from oo_sim.audit.arrays import F64, I64, Bool, first_highest
from oo_sim.audit.report import Finding
from oo_sim.audit.rows import Decisions

ALPHA = 0.001
"""The chance that a right policy is ever accused by one of these tests."""

_ODDS = np.array([0.0, 0.25, 0.5, 0.8, 1.25, 2.0, 4.0])
"""Alternatives: the odds of exploring are this many times what was said; 0 is no exploration at all."""
_TILTS = np.array([-2.0, -1.0, -0.3, 0.3, 1.0, 2.0])
"""Alternatives: exploration leans to the first or the last candidates, by this exponent from end to end."""


class Bets(NamedTuple):
    """What the choices of n decisions say of exploration: whether it was possible, whether it happened, and the steps
    (n, alternatives) of the log likelihood ratios."""

    open: Bool
    away: Bool
    rate: F64
    choice: F64


def bets(d: Decisions) -> Bets:
    """The bets that `d` decides."""
    rate, choice = np.zeros((len(d.t), len(_ODDS))), np.zeros((len(d.t), len(_TILTS) + 2))
    greedy = first_highest(d.probs)
    rest = 1.0 - d.probs[greedy, np.arange(len(d.t))]
    open_ = d.has_probs & (rest > 1e-9)
    away = open_ & (d.chosen != greedy)
    rate[open_] = _rate_steps(rest[open_], away[open_])
    choice[away] = _choice_steps(d, away, greedy)
    return Bets(open_, away, rate, choice)


class Evidence:
    """Log likelihood ratios gathered over the shards of one policy's log."""

    def __init__(self) -> None:
        self._rate = np.zeros(len(_ODDS))
        self._choice = np.zeros(len(_TILTS) + 2)
        self._passed = {"rate": False, "choice": False}

    def judge(self, made: Bets) -> tuple[Finding, Finding]:
        """Two findings of one more shard; wrong is the row, if any, at which the evidence passes 1/alpha."""
        open_, away = made.open, made.away
        rate, self._rate = self._first("rate", self._rate, made.rate)
        choice, self._choice = self._first("choice", self._choice, made.choice)
        said = "exploration with the logged probabilities"
        return (
            Finding("rate", open_, rate, lambda i: _share(away, open_, i), lambda i: said),
            Finding("choice", away, choice, lambda i: "explored candidates that lean one way", lambda i: said),
        )

    def _first(self, test: str, before: F64, steps: F64) -> tuple[Bool, F64]:
        """Where the mixture passes 1/alpha for the first time, and the log likelihood ratios at the end."""
        first, logs = np.zeros(len(steps), np.bool_), before + np.cumsum(steps, axis=0)
        if len(steps) == 0 or self._passed[test]:
            return first, before
        top = logs.max(axis=1)
        mixture = top + np.log(np.exp(np.maximum(logs - top[:, None], -700.0)).mean(axis=1))
        over = mixture >= -math.log(ALPHA)
        if over.any():
            first[np.argmax(over)] = self._passed[test] = True
        return first, logs[-1]


def _rate_steps(rest: F64, away: Bool) -> F64:
    """Log likelihood ratios (n, alternatives) of leaving the likeliest candidate, said to happen with `rest`
    (n,).
    """
    q = rest[:, None]
    other = _ODDS * q / (1.0 - q + _ODDS * q)
    return np.asarray(np.where(away[:, None], _log(other / q), _log((1.0 - other) / (1.0 - q))))


def _choice_steps(d: Decisions, away: Bool, greedy: I64) -> F64:
    """Log likelihood ratios of which candidate was explored, given that one was."""
    rows = np.flatnonzero(away)
    p = d.probs[:, rows].T
    p[np.arange(len(rows)), greedy[rows]] = 0.0
    p /= p.sum(axis=1)[:, None]
    count = d.standing[:, rows].sum(axis=0)[:, None]
    place = np.arange(p.shape[1]) / np.maximum(count - 1, 1)
    weights = [np.exp(tilt * (place - 0.5)) for tilt in _TILTS]
    weights += [np.where(place == end, 0.05, 1.0) for end in (0.0, 1.0)]  # the first, or last, hardly ever
    chosen = np.arange(len(rows)), d.chosen[rows]
    return np.stack([_log(w[chosen] / (p * w).sum(axis=1)) for w in weights], axis=1)


def _log(ratio: F64) -> F64:
    """Logarithms, very small for 0."""
    return np.asarray(np.log(np.maximum(ratio, 1e-300)))


def _share(away: Bool, open_: Bool, i: int) -> str:
    return f"{int(away[: i + 1].sum())} of {int(open_[: i + 1].sum())} decisions off the likeliest candidate"
