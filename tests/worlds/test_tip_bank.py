"""The tips world with a tip bank: who is on offer, what a tip's text adds, and that nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from oo_sim.contract import F64, REWARDS, Offer, World
from oo_sim.worlds import TipBank, build

from .cases import anything, first_of_all, lanes, scenario, tips, utility, walk

ROUNDS, USERS, MOST = 8, 40, 3
CUTS, SILENCE = [-2.0, -0.3, 0.4, 3.0], 0.2
PREFERENCES = {"intercept": 0.2, "priority": {"mean": 1, "sd": 1}, "is_llm": {"mean": 0.3, "sd": 0.5}}
PARTS: dict[str, Any] = {
    "kind": "tips",
    "tasks": {"count": {"min": 2, "max": 4}, "no_due_date": 0.2},
    "segments": [{"name": "all", "preferences": PREFERENCES | {"hour_sin*task_age": -1.0}}],
    "reactions": {"cut_points": CUTS, "no_reaction": SILENCE},
}
APPEAL = {"about_task": 0.7, "names_no_task": -0.4, "contradicts_hour": -1.3}


def bank(seed: int = 1, **columns: Any) -> TipBank:
    """A bank of random texts: about any of two tasks or none, at any hour; a tenth of the generations failed."""
    g = np.random.default_rng(seed)
    shape = (ROUNDS, MOST, USERS)
    usable = np.where(g.random((ROUNDS, USERS)) < 0.1, 0, g.integers(1, MOST + 1, (ROUNDS, USERS)))
    about, contradicts = g.integers(-1, 2, shape), g.random(shape) < 0.3
    model = g.integers(0, 2, (ROUNDS, USERS))
    return TipBank("a", "tips@1", ("small", "large"), usable, about, contradicts, model)._replace(**columns)


def world(of: TipBank | None, **advice: Any) -> World:
    return build(scenario(PARTS | {"tips": {"count": {"min": 1, "max": MOST}} | advice}), of)


def offers(place: World, n: int = USERS, first: int = 0) -> list[Offer]:
    return [offer for offer, _, _ in walk(place, lanes(n, first), ROUNDS)]


def test_the_pool_is_the_tasks_and_at_most_the_tips_that_there_are() -> None:
    """The generation's tips as far as the round wants them; where it failed, the tasks alone."""
    with_texts, without = offers(world(bank())), offers(world(None))
    failed = 0
    for t, (mine, usual) in enumerate(zip(with_texts, without, strict=True)):
        usable, wanted = bank().usable[t], usual.candidates.is_llm.sum(axis=0)
        tips_here = mine.candidates.is_llm.sum(axis=0)
        np.testing.assert_array_equal(tips_here, np.minimum(usable, wanted))
        tasks_here = mine.candidates.mask.sum(axis=0) - tips_here
        np.testing.assert_array_equal(tasks_here, usual.candidates.mask.sum(axis=0) - wanted)
        assert mine.writer is not None
        np.testing.assert_array_equal(mine.writer, np.where(tips_here > 0, bank().model[t], -1))
        failed += int((usable == 0).sum())
    assert failed > 10


@pytest.mark.parametrize("features", ["default", "task"])
def test_a_tip_carries_the_task_that_it_is_about(features: str) -> None:
    named = set()
    for t, offer in enumerate(offers(world(bank(), features=features))):
        c = offer.candidates
        for i in range(USERS):
            own = int((c.mask[:, i] & (c.is_llm[:, i] == 0)).sum())
            for j in range(int(c.is_llm[:, i].sum())):
                k, source = own + j, int(bank().about[t, j, i])
                named.add(source)
                assert c.serial[k, i] == (c.serial[source, i] if source >= 0 else -1)
                copied = source >= 0 and features == "task"
                for column, default in ((c.is_overdue, 0.0), (c.task_age_days, 0.0), (c.priority, 1.0)):
                    assert column[k, i] == (column[source, i] if copied else default)
    assert named == {-1, 0, 1}


def appeal_of(of: TipBank, offer: Offer, t: int) -> F64:
    """What texts add to utilities (K, n), tip by tip, from the definition."""
    c, out = offer.candidates, np.zeros_like(offer.expected)
    for i in range(out.shape[1]):
        for j, k in enumerate(np.flatnonzero(c.is_llm[:, i])):
            out[k, i] = APPEAL["about_task"] if of.about[t, j, i] >= 0 else APPEAL["names_no_task"]
            out[k, i] += APPEAL["contradicts_hour"] if of.contradicts[t, j, i] else 0.0
    return out


