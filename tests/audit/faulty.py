"""Recommenders that are wrong in one place each."""

from __future__ import annotations

import math

import numpy as np

from .simulator import F64, Row, Simulator, Task, uniforms


class WrongSign(Simulator):
    def learn(self, A: F64, b: F64, x: list[float], reward: float) -> None:
        super().learn(A, b, x, -reward)


class StaleHour(Simulator):
    hour = 0

    def encode(self, tasks: list[Task], hour: int, day: int) -> list[list[float]]:
        before, self.hour = self.hour, hour
        return super().encode(tasks, before, day)


class HourLater(Simulator):
    def encode(self, tasks: list[Task], hour: int, day: int) -> list[list[float]]:
        return super().encode(tasks, (hour + 1) % 24, day)


class StaleHourUnlogged(Simulator):
    hour = 0

    def used(self, x: list[list[float]], tasks: list[Task], hour: int, day: int) -> list[list[float]]:
        before, self.hour = self.hour, hour
        return self.encode(tasks, before, day)


class NoDay(Simulator):
    def feature(self, name: str, task: Task, hour: int, day: int) -> float:
        return 0.0 if name.startswith("dow") else super().feature(name, task, hour, day)


class AgeOffByOne(Simulator):
    def feature(self, name: str, task: Task, hour: int, day: int) -> float:
        return super().feature(name, task._replace(task_age_days=task.task_age_days + 1), hour, day)


class AgeUncapped(Simulator):
    def feature(self, name: str, task: Task, hour: int, day: int) -> float:
        return task.task_age_days / 30.0 if name == "task_age" else super().feature(name, task, hour, day)


class TipsAsTasks(Simulator):
    def feature(self, name: str, task: Task, hour: int, day: int) -> float:
        return super().feature(name, task._replace(source="todoist"), hour, day)


class EpsilonDoubled(Simulator):
    def epsilon(self, t: int) -> float:
        return 2 * super().epsilon(t)


class EpsilonZero(Simulator):
    def epsilon(self, t: int) -> float:
        return 0.0


class EpsilonDoubledUnlogged(Simulator):
    def drawn_from(self, probs: list[float], scores: list[float], t: int) -> list[float]:
        best = self.best(scores)
        return [2 * p if k != best else 1 - 2 * (1 - p) for k, p in enumerate(probs)]


class NeverExplores(Simulator):
    def drawn_from(self, probs: list[float], scores: list[float], t: int) -> list[float]:
        return [float(k == self.best(scores)) for k in range(len(probs))]


class DecayIgnored(Simulator):
    def epsilon(self, t: int) -> float:
        return float(self.parameters["epsilon"])


class TemperatureDoubled(Simulator):
    def probs(self, scores: list[float], t: int) -> list[float]:
        return super().probs([s / 2 for s in scores], t)


class LastOnTie(Simulator):
    def best(self, scores: list[float]) -> int:
        return max(k for k, s in enumerate(scores) if s == max(scores))


class SecondBest(Simulator):
    def best(self, scores: list[float]) -> int:
        return int(np.argsort(scores, kind="stable")[-2])


class SumNotOne(Simulator):
    def probs(self, scores: list[float], t: int) -> list[float]:
        return [p * 0.99 for p in super().probs(scores, t)]


class PropensityOne(Simulator):
    def log_decision(self, row: Row) -> Row:
        return row | {"propensity": 1.0}


class PropensityMissing(Simulator):
    def log_decision(self, row: Row) -> Row:
        return row | {"propensity": None}


class GreedyScoreLogged(Simulator):
    """The score of the best candidate is logged rather than that of the one served."""

    def scores(self, user: int, t: int, A: F64, b: F64, x: list[list[float]]) -> list[float]:
        self.top = max(super().scores(user, t, A, b, x))
        return super().scores(user, t, A, b, x)

    def log_decision(self, row: Row) -> Row:
        return row | {"score": self.top}


class ExploredNever(Simulator):
    def log_decision(self, row: Row) -> Row:
        return row | {"explored": False}


class ExploredUnlogged(Simulator):
    def log_decision(self, row: Row) -> Row:
        return row | {"explored": None}


class NoRoot(Simulator):
    def bonus(self, variance: float) -> float:
        return float(self.parameters["alpha"]) * variance


class AlphaHalved(Simulator):
    def bonus(self, variance: float) -> float:
        return super().bonus(variance) / 2


class AlphaDoubled(Simulator):
    def bonus(self, variance: float) -> float:
        return super().bonus(variance) * 2


