"""The worlds of docs/dynamics.md and scenarios/README.md, drawn again from their addresses, round by round.

Own code throughout: people, clock, candidates, reactions, delays, silences, drift, fatigue, churn, arrivals, backlogs.
What a policy chose is taken from the log. Shapes: K candidates, n lanes, N decisions; r is a round of the run, from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from oo_sim.audit import philox
from oo_sim.audit.arrays import F64, I64, Bool
from oo_sim.audit.people import CANDIDATE, CLOCK, TERMS, Lanes, People, category, cdf

REACTIONS = ("dismiss", "not_helpful", "snooze", "helpful", "done")
REWARDS = np.array([-1.0, -0.5, 0.0, 0.5, 1.0, 0.0])
SILENT = 5
"""The code of a decision without a reaction."""
_NEAR = 1e-9
"""A delay this near to a whole number may be rounded either way."""


class Offer(NamedTuple):
    """What should be on offer in a round: columns (K, n), the clock (n,), true expected rewards (K, n); `x` (K, d, n)
    in a linear world. `serial` is -1 for what is about no task."""

    hour: I64
    day: I64
    standing: Bool
    is_overdue: Bool
    age: F64
    priority: F64
    is_llm: Bool
    serial: I64
    expected: F64
    x: F64 | None = None
    possible: F64 | None = None  # (V, K, n), the expected rewards that a candidate may have, where there are several
    free: Bool | None = None  # (K, n), where it may be any


class Answer(NamedTuple):
    """How users answer what was chosen (n,): code and reward of the reaction (-1 in a linear world), whether it is
    reported, the delay in rounds (-1 where it never arrives), and whether the delay is beyond doubt."""

    reaction: I64
    reward: F64
    reported: Bool
    delay: I64
    sure: Bool


class Feedback:
    """When rewards arrive: a share is never reported, the others come some rounds later, within a window."""

    def __init__(self, spec: Mapping[str, Any] | None, lanes: Lanes) -> None:
        self.spec, self.lanes = spec or {}, lanes
        self.delay: Mapping[str, Any] = self.spec.get("delay") or {}
        self.window = int(self.spec.get("window", 200)) if self.delay else 0
        missing = self.spec.get("missing") or {}
        self.rate = float(missing.get("rate", 0.0))
        self.by_reaction = np.array([missing.get("by_reaction", {}).get(name, 0.0) for name in (*REACTIONS, "")])
        self.by_source = np.array([missing.get("by_source", {}).get(name, 0.0) for name in ("task", "llm")])

    def answer(self, r: int, since: I64, reaction: I64, reward: F64, speaks: Bool, is_llm: Bool) -> Answer:
        """What becomes of reactions in round r, counted from the lanes' first, `since` (n,)."""
        u = self.lanes.uniforms(philox.FEEDBACK, r, 2, since)
        silent = 1.0 - (1.0 - self.rate) * (1.0 - np.where(reaction >= 0, self.by_reaction[reaction], 0.0)) * (
            1.0 - self.by_source[is_llm.astype(np.int64)]
        )
        length = self._length(u[0])
        delay = np.floor(length + _NEAR).astype(np.int64)
        sure = (delay == np.floor(length - _NEAR)) | (not self.delay) | ("constant" in self.delay)
        reported = speaks & (u[1] >= silent)
        return Answer(reaction, reward, reported, np.where(delay <= self.window, delay, -1), np.asarray(sure))

    def _length(self, u: F64) -> F64:
        d = self.delay
        if "geometric" in d:
            mean = d["geometric"]["mean"]
            return np.asarray(np.log1p(-u) / np.log(mean / (1.0 + mean)))
        if "lognormal" in d:
            z = philox.quantile(u)
            return np.asarray(np.minimum(d["lognormal"]["median"] * np.exp(d["lognormal"]["sigma"] * z), 1e9))
        low, high = d["uniform"] if "uniform" in d else (d.get("constant", 0), d.get("constant", 0))
        return np.asarray(low + np.floor(u * (high - low + 1)) + 0.5)


