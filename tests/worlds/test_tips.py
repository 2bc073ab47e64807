"""What the tips world offers and answers: tasks, tips, masks, truth, reactions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from oo_sim.contract import F64, REWARDS, Candidates
from oo_sim.features import FEATURES

from .cases import anything, first_of_all, lanes, of, tips, utility, walk


def offers(rounds: int = 30, n: int = 40, **parts: Any) -> list[Candidates]:
    return [offer.candidates for offer, _, _ in walk(tips(**parts), lanes(n), rounds)]


def together(seen: list[Candidates], column: str) -> F64:
    """A column of all rounds side by side (K, rounds * n)."""
    return np.concatenate([getattr(c, column) for c in seen], axis=-1)


def test_ages_follow_from_due_dates() -> None:
    """Uniform on -14..14 days to go, a fifth without a due date: those count as not overdue, of age 0."""
    seen = offers(tasks={"count": 6, "no_due_date": 0.2, "whole_days": False})
    age, overdue = together(seen, "task_age_days"), together(seen, "is_overdue")
    np.testing.assert_array_equal(overdue, age > 0)
    dated = age != 0
    assert stats.binomtest(int(dated.sum()), age.size, 0.8).pvalue > 1e-6
    assert stats.kstest(age[dated], "uniform", args=(-14, 28)).pvalue > 1e-6


def test_whole_days_are_rounded_down() -> None:
    part = offers(tasks={"count": 3, "whole_days": False})
    whole = offers(tasks={"count": 3})
    np.testing.assert_array_equal(together(whole, "task_age_days"), np.floor(together(part, "task_age_days")))
    np.testing.assert_array_equal(together(whole, "is_overdue"), together(whole, "task_age_days") > 0)


@pytest.mark.parametrize(
    "due", [{"normal": {"mean": -2, "sd": 5}}, {"weights": {"-3": 1, "0": 2, "7": 1}}], ids=["normal", "weights"]
)
def test_due_dates_follow_their_distribution(due: dict[str, Any]) -> None:
    """An age is minus the days to go. Kolmogorov-Smirnov or chi-squared, error rate 1e-6."""
    age = together(offers(tasks={"count": 6, "due_in_days": due, "whole_days": False}), "task_age_days").ravel()
    if "normal" in due:
        assert stats.kstest(age, "norm", args=(2, 5)).pvalue > 1e-6
    else:
        counts = [int((age == days).sum()) for days in (3, 0, -7)]
        assert sum(counts) == age.size
        assert stats.chisquare(counts, np.array([1, 2, 1]) * age.size / 4).pvalue > 1e-6


def test_priorities_follow_their_weights() -> None:
    """Chi-squared over 7,200 tasks, error rate 1e-6."""
    priority = together(offers(tasks={"count": 6, "priority": {"1": 4, "2": 3, "4": 1}}), "priority").ravel()
    counts = [int((priority == p).sum()) for p in (1, 2, 3, 4)]
    assert counts[2] == 0
    assert stats.chisquare(np.array(counts)[[0, 1, 3]], np.array([4, 3, 1]) * priority.size / 8).pvalue > 1e-6


def test_counts_vary_evenly_and_masks_are_prefixes() -> None:
    """Chi-squared over all 12 pairs of counts, error rate 1e-6; tasks first, then tips, then nothing."""
    seen = offers(60, 100, tasks={"count": {"min": 0, "max": 3}}, tips={"count": {"min": 1, "max": 3}})
    mask, llm, serial = (together(seen, name) for name in ("mask", "is_llm", "serial"))
    size, tips_here = mask.sum(axis=0), llm.sum(axis=0).astype(int)
    np.testing.assert_array_equal(mask, np.arange(6)[:, None] < size)
    tasks_here = size - tips_here
    np.testing.assert_array_equal(llm == 1, mask & (np.arange(6)[:, None] >= tasks_here))
    np.testing.assert_array_equal(serial >= 0, np.arange(6)[:, None] < tasks_here)
    pairs = np.bincount(tasks_here.astype(int) * 3 + tips_here - 1, minlength=12)
    assert len(pairs) == 12
    assert stats.chisquare(pairs).pvalue > 1e-6


def test_tips_have_the_default_features() -> None:
    for c in offers(tasks={"count": 2}, tips={"count": 2}):
        assert (c.is_overdue[2:] == 0).all()
        assert (c.task_age_days[2:] == 0).all()
        assert (c.priority[2:] == 1).all()
        assert (c.serial[2:] == -1).all()
        assert (c.is_llm == np.array([0, 0, 1, 1])[:, None]).all()


@pytest.mark.parametrize("count", [3, {"min": 1, "max": 3}], ids=["fixed", "varying"])
@pytest.mark.parametrize("mode", ["iid", "backlog"])
def test_tips_about_a_task_copy_its_features(count: Any, mode: str) -> None:
    if mode == "backlog" and count != 3:
        count = 1
    seen = offers(tasks={"count": count, "mode": mode}, tips={"count": 2, "features": "task"})
    sources = set()
    for c in seen:
        for i in range(c.mask.shape[1]):
            own = np.flatnonzero((c.is_llm[:, i] == 0) & c.mask[:, i])
            for k in np.flatnonzero(c.is_llm[:, i]):
                source = own[c.serial[own, i] == c.serial[k, i]]
                assert len(source) == 1
                sources.add(int(source[0]))
                for column in (c.is_overdue, c.task_age_days, c.priority):
                    assert column[k, i] == column[source[0], i]
    assert sources == set(range(1 if count == 1 else 3))


def test_fresh_tasks_do_not_depend_on_what_was_served() -> None:
    """Two policies meet identical users, clocks and candidates: only what they choose differs."""
    world = tips(tasks={"count": {"min": 1, "max": 4}}, tips={"count": 1, "features": "task"})
    assert not world.own_trajectory
    for (mine, _, _), (theirs, _, _) in zip(
        walk(world, lanes(20), 10, first_of_all), walk(world, lanes(20), 10, anything(1)), strict=True
    ):
        for a, b in zip((*mine.candidates[:9], mine.expected), (*theirs.candidates[:9], theirs.expected), strict=True):
            np.testing.assert_array_equal(a, b)


def test_offers_differ_between_rounds_users_replicates_and_seeds() -> None:
    def ages(**where: int) -> F64:
        return together([o.candidates for o, _, _ in walk(tips(), lanes(6, **where), 3)], "task_age_days")

    first = ages()
    assert len({tuple(column) for column in first.T}) == first.shape[1]
    assert (ages(replicate=1) != first).mean() > 0.9
    assert (ages(seed=2) != first).mean() > 0.9
    np.testing.assert_array_equal(ages(), first)


def test_nobody_depends_on_who_else_is_in_the_block() -> None:
    world = tips(tasks={"count": 3, "mode": "backlog"}, tips={"count": {"min": 0, "max": 2}, "features": "task"})
    whole, some = walk(world, lanes(20), 12), walk(world, lanes(3, first=7), 12)
    for (all_of, _, answers), (few, _, answer) in zip(whole, some, strict=True):
        for a, b in zip(few.candidates[:9], all_of.candidates[:9], strict=True):
            assert a is not None
            assert b is not None
            np.testing.assert_array_equal(a, b[..., 7:10])
        for mine, theirs in zip(answer, answers, strict=True):
            np.testing.assert_array_equal(mine, theirs[7:10])


def test_expected_rewards_are_the_models_and_the_oracle_sees_them() -> None:
    g = np.random.default_rng(1)
    preferences = {term: {"mean": float(g.normal()), "sd": 0.5} for term in ("intercept", *FEATURES["oo7x"].names)}
    cuts, silence = [-2.0, -0.3, 0.4, 3.0], 0.2
    world = tips(
        segments=[{"name": "all", "preferences": preferences}],
        reactions={"cut_points": cuts, "no_reaction": silence},
        tasks={"count": {"min": 1, "max": 5}},
        tips={"count": 2},
    )
    who = lanes(40)
    coefficients = world.init(who).coefficients
    for offer, _, _ in walk(world, who, 20):
        u, mask = utility(offer, coefficients), offer.candidates.mask
        below = 1 / (1 + np.exp(u - np.array(cuts)[:, None, None]))
        edges = np.concatenate([np.zeros((1, *u.shape)), below, np.ones((1, *u.shape))])
        want = (1 - silence) * np.einsum("r,rkn->kn", np.array(REWARDS), np.diff(edges, axis=0))
        np.testing.assert_allclose(offer.expected[mask], want[mask], rtol=0, atol=1e-13)
        np.testing.assert_array_equal(offer.candidates.truth, offer.expected)
        np.testing.assert_array_equal(offer.best, np.where(mask, offer.expected, -np.inf).max(axis=0))


def test_rewards_average_to_what_is_expected() -> None:
    """z-test over 12,000 decisions with the rewards' own spread; fails a sound world with probability 1e-6."""
    played = walk(tips(reactions={"no_reaction": 0.3}), lanes(300), 40, anything(3))
    off = np.concatenate([response.reward - of(offer.expected, chosen) for offer, chosen, response in played])
    assert abs(off.mean()) < stats.norm.isf(5e-7) * off.std() / np.sqrt(off.size)
    silent = np.concatenate([~response.learn for _, _, response in played])
    assert stats.binomtest(int(silent.sum()), silent.size, 0.3).pvalue > 1e-6


def test_one_luck_for_all_policies() -> None:
    """The same user in the same round who is offered the same candidate reacts the same under any policy."""
    one, two = walk(tips(), lanes(50), 20, first_of_all), walk(tips(), lanes(50), 20, anything(2))
    same = 0
    for (_, mine, answer), (_, theirs, other) in zip(one, two, strict=True):
        agree = mine == theirs
        same += int(agree.sum())
        np.testing.assert_array_equal(answer.reaction[agree], other.reaction[agree])
    assert same > 100


def test_a_world_of_tips_alone_and_one_of_a_single_task() -> None:
    for parts in ({"tasks": {"count": 0}, "tips": {"count": 2}}, {"tasks": {"count": 1}}):
        for c in offers(3, 5, **parts):
            assert c.mask.all()