class NoRegularisation(Simulator):
    def fresh(self) -> tuple[F64, F64]:
        d = len(self.names)
        return 1e-6 * np.eye(d), np.zeros(d)


class UpdatesLost(Simulator):
    def learn(self, A: F64, b: F64, x: list[float], reward: float) -> None:
        if self.rng.random() > 0.01:
            super().learn(A, b, x, reward)


class UpdatesTwice(Simulator):
    def learn(self, A: F64, b: F64, x: list[float], reward: float) -> None:
        for _ in range(1 + int(self.rng.random() < 0.01)):
            super().learn(A, b, x, reward)


class Float32State(Simulator):
    def learn(self, A: F64, b: F64, x: list[float], reward: float) -> None:
        super().learn(A, b, x, reward)
        A[:], b[:] = A.astype(np.float32), b.astype(np.float32)


class ThetaStale(Simulator):
    """theta is refreshed every 10th decision only."""

    def scores(self, user: int, t: int, A: F64, b: F64, x: list[list[float]]) -> list[float]:
        if t % 10 == 0:
            self.kept: dict[int, tuple[F64, F64]] = getattr(self, "kept", {}) | {user: (A.copy(), b.copy())}
        A, b = self.kept[user]
        return super().scores(user, t, A, b, x)


class RewardLate(Simulator):
    """Each reward is learned one round late."""

    def update(self, user: int, state: list[tuple[F64, F64]], x: list[float], reward: float) -> None:
        waiting = self.__dict__.setdefault("waiting", {})
        if user in waiting:
            super().update(user, state, *waiting[user])
        waiting[user] = x, reward


class NoUpdateAtZero(Simulator):
    def learn(self, A: F64, b: F64, x: list[float], reward: float) -> None:
        if reward != 0.0:
            super().learn(A, b, x, reward)


class WrongUser(Simulator):
    def update(self, user: int, state: list[tuple[F64, F64]], x: list[float], reward: float) -> None:
        super().update((user + 1) % self.users, state, x, reward)


class PreviousVector(Simulator):
    """Learns (and logs) the vector of the decision before."""

    def decide(self, user: int, t: int, state: list[tuple[F64, F64]]) -> None:
        super().decide(user, t, state)
        self.before = self.decisions[-1]

    def log_learning(self, row: Row) -> list[Row]:
        before = getattr(self, "before", self.decisions[-1])
        return [row | {"x": before["x"][before["chosen"]]}]


class LoggedTwice(Simulator):
    def log_learning(self, row: Row) -> list[Row]:
        user = int(row["user_id"].removeprefix("user-"))
        self.learned[user] += 1
        return [row, row | {"seq": row["seq"] + 1}]


class LearningUnlogged(Simulator):
    def log_learning(self, row: Row) -> list[Row]:
        return [row] if self.rng.random() > 0.05 else []


class RewardsSwapped(Simulator):
    def reward(self, reaction: str) -> float:
        return super().reward({"done": "helpful", "helpful": "done"}.get(reaction, reaction))


class RewardsClipped(Simulator):
    def reward(self, reaction: str) -> float:
        return max(0.0, super().reward(reaction))


class RewardTooLarge(Simulator):
    def log_learning(self, row: Row) -> list[Row]:
        return [row | {"reward": 2 * row["reward"], "reaction": None}]


class NeverLast(Simulator):
    def pick(self, probs: list[float], uniform: float) -> int:
        return min(super().pick(probs, uniform), len(probs) - 2)


class OtherSeed(Simulator):
    def uniforms(self, user: str, t: int) -> tuple[float, float]:
        return uniforms(1, 0, user, t)


class OneStream(Simulator):
    """All users share the first user's numbers."""

    def uniforms(self, user: str, t: int) -> tuple[float, float]:
        return uniforms(20_260, 0, "user-0", t)


class RoundsSkipped(Simulator):
    def log_decision(self, row: Row) -> Row:
        return row | {"t": row["t"] + (row["t"] >= 20)}

    def log_learning(self, row: Row) -> list[Row]:
        late = row["t_now"] >= 20
        return [row | {"t_now": row["t_now"] + late, "t_decided": row["t_decided"] + late}]


class OracleBlind(Simulator):
    def best(self, scores: list[float]) -> int:
        return 0


class Rounded(Simulator):
    """Scores are rounded to six places before the choice and in the log."""

    def scores(self, user: int, t: int, A: F64, b: F64, x: list[list[float]]) -> list[float]:
        return [math.floor(s * 1e6) / 1e6 for s in super().scores(user, t, A, b, x)]
