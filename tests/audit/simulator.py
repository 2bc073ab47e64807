"""A recommender written the plainest way, one decision at a time, to make logs for the audit's tests.

It shares nothing with the package but the table schemas. Faults are subclasses with one method of their own.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from oo_sim.logs.schema import DECISIONS, LEARNINGS

F64 = NDArray[np.float64]
Row = dict[str, Any]

OO5 = ["hour_sin", "hour_cos", "is_overdue", "task_age", "priority"]
OO7 = [*OO5, "dow_sin", "dow_cos"]
CLOCK, TASK = ["hour_sin", "hour_cos", "dow_sin", "dow_cos"], ["is_overdue", "task_age", "priority", "is_llm"]
OO7X = [*OO7, "is_llm", *(f"{c}*{t}" for c in CLOCK for t in TASK)]
NAMES = {"oo5": OO5, "oo7": OO7, "oo7x": OO7X, "none": [], "truth": ["expected_reward"]}
REACTIONS = {"dismiss": -1.0, "not_helpful": -0.5, "snooze": 0.0, "helpful": 0.5, "done": 1.0}

DEFAULTS: dict[str, Row] = {
    "linucb": {"alpha": 1.0, "features": "oo5", "prior": 1.0},
    "egreedy": {"epsilon": 0.2, "decay": 0.0, "features": "oo7", "prior": 1.0},
    "greedy": {"features": "oo7", "prior": 1.0},
    "softmax": {"temperature": 0.2, "features": "oo7", "prior": 1.0},
    "random": {"features": "none"},
    "oracle": {"features": "truth"},
}
SEED = 20_260


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 on Python's integers."""
    c, k, low = list(counter), list(key), 0xFFFFFFFF
    for _ in range(10):
        first, second = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(second >> 32) ^ c[1] ^ k[0], second & low, (first >> 32) ^ c[3] ^ k[1], first & low]
        k = [(k[0] + 0x9E3779B9) & low, (k[1] + 0xBB67AE85) & low]
    return c


def uniforms(seed: int, replicate: int, user: str, t: int) -> tuple[float, float]:
    """The two uniforms of a decision."""
    word = int.from_bytes(hashlib.blake2b(user.encode(), digest_size=8).digest(), "little")
    w = philox([word & 0xFFFFFFFF, word >> 32, t, 8 << 16], [seed, replicate])
    return ((w[0] >> 5) * 2**26 + (w[1] >> 6)) / 2**53, ((w[2] >> 5) * 2**26 + (w[3] >> 6)) / 2**53


class Task(NamedTuple):
    """What is offered."""

    source: str
    is_overdue: bool
    task_age_days: float
    priority: int