class TipsWorld:
    """Users with tasks and tips. `offer` and `react` are called in turn, round by round."""

    def __init__(self, scenario: Mapping[str, Any], lanes: Lanes) -> None:
        spec = scenario["world"]
        self.spec, self.lanes, self.people = spec, lanes, People(spec, lanes)
        self.feedback = Feedback(scenario.get("feedback"), lanes)
        n, tasks = lanes.n, spec["tasks"]
        self.tasks, self.tips = int(tasks["count"]["max"]), int(spec["tips"]["count"]["max"])
        self.backlog = tasks["mode"] == "backlog"
        over = spec["arrivals"]["over"] if spec.get("arrivals") else 0
        self.comes = np.floor(lanes.own(philox.PRESENCE, 0, 1)[0] * over).astype(np.int64)
        self.gone, self.bad = np.zeros(n, np.bool_), np.zeros(n, np.int64)
        self.serial = np.repeat(np.arange(self.tasks)[:, None], n, axis=1)
        self.priority, self.due, self.dated = self._drawn(self.serial)
        self.arrived = np.full(n, self.tasks)
        self.began, self.now = np.zeros(n), np.zeros(n)
        self.tired, self.bored = np.zeros((self.tasks, n)), np.zeros((2, n))  # of tasks, of sources
        self.novelty = np.full((2, n), float((spec.get("fatigue") or {}).get("novelty", 0.0)))
        self.utility = np.zeros((self.tasks + self.tips, n))

    def present(self, r: int) -> Bool:
        """Who decides in round r."""
        return np.asarray((self.comes <= r) & ~self.gone)

    def _drawn(self, serial: I64) -> tuple[F64, F64, Bool]:
        """Priority, days until due, and whether there is a due date, of tasks with these serial numbers (K, n)."""
        K, n = serial.shape
        lanes = np.tile(np.arange(n), K)
        found = philox.words(
            self.lanes.seed,
            self.lanes.replicates[lanes],
            self.lanes.users[lanes],
            serial.reshape(-1) // 2,
            philox.TASK,
        ).reshape(4, K, n)
        odd = serial % 2 == 1
        first, second = (philox.unit32(np.where(odd, found[i + 2], found[i])) for i in (0, 1))
        steps = np.r_[0.0, cdf(self.spec["tasks"]["priority"])]
        steps[-1] = 1.0
        rank = category(first, steps[1:])
        low, high = steps[rank], steps[rank + 1]
        dated = np.asarray(first >= low + (high - low) * self.spec["tasks"]["no_due_date"])
        return np.asarray(rank + 1.0), self._due(second), dated

    def _due(self, u: F64) -> F64:
        due = self.spec["tasks"]["due_in_days"]
        if due.get("normal"):
            return np.asarray(due["normal"]["mean"] + due["normal"]["sd"] * philox.quantile(u))
        if due.get("weights"):
            pairs = sorted((float(days), float(weight)) for days, weight in due["weights"].items())
            days, weights = zip(*pairs, strict=True)
            return np.asarray(np.array(days)[category(u, cdf(weights))])
        low, high = due["uniform"]
        return np.asarray(low + (high - low) * u)

    def _clock(self, r: int) -> tuple[I64, I64, float]:
        """Hour and weekday (n,), and the time in days since the run's first round."""
        spec, n = self.spec["clock"], self.lanes.n
        day, step = divmod(r, int(spec["decisions_per_day"]))
        if spec["mode"] == "walk":
            hours = (step * (spec["to_hour"] - spec["from_hour"] + 1)) // spec["decisions_per_day"]
            return np.full(n, spec["from_hour"] + hours), np.full(n, day % 7), day + hours / 24.0
        u = self.lanes.uniforms(philox.CLOCK, r, 2)
        time = r / spec["decisions_per_day"]
        return category(u[0], cdf(spec["hours"])), category(u[1], cdf(spec["weekdays"])), time

    def offer(self, r: int) -> Offer:
        """What is on offer in round r."""
        hour, day, time = self._clock(r)
        if self.backlog:
            self.began = np.where(self.comes >= r, time, self.began)
            self.now = time - self.began
        else:
            stride = self.tasks + self.tasks % 2
            self.serial = np.repeat(np.arange(self.tasks)[:, None] + r * stride, self.lanes.n, axis=1)
            self.priority, self.due, self.dated = self._drawn(self.serial)
        age = self.now - self.due
        age = np.where(self.dated, np.floor(age) if self.spec["tasks"]["whole_days"] else age, 0.0)
        offer = self._placed(r, hour, day, age)
        return self.valued(r, offer)

    def counts(self, r: int) -> tuple[I64, I64]:
        """How many tasks and tips (n,) there are."""
        spans = (self.spec["tasks"]["count"], self.spec["tips"]["count"])
        tasks, tips = (
            span["min"] + np.floor(draw * (span["max"] - span["min"] + 1)).astype(np.int64)
            for span, draw in zip(spans, self.lanes.uniforms(philox.COUNT, r, 2), strict=True)
        )
        return tasks, tips

    def about(self, r: int, tip: Bool, tasks: I64) -> I64:
        """The row (K, n) of the task that each tip is about; -1 for none."""
        if not self._copies or self.tips == 0:
            return np.full(tip.shape, -1)
        place = np.clip(np.arange(len(tip))[:, None] - tasks, 0, self.tips - 1)
        u = self.lanes.uniforms(philox.TIP, r, self.tips)[place, np.arange(self.lanes.n)]
        return np.where(tip & (tasks > 0), np.floor(u * tasks).astype(np.int64), -1)

    @property
    def _copies(self) -> bool:
        """Whether a tip has the columns of the task that it is about."""
        return bool(self.spec["tips"]["features"] == "task")

    def _placed(self, r: int, hour: I64, day: I64, age: F64) -> Offer:
        """Tasks first, tips right behind them."""
        n, K = self.lanes.n, self.tasks + self.tips
        tasks, tips = self.counts(r)
        place = np.arange(K)[:, None]
        standing, tip = place < tasks + tips, (place >= tasks) & (place < tasks + tips)
        if self.tasks == 0:
            return Offer(hour, day, standing, standing & False, np.zeros((K, n)), np.ones((K, n)), tip,
                         np.full((K, n), -1), np.zeros((K, n)))  # fmt: skip
        row, lanes = self.about(r, tip, tasks), np.arange(n)
        source = np.where(row >= 0, row, np.minimum(place, self.tasks - 1))
        named = (place < self.tasks) & ~tip | (row >= 0)
        real = named & (~tip | self._copies)
        ages = np.where(real, age[source, lanes], 0.0)
        priority = np.where(real, self.priority[source, lanes], 1.0)
        serial = np.where(named, self.serial[source, lanes], -1)
        return Offer(hour, day, standing, ages > 0.0, ages, priority, tip, serial, np.zeros((K, n)))

    def valued(self, r: int, offer: Offer) -> Offer:
        """True expected rewards."""
        theta = self.people.coefficients(r, offer.day)
        turn, week = 2.0 * np.pi * offer.hour / 24.0, 2.0 * np.pi * offer.day / 7.0
        clock = dict(zip(CLOCK, (np.sin(turn), np.cos(turn), np.sin(week), np.cos(week)), strict=True))
        overdue, tip = offer.is_overdue.astype(np.float64), offer.is_llm.astype(np.float64)
        columns = (overdue, np.clip(offer.age, 0.0, 30.0) / 30.0, (offer.priority - 1.0) / 3.0, tip)
        values = {"intercept": np.ones_like(overdue)} | clock | dict(zip(CANDIDATE, columns, strict=True))
        u = np.zeros(offer.standing.shape)
        for i, term in enumerate(TERMS):
            if theta[i].any():
                first, _, second = term.partition("*")
                u = u + theta[i] * values[first] * (values[second] if second else 1.0)
        bonus = self.novelty - self.bored
        u = u + np.where(offer.is_llm, bonus[1], bonus[0])
        u[: self.tasks] -= self.tired
        self.utility = np.clip(u, -250.0, 250.0)
        return offer._replace(expected=self.worth(self.utility))

    def worth(self, utility: F64) -> F64:
        """The expected reward at a utility: the sum over reactions of reward times probability, times that of an
        answer."""
        below = self._below(utility)
        edge = np.zeros((1, *utility.shape))
        shares = np.diff(np.concatenate([edge, below, edge + 1.0]), axis=0)
        answers = 1.0 - self.spec["reactions"]["no_reaction"]
        return np.asarray(answers * np.tensordot(REWARDS[:5], shares, axes=1))

    def _below(self, utility: F64) -> F64:
        """P(reaction <= j) at each utility, j first."""
        return np.stack([special.expit(cut - utility) for cut in self.spec["reactions"]["cut_points"]])

    def react(self, r: int, offer: Offer, chosen: I64, decides: Bool) -> Answer:
        """The reactions to what was chosen (n,) by those who decide, and how they leave their mark."""
        lanes = np.arange(self.lanes.n)
        u = self.lanes.uniforms(philox.REACTION, r, 2)
        code = (u[0] >= self._below(self.utility[chosen, lanes])).sum(axis=0)
        speaks = u[1] >= self.spec["reactions"]["no_reaction"]
        reaction = np.where(speaks, code, SILENT)
        source = offer.is_llm[chosen, lanes].astype(np.int64)
        answer = self.feedback.answer(r, self.comes, reaction, REWARDS[reaction], speaks, source == 1)
        if self.spec.get("fatigue"):
            self._tire(chosen, source, decides)
        if self.spec.get("churn"):
            self._leave(r, reaction, decides)
        if self.backlog:
            self._replace(decides & (reaction == REACTIONS.index("done")) & (chosen < self.tasks), chosen)
        self.people.walk(r + 1)
        return answer

    def _tire(self, chosen: I64, source: I64, decides: Bool) -> None:
        spec, who = self.spec["fatigue"], np.flatnonzero(decides)
        self.bored[source[who], who] += spec["source"]
        self.novelty[source[who], who] *= 2.0 ** (-1.0 / spec["novelty_showings"])
        shown = who[chosen[who] < self.tasks]
        self.tired[chosen[shown], shown] += spec["task"]
        kept = 2.0 ** (-1.0 / spec["half_life"])
        self.bored *= kept
        self.tired *= kept

    def _leave(self, r: int, reaction: I64, decides: Bool) -> None:
        spec = self.spec["churn"]
        self.bad += decides & (reaction < 2)
        leaves = self.lanes.uniforms(philox.PRESENCE, r, 1)[0] < spec.get("hazard", 0.0)
        if spec.get("bad_reactions") is not None:
            leaves |= self.bad >= spec["bad_reactions"]
        self.gone |= decides & leaves

    def _replace(self, done: Bool, slot: I64) -> None:
        """The user's next task takes the place of one that is done, due so many days after now."""
        who = np.flatnonzero(done)
        priority, due, dated = self._drawn(self.arrived[None, :])
        at = slot[who], who
        self.serial[at], self.priority[at] = self.arrived[who], priority[0, who]
        self.due[at], self.dated[at] = self.now[who] + due[0, who], dated[0, who]
        self.arrived[who] += 1
        self.tired[at] = 0.0


