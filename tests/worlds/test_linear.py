"""The linear world: contexts, thetas, noise and the means that rewards have."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from oo_sim.contract import F64, World
from oo_sim.kernels.elementary import normal_quantile
from oo_sim.scenario import LinearWorld
from oo_sim.worlds import linear as linear_world

from .cases import anything, lanes, linear, of, walk


def contexts(world: World, n: int = 500, rounds: int = 10) -> F64:
    """Vectors (d, everything) that were offered."""
    seen = []
    for offer, _, _ in walk(world, lanes(n), rounds):
        x = offer.candidates.vectors
        assert x is not None
        seen.append(x.transpose(1, 0, 2).reshape(x.shape[1], -1))
    return np.concatenate(seen, axis=1)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_ball_contexts_fill_the_unit_ball_evenly(d: int) -> None:
    """radius^d is uniform: Kolmogorov-Smirnov, error rate 1e-6; the mean is 0: z-test, as rare."""
    x = contexts(linear(dimension=d, candidates=4))
    radius = np.sqrt((x * x).sum(axis=0))
    assert radius.max() <= 1.0
    assert stats.kstest(radius**d, "uniform").pvalue > 1e-6
    assert (np.abs(x.mean(axis=1)) < stats.norm.isf(5e-8) * x.std(axis=1) / np.sqrt(x.shape[1])).all()


def test_gaussian_contexts_have_variance_one_over_d() -> None:
    """Kolmogorov-Smirnov of all coordinates, error rate 1e-6."""
    x = contexts(linear(dimension=6, candidates=3, contexts="gaussian"))
    assert stats.kstest(x.ravel() * math.sqrt(6), "norm").pvalue > 1e-6
    assert np.abs(np.corrcoef(x) - np.eye(6)).max() < stats.norm.isf(1e-8) / np.sqrt(x.shape[1])


@pytest.mark.parametrize("norm", [0.0, 0.5, 1.0, 3.0])
def test_theta_lies_on_its_sphere(norm: float) -> None:
    theta = linear(dimension=4, theta_norm=norm).init(lanes(200)).theta
    np.testing.assert_allclose(np.sqrt((theta * theta).sum(axis=0)), norm, rtol=1e-14)


def test_thetas_point_everywhere() -> None:
    """On a sphere in three dimensions each coordinate is uniform (Archimedes): Kolmogorov-Smirnov, 1e-6."""
    theta = linear(dimension=3).init(lanes(5000)).theta
    for row in theta:
        assert stats.kstest(row, "uniform", args=(-1, 2)).pvalue > 1e-6


def test_expected_rewards_are_inner_products() -> None:
    world, who = linear(dimension=4, candidates=6), lanes(30)
    theta = world.init(who).theta
    for offer, _, _ in walk(world, who, 5):
        x = offer.candidates.vectors
        assert x is not None
        np.testing.assert_allclose(offer.expected, np.einsum("kdn,dn->kn", x, theta), rtol=0, atol=1e-15)
        np.testing.assert_array_equal(offer.best, offer.expected.max(axis=0))


@pytest.mark.parametrize("sd", [0.0, 0.1, 2.0])
def test_gaussian_noise_has_its_standard_deviation(sd: float) -> None:
    """Kolmogorov-Smirnov of what rewards add to their means, error rate 1e-6."""
    played = walk(linear(noise_sd=sd), lanes(300), 20, anything(1))
    off = np.concatenate([response.reward - of(offer.expected, chosen) for offer, chosen, response in played])
    if sd == 0:
        assert (off == 0).all()
    else:
        assert stats.kstest(off / sd, "norm").pvalue > 1e-6
    assert all(response.learn.all() and (response.reaction == -1).all() for _, _, response in played)


def test_bernoulli_rewards_are_signs_with_the_right_mean() -> None:
    """z-test of reward minus mean over its own variance 1 - mean^2, error rate 1e-6; also where the mean is large."""
    played = walk(linear(noise="bernoulli", dimension=2), lanes(500), 40, anything(2))
    mean = np.concatenate([of(offer.expected, chosen) for offer, chosen, _ in played])
    reward = np.concatenate([response.reward for _, _, response in played])
    assert set(reward.tolist()) == {-1.0, 1.0}
    for part in (np.ones(len(mean), np.bool_), mean > 0.4, mean < -0.4):
        z = (reward - mean)[part].sum() / np.sqrt((1 - mean[part] ** 2).sum())
        assert abs(z) < stats.norm.isf(5e-7)


def test_what_is_offered_does_not_depend_on_what_was_served() -> None:
    world = linear(dimension=3)
    for (mine, _, _), (theirs, _, _) in zip(
        walk(world, lanes(10), 5), walk(world, lanes(10), 5, anything(1)), strict=True
    ):
        assert mine.candidates.vectors is not None
        np.testing.assert_array_equal(mine.candidates.vectors, theirs.candidates.vectors)


@pytest.mark.parametrize("contexts_are", ["ball", "gaussian"])
@pytest.mark.parametrize("norm", [0.0, 1.0, 1000.0])
@pytest.mark.parametrize("sd", [0.0, 1000.0])
def test_sums_cannot_overflow(contexts_are: str, norm: float, sd: float) -> None:
    """Ten million users at the farthest draw there is, in units of 1 / scale, fit 63 bits; so does a user's total."""
    spec = LinearWorld(kind="linear", contexts=contexts_are, theta_norm=norm, noise_sd=sd)  # type: ignore[arg-type]
    farthest = -normal_quantile(0.0)
    # |x| of Gaussian contexts: sqrt(chi2(d) / d) is largest when all coordinates lie at the farthest draw
    most = norm * (1.0 if contexts_are == "ball" else farthest) + farthest * sd
    scale = linear_world.build(spec).scale
    assert most * scale * 1e7 < 2**63
    assert 2 * most * scale * 1e6 < 2**63
    assert math.log2(scale).is_integer()
