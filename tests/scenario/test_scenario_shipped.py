"""The shipped scenarios show what they claim: sampled with plain NumPy, straight from the models' definitions."""

from __future__ import annotations

from functools import cache
from math import cos, pi, sin
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from oo_sim.contract import REACTIONS, REWARDS
from oo_sim.scenario import CANDIDATE_TERMS, CONTEXT_TERMS, LinearWorld, TipsWorld, lint, load, shipped

STILL = ("backlog", "commuters", "exact_ties", "linear", "llm_tips", "quickstart", "tiny_sets")
CHANGING = (
    "changing_users",
    "churn",
    "drift_abrupt",
    "drift_gradual",
    "fatigue",
    "late_answers",
    "newcomers",
    "random_walk",
    "silent_users",
    "weekend",
)
NAMES = tuple(sorted(STILL + CHANGING))
DYNAMIC = {
    "churn": "churn",
    "drift_abrupt": "drift",
    "drift_gradual": "drift",
    "fatigue": "fatigue",
    "late_answers": "delay",
    "newcomers": "arrivals",
    "random_walk": "drift",
    "silent_users": "missing",
    "weekend": "drift",
}
NOTHING_MISSING: dict[str, object] = {"rate": 0.0, "by_reaction": {}, "by_source": {}}
TIPS = tuple(name for name in NAMES if name != "linear")
ROUNDS, USERS = 15, 60
Array = npt.NDArray[np.float64]


class Sampled(NamedTuple):
    """Per round: expected reward of each candidate, its reaction probabilities, and how many are exactly equal."""

    rewards: list[Array]
    shares: Array  # (5,), reaction shares under uniform choice
    ties: float  # share of rounds in which the best candidate is not alone


def tips_world(name: str) -> TipsWorld:
    world = load(name).world
    assert isinstance(world, TipsWorld)
    return world


def ages(world: TipsWorld, count: int, rng: np.random.Generator) -> Array:
    """Days since the due date; in a backlog, tasks have stayed for up to two weeks."""
    due = world.tasks.due_in_days
    if due.uniform:
        drawn = rng.uniform(*due.uniform, count)
    elif due.normal:
        drawn = rng.normal(due.normal.mean, due.normal.sd, count)
    else:
        days, weights = np.array(due.weights).T
        drawn = rng.choice(days, count, p=weights / weights.sum())
    stayed = rng.uniform(0, 14, count) if world.tasks.mode == "backlog" else 0.0
    age = np.floor(stayed - drawn) if world.tasks.whole_days else stayed - drawn
    return np.where(rng.random(count) < world.tasks.no_due_date, 0.0, age)


def columns(world: TipsWorld, rng: np.random.Generator) -> dict[str, Array]:
    """The terms of one round's candidates."""
    tasks = int(rng.integers(world.tasks.count.min, world.tasks.count.max + 1))
    tips = int(rng.integers(world.tips.count.min, world.tips.count.max + 1))
    age, none = ages(world, tasks, rng), np.zeros(tips)
    weights = np.array(world.tasks.priority)
    priority = rng.choice(4, tasks, p=weights / weights.sum()) / 3
    terms: dict[str, Array] = {
        "intercept": np.ones(tasks + tips),
        "is_overdue": np.append(age > 0, none),
        "task_age": np.append(np.clip(age, 0, 30) / 30, none),
        "priority": np.append(priority, none),
        "is_llm": np.append(np.zeros(tasks), none + 1),
    }
    hour, day = moment(world, rng)
    for context, value in clock_terms(hour, day).items():
        terms |= {f"{context}*{term}": value * terms[term] for term in CANDIDATE_TERMS}
        terms[context] = np.full(tasks + tips, value)
    return terms


def clock_terms(hour: int, day: int) -> dict[str, float]:
    around, week = 2 * pi * hour / 24, 2 * pi * day / 7
    return dict(zip(CONTEXT_TERMS, (sin(around), cos(around), sin(week), cos(week)), strict=True))


def moment(world: TipsWorld, rng: np.random.Generator) -> tuple[int, int]:
    if world.clock.mode == "walk":
        return int(rng.integers(world.clock.from_hour, world.clock.to_hour + 1)), int(rng.integers(7))
    hours = np.array(world.clock.hours)
    return int(rng.choice(24, p=hours / hours.sum())), int(rng.integers(7))


