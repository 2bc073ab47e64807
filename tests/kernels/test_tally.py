"""Sums are exact whole numbers, whatever the order in which rounds and lanes come."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, Bool
from oo_sim.kernels.tally import SUMS, tally

SCALE = 2.0**36
K, N, ROUNDS = 4, 30, 20


class Round(NamedTuple):
    """One round, as the engine knows it; who is not active made no decision."""

    expected: F64
    best: F64
    chosen: I64
    reward: F64
    reaction: I64
    active: Bool


def rounds() -> list[Round]:
    g = np.random.default_rng(1)
    out = []
    for _ in range(ROUNDS):
        expected, reaction = g.uniform(-1, 1, (K, N)), g.integers(0, 6, N)
        reward = np.array([-1, -0.5, 0, 0.5, 1, 0])[reaction]
        out.append(Round(expected, expected.max(axis=0), g.integers(0, K, N), reward, reaction, g.random(N) < 0.8))
    return out


def counted(played: list[Round], lanes: slice = slice(None), width: int | None = None) -> tuple[I64, I64]:
    """Totals (4, n) and sums (SUMS,) over rounds for some lanes, of which the first `width` count."""
    n = len(played[0].best[lanes])
    totals, sums = np.zeros((4, width or n), np.int64), np.zeros(len(SUMS), np.int64)
    for each in played:
        expected, best = np.ascontiguousarray(each.expected[:, lanes]), each.best[lanes]
        outcome = (each.chosen[lanes], each.reward[lanes], each.reaction[lanes], each.active[lanes])
        tally(expected, best, *outcome, SCALE, totals, sums)
    return totals, sums


def test_totals_are_pythons_exact_integers() -> None:
    totals, sums = counted(rounds())
    want, seen = [[0] * N for _ in range(4)], [0] * 6
    for r in rounds():
        for i in np.flatnonzero(r.active):
            value = int(r.expected[r.chosen[i], i] * SCALE)
            for j, got in enumerate((int(r.reward[i] * SCALE), value, int(r.best[i] * SCALE) - value, 1)):
                want[j][i] += got
            seen[r.reaction[i]] += 1
    assert totals.tolist() == want
    *money, decided = (sum(row) for row in want)
    assert sums.tolist() == [*money, *seen, decided, 0, 0, 0, 0]


def test_neither_the_order_of_rounds_nor_the_split_of_lanes_matters() -> None:
    totals, sums = counted(rounds())
    backwards = counted(rounds()[::-1])
    parts = [counted(rounds(), part) for part in (slice(0, 7), slice(7, 8), slice(8, N))]
    np.testing.assert_array_equal(backwards[0], totals)
    np.testing.assert_array_equal(backwards[1], sums)
    np.testing.assert_array_equal(np.concatenate([part[0] for part in parts], axis=1), totals)
    np.testing.assert_array_equal(np.sum([part[1] for part in parts], axis=0), sums)


def test_lanes_beyond_the_count_only_fill_up() -> None:
    totals, sums = counted(rounds(), slice(0, 2), width=1)
    alone, alone_sums = counted(rounds(), slice(0, 1))
    np.testing.assert_array_equal(totals, alone)
    np.testing.assert_array_equal(sums, alone_sums)


def test_the_best_has_no_regret_and_no_other_a_negative_one() -> None:
    played = [r._replace(chosen=r.expected.argmax(axis=0)) for r in rounds()]
    assert (counted(played)[0][2] == 0).all()
    for r in rounds():
        assert (counted([r])[0][2] >= 0).all()


def test_rewards_of_reactions_are_summed_without_rounding() -> None:
    played = rounds()
    totals, _ = counted(played)
    np.testing.assert_array_equal(totals[0] / SCALE, np.sum([r.reward * r.active for r in played], axis=0))


def test_a_world_without_reactions_counts_none() -> None:
    played = [r._replace(reaction=np.full(N, -1)) for r in rounds()]
    assert (counted(played)[1][3:9] == 0).all()
