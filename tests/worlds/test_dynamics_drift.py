"""Drift in closed form: what coefficients become, whose, and when; a random walk's variance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from oo_sim.contract import F64
from oo_sim.kernels.draws import LaneDraws
from oo_sim.scenario import TERMS, TipsWorld
from oo_sim.worlds import drift
from oo_sim.worlds.population import coefficients, individuality, segment_of

from .cases import lanes, scenario

SEGMENTS: list[dict[str, Any]] = [
    {"name": "a", "weight": 2, "preferences": {"intercept": 0.2, "priority": {"mean": 1, "sd": 0.5}}},
    {"name": "b", "preferences": {"is_overdue": {"mean": -1, "sd": 0.3}, "priority": {"mean": 0, "sd": 2}}},
]
N, ROUNDS, PER_DAY = 300, 40, 4
PRIORITY, OVERDUE = TERMS.index("priority"), TERMS.index("is_overdue")
WHO = lanes(N)
Z = individuality(WHO)


def world(*drifts: dict[str, Any]) -> TipsWorld:
    parts = {"kind": "tips", "tasks": {"count": 3}, "clock": {"decisions_per_day": PER_DAY}}
    spec = scenario(parts | {"segments": SEGMENTS, "drift": list(drifts)}).world
    assert isinstance(spec, TipsWorld)
    return spec


def played(*drifts: dict[str, Any], rounds: int = ROUNDS) -> F64:
    """The coefficients (rounds, 25, N) of all rounds; every round t falls on weekday t mod 7."""
    spec = world(*drifts)
    drifting, draws = drift.drifting(spec, WHO, START), LaneDraws.of(WHO)
    each = []
    for t in range(rounds):
        each.append(drift.coefficients_at(drifting, t, np.full(N, t % 7)).copy())
        drift.walk(drifting, draws, np.full(N, t + 1))
    return np.array(each)


START = coefficients(world({"random_walk": {"sd_per_day": 0}}).segments, WHO)
IN_B = segment_of(world({"random_walk": {"sd_per_day": 0}}).segments, WHO) == 1


def test_abrupt_changes_the_named_coefficients_at_once_and_no_others() -> None:
    """Each user keeps its place z in the spread: the new coefficient is mean + sd z."""
    seen = played({"abrupt": {"at": 7}, "preferences": {"priority": {"mean": -3, "sd": 0.1}}})
    assert (seen[:7] == START).all()
    np.testing.assert_array_equal(seen[7:, PRIORITY], np.broadcast_to(-3 + 0.1 * Z[PRIORITY], (ROUNDS - 7, N)))
    others = np.arange(len(TERMS)) != PRIORITY
    assert (seen[:, others] == START[others]).all()


def test_gradual_is_linear_between_start_and_end() -> None:
    seen = played({"gradual": {"start": 5, "end": 25}, "preferences": {"is_overdue": 4}})[:, OVERDUE]
    way = np.clip((np.arange(ROUNDS) - 5) / 20, 0, 1)[:, None]
    np.testing.assert_allclose(seen, START[OVERDUE] + (4 - START[OVERDUE]) * way, rtol=0, atol=1e-14)
    assert (seen[:6] == START[OVERDUE]).all()
    assert (seen[25:] == 4).all()


@pytest.mark.parametrize("days", [[5, 6], *([day] for day in range(7))], ids=str)
def test_periodic_holds_on_its_days_alone(days: list[int]) -> None:
    seen = played({"periodic": {"days": days}, "preferences": {"is_overdue": 4}})[:, OVERDUE]
    named = np.isin(np.arange(ROUNDS) % 7, days)
    assert (seen[named] == 4).all()
    assert (seen[~named] == START[OVERDUE]).all()


def test_those_who_become_another_segment_prefer_what_it_prefers() -> None:
    seen = played({"segments": ["a"], "abrupt": {"at": 1}, "become": "b"})
    assert (seen[:, :, IN_B] == START[:, IN_B]).all()
    others = seen[1][:, ~IN_B]
    np.testing.assert_array_equal(others[OVERDUE], (-1 + 0.3 * Z[OVERDUE])[~IN_B])
    np.testing.assert_array_equal(others[PRIORITY], (2 * Z[PRIORITY])[~IN_B])
    assert (others[TERMS.index("intercept")] == 0).all()


def test_a_share_of_users_drifts_the_same_ones_in_every_round_and_replicate() -> None:
    """The share is binomial; fails a sound draw with probability 1e-6."""
    who, spec = lanes(20_000), world({"share": 0.3, "abrupt": {"at": 0}, "preferences": {"priority": 9}})
    start = coefficients(spec.segments, who)
    changed = drift.drifting(spec, who, start).changes[0].concerned
    assert stats.binomtest(int(changed.sum()), 20_000, 0.3).pvalue > 1e-6
    again = drift.drifting(spec, lanes(20_000, replicate=3), start).changes[0].concerned
    np.testing.assert_array_equal(again, changed)
    seen = played({"share": 0.3, "abrupt": {"at": 2}, "preferences": {"priority": 9}})[:, PRIORITY]
    np.testing.assert_array_equal(seen[2:] == 9, np.broadcast_to(changed[:N], (ROUNDS - 2, N)))


def test_two_drifts_choose_their_shares_independently() -> None:
    """Fisher's exact test on 5,000 users; fails a sound draw with probability 1e-6."""
    half = {"share": 0.5, "abrupt": {"at": 0}, "preferences": {"priority": 9}}
    spec, who = world(half, half), lanes(5000)
    one, two = (c.concerned for c in drift.drifting(spec, who, coefficients(spec.segments, who)).changes)
    table = np.bincount(2 * one + two, minlength=4).reshape(2, 2)
    assert stats.fisher_exact(table).pvalue > 1e-6


