"""The tips world's kernels: categories, tasks from serials, ages, placing tips, and the ordered logit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats

from oo_sim.contract import F64, I64, NO_REACTION, REWARDS, Bool
from oo_sim.features import FEATURES
from oo_sim.kernels import tips
from oo_sim.kernels.draws import LaneDraws, hash_users
from oo_sim.kernels.encode import AGE_LIMIT
from oo_sim.kernels.philox import REACTION

from .test_encode import every_hour_and_day

SEED, REPLICATE = np.uint64(3), np.uint64(0)
CUT_POINTS = np.array([-1.5, -0.5, 0.5, 1.5])
CUTS = np.exp(-CUT_POINTS)


def test_category_inverts_the_cumulative_distribution() -> None:
    """A category of weight 0 is never drawn, wherever it stands."""
    cdf, out = np.array([0.0, 0.25, 0.25, 1.0, 1.0]), np.empty(5, np.int64)
    tips.category(np.array([0.0, 0.25 - 2**-54, 0.25, 0.9, 1 - 2**-53]), cdf, out)
    assert out.tolist() == [1, 1, 3, 3, 3]
    tips.category(np.array([0.0, 0.5, 1 - 2**-53, 0.3, 0.1]), np.array([1.0]), out)
    assert out.tolist() == [0] * 5


class Tasks(NamedTuple):
    """What is drawn for tasks (K, n)."""

    priority: F64
    due: F64
    dated: F64


def tasks(serial: I64, users: int, undated: float = 0.25) -> Tasks:
    out = Tasks(*(np.empty(serial.shape) for _ in range(3)))
    who = hash_users(f"user-{j}" for j in range(users))
    tips.draw_tasks(SEED, REPLICATE, who, serial, np.array([0.4, 0.7, 0.9, 1.0]), undated, *out)
    return out


@pytest.mark.compiled
def test_task_attributes_follow_their_distributions_and_do_not_depend_on_each_other() -> None:
    """Chi-squared and Kolmogorov-Smirnov; each fails a sound draw with probability 1e-6."""
    K, n = 100, 400
    drawn = tasks(np.arange(K)[:, None] + np.zeros((1, n), np.int64), n)
    counts = np.bincount(drawn.priority.astype(int).ravel(), minlength=5)[1:]
    assert stats.chisquare(counts, K * n * np.array([0.4, 0.3, 0.2, 0.1])).pvalue > 1e-6
    assert stats.kstest(drawn.due.ravel(), "uniform").pvalue > 1e-6
    assert stats.binomtest(int((drawn.dated == 0).sum()), K * n, 0.25).pvalue > 1e-6
    for a, b in ((0, 1), (0, 2), (1, 2)):
        z = np.corrcoef(drawn[a].ravel(), drawn[b].ravel())[0, 1] * np.sqrt(K * n)
        assert abs(z) < stats.norm.isf(5e-7)


def test_a_task_is_known_by_its_user_and_serial_alone() -> None:
    """The same serial gives the same task, in whatever slot and company it stands."""
    serial = np.random.default_rng(1).integers(0, 10**6, (3, 6))
    drawn = tasks(serial, 6)
    for k in range(3):
        for one, all_of_them in zip(tasks(serial[k : k + 1], 6), drawn, strict=True):
            np.testing.assert_array_equal(one[0], all_of_them[k])
    shuffled = tasks(serial[::-1].copy(), 6)
    for one, all_of_them in zip(shuffled, drawn, strict=True):
        np.testing.assert_array_equal(one, all_of_them[::-1])


@pytest.mark.parametrize(("undated", "share"), [(0.0, 1.0), (1.0, 0.0)])
def test_all_or_no_tasks_have_a_due_date(undated: float, share: float) -> None:
    assert (tasks(np.arange(40).reshape(4, 10), 10, undated).dated == share).all()


def test_titles_are_drawn_from_the_same_address_and_within_the_list() -> None:
    serial, title = np.arange(600).reshape(60, 10), np.empty((60, 10), np.int64)
    who = hash_users(f"user-{j}" for j in range(10))
    tips.draw_titles(SEED, REPLICATE, who, serial, 6, title)
    assert set(title.ravel().tolist()) == set(range(6))
    alone = np.empty((1, 10), np.int64)
    tips.draw_titles(SEED, REPLICATE, who, serial[7:8], 6, alone)
    np.testing.assert_array_equal(alone[0], title[7])


def test_quantiles_of_due_dates() -> None:
    u = np.array([[0.0, 0.25, 0.5, 1 - 2**-32]])
    values = u.copy()
    tips.uniform_quantile(-14.0, 14.0, values)
    np.testing.assert_allclose(values, [[-14.0, -7.0, 0.0, 14.0]], atol=1e-8)
    assert values.max() < 14.0
    values = u[:, 1:].copy()
    tips.gaussian_quantile(2.0, 5.0, values)
    np.testing.assert_allclose(values, stats.norm.ppf(u[:, 1:], 2.0, 5.0), rtol=1e-13)
    values = u.copy()
    tips.discrete_quantile(np.array([-3.0, 0.0, 7.0]), np.array([0.25, 0.5, 1.0]), values)
    assert values.tolist() == [[-3.0, 0.0, 7.0, 7.0]]


def test_ages_count_from_the_due_date() -> None:
    """Half a day late is overdue; whole days round down, so that it is late by 0 days, which is not overdue."""
    due = np.array([[-2.5, 0.0, 0.25, 1.5, -9.0]])
    dated = np.array([[1.0, 1.0, 1.0, 1.0, 0.0]])
    now = np.full(5, 0.75)
    overdue, age = np.empty((1, 5)), np.empty((1, 5))
    tips.age_tasks(now, due, dated, False, overdue, age)
    assert age.tolist() == [[3.25, 0.75, 0.5, -0.75, 0.0]]
    assert overdue.tolist() == [[1.0, 1.0, 1.0, 0.0, 0.0]]
    tips.age_tasks(now, due, dated, True, overdue, age)
    assert age.tolist() == [[3.0, 0.0, 0.0, -1.0, 0.0]]
    assert overdue.tolist() == [[1.0, 0.0, 0.0, 0.0, 0.0]]


class Placed(NamedTuple):
    """The columns that placing tips changes."""

    overdue: F64
    age: F64
    priority: F64
    is_llm: F64
    serial: I64
    mask: Bool


def placed(count: list[int], extra: list[int], about: F64, about_task: bool) -> Placed:
    """Six slots filled with tasks, then cut to `count` tasks and given `extra` tips."""
    n, g = len(count), np.random.default_rng(1)
    c = Placed(
        np.ones((6, n)),
        g.uniform(1, 9, (6, n)),
        g.integers(2, 5, (6, n)).astype(float),
        np.zeros((6, n)),
        np.arange(6)[:, None].repeat(n, axis=1),
        np.ones((6, n), np.bool_),
    )
    tips.place_tips(np.array(count), np.array(extra), about, about_task, *c)
    return c


def test_tips_stand_right_behind_the_tasks_with_the_default_features() -> None:
    count, extra = [3, 0, 4, 2], [2, 1, 0, 4]
    c = placed(count, extra, np.empty((0, 4)), False)
    for i, (tasks_here, tips_here) in enumerate(zip(count, extra, strict=True)):
        slots = np.arange(6)
        tip = (slots >= tasks_here) & (slots < tasks_here + tips_here)
        np.testing.assert_array_equal(c.mask[:, i], slots < tasks_here + tips_here)
        np.testing.assert_array_equal(c.is_llm[:, i], tip)
        assert (c.serial[tip, i] == -1).all()
        assert (c.overdue[tip, i] == 0).all()
        assert (c.age[tip, i] == 0).all()
        assert (c.priority[tip, i] == 1).all()
        np.testing.assert_array_equal(c.serial[:tasks_here, i], slots[:tasks_here])


def test_tips_about_a_task_copy_it_and_no_tips_are_about_nothing() -> None:
    """Where no task is on offer a tip keeps the default features."""
    about = np.array([[0.0, 0.5, 0.99, 0.3], [0.4, 0.7, 0.0, 1 - 2**-53]])
    count = [3, 0, 4, 1]
    c = placed(count, [2, 2, 2, 2], about, True)
    for i, tasks_here in enumerate(count):
        for j in range(2):
            k = tasks_here + j
            assert c.is_llm[k, i] == 1.0
            if not tasks_here:
                assert (c.serial[k, i], c.overdue[k, i], c.age[k, i], c.priority[k, i]) == (-1, 0, 0, 1)
                continue
            source = int(about[j, i] * tasks_here)
            for column in (c.overdue, c.age, c.priority, c.serial):
                assert column[k, i] == column[source, i]


def ladder(u: F64, cut_points: F64 = CUT_POINTS) -> F64:
    """P(reaction) (5, ...) of the ordered logit: differences of 1 / (1 + e^(u - c))."""
    below = 1.0 / (1.0 + np.exp(u[None] - cut_points.reshape(-1, *[1] * u.ndim)))
    edges = np.concatenate([np.zeros((1, *u.shape)), below, np.ones((1, *u.shape))])
    out: F64 = np.diff(edges, axis=0)
    return out


@pytest.mark.parametrize("answers", [1.0, 0.9])
def test_expected_reward_is_the_sum_over_reactions(answers: float) -> None:
    """u from the features of oo7x by einsum, the sum of P(reaction) times reward by hand: equal to 1e-14."""
    c = every_hour_and_day()
    K, n = c.mask.shape
    g = np.random.default_rng(4)
    coefficients, mask = g.normal(size=(25, n)), np.arange(K)[:, None] < g.integers(1, K + 1, n)
    odds, expected, best = np.empty((K, n)), np.empty((K, n)), np.empty(n)
    used = g.random(25) < 0.7
    coefficients[~used] = 0.0
    columns = (c.hour, c.day, c.is_overdue, c.task_age_days, c.priority, c.is_llm, mask)
    shift = g.normal(size=(3, n))
    tips.expected_rewards(coefficients, used, *columns, shift, CUTS, answers, odds, expected, best)
    x = np.empty((K, 24, n))
    FEATURES["oo7x"].encode(c, x)
    u = coefficients[0] + np.einsum("kdn,dn->kn", x, coefficients[1:])
    u[:3] += shift
    want = answers * np.einsum("r,rkn->kn", np.array(REWARDS), ladder(u))
    np.testing.assert_allclose(odds, np.exp(u), rtol=3e-14)
    np.testing.assert_allclose(expected[mask], want[mask], rtol=0, atol=1e-14)
    assert (expected[~mask] == 0.0).all()
    np.testing.assert_array_equal(best, np.where(mask, expected, -np.inf).max(axis=0))


def test_expected_reward_stands_extreme_preferences() -> None:
    """At the ends of the ladder the reward is -1 or +1, without overflow, also with far cut points."""
    n = 2
    coefficients = np.zeros((25, n))
    coefficients[0] = [1e6, -1e6]
    column, calendar, mask = np.ones((1, n)), np.zeros(n, np.int64), np.ones((1, n), np.bool_)
    odds, expected, best = np.empty((1, n)), np.empty((1, n)), np.empty(n)
    cuts = np.exp(-np.array([-100.0, -1.0, 1.0, 100.0]))
    used, columns = np.ones(25, np.bool_), (calendar, calendar, column, column, column, column, mask)
    with np.errstate(over="ignore"):
        tips.expected_rewards(coefficients, used, *columns, np.empty((0, n)), cuts, 1.0, odds, expected, best)
    assert expected.tolist() == [[1.0, -1.0]]


class Reacted(NamedTuple):
    """The reactions of users 0 to n - 1 in round 5 to a candidate of utility u, and the uniforms at their address."""

    reaction: I64
    reward: F64
    learn: Bool
    uniform: F64


def react(u: float, n: int, silence: float) -> Reacted:
    who, rounds = hash_users(f"user-{j}" for j in range(n)), np.full(n, 5)
    odds, chosen = np.full((1, n), np.exp(u)), np.zeros(n, np.int64)
    out = np.empty(n, np.int64), np.empty(n), np.empty(n, np.bool_)
    tips.react(SEED, REPLICATE, who, rounds, odds, chosen, CUTS, silence, *out)
    return Reacted(*out, LaneDraws(SEED, REPLICATE, who).uniforms(REACTION, rounds, 2))


@pytest.mark.compiled
@pytest.mark.parametrize("u", [-3.0, -0.4, 0.0, 1.1, 4.0])
def test_reaction_frequencies_match_the_models_probabilities(u: float) -> None:
    """Chi-squared over six outcomes, 60,000 draws; fails a sound model with probability 1e-6."""
    n, silence = 60_000, 0.15
    seen = react(u, n, silence)
    p = np.append((1 - silence) * ladder(np.array([u]))[:, 0], silence)
    assert stats.chisquare(np.bincount(seen.reaction, minlength=6), n * p).pvalue > 1e-6
    np.testing.assert_array_equal(seen.learn, seen.reaction != NO_REACTION)
    np.testing.assert_array_equal(seen.reward, np.array([*REWARDS, 0.0])[seen.reaction])


def test_one_uniform_places_the_reaction_and_another_is_silence() -> None:
    """Reaction k where P(<= k - 1) <= uniform < P(<= k): a better tip never gets a worse reaction of the same luck."""
    for u in (-0.2, 0.7):
        seen = react(u, 400, 0.2)
        below = 1.0 / (1.0 + np.exp(u - CUT_POINTS))
        place = (seen.uniform[0] >= below[:, None]).sum(axis=0)
        want = np.where(seen.uniform[1] >= 0.2, place, NO_REACTION)
        np.testing.assert_array_equal(seen.reaction, want)
    assert (react(0.7, 400, 0.0).reaction >= react(-0.2, 400, 0.0).reaction).all()


def test_everybody_or_nobody_answers() -> None:
    assert react(0.0, 50, 0.0).learn.all()
    silent = react(0.0, 50, 1.0)
    assert not silent.learn.any()
    assert (silent.reaction == NO_REACTION).all()
    assert (silent.reward == 0.0).all()


def test_the_age_limit_is_the_contracts() -> None:
    assert AGE_LIMIT == 30.0
