"""SquareCB's probabilities by hand, and egreedy's schedules by their formulas."""

from __future__ import annotations

import numpy as np
import pytest

from oo_sim.contract import Batch, Probs
from oo_sim.features import raw
from oo_sim.policies import UnknownPolicyError, make
from oo_sim.policies.squarecb import squarecb

from .play import play


def weighted(gamma: float, exponent: float, scores: list[float], t: int = 0, standing: int | None = None) -> Probs:
    """The probabilities (K,) for these scores, of which the first `standing` are on offer."""
    K = len(scores)
    mask = np.repeat((np.arange(K) < (standing or K))[:, None], 2, axis=1)
    batch = Batch(np.zeros((K, 7, 2)), mask, np.full(2, t))
    probs = squarecb(gamma, exponent).probs(np.repeat(np.array(scores)[:, None], 2, axis=1), batch)
    return Probs(probs.total[:, 0], probs.explored[:, 0])


def test_three_candidates_by_hand() -> None:
    """K = 3, gamma = 10, gaps 0.5 and 1: 1 / (3 + 5), 1 / (3 + 10), and the rest for the best."""
    total, explored = weighted(10.0, 0.0, [0.5, 1.0, 0.0])
    np.testing.assert_allclose(total, [1 / 8, 1 - 1 / 8 - 1 / 13, 1 / 13], rtol=1e-15)
    np.testing.assert_allclose(explored, [1 / 8, 0, 1 / 13], rtol=1e-15)


def test_masked_candidates_neither_get_nor_count() -> None:
    """K = 2 of 4 stand, and the higher scores behind the mask do not matter."""
    total, _ = weighted(4.0, 0.0, [0.0, 0.5, 9.0, 1.0], standing=2)
    np.testing.assert_allclose(total, [1 / (2 + 2), 3 / 4, 0, 0], rtol=1e-15)


def test_ties_go_to_the_first_and_share_alike() -> None:
    total, explored = weighted(7.0, 0.0, [0.3, 0.3, 0.3])
    np.testing.assert_allclose(total, 1 / 3, rtol=1e-15)
    assert explored[0] == 0.0


def test_gamma_0_is_chance_and_a_large_gamma_is_greedy() -> None:
    np.testing.assert_allclose(weighted(0.0, 0.5, [0.1, 0.9, -3.0, 2.0]).total, 0.25, rtol=1e-15)
    np.testing.assert_allclose(weighted(1e6, 0.0, [0.0, 1.0]).total, [0.0, 1.0], atol=1e-6)


@pytest.mark.parametrize(
    ("exponent", "t", "gamma"), [(0.0, 99, 10.0), (0.5, 0, 10.0), (0.5, 99, 100.0), (1.0, 9, 100.0)]
)
def test_gamma_grows_with_the_users_decisions(exponent: float, t: int, gamma: float) -> None:
    total, _ = weighted(10.0, exponent, [1.0, 0.0], t)
    assert total[1] == pytest.approx(1 / (2 + gamma), rel=1e-13)


def test_it_scores_as_greedy_does() -> None:
    ours, plain = (play(make(name, {"features": raw(5)}), 100).scores for name in ("squarecb", "greedy"))
    np.testing.assert_array_equal(ours, plain)


@pytest.mark.parametrize("wrong", [{"gamma": -1.0}, {"exponent": 3.0}, {"exponent": "sqrt"}, {"prior": 1e-5}])
def test_parameters_out_of_range_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(UnknownPolicyError, match=f"policy squarecb: {next(iter(wrong))} must be"):
        make("squarecb", wrong)
