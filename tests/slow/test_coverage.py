"""How often intervals hold the truth, over 2,000 simulated replications; run with -s to see the figures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from oo_sim.stats import confidence_sequence, mean_interval, paired, sup_t_band

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

REPLICATIONS = 2000
USERS = (30, 100, 400)
"""The standard error of a coverage of 95 % over 2,000 replications is 0.5 points; 93 to 97 is 4 of them."""

F64 = NDArray[np.float64]


class Population(NamedTuple):
    """One value per user: how it is drawn, its true mean, and whether 93 to 97 % may be asked of it."""

    draw: Callable[[np.random.Generator, int], F64]
    mean: float
    fair: bool = True


def _ladder(rng: np.random.Generator, n: int) -> F64:
    """A user's mean reward over 40 reactions of the ladder -1 .. 1, whose leaning is the user's own."""
    return rng.binomial(4 * 40, rng.beta(1.0, 3.0, n)) / 80.0 - 1.0


POPULATIONS = {
    "normal": Population(lambda rng, n: rng.normal(1.0, 2.0, n), 1.0),
    "mean of 40 reactions": Population(_ladder, -0.5),
    "skewed (gamma, shape 2)": Population(lambda rng, n: rng.gamma(2.0, 1.0, n), 2.0),
    "heavy (Student, 3 df)": Population(lambda rng, n: rng.standard_t(3, n), 0.0),
    "very skewed (exponential)": Population(lambda rng, n: rng.exponential(1.0, n), 1.0, fair=False),
    "extreme (lognormal, sigma 1)": Population(lambda rng, n: rng.lognormal(0.0, 1.0, n), math.exp(0.5), fair=False),
}


@pytest.mark.parametrize("users", USERS)
@pytest.mark.parametrize("name", POPULATIONS)
def test_means_and_paired_differences(name: str, users: int) -> None:
    """Both are asked for 93 to 97 % of fair populations; the two others show where the method ends."""
    population, rng = POPULATIONS[name], np.random.default_rng([1, users])
    mean = difference = 0
    for _ in range(REPLICATIONS):
        base = population.draw(rng, users)
        mean += not mean_interval(base).excludes(population.mean)
        lifted = base + population.draw(rng, users)
        difference += not paired(base, lifted).difference.excludes(population.mean)
    for what, covered in (("mean", mean), ("difference", difference)):
        share = covered / REPLICATIONS
        print(f"\n| {name} | {users} | {what} | {100 * share:.1f} % |", end="")
        assert (0.93 if population.fair else 0.86) <= share <= 0.97


@pytest.mark.parametrize("side", ["both", "lower", "upper"])
@pytest.mark.parametrize("name", POPULATIONS)
def test_peeking_after_every_batch(name: str, side: str) -> None:
    """Looks every 30 users up to 1,500: at most 5 % of fair populations' paths may ever miss the truth."""
    population, rng, batch, most = POPULATIONS[name], np.random.default_rng(2), 30, 1500
    looks = np.arange(batch, most + 1, batch)
    missed = 0
    for _ in range(REPLICATIONS):
        x = population.draw(rng, most) - population.mean
        means = x.cumsum()[looks - 1] / looks
        variances = ((x**2).cumsum()[looks - 1] - looks * means**2) / (looks - 1)
        missed += any(
            confidence_sequence(m, v, n, n_best=400, side=side).excludes(0.0)  # type: ignore[arg-type]
            for m, v, n in zip(means.tolist(), variances.tolist(), looks.tolist(), strict=True)
        )
    share = missed / REPLICATIONS
    print(f"\n| {name} | {side} | {100 * share:.1f} % |", end="")
    if population.fair:
        assert share <= 0.05


@pytest.mark.parametrize("users", USERS)
@pytest.mark.parametrize("skewed", [False, True])
def test_bands_hold_whole_curves(users: int, skewed: bool) -> None:
    """Cumulative reward at 12 checkpoints: the band holds the whole true curve in 93 to 97 %."""
    rng, covered = np.random.default_rng([3, users]), 0
    for replication in range(REPLICATIONS):
        own = rng.gamma(2.0, 1.0, (users, 1)) - 2.0 if skewed else rng.normal(size=(users, 1))
        curves = (0.5 * own + rng.normal(size=(users, 12))).cumsum(axis=1)
        band = sup_t_band(curves, seed=replication, samples=500)
        covered += bool((band.lower <= 0.0).all() and (band.upper >= 0.0).all())
    share = covered / REPLICATIONS
    print(f"\n| {'skewed' if skewed else 'normal'} users | {users} | {100 * share:.1f} % |", end="")
    assert 0.93 <= share <= 0.97