class LinearWorld:
    """The textbook world: reward x' theta and noise, theta of a given length, all drawn anew for each user."""

    def __init__(self, scenario: Mapping[str, Any], lanes: Lanes) -> None:
        self.spec, self.lanes = scenario["world"], lanes
        self.feedback = Feedback(scenario.get("feedback"), lanes)
        theta = philox.quantile(lanes.own(philox.PREFERENCE, 0, int(self.spec["dimension"])))
        self.theta = theta * (self.spec["theta_norm"] / np.sqrt((theta * theta).sum(axis=0)))
        self.comes, self.gone = np.zeros(lanes.n, np.int64), np.zeros(lanes.n, np.bool_)

    def present(self, r: int) -> Bool:
        """Everybody, always."""
        return np.ones(self.lanes.n, np.bool_)

    def offer(self, r: int) -> Offer:
        """K vectors, uniform in the unit ball or Gaussian."""
        n, K, d = self.lanes.n, int(self.spec["candidates"]), int(self.spec["dimension"])
        if self.spec["contexts"] == "ball":
            z = self.lanes.normals(philox.VECTOR, r, K * (d + 2)).reshape(K, d + 2, n)
            x = z[:, :d] / np.sqrt((z * z).sum(axis=1))[:, None]
        else:
            x = self.lanes.normals(philox.VECTOR, r, K * d).reshape(K, d, n) / np.sqrt(d)
        zeros, none = np.zeros((K, n)), np.zeros((K, n), np.bool_)
        nothing = np.zeros(n, np.int64)
        expected = np.einsum("kdn,dn->kn", x, self.theta)
        return Offer(nothing, nothing, ~none, none, zeros, zeros + 1.0, none, np.full((K, n), -1), expected, x)

    def react(self, r: int, offer: Offer, chosen: I64, decides: Bool) -> Answer:
        """The mean of what was chosen, and noise."""
        mean = offer.expected[chosen, np.arange(self.lanes.n)]
        if self.spec["noise"] == "gaussian":
            reward = mean + self.spec["noise_sd"] * self.lanes.normals(philox.NOISE, r, 1)[0]
        else:
            u = self.lanes.uniforms(philox.NOISE, r, 1)[0]
            reward = np.where(u < (1.0 + mean) / 2.0, 1.0, -1.0)
        everybody = np.ones(self.lanes.n, np.bool_)
        return self.feedback.answer(r, self.comes, np.full(self.lanes.n, -1), reward, everybody, ~everybody)


def world_of(scenario: Mapping[str, Any], lanes: Lanes) -> TipsWorld | LinearWorld:
    """The world that a scenario, in its canonical form, describes."""
    return TipsWorld(scenario, lanes) if scenario["world"]["kind"] == "tips" else LinearWorld(scenario, lanes)
