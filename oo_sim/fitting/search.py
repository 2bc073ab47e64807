"""Several starts for each number of segments, and the number that Schwarz's criterion prefers.

Laplace-EM climbs to the nearest top, and one start in five stays hundreds of log units below the best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64
from oo_sim.fitting.em import Fitted, blended, climb
from oo_sim.fitting.people import Population, Reactions

MOST_SEGMENTS = 4
MOST_ITERATIONS = 40
"""Of a climb, before it is given up."""
"""How many segments are tried where the number is left open."""
SAME_TOP = 1.0
"""Log units within which two starts have come to the same top."""


class Step(NamedTuple):
    """How far a search is: which climb of how many, the number of segments, which start of how many, the iterations
    done in it, and the log likelihood they came to. Climbs and starts count from 0."""

    climb: int
    climbs: int
    segments: int
    start: int
    starts: int
    iterations: int
    log_likelihood: float


Told = Callable[[Step], None]
"""Is told of each iteration."""
Climbed = Callable[[int, float], None]
"""Is told of each iteration of one climb, and the log likelihood after it."""


class Searched(NamedTuple):
    """The best fit with some number of segments, and the log likelihood that each start came to."""

    fitted: Fitted
    starts: tuple[float, ...]

    @property
    def reached(self) -> int:
        """How many starts came to the best top."""
        return sum(log >= max(self.starts) - SAME_TOP for log in self.starts)


def _at(told: Told, step: Step, iterations: int, log: float) -> None:
    told(step._replace(iterations=iterations, log_likelihood=log))


def _quiet(step: Step) -> None:
    """Nobody listens."""


def search(data: Reactions, segments: Sequence[int], starts: int, seed: int, told: Told = _quiet) -> list[Searched]:
    """The best fit of `starts` for each number of segments given. The same seed gives the same fit."""
    climbs = 1 + starts * sum(count > 1 for count in segments)
    single = _one(data, partial(_at, told, Step(0, climbs, 1, 0, 1, 0, 0.0)))
    found, before = list[Searched](), 1
    for count in segments:
        if count == 1:
            found.append(Searched(single, (single.log_likelihood,)))
            continue
        steps = [Step(before + i, climbs, count, i, starts, 0, 0.0) for i in range(starts)]
        rngs = [np.random.default_rng([seed, count, i]) for i in range(starts)]
        tops = [_started(data, single, count, rng, partial(_at, told, s)) for rng, s in zip(rngs, steps, strict=True)]
        before += starts
        logs = tuple(top.log_likelihood for top in tops)
        found.append(Searched(tops[int(np.argmax(logs))], logs))
    return found


def preferred(found: Sequence[Searched]) -> Searched:
    """The one with the smallest BIC."""
    return min(found, key=lambda one: one.fitted.bic)


def _one(data: Reactions, told: Climbed) -> Fitted:
    """One segment has one top: no start matters."""
    N, d = data.users, data.X.shape[1]
    share = np.cumsum(np.bincount(data.y, minlength=5) + 0.5)[:4] / (len(data.y) + 2.5)
    plain = Population(np.ones(1), np.zeros((1, d)), np.ones((1, d)), np.log(share / (1.0 - share)))
    return climb(data, plain, np.zeros((N, d)), told=told)


def _started(data: Reactions, single: Fitted, count: int, rng: np.random.Generator, told: Climbed) -> Fitted:
    """A climb from groups of users whose coefficients, as one segment sees them, lie close together."""
    at = blended(single.users)
    spread = np.maximum(at.std(axis=0), 1e-6)
    group = _grouped(at / np.maximum(spread, np.median(spread)), count, rng)
    share = np.maximum(np.bincount(group, minlength=count) / len(group), 1.0 / len(group))
    own = [at[group == s] for s in range(count)]
    mean = np.stack([c.mean(axis=0) if len(c) else at[rng.integers(len(at))] for c in own])
    sd = np.stack([np.maximum(c.std(axis=0), 0.2) if len(c) > 2 else np.maximum(spread, 0.2) for c in own])
    people = Population(share / share.sum(), mean, sd, single.people.cuts)
    return climb(data, people, at, told=told)


def _grouped(points: F64, count: int, rng: np.random.Generator) -> F64:
    """The group (N,) of each point: k-means from seeds that lie apart (Arthur and Vassilvitskii 2007)."""
    centres = [points[rng.integers(len(points))]]
    while len(centres) < count:
        distance = np.min([((points - c) ** 2).sum(axis=1) for c in centres], axis=0)
        total = float(distance.sum())
        centres.append(points[rng.choice(len(points), p=distance / total) if total else rng.integers(len(points))])
    middle = np.array(centres)
    group = np.zeros(len(points), np.int64)
    for _ in range(20):
        group = ((points[:, None] - middle) ** 2).sum(axis=2).argmin(axis=1)
        middle = np.array([points[group == s].mean(axis=0) if (group == s).any() else middle[s] for s in range(count)])
    return np.asarray(group)