class Simulator:
    """One policy, simulated for a few users; every method is a place where a fault may sit."""

    def __init__(self, policy: str, users: int = 10, rounds: int = 50, **parameters: Any) -> None:
        self.policy, self.users, self.rounds = policy, users, rounds
        self.parameters = DEFAULTS[policy] | parameters
        self.names = NAMES[self.parameters["features"]]
        self.rng = np.random.default_rng(7)
        self.decisions: list[Row] = []
        self.learnings: list[Row] = []
        self.learned = [0] * users

    # What the recommender does.

    def fresh(self) -> tuple[F64, F64]:
        d = len(self.names)
        return self.parameters.get("prior", 1.0) * np.eye(d), np.zeros(d)

    def feature(self, name: str, task: Task, hour: int, day: int) -> float:
        if "*" in name:
            clock, term = name.split("*")
            return self.feature(clock, task, hour, day) * self.feature(term, task, hour, day)
        return {
            "hour_sin": math.sin(2 * math.pi * hour / 24),
            "hour_cos": math.cos(2 * math.pi * hour / 24),
            "dow_sin": math.sin(2 * math.pi * day / 7),
            "dow_cos": math.cos(2 * math.pi * day / 7),
            "is_overdue": float(task.is_overdue),
            "task_age": min(max(task.task_age_days, 0.0), 30.0) / 30.0,
            "priority": (task.priority - 1) / 3.0,
            "is_llm": float(task.source == "llm"),
        }[name]

    def encode(self, tasks: list[Task], hour: int, day: int) -> list[list[float]]:
        return [[self.feature(name, task, hour, day) for name in self.names] for task in tasks]

    def used(self, x: list[list[float]], tasks: list[Task], hour: int, day: int) -> list[list[float]]:
        """The vectors that are scored; they should be those that are logged."""
        return x

    def bonus(self, variance: float) -> float:
        return float(self.parameters["alpha"]) * math.sqrt(variance)

    def scores(self, user: int, t: int, A: F64, b: F64, x: list[list[float]]) -> list[float]:
        if self.policy == "random":
            return [0.0] * len(x)
        if self.policy == "oracle":
            return [row[0] for row in x]
        theta = np.linalg.solve(A, b)
        mean = [float(np.dot(theta, row)) for row in x]
        if self.policy != "linucb":
            return mean
        return [m + self.bonus(float(np.dot(row, np.linalg.solve(A, row)))) for m, row in zip(mean, x, strict=True)]

    def best(self, scores: list[float]) -> int:
        return scores.index(max(scores))

    def epsilon(self, t: int) -> float:
        return float(self.parameters.get("epsilon", 0.0)) / (1 + float(self.parameters.get("decay", 0.0)) * t)

    def probs(self, scores: list[float], t: int) -> list[float]:
        if self.policy == "random":
            return [1 / len(scores)] * len(scores)
        if self.policy == "softmax":
            weights = [math.exp((s - max(scores)) / self.parameters["temperature"]) for s in scores]
            return [w / sum(weights) for w in weights]
        epsilon, best = self.epsilon(t), self.best(scores)
        return [epsilon / len(scores) + (1 - epsilon if k == best else 0.0) for k in range(len(scores))]

    def drawn_from(self, probs: list[float], scores: list[float], t: int) -> list[float]:
        """The probabilities that the draw uses; they should be those that are logged."""
        return probs

    def uniforms(self, user: str, t: int) -> tuple[float, float]:
        return uniforms(SEED, 0, user, t)

    def pick(self, probs: list[float], uniform: float) -> int:
        total = 0.0
        for k, p in enumerate(probs):
            total += p
            if total > uniform:
                return k
        return max(k for k, p in enumerate(probs) if p > 0)

    def learn(self, A: F64, b: F64, x: list[float], reward: float) -> None:
        A += np.outer(x, x)
        b += reward * np.asarray(x)

    def update(self, user: int, state: list[tuple[F64, F64]], x: list[float], reward: float) -> None:
        self.learn(*state[user], x, reward)

    def reward(self, reaction: str) -> float:
        return REACTIONS[reaction]

    def log_decision(self, row: Row) -> Row:
        return row

    def log_learning(self, row: Row) -> list[Row]:
        return [row]

    # The world, and the loop.

    def offer(self) -> list[Task]:
        tasks = [
            Task("todoist", age > 0, float(age), int(self.rng.integers(1, 3)))
            for age in self.rng.choice([-4, 0, 3, 9, 40], int(self.rng.integers(3, 7))).tolist()
        ]
        return [*tasks, Task("llm", False, 0.0, 1)]

    def taste(self, task: Task, hour: int, day: int) -> float:
        feature = [self.feature(name, task, hour, day) for name in OO7]
        return float(np.tanh(np.dot(feature, [0.5, -0.4, 0.6, -0.5, 0.4, 0.3, 0.1])))

    def react(self, taste: float) -> str | None:
        if self.rng.random() < 0.1:
            return None
        ladder = list(REACTIONS)
        return ladder[int(np.clip(round(2 + 2 * taste + self.rng.normal()), 0, 4))]

    def run(self) -> tuple[pa.Table, pa.Table]:
        """The log's decisions and learnings."""
        state = [self.fresh() for _ in range(self.users)]
        for t in range(self.rounds):
            for user in range(self.users):
                self.decide(user, t, state)
        return pa.Table.from_pylist(self.decisions, DECISIONS), pa.Table.from_pylist(self.learnings, LEARNINGS)

    def decide(self, user: int, t: int, state: list[tuple[F64, F64]]) -> None:
        name, hour, day = f"user-{user}", int(self.rng.integers(24)), int(self.rng.integers(7))
        tasks = self.offer()
        truth = [self.taste(task, hour, day) for task in tasks]
        x = [[value] for value in truth] if self.policy == "oracle" else self.encode(tasks, hour, day)
        scores = self.scores(user, t, *state[user], self.used(x, tasks, hour, day))
        probs = self.probs(scores, t)
        u1, u2 = self.uniforms(name, t)
        k = self.pick(self.drawn_from(probs, scores, t), u1)
        explored = None
        if self.policy == "random":
            explored = True
        if self.policy == "egreedy":
            explored = u2 * probs[k] < self.epsilon(t) / len(tasks)
        key = {"policy": self.policy, "replicate": 0, "user_id": name, "decision_id": f"{user}/{t}"}
        self.decisions.append(
            self.log_decision(
                key
                | {"policy_hash": "", "t": t, "hour": hour, "day": day, "x": x, "probs": probs, "chosen": k}
                | {"candidates": [{"id": str(i), **task._asdict()} for i, task in enumerate(tasks)]}
                | {"propensity": probs[k], "score": scores[k], "explored": explored}
                | {"expected_reward": truth[k], "best_expected_reward": max(truth)}
            )
        )
        reaction = self.react(truth[k])
        if reaction is None:
            return
        reward = self.reward(reaction)
        self.update(user, state, x[k], reward)
        self.learned[user] += 1
        self.learnings += self.log_learning(
            key
            | {"seq": self.learned[user] - 1, "kind": "reward", "x": x[k], "reaction": reaction}
            | {"reward": reward, "t_decided": t, "t_now": t}
        )

    def manifest(self) -> Row:
        """What the log's manifest says."""
        features = {"name": self.parameters["features"], "names": self.names}
        entry = {"label": self.policy, "name": self.policy, "parameters": self.parameters, "features": features}
        return {"policies": [entry], "seed": SEED, "has_reactions": True}
