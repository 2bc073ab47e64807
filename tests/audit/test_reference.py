"""The reference's own parts: published random numbers, hand-worked features, the regression's closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from oo_sim.audit.features import MAPS, derive, plausible
from oo_sim.audit.philox import decision_uniforms, philox, user_words
from oo_sim.audit.ridge import Learned, mean_and_width, states

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
    found = philox(np.array(counter, np.uint64)[:, None], np.array(key, np.uint64)[:, None])
    assert found[:, 0].tolist() == list(words)


@given(st.integers(0, 2**32 - 1), st.integers(0, 1000), st.text(max_size=20), st.integers(0, 2**31 - 1))
def test_a_draw_follows_from_its_address(seed: int, replicate: int, user: str, t: int) -> None:
    found = decision_uniforms(seed, np.array([replicate]), user_words([user]), np.array([t]))
    assert tuple(found[:, 0].tolist()) == uniforms(seed, replicate, user, t)


def test_draws_are_uniform() -> None:
    """20,000 draws: mean and variance within 4 standard errors (an alarm in 1 of 8,000 seeds)."""
    n = 10_000
    u = decision_uniforms(1, np.zeros(n, np.int64), np.full(n, 5, np.uint64), np.arange(n)).ravel()
    assert abs(u.mean() - 0.5) < 4 * math.sqrt(1 / 12 / len(u))
    assert abs(u.var() - 1 / 12) < 4 * math.sqrt(1 / 180 / len(u))


def _one(hour: int, day: int, overdue: bool, age: float, priority: int, llm: bool, name: str) -> NDArray[np.float64]:
    cells = (np.array([[value]]) for value in (overdue, age, float(priority), llm))
    x = derive(MAPS[name], np.array([hour]), np.array([day]), *cells)
    return np.asarray(x[0, 0])


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
    x = _one(hour, day, overdue, age, priority, llm, "oo7x")[None]
    assert plausible(MAPS["oo7x"], x).all()
    for j in range(24):
        assert not plausible(MAPS["oo7x"], x + 1.7 * (np.arange(24) == j)).any()


def test_the_regression_agrees_with_the_textbook() -> None:
    """Users with gaps, resets and late rewards: each state equals the sums over exactly what came before."""
    rng = np.random.default_rng(3)
    d, m = 4, 400
    lane = np.sort(rng.integers(0, 7, m))
    t_now = np.concatenate([np.sort(rng.integers(-1, 40, (lane == i).sum())) for i in range(7)])
    reset = rng.random(m) < 0.02
    learned = Learned(lane, t_now, reset, rng.normal(size=(m, d)), rng.normal(size=m))
    at, t = np.repeat(np.arange(8), 41), np.tile(np.arange(41), 8)
    seen = np.zeros(len(at), np.int64)
    for state in states(learned, at, t, 0.5):
        seen[state.rows] += 1
        for row, A, b in zip(state.rows.tolist(), state.A, state.b, strict=True):
            before = np.flatnonzero((lane == at[row]) & (t_now < t[row]))
            after = before[np.flatnonzero(reset[before])[-1] :][1:] if reset[before].any() else before
            x = learned.x[after]
            np.testing.assert_allclose(A, 0.5 * np.eye(d) + x.T @ x, atol=1e-12)
            np.testing.assert_allclose(b, x.T @ learned.reward[after], atol=1e-12)
    assert (seen == 1).all()


def test_rewards_that_cancel_out_leave_rounding_and_not_exactly_nothing() -> None:
    """+1/2 and -1/2 at the same vector: b is 0 again, but a model that is updated in place need not be."""
    x, t = np.full((3, 2), 1 / 3), np.arange(3)
    learned = Learned(np.zeros(3, np.int64), t, np.zeros(3, np.bool_), x, np.array([0.0, 0.5, -0.5]))
    (state,) = states(learned, np.zeros(4, np.int64), np.arange(4), 1.0)
    by_decision = np.argsort(state.rows)
    assert not state.b[by_decision[[0, 1, 3]]].any()
    assert state.size[by_decision].tolist() == [0.0, 0.0, 0.5, 1.0]


def test_mean_and_width_by_hand() -> None:
    """One reward of 1 at x = (1, 0), prior 1: A = diag(2, 1), theta = (1/2, 0)."""
    none = np.zeros(1, np.int64)
    learned = Learned(none, none, np.zeros(1, np.bool_), np.array([[1.0, 0.0]]), np.ones(1))
    (state,) = states(learned, none, none + 1, 1.0)
    mean, width = mean_and_width(state, np.array([[[1.0, 0.0], [0.0, 2.0], [2.0, 1.0]]]), True)
    assert mean[0] == pytest.approx([0.5, 0.0, 1.0])
    assert width[0] == pytest.approx([math.sqrt(0.5), 2.0, math.sqrt(3.0)])
