"""Fatigue, churn and arrivals in closed form: recovery by half-lives, survival, and who comes when."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from oo_sim.contract import F64, REWARDS, Bool
from oo_sim.scenario import Fatigue
from oo_sim.worlds import fatigue

from .cases import anything, first_of_all, lanes, of, tips, walk

CUT_POINTS = np.array([-1.5, -0.5, 0.5, 1.5])
ALIKE = [{"name": "all", "preferences": {"intercept": 0.3}}]


def reward_at(u: F64) -> F64:
    """The ordered logit's expected reward at utility u."""
    below = 1 / (1 + np.exp(u[..., None] - CUT_POINTS))
    out: F64 = np.diff(below, axis=-1, prepend=0.0, append=1.0) @ np.array(REWARDS)
    return out


@pytest.mark.parametrize("half_life", [0.5, 1.0, 7.0, 300.0])
def test_appetite_comes_back_by_half_every_half_life(half_life: float) -> None:
    spec = Fatigue(task=2.0, source=0.7, half_life=half_life)
    appetite, chosen, is_llm = fatigue.fresh(spec, 3, 2), np.array([1, 4]), np.array([0, 1])
    fatigue.tire(spec, appetite, chosen, is_llm, np.ones(2, np.bool_))
    for k in range(1, 30):
        fatigue.recover(spec, appetite)
        left = 0.5 ** (k / half_life)
        np.testing.assert_allclose(appetite.sources, np.diag([0.7, 0.7]) * left, rtol=1e-12)
        np.testing.assert_allclose(appetite.tasks[:, 0], [0, 2 * left, 0], rtol=1e-12)
        assert (appetite.tasks[:, 1] == 0).all()


def test_novelty_halves_with_showings_and_not_with_time() -> None:
    spec = Fatigue(novelty=1.5, novelty_showings=4)
    appetite = fatigue.fresh(spec, 1, 2)
    for m in range(1, 20):
        fatigue.tire(spec, appetite, np.zeros(2, np.int64), np.array([0, 1]), np.array([True, False]))
        fatigue.recover(spec, appetite)
        np.testing.assert_allclose(appetite.novelty[:, 0], [1.5 * 0.5 ** (m / 4), 1.5], rtol=1e-12)
        assert (appetite.novelty[:, 1] == 1.5).all()


@pytest.mark.parametrize("half_life", [1e-300, 1e6])
def test_extreme_half_lives_stay_finite(half_life: float) -> None:
    spec = Fatigue(source=100, half_life=half_life, novelty=-100, novelty_showings=half_life)
    appetite, one = fatigue.fresh(spec, 0, 1), np.zeros(1, np.int64)
    for _ in range(50):
        fatigue.tire(spec, appetite, one, one, np.ones(1, np.bool_))
        fatigue.recover(spec, appetite)
    assert np.isfinite(appetite.sources).all()
    assert np.isfinite(appetite.novelty).all()


def test_the_truth_follows_what_was_shown() -> None:
    """Expected rewards of all candidates, from the history of choices alone, in a backlog with tips."""
    n, rounds, tasks, half_life = 20, 30, 3, 4.0
    tired = {"task": 0.8, "source": 0.2, "half_life": half_life, "novelty": 0.6, "novelty_showings": 3}
    world = tips(tasks={"count": tasks, "mode": "backlog"}, tips={"count": 2}, segments=ALIKE, fatigue=tired)
    played = walk(world, lanes(n), rounds, anything(3))
    shown: list[tuple[int, F64, F64]] = []  # round, serial of the task shown or -1, whether it was a tip
    for t, (offer, chosen, _) in enumerate(played):
        c, u = offer.candidates, np.full((tasks + 2, n), 0.3)
        tip = c.is_llm > 0
        times = np.zeros((2, n))
        for when, serial, was_tip in shown:
            lag = 0.5 ** ((t - when) / half_life)
            u -= 0.2 * lag * (tip == was_tip)
            u -= 0.8 * lag * ((c.serial == serial) & (serial >= 0))
            times += np.array([was_tip == 0, was_tip == 1])
        u += 0.6 * 0.5 ** (np.where(tip, times[1], times[0]) / 3)
        np.testing.assert_allclose(offer.expected, reward_at(u), rtol=0, atol=1e-12)
        np.testing.assert_array_equal(offer.best, offer.expected.max(axis=0))
        shown.append((t, of(c.serial.astype(np.float64), chosen), of(c.is_llm, chosen)))


