"""The reference's own parts: published random numbers, hand-worked features, the regression's closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from oo_sim.audit import philox as addressed
from oo_sim.audit.features import MAPS, derive, plausible
from oo_sim.audit.models import Lessons, Restarted, Sums, Windowed, walk
from oo_sim.audit.philox import philox, user_words
from oo_sim.audit.sampled import mode
from oo_sim.audit.solving import moments

from .simulator import uniforms

KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
"""Counter, key, words: the known answers of philox4x32-10 that Random123 is published with."""


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_philox_gives_the_published_words(
    counter: tuple[int, ...], key: tuple[int, ...], words: tuple[int, ...]
) -> None:
    found = philox(tuple(np.array(counter, np.uint64)[:, None]), tuple(np.array(key, np.uint64)[:, None]))
    assert found[:, 0].tolist() == list(words)


@given(st.integers(0, 2**32 - 1), st.integers(0, 1000), st.text(max_size=20), st.integers(0, 2**31 - 1))
def test_a_draw_follows_from_its_address(seed: int, replicate: int, user: str, t: int) -> None:
    found = addressed.uniforms(seed, np.array([replicate]), user_words([user]), np.array([t]), addressed.DECIDE, 2)
    assert tuple(found[:, 0].tolist()) == uniforms(seed, replicate, user, t)


def test_draws_are_uniform() -> None:
    """20,000 draws: mean and variance within 4 standard errors (an alarm in 1 of 8,000 seeds)."""
    n = 10_000
    u = addressed.uniforms(
        1, np.zeros(n, np.int64), np.full(n, 5, np.uint64), np.arange(n), addressed.DECIDE, 2
    ).ravel()
    assert abs(u.mean() - 0.5) < 4 * math.sqrt(1 / 12 / len(u))
    assert abs(u.var() - 1 / 12) < 4 * math.sqrt(1 / 180 / len(u))


def _one(hour: int, day: int, overdue: bool, age: float, priority: int, llm: bool, name: str) -> NDArray[np.float64]:
    cells = (np.array([[value]]) for value in (overdue, age, float(priority), llm))
    x = derive(MAPS[name], np.array([hour]), np.array([day]), *cells)
    return np.asarray(x[0, :, 0])


def test_features_by_hand() -> None:
    """6 o'clock is a quarter turn; 45 days are capped at 30; priority 4 is 1."""
    assert _one(6, 0, True, 45.0, 4, False, "oo5") == pytest.approx([1, 0, 1, 1, 1], abs=1e-15)
    assert _one(0, 0, False, -3.0, 1, False, "oo7") == pytest.approx([0, 1, 0, 0, 0, 0, 1], abs=1e-15)
    x = _one(18, 0, True, 15.0, 2, True, "oo7x")
    assert x[:8] == pytest.approx([-1, 0, 1, 0.5, 1 / 3, 0, 1, 1], abs=1e-15)
    sine, week = [-1, -0.5, -1 / 3, -1], [1, 0.5, 1 / 3, 1]
    assert x[8:] == pytest.approx([*sine, *[0] * 4, *[0] * 4, *week], abs=1e-15)
    assert len(x) == len(MAPS["oo7x"]) == 24


@given(st.integers(0, 23), st.integers(0, 6), st.booleans(), st.floats(-9, 99), st.integers(1, 4), st.booleans())
def test_derived_vectors_are_plausible_and_disturbed_ones_are_not(
    hour: int, day: int, overdue: bool, age: float, priority: int, llm: bool
) -> None:
    x = _one(hour, day, overdue, age, priority, llm, "oo7x")[:, None]
    assert plausible(MAPS["oo7x"], x).all()
    for j in range(24):
        assert not plausible(MAPS["oo7x"], x + 1.7 * (np.arange(24) == j)[:, None]).any()


def _lessons(rng: np.random.Generator, m: int, d: int, users: int) -> Lessons:
    """What some users learned, the last of them nothing: gaps, resets, late rewards, several at once."""
    lane = np.sort(rng.integers(0, users - 1, m))
    t_now = np.concatenate([np.sort(rng.integers(-1, 40, (lane == i).sum())) for i in range(users)])
    decided = np.maximum(t_now - rng.integers(0, 12, m), -1)
    x, reward = rng.normal(size=(d, m)), rng.normal(size=m)
    nobody = np.zeros(users, np.int64)
    return Lessons(lane, t_now, decided, rng.random(m) < 0.02, x, reward, nobody.astype(np.uint64), nobody, None)