@pytest.mark.parametrize("features", ["default", "task"])
def test_expected_rewards_are_those_of_the_ordered_logit_at_u_plus_appeal(features: str) -> None:
    place = world(bank(), features=features, appeal=APPEAL)
    coefficients = place.init(lanes(USERS)).coefficients
    for t, offer in enumerate(offers(place)):
        u, mask = utility(offer, coefficients) + appeal_of(bank(), offer, t), offer.candidates.mask
        below = 1 / (1 + np.exp(u - np.array(CUTS)[:, None, None]))
        edges = np.concatenate([np.zeros((1, *u.shape)), below, np.ones((1, *u.shape))])
        want = (1 - SILENCE) * np.einsum("r,rkn->kn", np.array(REWARDS), np.diff(edges, axis=0))
        np.testing.assert_allclose(offer.expected[mask], want[mask], rtol=0, atol=1e-13)
        np.testing.assert_array_equal(offer.expected[~mask], 0.0)
        np.testing.assert_array_equal(offer.candidates.truth, offer.expected)
        np.testing.assert_array_equal(offer.best, np.where(mask, offer.expected, -np.inf).max(axis=0))


def test_reactions_follow_the_appeal_too() -> None:
    """A hopeless text is dismissed and an irresistible one done, whatever the user's own taste; nothing overflows."""
    for addend, reaction in ((-100.0, 0), (100.0, 4)):
        appeal = {"about_task": addend, "names_no_task": addend, "contradicts_hour": addend}
        place = world(bank(usable=np.full((ROUNDS, USERS), MOST)), appeal=appeal)
        last = walk(place, lanes(USERS), ROUNDS, lambda t, offer: offer.candidates.mask.sum(axis=0) - 1)
        for offer, _, response in last:
            assert set(response.reaction[response.learn]) == {reaction}
            assert np.isfinite(offer.expected).all()


def test_texts_that_say_nothing_are_no_texts() -> None:
    """About no task and without appeal, a bank's tips are those of the world without one, bit for bit."""
    said = bank(usable=np.full((ROUNDS, USERS), MOST), about=np.full((ROUNDS, MOST, USERS), -1))
    played = [walk(world(of), lanes(USERS), ROUNDS, anything(1)) for of in (said, None)]
    for (mine, _, answer), (usual, _, other) in zip(*played, strict=True):
        for a, b in zip(
            (*mine.candidates[:9], *mine[1:3], *answer), (*usual.candidates[:9], *usual[1:3], *other), strict=True
        ):
            np.testing.assert_array_equal(a, b)


def test_two_banks_differ_by_their_tips_alone() -> None:
    """The same tasks, clocks and luck: users who are served the same task react the same."""
    both = [
        walk(world(bank(seed), features="task", appeal=APPEAL), lanes(USERS), ROUNDS, first_of_all) for seed in (1, 2)
    ]
    differs = 0
    for (a, _, answer), (b, _, other) in zip(*both, strict=True):
        task = (a.candidates.mask & (a.candidates.is_llm == 0))[:4]
        np.testing.assert_array_equal(task, (b.candidates.mask & (b.candidates.is_llm == 0))[:4])
        for mine, theirs in zip((*a.candidates[:3], a.expected), (*b.candidates[:3], b.expected), strict=True):
            np.testing.assert_array_equal(mine[:4][task], theirs[:4][task])
        for mine, theirs in ((a.candidates.hour, b.candidates.hour), *zip(answer, other, strict=True)):
            np.testing.assert_array_equal(mine, theirs)
        differs += int((a.candidates.serial != b.candidates.serial).sum())
    assert differs > 100


def test_nobody_depends_on_who_else_is_in_the_block() -> None:
    """Also where a lone last user stands twice."""
    place = world(bank(), features="task", appeal=APPEAL)
    for first, n in ((7, 3), (USERS - 1, 1)):
        whole, some = offers(place), offers(place, n, first)
        for all_of, few in zip(whole, some, strict=True):
            for a, b in zip(
                (*few.candidates[:9], *few[1:3], few.writer),
                (*all_of.candidates[:9], *all_of[1:3], all_of.writer),
                strict=True,
            ):
                assert a is not None
                assert b is not None
                np.testing.assert_array_equal(a, b[..., first : first + n])
    twice = lanes(1, USERS - 1)
    twice = twice._replace(users=np.resize(twice.users, 2))
    for offer, _, _ in walk(place, twice, ROUNDS):
        np.testing.assert_array_equal(offer.expected[:, 0], offer.expected[:, 1])


def test_without_a_bank_appeal_plays_no_part() -> None:
    for mine, usual in zip(offers(world(None, appeal=APPEAL)), offers(world(None)), strict=True):
        np.testing.assert_array_equal(mine.expected, usual.expected)
        assert mine.writer is None


def test_worlds_without_texts_say_so() -> None:
    assert all(offer.writer is None for offer, _, _ in walk(tips(tips={"count": 1}), lanes(2), 2))