def presence_of(rounds: int, n: int, **parts: Any) -> tuple[Bool, F64]:
    """Who was there (rounds, n), and the reactions (rounds, n)."""
    played = walk(tips(segments=ALIKE, **parts), lanes(n), rounds, first_of_all)
    there = [np.ones(n, np.bool_) if offer.active is None else offer.active for offer, _, _ in played]
    return np.array(there), np.array([response.reaction for _, _, response in played])


def test_survival_under_a_hazard_is_geometric() -> None:
    """P(there in round t) = (1 - h)^t. Chi-squared on lifetimes; fails a sound draw with probability 1e-6."""
    n, rounds, h = 4000, 25, 0.1
    there, _ = presence_of(rounds, n, churn={"hazard": h})
    assert (np.diff(there.astype(int), axis=0) <= 0).all()  # for good
    assert there[0].all()
    lifetime = there.sum(axis=0)
    t = np.arange(1, rounds)
    want = np.append((1 - h) ** (t - 1) * h, (1 - h) ** (rounds - 1))
    assert stats.chisquare(np.bincount(lifetime, minlength=rounds + 1)[1:], n * want).pvalue > 1e-6


@pytest.mark.parametrize("enough", [1, 3])
def test_a_user_leaves_with_the_last_bad_reaction_that_it_bears(enough: int) -> None:
    there, reaction = presence_of(8, 200, churn={"bad_reactions": enough})
    bad = np.cumsum((reaction < 2) & there, axis=0)
    np.testing.assert_array_equal(there[1:], bad[:-1] < enough)
    assert 0 < there[-1].sum() < 200


def test_a_hazard_of_1_leaves_one_decision_each() -> None:
    there, _ = presence_of(4, 50, churn={"hazard": 1})
    assert there.tolist() == [[True] * 50, *[[False] * 50] * 3]


def test_arrivals_are_uniform_over_the_rounds_and_stay() -> None:
    """Chi-squared over 20 rounds; fails a sound draw with probability 1e-6."""
    n, over = 4000, 20
    there, _ = presence_of(over + 2, n, arrivals={"over": over})
    first = there.argmax(axis=0)
    assert (there == (np.arange(over + 2)[:, None] >= first)).all()
    assert stats.chisquare(np.bincount(first, minlength=over)).pvalue > 1e-6
    assert first.max() < over


def test_a_newcomer_starts_with_fresh_tasks_and_untired() -> None:
    """Until it comes, a user does no task, tires of none, and its tasks don't age; then they age like everybody's."""
    n, rounds, tasks = 60, 90, {"count": 3, "mode": "backlog", "due_in_days": {"uniform": [-2, 2]}, "whole_days": False}
    parts = {"clock": {"mode": "walk", "decisions_per_day": 6}, "fatigue": {"task": 1, "source": 1, "novelty": 0.5}}
    played = walk(tips(tasks=tasks, segments=ALIKE, arrivals={"over": 60}, **parts), lanes(n), rounds, first_of_all)
    there = np.array([offer.active for offer, _, _ in played])
    first = there.argmax(axis=0)
    assert first.max() > 50
    for i in range(n):
        offer = played[first[i]][0]
        assert offer.candidates.serial[:, i].tolist() == [0, 1, 2]
        np.testing.assert_array_equal(offer.candidates.task_age_days[:, i], played[0][0].candidates.task_age_days[:, i])
        np.testing.assert_allclose(offer.expected[:, i], reward_at(np.full(3, 0.3 + 0.5)), atol=1e-12)
        later, now = (played[t][0].candidates for t in (first[i] + 6, first[i]))
        same = later.serial[:, i] == now.serial[:, i]
        np.testing.assert_allclose(later.task_age_days[same, i], now.task_age_days[same, i] + 1, atol=1e-9)