def _one_by_one(model: Sums, lessons: Lessons, lane: int, t: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A and b, from a list that is kept as a person would keep it."""
    kept: list[tuple[int, int]] = []  # decision, lesson
    for i in np.flatnonzero((lessons.lane == lane) & (lessons.t_now < t)).tolist():
        now, decided = int(lessons.t_now[i]), max(int(lessons.decided[i]), 0)  # early: as if of the first decision
        if lessons.reset[i]:
            kept = []
        elif isinstance(model, Windowed):
            if now - decided < model.window:
                kept = [(at, j) for at, j in kept if at != decided] + [(decided, i)]
        elif not isinstance(model, Restarted) or decided // model.period == (now + 1) // model.period:
            kept.append((decided, i))
    if isinstance(model, Windowed):
        kept = [(at, j) for at, j in kept if at >= t - model.window]
    if isinstance(model, Restarted):
        kept = [(at, j) for at, j in kept if at // model.period == t // model.period]
    x = lessons.x[:, [j for _, j in kept]]
    return model.start[0] + x @ x.T, x @ lessons.reward[[j for _, j in kept]]


@pytest.mark.parametrize("kind", ["sums", "window", "restart"])
def test_the_regression_agrees_with_the_textbook(kind: str) -> None:
    """Each state equals the sums over exactly what came before and is not forgotten yet."""
    d, users = 4, 8
    start = 0.5 * np.eye(d), np.zeros(d)
    model = {"sums": Sums(start), "window": Windowed(start, 1.0, 9), "restart": Restarted(start, 1.0, 15)}[kind]
    lessons = _lessons(np.random.default_rng(3), 400, d, users)
    at, t = np.tile(np.arange(users), 41), np.repeat(np.arange(41), users)
    seen = np.zeros(len(at), np.int64)
    for rows, states in walk(model, lessons, at, t):
        seen[rows] += 1
        A = model.matrix(states)
        for i, row in enumerate(range(rows.start, rows.stop)):
            due = _one_by_one(model, lessons, int(at[row]), int(t[row]))
            np.testing.assert_allclose(A[:, :, i], due[0], atol=1e-11)
            np.testing.assert_allclose(states[model.m : model.m + d, i], due[1], atol=1e-11)
    assert (seen == 1).all()


def _simple(x: list[list[float]], reward: list[float], t: list[int]) -> Lessons:
    m = len(reward)
    now, none = np.array(t), np.zeros(1, np.int64)
    lane, reset = np.zeros(m, np.int64), np.zeros(m, np.bool_)
    return Lessons(lane, now, now, reset, np.array(x).T, np.array(reward), none.astype(np.uint64), none, None)


def test_rewards_that_cancel_out_leave_rounding_and_not_exactly_nothing() -> None:
    """+1/2 and -1/2 at the same vector: b is 0 again, but a model that is updated in place need not be."""
    model = Sums((np.eye(2), np.zeros(2)))
    lessons = _simple([[1 / 3, 1 / 3]] * 3, [0.0, 0.5, -0.5], [0, 1, 2])
    ((_, states),) = walk(model, lessons, np.zeros(4, np.int64), np.arange(4))
    assert not states[3:5, [0, 1, 3]].any()
    assert model.blank(states).tolist() == [True, True, False, False]


def test_mean_and_variance_by_hand() -> None:
    """One reward of 1 at x = (1, 0), prior 1: A = diag(2, 1), theta = (1/2, 0)."""
    model = Sums((np.eye(2), np.zeros(2)), alpha=1.0)
    lessons = _simple([[1.0, 0.0]], [1.0], [0])
    ((_, states),) = walk(model, lessons, np.zeros(1, np.int64), np.ones(1, np.int64))
    mean, variance = model.moments(states, np.array([[1.0, 0.0], [0.0, 2.0], [2.0, 1.0]]).T[:, :, None])
    assert variance is not None
    assert mean[:, 0] == pytest.approx([0.5, 0.0, 1.0])
    assert variance[:, 0] == pytest.approx([0.5, 4.0, 3.0])


def test_a_prior_that_rounding_swallows_is_borne() -> None:
    A = np.full((3, 3, 1), 1e12)
    mean, variance = moments(A, np.full((3, 1), 2e6), np.ones((3, 4, 1)), True)
    assert variance is not None
    assert np.isfinite(mean).all()
    assert np.isfinite(variance).all()


@given(st.floats(-50, 50), st.floats(0, 5000), st.floats(0, 1))
def test_the_mode_solves_its_equation(start: float, spread: float, target: float) -> None:
    u = mode(np.array([start]), np.array([spread]), np.array([target]))[0]
    gap = u - start - spread * (target - 1 / (1 + math.exp(-u)))
    assert abs(gap) <= 1e-9 * max(1.0, spread, abs(start))