def probabilities(u: Array, cut_points: tuple[float, ...]) -> Array:
    below = 1 / (1 + np.exp(u[:, None] - np.array(cut_points)))
    return np.diff(below, axis=1, prepend=0.0, append=1.0)


@cache
def sample(name: str) -> Sampled:
    world = tips_world(name)
    rng = np.random.default_rng(1)
    weights = np.array([segment.weight for segment in world.segments])
    rewards, shares, ties = [], np.zeros(5), 0
    for _ in range(USERS):
        segment = world.segments[int(rng.choice(len(weights), p=weights / weights.sum()))]
        theta = {term: rng.normal(c.mean, c.sd) for term, c in segment.preferences.items()}
        for _ in range(ROUNDS):
            terms = columns(world, rng)
            u = sum(value * terms[term] for term, value in theta.items())
            p = probabilities(np.asarray(u), world.reactions.cut_points)
            rewards.append(p @ np.array(REWARDS))
            shares += p.mean(axis=0) / (USERS * ROUNDS)
            ties += int(np.sum(rewards[-1] == rewards[-1].max()) > 1)
    return Sampled(rewards, shares, ties / (USERS * ROUNDS))


def test_all_are_there() -> None:
    assert tuple(shipped()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_named_after_their_file_and_without_warnings(name: str) -> None:
    scenario = load(name)
    assert scenario.name == name
    assert scenario.description
    assert "oracle" in scenario.policies
    assert "random" in scenario.policies
    assert lint(scenario) == []


@pytest.mark.parametrize("name", TIPS)
def test_all_reactions_occur_and_the_oracle_beats_random(name: str) -> None:
    """At the start, before anybody changes. Sampling error of the gap is below 0.02, so that 0.1 is no accident."""
    sampled = sample(name)
    assert all(sampled.shares > 0.04), dict(zip(REACTIONS, sampled.shares, strict=True))
    best = np.mean([row.max() for row in sampled.rewards])
    usual = np.mean([row.mean() for row in sampled.rewards])
    assert best - usual > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_the_changing_ones_and_no_others_have_a_dynamic(name: str) -> None:
    """Each of them the one of its name, and `changing_users` all."""
    scenario = load(name)
    fields = scenario.canonical()
    world = fields["world"]
    has = {key for key in ("drift", "fatigue", "churn", "arrivals") if key in world}
    has |= {key for key in ("delay", "missing") if fields.get("feedback", {}).get(key) not in (None, NOTHING_MISSING)}
    if name == "changing_users":
        assert has == {"drift", "fatigue", "churn", "arrivals", "delay", "missing"}
    else:
        assert has == ({DYNAMIC[name]} if name in CHANGING else set())


def test_commuters_wishes_cancel_over_the_day() -> None:
    """Averaged over the clock, hour_sin is near 0 and all preferences are products with it: `oo5` sees no signal."""
    world = tips_world("commuters")
    assert world.clock.mode == "random"
    hours = np.array(world.clock.hours)
    sines = np.sin(2 * np.pi * np.arange(24) / 24)
    assert abs(hours @ sines) / hours.sum() < 0.02
    assert hours @ np.abs(sines) / hours.sum() > 0.8
    terms = {term for segment in world.segments for term in segment.preferences}
    assert all(term.startswith("hour_sin*") for term in terms)
    features = {(spec.name, dict(spec.parameters).get("features")) for spec in load("commuters").specs}
    assert {(name, f) for name in ("linucb", "egreedy") for f in (None, "oo7x")} <= features


def test_exact_ties_abound() -> None:
    """Ties for the best are in most rounds, and rarer elsewhere."""
    assert sample("exact_ties").ties > 0.6 > sample("quickstart").ties


def test_tiny_sets_are_tiny_and_vary() -> None:
    sizes = [len(rewards) for rewards in sample("tiny_sets").rewards]
    assert set(sizes) == {1, 2}


def test_backlog_and_linear_are_what_their_names_say() -> None:
    backlog, linear = tips_world("backlog"), load("linear").world
    assert backlog.tasks.mode == "backlog"
    assert backlog.clock.mode == "walk"
    assert isinstance(linear, LinearWorld)