KINDS: dict[str, tuple[dict[str, Any], Callable[[int], float]]] = {
    "abrupt": ({"abrupt": {"at": 3}}, lambda t: float(t >= 3)),
    "gradual": ({"gradual": {"start": 2, "end": 10}}, lambda t: min(max((t - 2) / 8, 0.0), 1.0)),
    "periodic": ({"periodic": {"days": [0, 6]}}, lambda t: float(t % 7 in {0, 6})),
}
"""Each kind of drift, and how far it has come in round t."""
TURNS: dict[str, dict[str, Any]] = {
    "priority": {"preferences": {"priority": {"mean": -3, "sd": 0.1}}},
    "several": {"preferences": {"priority": 2, "is_overdue": {"mean": 1, "sd": 0.2}, "hour_sin": -1}},
    "become b": {"become": "b"},
    "become a": {"become": "a"},
}
WHOM: dict[str, dict[str, Any]] = {"all": {}, "a": {"segments": ["a"]}}
EVERY_DRIFT = [
    {"kind": kind, "turn": turn, "whom": whom}
    for kind in KINDS
    for turn in TURNS
    for whom in WHOM
    if turn != f"become {whom}"
]


def spelled(each: dict[str, str]) -> dict[str, Any]:
    return KINDS[each["kind"]][0] | TURNS[each["turn"]] | WHOM[each["whom"]]


def laid_over(layers: list[dict[str, str]], rounds: int) -> F64:
    """The coefficients (rounds, 25, N) by the documentation's words, term by term."""
    out = np.repeat(START[None], rounds, axis=0)
    for each in layers:
        turn = TURNS[each["turn"]]
        weight = np.array([KINDS[each["kind"]][1](t) for t in range(rounds)])[:, None]
        becomes = turn.get("become")
        preferred = turn["preferences"] if becomes is None else SEGMENTS["ab".index(becomes)]["preferences"]
        concerned = np.full(N, True) if each["whom"] == "all" else ~IN_B
        for i, term in enumerate(TERMS):
            if becomes is None and term not in preferred:
                continue  # the others stay
            normal = preferred.get(term, 0.0)
            mean, sd = (normal["mean"], normal["sd"]) if isinstance(normal, dict) else (normal, 0.0)
            out[:, i] = np.where(concerned, out[:, i] + weight * (mean + sd * Z[i] - out[:, i]), out[:, i])
    return out


