"""The naive handler that speed is measured against: one user, one request at a time, as a first version is written.

It inverts A once a request, builds each candidate's vector in Python, and scores one after the other. Its candidates
are ready-made and its rewards drawn beforehand, so it is favoured: a simulation would have to make them as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from oo_sim.bench import learners
from oo_sim.bench.learners import Learner
from oo_sim.contract import F64


class Request(NamedTuple):
    """One decision to make: candidates as dicts of raw features, the context, and the reward that will come."""

    candidates: list[dict[str, float]]
    hour: int
    day: int
    reward: float


class Naive(NamedTuple):
    """How many features a naive policy reads, what it learns with, and how it picks from the scores."""

    d: int
    learner: Callable[[int], Learner]
    pick: Callable[[list[float], np.random.Generator], int]


def _first_best(scores: list[float], rng: np.random.Generator) -> int:
    return scores.index(max(scores))


def _epsilon(scores: list[float], rng: np.random.Generator) -> int:
    return int(rng.integers(len(scores))) if rng.random() < 0.1 else _first_best(scores, rng)


def _boltzmann(scores: list[float], rng: np.random.Generator) -> int:
    weights = np.exp((np.array(scores) - max(scores)) / 0.1)
    return int(rng.choice(len(scores), p=weights / weights.sum()))


def _inverse_gap(scores: list[float], rng: np.random.Generator) -> int:
    best = _first_best(scores, rng)
    weights = [0.0 if k == best else 1.0 / (len(scores) + 100.0 * (scores[best] - s)) for k, s in enumerate(scores)]
    weights[best] = 1.0 - sum(weights)
    return int(rng.choice(len(scores), p=weights))


_UCB, _SAMPLE = partial(learners.Ridge, alpha=1.0), partial(learners.Ridge, sample=True)
NAIVE = {
    "linucb": Naive(5, _UCB, _first_best),
    "egreedy": Naive(7, learners.Ridge, _epsilon),
    "greedy": Naive(7, learners.Ridge, _first_best),
    "softmax": Naive(7, learners.Ridge, _boltzmann),
    "thompson": Naive(7, _SAMPLE, _first_best),
    "squarecb": Naive(7, learners.Ridge, _inverse_gap),
    "bootstrap_ts": Naive(7, learners.Bootstrap, _first_best),
    "logistic_ts": Naive(7, learners.Logistic, _first_best),
    "linucb_disjoint": Naive(7, learners.Disjoint, _first_best),
    "linucb_hybrid": Naive(7, learners.Hybrid, _first_best),
    "restart_linucb": Naive(5, learners.Restarted, _first_best),
    "dlinucb": Naive(5, learners.Discounted, _first_best),
    "swlinucb": Naive(5, learners.Window, _first_best),
}
"""A naive handler for each built-in policy that learns."""


MATRIX: dict[str, Callable[[], learners.Inverse]] = {
    "linucb": partial(learners.Inverse, 5, alpha=1.0),
    "egreedy": partial(learners.Inverse, 7),
    "greedy": partial(learners.Inverse, 7),
    "softmax": partial(learners.Inverse, 7),
    "thompson": partial(learners.Inverse, 7, sample=True),
    "squarecb": partial(learners.Inverse, 7),
}
"""A better handler for those on a plain ridge regression: one user and one request at a time, in matrices."""


def requests(count: int, K: int, seed: int = 1) -> list[Request]:
    """Ready-made requests with K candidates each, of which the last two are LLM tips where K is larger."""
    rng = np.random.default_rng(seed)
    return [
        Request(
            [
                {
                    "is_overdue": float(rng.random() < 0.5),
                    "task_age_days": float(rng.integers(-14, 14)),
                    "priority": float(rng.integers(1, 5)),
                    "is_llm": float(K > 2 and k >= K - 2),
                }
                for k in range(K)
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


def matrix(candidates: list[dict[str, float]], hour: int, day: int, d: int) -> F64:
    """The candidates' features (K, d), column by column."""
    X = np.empty((len(candidates), d))
    X[:, 0], X[:, 1] = math.sin(2 * math.pi * hour / 24), math.cos(2 * math.pi * hour / 24)
    X[:, 2] = [c["is_overdue"] for c in candidates]
    X[:, 3] = np.clip([c["task_age_days"] for c in candidates], 0.0, 30.0) / 30.0
    X[:, 4] = (np.array([c["priority"] for c in candidates]) - 1.0) / 3.0
    if d == 7:
        X[:, 5], X[:, 6] = math.sin(2 * math.pi * day / 7), math.cos(2 * math.pi * day / 7)
    return X


def handle_in_matrices(name: str, stream: list[Request], seed: int = 1) -> int:
    """Serve the requests one by one with the better handler of a policy; returns how many there were."""
    rng, learner, policy = np.random.default_rng(seed), MATRIX[name](), NAIVE[name]
    for request in stream:
        X = matrix(request.candidates, request.hour, request.day, policy.d)
        chosen = policy.pick(learner.scores(X, rng).tolist(), rng)
        learner.learn(X[chosen], request.reward)
    return len(stream)


def handle(policy: Naive, stream: list[Request], seed: int = 1) -> int:
    """Serve the requests one by one and learn from each reward; returns how many there were."""
    rng, learner = np.random.default_rng(seed), policy.learner(policy.d)
    for request in stream:
        score = learner.score(rng)
        vectors, scores = [], []
        for candidate in request.candidates:
            x = vector(candidate, request.hour, request.day, policy.d)
            vectors.append(x)
            scores.append(score(x, candidate["is_llm"] > 0))
        chosen = policy.pick(scores, rng)
        learner.learn(vectors[chosen], request.candidates[chosen]["is_llm"] > 0, request.reward, rng)
    return len(stream)
