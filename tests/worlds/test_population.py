"""Who the users are: segments by weight, preferences by segment, both the users' own whatever else happens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from oo_sim.contract import World
from oo_sim.scenario import TERMS, Segment, TipsWorld
from oo_sim.worlds.population import coefficients, segment_of

from .cases import lanes, linear, scenario, tips

SEGMENTS: list[dict[str, Any]] = [
    {"name": "a", "weight": 1, "preferences": {"intercept": {"mean": -1, "sd": 0.5}, "hour_sin*priority": 3}},
    {"name": "never", "weight": 0, "preferences": {"intercept": 99}},
    {"name": "b", "weight": 3, "preferences": {"is_llm": {"mean": 2, "sd": 2}}},
]


def segments() -> tuple[Segment, ...]:
    world = scenario({"kind": "tips", "tasks": {"count": 1}, "segments": SEGMENTS}).world
    assert isinstance(world, TipsWorld)
    return world.segments


def test_segments_have_their_shares() -> None:
    """Exact binomial test over 20,000 users; fails a sound draw with probability 1e-6."""
    which = segment_of(segments(), lanes(20_000))
    counts = np.bincount(which, minlength=3)
    assert counts[1] == 0
    assert stats.binomtest(int(counts[0]), 20_000, 0.25).pvalue > 1e-6


def test_preferences_are_drawn_by_segment() -> None:
    """Kolmogorov-Smirnov for those with a spread (error rate 1e-6); the others are constants, exactly."""
    who = lanes(20_000)
    which, drawn = segment_of(segments(), who), coefficients(segments(), who)
    intercept, llm, product = (drawn[TERMS.index(t)] for t in ("intercept", "is_llm", "hour_sin*priority"))
    assert stats.kstest(intercept[which == 0], "norm", args=(-1, 0.5)).pvalue > 1e-6
    assert stats.kstest(llm[which == 2], "norm", args=(2, 2)).pvalue > 1e-6
    assert set(product.tolist()) == {0.0, 3.0}
    np.testing.assert_array_equal(product == 3.0, which == 0)
    assert (intercept[which == 2] == 0).all()
    assert (llm[which == 0] == 0).all()
    assert abs(np.corrcoef(intercept[which == 0], llm[which == 2][: (which == 0).sum()])[0, 1]) < 0.1


def test_the_terms_are_the_features_of_oo7x_behind_an_intercept() -> None:
    assert ("intercept", *tips().features["oo7x"].names) == TERMS


@pytest.mark.parametrize("world", [tips(segments=SEGMENTS), linear()], ids=["tips", "linear"])
def test_users_are_themselves_in_every_replicate_and_company(world: World) -> None:
    def people(**where: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        state = world.init(lanes(where.pop("n", 30), **where))
        out: np.ndarray[Any, np.dtype[np.float64]] = state.theta if world.name == "linear" else state.coefficients
        return out

    everybody = people()
    np.testing.assert_array_equal(people(replicate=5), everybody)
    for n in (2, 3, 5, 8, 17):
        np.testing.assert_array_equal(people(n=n, first=11), everybody[:, 11 : 11 + n])
    assert (people(seed=2) != everybody).any(axis=0).all()


def test_a_segment_more_changes_no_users_luck() -> None:
    """Users who stay in their segment keep their preferences when the weights of others change."""
    heavier = [SEGMENTS[0] | {"weight": 2}, *SEGMENTS[1:]]
    world = scenario({"kind": "tips", "tasks": {"count": 1}, "segments": heavier}).world
    assert isinstance(world, TipsWorld)
    who = lanes(300)
    before, after = segment_of(segments(), who), segment_of(world.segments, who)
    same = before == after
    assert 0 < same.sum() < 300
    np.testing.assert_array_equal(coefficients(segments(), who)[:, same], coefficients(world.segments, who)[:, same])