@pytest.mark.parametrize("first", EVERY_DRIFT, ids=lambda each: " ".join(each.values()))
def test_a_later_drift_is_laid_over_an_earlier_one_and_leaves_what_it_does_not_name(first: dict[str, str]) -> None:
    """All ordered pairs of kinds, of what they turn, and of whom; over 14 rounds, so that all weekdays are there."""
    for second in EVERY_DRIFT:
        seen = played(spelled(first), spelled(second), rounds=14)
        np.testing.assert_allclose(seen, laid_over([first, second], 14), rtol=0, atol=1e-13, err_msg=str(second))


@pytest.mark.parametrize("layers", [["several", "priority", "several"], ["become b", "several", "priority"]])
def test_three_layers_and_a_walk_above_them(layers: list[str]) -> None:
    three = [{"kind": k, "turn": turn, "whom": "all"} for k, turn in zip(KINDS, layers, strict=True)]
    alone = walked(0.3, 14)
    seen = played(*({"random_walk": {"sd_per_day": 0.3}}, *map(spelled, three)), rounds=14)
    np.testing.assert_allclose(seen, laid_over(three, 14) + alone, rtol=0, atol=1e-12)


def walked(sd: float, rounds: int, **changes: Any) -> F64:
    """How far each coefficient has come, (rounds, 25, N)."""
    return played({"random_walk": {"sd_per_day": sd}} | changes, rounds=rounds) - START


def test_a_random_walk_has_the_stated_variance_after_a_day_and_after_many() -> None:
    """Chi-squared on the sum of squares, and on steps of consecutive rounds, which are independent.

    Each of the four assertions fails a sound walk with probability 1e-6.
    """
    sd, rounds = 0.3, 10 * PER_DAY + 1
    way = walked(sd, rounds)[:, PRIORITY]  # both segments prefer it
    for days in (1, 10):
        squares = (way[days * PER_DAY] ** 2).sum() / (sd**2 * days)
        assert 5e-7 < stats.chi2.cdf(squares, N) < 1 - 5e-7
    steps = np.diff(way, axis=0).ravel() / (sd / np.sqrt(PER_DAY))
    assert stats.kstest(steps, "norm").pvalue > 1e-6
    both = np.diff(way, axis=0)
    z = np.corrcoef(both[1:].ravel(), both[:-1].ravel())[0, 1] * np.sqrt(both[1:].size)
    assert abs(z) < stats.norm.isf(5e-7)


def test_only_what_the_segment_prefers_walks_and_only_those_concerned() -> None:
    way = walked(0.3, 5, segments=["b"])[-1]
    assert (way[:, ~IN_B] == 0).all()
    moves = (way[:, IN_B] != 0).all(axis=1)
    assert [term for term, moved in zip(TERMS, moves, strict=True) if moved] == ["is_overdue", "priority"]
    assert (walked(0.3, 1) == 0).all()
    assert (walked(0.0, 5) == 0).all()


@pytest.mark.parametrize("size", [1, 7])
def test_users_drift_alike_in_any_block(size: int) -> None:
    spec = world({"share": 0.5, "random_walk": {"sd_per_day": 1}})

    def at(first: int, n: int) -> F64:
        who = lanes(n, first)
        drifting = drift.drifting(spec, who, coefficients(spec.segments, who))
        for t in range(1, 3):
            drift.walk(drifting, LaneDraws.of(who), np.full(n, t))
        return drift.coefficients_at(drifting, 2, np.zeros(n, np.int64))

    np.testing.assert_array_equal(at(20, size), at(0, 40)[:, 20 : 20 + size])
