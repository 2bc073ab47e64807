"""From scores to probabilities and from probabilities to an arm: ties, masks, sums, frequencies, faults."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy import special, stats

from oo_sim.contract import F64, I64, Bool
from oo_sim.kernels import choice

K, N = 5, 40


def scores(seed: int = 1) -> F64:
    """Rounded, so that ties are common."""
    return np.round(np.random.default_rng(seed).normal(size=(K, N)), 1)


def prefixes(seed: int = 2) -> Bool:
    """Masks as worlds make them: those that stand come first."""
    mask: Bool = np.arange(K)[:, None] < np.random.default_rng(seed).integers(1, K + 1, N)
    return mask


def holes(seed: int = 3) -> Bool:
    """Any mask with a candidate in it."""
    mask = np.random.default_rng(seed).random((K, N)) < 0.5
    mask[0, ~mask.any(axis=0)] = True
    return mask


MASKS = {"prefixes": prefixes(), "holes": holes(), "all": np.ones((K, N), np.bool_)}
masks = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())


def best_of(values: F64, mask: Bool) -> I64:
    best: I64 = np.where(mask, values, -np.inf).argmax(axis=0)
    return best


@masks
def test_argmax_is_the_first_of_the_highest_that_stand(mask: Bool) -> None:
    best = np.empty(N, np.int64)
    choice.argmax(scores(), mask, best)
    np.testing.assert_array_equal(best, best_of(scores(), mask))


def test_argmax_takes_the_first_on_a_tie_and_passes_by_what_is_masked() -> None:
    best = np.empty(3, np.int64)
    values = np.array([[9.0, -1.0, np.nan], [2.0, -1.0, -np.inf], [2.0, -5.0, -7.0]])
    mask = np.array([[False, True, False], [True, True, True], [True, True, True]])
    choice.argmax(values, mask, best)
    assert best.tolist() == [1, 0, 2]


@masks
@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0])
def test_epsilon_greedy_shares(mask: Bool, epsilon: float) -> None:
    total, explored = np.empty((K, N)), np.empty((K, N))
    choice.epsilon_greedy(scores(), mask, np.full(N, epsilon), total, explored)
    size = mask.sum(axis=0)
    np.testing.assert_array_equal(explored, np.where(mask, epsilon / size, 0.0))
    greedy = np.arange(K)[:, None] == best_of(scores(), mask)
    np.testing.assert_array_equal(total, explored + np.where(greedy, 1.0 - epsilon, 0.0))
    np.testing.assert_allclose(total.sum(axis=0), 1.0, rtol=0, atol=4e-16)


@masks
@pytest.mark.parametrize("temperature", [1e-6, 0.1, 1.0, 50.0])
def test_softmax_is_scipys(mask: Bool, temperature: float) -> None:
    total = np.empty((K, N))
    choice.softmax(scores(), mask, temperature, total)
    with np.errstate(all="ignore"):
        want = special.softmax(np.where(mask, scores() / temperature, -np.inf), axis=0)
    np.testing.assert_allclose(total, want, rtol=2e-12, atol=1e-300)
    assert (total[~mask] == 0.0).all()
    np.testing.assert_allclose(total.sum(axis=0), 1.0, rtol=0, atol=1e-15)


def test_softmax_stands_extreme_scores() -> None:
    total = np.empty((3, 2))
    choice.softmax(np.array([[1e300, -1e300], [-1e300, -1e300], [1e300, 0.0]]), np.ones((3, 2), np.bool_), 1e-3, total)
    np.testing.assert_allclose(total, [[0.5, 0.0], [0.0, 0.0], [0.5, 1.0]], rtol=0, atol=1e-300)


@masks
def test_win_shares_count_the_samples_won(mask: Bool) -> None:
    samples = np.stack([scores(seed) for seed in range(8)])
    total = np.empty((K, N))
    choice.win_shares(samples, mask, total)
    want = sum((np.arange(K)[:, None] == best_of(s, mask)).astype(float) for s in samples) / 8
    np.testing.assert_array_equal(total, want)


class Drawn(NamedTuple):
    """What `draw` fills in, and how many lanes break a rule."""

    chosen: I64
    propensity: F64
    score: F64
    explored: Bool
    faults: int


def draw(
    total: F64, uniform: F64, explored: F64 | None = None, values: F64 | None = None, mask: Bool | None = None
) -> Drawn:
    n = total.shape[1]
    explored = np.zeros(total.shape) if explored is None else explored
    values = np.arange(total.size, dtype=float).reshape(total.shape) if values is None else values
    mask = np.ones(total.shape, np.bool_) if mask is None else mask
    out = Drawn(np.empty(n, np.int64), np.empty(n), np.empty(n), np.empty(n, np.bool_), 0)
    faults = choice.draw(total, explored, values, mask, uniform, *out[:4])
    return out._replace(faults=int(faults))


def test_draw_inverts_the_cumulative_sum() -> None:
    """The first arm whose cumulative sum exceeds the uniform; an arm of probability 0 is never drawn."""
    total = np.array([0.0, 0.25, 0.0, 0.75, 0.0])[:, None].repeat(6, axis=1)
    uniform = np.array([[0.0, 0.25 - 2**-53, 0.25, 0.5, 1 - 2**-53, 2**-53], [0.5] * 6])
    out = draw(total, uniform)
    assert out.chosen.tolist() == [1, 1, 3, 3, 3, 1]
    assert out.propensity.tolist() == [0.25, 0.25, 0.75, 0.75, 0.75, 0.25]
    assert out.score.tolist() == [6.0, 7.0, 20.0, 21.0, 22.0, 11.0]
    assert out.faults == 0


def test_draw_falls_back_on_the_last_arm_that_has_a_chance() -> None:
    """Ten times 0.1 sums to less than 1 in floating point; beyond it comes the last arm with a chance, not arm K."""
    total = np.array([*[0.1] * 10, 0.0])[:, None].repeat(2, axis=1)
    assert total[:, 0].cumsum()[-1] < 1.0
    out = draw(total, np.array([[1 - 2**-53] * 2, [0.0] * 2]))
    assert out.chosen.tolist() == [9, 9]
    assert out.faults == 0


def test_explored_is_flagged_in_proportion() -> None:
    """A second uniform below explored / total of the arm drawn; the boundary itself is not explored."""
    total, explored = np.full((2, 4), 0.5), np.array([[0.125] * 4, [0.0] * 4])
    uniform = np.array([[0.0, 0.0, 0.0, 0.9], [0.0, 0.25 - 2**-53, 0.25, 0.0]])
    assert draw(total, uniform, explored).explored.tolist() == [True, True, False, False]


@pytest.mark.compiled
def test_draw_frequencies_match_the_probabilities() -> None:
    """Chi-squared over the arms, and over the flag; each fails a sound draw with probability 1e-6."""
    n = 200_000
    p, e = np.array([0.05, 0.4, 0.0, 0.3, 0.25]), np.array([0.05, 0.05, 0.0, 0.1, 0.0])
    uniform = np.random.default_rng(5).random((2, n))
    out = draw(p[:, None].repeat(n, axis=1), uniform, e[:, None].repeat(n, axis=1))
    counts = np.bincount(out.chosen, minlength=5)
    assert counts[2] == 0
    assert stats.chisquare(counts[p > 0], n * p[p > 0]).pvalue > 1e-6
    flagged = np.bincount(out.chosen[out.explored], minlength=5)
    assert flagged[0] == counts[0]
    assert flagged[4] == 0
    for k in (1, 3):
        assert stats.binomtest(int(flagged[k]), int(counts[k]), e[k] / p[k]).pvalue > 1e-6


FAULTS = {
    "negative": ([-0.5, 1.5, 0.0], [0, 0, 0], [0, 0, 0]),
    "not a number": ([np.nan, 1.0, 0.0], [0, 0, 0], [0, 0, 0]),
    "explored not a number": ([0.0, 1.0, 0.0], [0, np.nan, 0], [0, 0, 0]),
    "explored negative": ([0.5, 0.5, 0.0], [-0.1, 0, 0], [0, 0, 0]),
    "explored above total": ([0.5, 0.5, 0.0], [0.6, 0, 0], [0, 0, 0]),
    "weight on the masked": ([0.5, 0.25, 0.25], [0, 0, 0], [0, 0, 0]),
    "exploration of the masked": ([0.5, 0.5, 0.0], [0, 0, 0.1], [0, 0, 0]),
    "sum below 1": ([0.5, 0.4, 0.0], [0, 0, 0], [0, 0, 0]),
    "sum above 1": ([0.5, 0.6, 0.0], [0, 0, 0], [0, 0, 0]),
    "sum off by 1e-8": ([0.5, 0.5 + 1e-8, 0.0], [0, 0, 0], [0, 0, 0]),
    "no probability at all": ([0.0, 0.0, 0.0], [0, 0, 0], [0, 0, 0]),
    "infinite": ([np.inf, 0.0, 0.0], [0, 0, 0], [0, 0, 0]),
    "score not a number": ([0.5, 0.5, 0.0], [0, 0, 0], [0, np.nan, 0]),
    "score infinite": ([0.5, 0.5, 0.0], [0, 0, 0], [np.inf, 0, 0]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_broken_rule_is_counted_once_a_lane(name: str) -> None:
    """Lanes 1 and 3 are broken, 0 and 2 sound; the third candidate is masked."""
    sound = ([0.5, 0.5, 0.0], [0.5, 0.0, 0.0], [1.0, 2.0, np.nan])
    lanes = [sound, FAULTS[name], sound, FAULTS[name]]
    total, explored, values = (np.array([lane[j] for lane in lanes], dtype=float).T.copy() for j in range(3))
    mask = np.array([True, True, False])[:, None].repeat(4, axis=1)
    with np.errstate(invalid="ignore"):
        assert draw(total, np.full((2, 4), 0.3), explored, values, mask).faults == 2
        assert draw(total[:, ::2].copy(), np.full((2, 2), 0.3), None, None, mask[:, ::2].copy()).faults == 0


def test_what_rounding_leaves_of_a_sum_is_no_fault() -> None:
    total = np.array([0.5, 0.5 - 5e-10])[:, None].repeat(2, axis=1)
    assert draw(total, np.full((2, 2), 0.3)).faults == 0


def test_take_gathers_the_chosen_vectors() -> None:
    x, out = np.random.default_rng(1).normal(size=(K, 3, N)), np.empty((3, N))
    index = np.random.default_rng(2).integers(0, K, N)
    choice.take(x, index, out)
    np.testing.assert_array_equal(out, x[index, :, np.arange(N)].T)


def test_count_counts_what_stands() -> None:
    out = np.empty(N)
    choice.count(holes(), out)
    np.testing.assert_array_equal(out, holes().sum(axis=0))
