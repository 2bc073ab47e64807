"""How naive handlers learn and score: a paper's formulas for one user, in plain NumPy, as a first version has them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from oo_sim.contract import F64

Score = Callable[[F64, bool], float]
"""From a candidate's vector, and whether it is an LLM tip, to its score."""


class Learner(Protocol):
    """One user's model."""

    def score(self, rng: np.random.Generator) -> Score:
        """The scores of this request's candidates."""

    def learn(self, x: F64, tip: bool, reward: float, rng: np.random.Generator) -> None:
        """Learn the reward of the chosen candidate."""


class Ridge:
    """A and b. Scores by the mean, by the mean plus `alpha` standard deviations, or by a draw of theta."""

    def __init__(self, d: int, alpha: float = 0.0, sample: bool = False) -> None:
        self.alpha, self.sample = alpha, sample
        self.A: F64 = np.eye(d)
        self.b: F64 = np.zeros(d)

    def score(self, rng: np.random.Generator) -> Score:
        inverse = np.asarray(np.linalg.inv(self.A), np.float64)
        theta = self.mode(inverse)
        if self.sample:
            theta = theta + 0.5 * np.linalg.cholesky(inverse) @ rng.standard_normal(len(theta))
        if not self.alpha:
            return lambda x, tip: float(theta @ x)
        return lambda x, tip: float(theta @ x + self.alpha * math.sqrt(x @ inverse @ x))

    def mode(self, inverse: F64) -> F64:
        """The mean of theta."""
        return np.asarray(inverse @ self.b)

    def learn(self, x: F64, tip: bool, reward: float, rng: np.random.Generator) -> None:
        self.A += np.outer(x, x)
        self.b += reward * x


class Inverse:
    """The same as `Ridge` by someone who knows matrices: A's inverse is kept (Sherman & Morrison 1950), and all
    candidates are scored at once."""

    def __init__(self, d: int, alpha: float = 0.0, sample: bool = False) -> None:
        self.alpha, self.sample = alpha, sample
        self.inverse: F64 = np.eye(d)
        self.theta: F64 = np.zeros(d)

    def scores(self, X: F64, rng: np.random.Generator) -> F64:
        """A score for each of the candidates X (K, d)."""
        theta = self.theta
        if self.sample:
            theta = theta + 0.5 * np.linalg.cholesky(self.inverse) @ rng.standard_normal(len(theta))
        if not self.alpha:
            return np.asarray(X @ theta)
        return np.asarray(X @ theta + self.alpha * np.sqrt(((X @ self.inverse) * X).sum(axis=1)))

    def learn(self, x: F64, reward: float) -> None:
        """Learn the reward of the chosen candidate."""
        v = self.inverse @ x
        gain = 1.0 / (1.0 + x @ v)
        self.theta = self.theta + gain * (reward - x @ self.theta) * v
        self.inverse -= np.outer(gain * v, v)


class Discounted(Ridge):
    """Russac et al. 2019, Alg. 1, with gamma 0.99."""

    def __init__(self, d: int) -> None:
        super().__init__(d, 1.0)
        self.W: F64 = np.eye(d)

    def score(self, rng: np.random.Generator) -> Score:
        inverse = np.linalg.inv(self.A)
        theta, spread = inverse @ self.b, inverse @ self.W @ inverse
        return lambda x, tip: float(theta @ x + math.sqrt(x @ spread @ x))

    def learn(self, x: F64, tip: bool, reward: float, rng: np.random.Generator) -> None:
        gamma, outer, one = 0.99, np.outer(x, x), np.eye(len(x))
        self.A = gamma * self.A + outer + (1 - gamma) * one
        self.W = gamma**2 * self.W + outer + (1 - gamma**2) * one
        self.b = gamma * self.b + reward * x


class Window(Ridge):
    """Cheung et al. 2019, Alg. 1, with a window of 100."""

    def __init__(self, d: int) -> None:
        super().__init__(d, 1.0)
        self.past: deque[tuple[F64, float]] = deque()

    def learn(self, x: F64, tip: bool, reward: float, rng: np.random.Generator) -> None:
        super().learn(x, tip, reward, rng)
        self.past.append((x, reward))
        if len(self.past) > 100:
            old, gained = self.past.popleft()
            self.A -= np.outer(old, old)
            self.b -= gained * old


