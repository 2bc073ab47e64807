"""The naive handler that speed is measured against: one user, one request at a time, as a first version is written.

It inverts A once a request, builds each candidate's vector in Python, and scores one after the other. Its candidates
are ready-made and its rewards drawn beforehand, so it is favoured: a simulation would have to make them as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64


class Request(NamedTuple):
    """One decision to make: candidates as dicts of raw features, the context, and the reward that will come."""

    candidates: list[dict[str, float]]
    hour: int
    day: int
    reward: float


class Naive(NamedTuple):
    """How a naive policy scores (theta, A^-1, x, rng) and picks from the scores, and how many features it reads."""

    d: int
    score: Callable[[F64, F64, F64], float]
    pick: Callable[[list[float], np.random.Generator], int]
    sample: bool = False  # scores with a draw from the posterior instead of its mean


def _mean(theta: F64, inverse: F64, x: F64) -> float:
    return float(theta @ x)


def _ucb(theta: F64, inverse: F64, x: F64) -> float:
    return float(theta @ x + math.sqrt(x @ inverse @ x))


def _first_best(scores: list[float], rng: np.random.Generator) -> int:
    return scores.index(max(scores))


def _epsilon(scores: list[float], rng: np.random.Generator) -> int:
    return int(rng.integers(len(scores))) if rng.random() < 0.1 else _first_best(scores, rng)


def _boltzmann(scores: list[float], rng: np.random.Generator) -> int:
    weights = np.exp((np.array(scores) - max(scores)) / 0.1)
    return int(rng.choice(len(scores), p=weights / weights.sum()))


NAIVE = {
    "linucb": Naive(5, _ucb, _first_best),
    "egreedy": Naive(7, _mean, _epsilon),
    "greedy": Naive(7, _mean, _first_best),
    "softmax": Naive(7, _mean, _boltzmann),
    "thompson": Naive(7, _mean, _first_best, sample=True),
}
"""A naive handler for each built-in policy that learns."""


def requests(count: int, K: int, seed: int = 1) -> list[Request]:
    """Ready-made requests with K candidates each."""
    rng = np.random.default_rng(seed)
    return [
        Request(
            [
                {
                    "is_overdue": float(rng.random() < 0.5),
                    "task_age_days": float(rng.integers(-14, 14)),
                    "priority": float(rng.integers(1, 5)),
                }
                for _ in range(K)
            ],
            int(rng.integers(24)),
            int(rng.integers(7)),
            float(rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0])),
        )
        for _ in range(count)
    ]


def vector(candidate: dict[str, float], hour: int, day: int, d: int) -> F64:
    """One candidate's features: oo5, or oo7 where d is 7."""
    x = [
        math.sin(2 * math.pi * hour / 24),
        math.cos(2 * math.pi * hour / 24),
        candidate["is_overdue"],
        min(max(candidate["task_age_days"], 0.0), 30.0) / 30.0,
        (candidate["priority"] - 1.0) / 3.0,
    ]
    if d == 7:
        x += [math.sin(2 * math.pi * day / 7), math.cos(2 * math.pi * day / 7)]
    return np.array(x)


def handle(policy: Naive, stream: list[Request], seed: int = 1) -> int:
    """Serve the requests one by one and learn from each reward; returns how many there were."""
    rng = np.random.default_rng(seed)
    A, b = np.eye(policy.d), np.zeros(policy.d)
    for request in stream:
        inverse = np.linalg.inv(A)
        theta = inverse @ b
        if policy.sample:
            theta = np.asarray(rng.multivariate_normal(theta, 0.25 * inverse), dtype=np.float64)
        vectors, scores = [], []
        for candidate in request.candidates:
            x = vector(candidate, request.hour, request.day, policy.d)
            vectors.append(x)
            scores.append(policy.score(theta, inverse, x))
        chosen = vectors[policy.pick(scores, rng)]
        A += np.outer(chosen, chosen)
        b += request.reward * chosen
    return len(stream)
