"""Who the users of a world are: their draws by address, what each of them prefers, and how that drifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from oo_sim.audit import philox
from oo_sim.audit.arrays import F64, I64, U64, Bool

CLOCK = ("hour_sin", "hour_cos", "dow_sin", "dow_cos")
CANDIDATE = ("is_overdue", "task_age", "priority", "is_llm")
TERMS = (
    *("intercept", "hour_sin", "hour_cos", "is_overdue", "task_age", "priority", "dow_sin", "dow_cos", "is_llm"),
    *(f"{clock}*{candidate}" for clock in CLOCK for candidate in CANDIDATE),
)
_AHEAD = 4096
"""About how many lanes' and rounds' numbers are drawn at once."""


class Lanes:
    """The users of a shard, hashed, and their replicates, both (n,)."""

    def __init__(self, users: U64, replicates: I64, seed: int) -> None:
        self.users, self.replicates, self.seed = users, replicates, seed
        self.n = len(users)
        self._ahead: dict[tuple[int, int], tuple[int, F64]] = {}

    def uniforms(self, purpose: int, r: int, count: int, since: I64 | int = 0) -> F64:
        """Uniforms (count, n) of round r, counted from the round `since`; they are drawn some rounds ahead."""
        first, found = self._ahead.get((purpose, count), (0, np.empty((count, 0, self.n))))
        if not first <= r < first + found.shape[1]:
            rounds = max(1, _AHEAD // max(self.n, 1))
            t = (np.arange(r, r + rounds)[:, None] - since + np.zeros(self.n, np.int64)).reshape(-1)
            who = np.tile(self.replicates, rounds), np.tile(self.users, rounds)
            first, found = r, philox.uniforms(self.seed, *who, t, purpose, count).reshape(count, rounds, self.n)
            self._ahead[purpose, count] = first, found
        return found[:, r - first]

    def normals(self, purpose: int, r: int, count: int) -> F64:
        """Standard normal draws likewise."""
        return philox.quantile(self.uniforms(purpose, r, count))

    def own(self, purpose: int, place: int, count: int) -> F64:
        """Uniforms (count, n) that are the same in all rounds and replicates."""
        nowhere = np.full(self.n, philox.POPULATION), self.users, np.full(self.n, place)
        return philox.uniforms(self.seed, *nowhere, purpose, count)


def cdf(weights: Sequence[float]) -> F64:
    """Cumulative probabilities of weights."""
    total = np.cumsum(np.asarray(weights, np.float64))
    return np.asarray(total / total[-1])


def category(uniform: F64, cumulative: F64) -> I64:
    """The category that a uniform falls into."""
    return np.asarray(np.searchsorted(cumulative[:-1], uniform, side="right"), np.int64)


class People:
    """Who the users are and what they prefer, round by round."""

    def __init__(self, spec: Mapping[str, Any], lanes: Lanes) -> None:
        self.spec, self.lanes = spec, lanes
        self.segments = spec["segments"]
        u = lanes.own(philox.SEGMENT, 0, 1)[0]
        self.which = category(u, cdf([segment["weight"] for segment in self.segments]))
        self.z = philox.quantile(lanes.own(philox.PREFERENCE, 0, len(TERMS)))
        self.start = np.zeros((len(TERMS), lanes.n))
        for j, segment in enumerate(self.segments):
            self.start[:, self.which == j] = self._of(segment["preferences"])[:, self.which == j]
        self.walked = np.zeros_like(self.start)
        self.concerned = [self._concerned(j, drift) for j, drift in enumerate(spec.get("drift") or ())]

    def _of(self, preferences: Mapping[str, Any]) -> F64:
        """mean + sd z of each term; 0 of those that are not preferred."""
        mean = np.array([[preferences.get(term, {}).get("mean", 0.0)] for term in TERMS])
        sd = np.array([[preferences.get(term, {}).get("sd", 0.0)] for term in TERMS])
        return np.asarray(mean + sd * self.z)

    def _concerned(self, j: int, drift: Mapping[str, Any]) -> Bool:
        u = self.lanes.own(philox.DRIFT, j, 1)[0]
        named = drift.get("segments") or [segment["name"] for segment in self.segments]
        members = np.isin(self.which, [i for i, segment in enumerate(self.segments) if segment["name"] in named])
        return np.asarray(members & (u < drift.get("share", 1.0)))

    def coefficients(self, r: int, day: I64) -> F64:
        """theta (25, n) in round r: changes are laid over each other in the order of the file."""
        theta = self.start
        for drift, concerned in zip(self.spec.get("drift") or (), self.concerned, strict=True):
            if drift.get("random_walk"):
                continue
            terms = np.ones((len(TERMS), 1), np.bool_)
            if drift.get("become"):
                [target] = [s["preferences"] for s in self.segments if s["name"] == drift["become"]]
            else:
                target = drift["preferences"]
                terms = np.array([[term in target] for term in TERMS])
            w = self._weight(drift, r, day) * concerned * terms
            theta = theta + w * (self._of(target) - theta)
        return np.asarray(theta + self.walked)

    def _weight(self, drift: Mapping[str, Any], r: int, day: I64) -> F64:
        if drift.get("abrupt"):
            return np.full(len(day), 1.0 if r >= drift["abrupt"]["at"] else 0.0)
        if drift.get("gradual"):
            start, end = drift["gradual"]["start"], drift["gradual"]["end"]
            return np.full(len(day), min(max((r - start) / (end - start), 0.0), 1.0))
        return np.isin(day, drift["periodic"]["days"]).astype(np.float64)

    def walk(self, r: int) -> None:
        """The steps into round r."""
        for j, drift in enumerate(self.spec.get("drift") or ()):
            if not drift.get("random_walk"):
                continue
            sd = drift["random_walk"]["sd_per_day"] / np.sqrt(self.spec["clock"]["decisions_per_day"])
            steps = self.lanes.normals(philox.DRIFT, r, (j + 1) * len(TERMS))[j * len(TERMS) :]
            prefers = np.array([[term in segment["preferences"] for segment in self.segments] for term in TERMS])
            self.walked = self.walked + sd * steps * prefers[:, self.which] * self.concerned[j]