class Restarted(Ridge):
    """Zhao et al. 2020, Alg. 1, with a period of 200."""

    def __init__(self, d: int) -> None:
        super().__init__(d, 1.0)
        self.rounds = 0

    def learn(self, x: F64, tip: bool, reward: float, rng: np.random.Generator) -> None:
        super().learn(x, tip, reward, rng)
        self.rounds += 1
        if self.rounds % 200 == 0:
            self.A, self.b = np.eye(len(x)), np.zeros(len(x))


class Disjoint:
    """Li et al. 2010, Alg. 1: a model for tasks and one for tips."""

    def __init__(self, d: int) -> None:
        self.models = Ridge(d, 1.0), Ridge(d, 1.0)

    def score(self, rng: np.random.Generator) -> Score:
        task, tip = (model.score(rng) for model in self.models)
        return lambda x, is_tip: tip(x, True) if is_tip else task(x, False)

    def learn(self, x: F64, tip: bool, reward: float, rng: np.random.Generator) -> None:
        self.models[tip].learn(x, tip, reward, rng)


class Hybrid:
    """Li et al. 2010, Alg. 2, with z = x."""

    def __init__(self, d: int) -> None:
        self.A0: F64 = np.eye(d)
        self.b0: F64 = np.zeros(d)
        self.kinds = [(np.eye(d), np.zeros((d, d)), np.zeros(d)) for _ in range(2)]

    def score(self, rng: np.random.Generator) -> Score:
        A0 = np.linalg.inv(self.A0)
        beta = A0 @ self.b0
        parts = [(inverse := np.linalg.inv(A), inverse @ B, inverse @ (b - B @ beta)) for A, B, b in self.kinds]

        def scored(x: F64, tip: bool) -> float:
            inverse, AB, theta = parts[tip]
            z = A0 @ x
            s = x @ z - 2 * (AB @ z) @ x + x @ inverse @ x + x @ AB @ A0 @ AB.T @ x
            return float(x @ beta + x @ theta + math.sqrt(s))

        return scored

    def learn(self, x: F64, tip: bool, reward: float, rng: np.random.Generator) -> None:
        A, B, b = self.kinds[tip]
        inverse = np.linalg.inv(A)
        self.A0 += B.T @ inverse @ B
        self.b0 += B.T @ inverse @ b
        outer = np.outer(x, x)
        A, B, b = A + outer, B + outer, b + reward * x
        inverse = np.linalg.inv(A)
        self.A0 += outer - B.T @ inverse @ B
        self.b0 += reward * x - B.T @ inverse @ b
        self.kinds[tip] = A, B, b


class Logistic(Ridge):
    """Chapelle & Li 2011, Alg. 3, with the full precision A and one observation a step; b is the mode."""

    def __init__(self, d: int) -> None:
        super().__init__(d, sample=True)

    def mode(self, inverse: F64) -> F64:
        return self.b

    def learn(self, x: F64, tip: bool, reward: float, rng: np.random.Generator) -> None:
        v, target = np.linalg.solve(self.A, x), (reward + 1) / 2
        start, spread = float(x @ self.b), float(x @ v)
        u = start
        for _ in range(10):
            p = 1 / (1 + math.exp(-u))
            step = (u - start - spread * (target - p)) / (1 + spread * p * (1 - p))
            u -= step
            if abs(step) < 1e-10:
                break
        p = 1 / (1 + math.exp(-u))
        self.b = self.b + (target - p) * v
        self.A += p * (1 - p) * np.outer(x, x)


class Bootstrap:
    """Eckles & Kaptein 2014: ten regressions, double or nothing; a random one serves, and only that one is solved."""

    def __init__(self, d: int) -> None:
        self.models = [Ridge(d) for _ in range(10)]

    def score(self, rng: np.random.Generator) -> Score:
        return self.models[rng.integers(10)].score(rng)

    def learn(self, x: F64, tip: bool, reward: float, rng: np.random.Generator) -> None:
        for model, u in zip(self.models, rng.random(10), strict=True):
            if u < 0.5:
                model.A += 2 * np.outer(x, x)
                model.b += 2 * reward * x
