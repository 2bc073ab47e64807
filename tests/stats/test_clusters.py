"""Intervals over clusters: hand-worked where there is nothing to cluster, and covering where there is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from oo_sim.stats import mean_interval, wilson
from oo_sim.stats.clusters import Clusters, quantile_interval, ratio_interval, share_interval


def test_a_mean_with_one_value_per_cluster_is_students() -> None:
    values = np.random.default_rng(1).normal(size=20)
    found = ratio_interval(Clusters.of(np.arange(20), values, np.ones(20)))
    assert found == pytest.approx(mean_interval(values))


def test_a_share_with_one_trial_per_cluster_is_wilsons_up_to_students_quantile() -> None:
    hits = np.arange(1000) < 300
    found = share_interval(Clusters.of(np.arange(1000), hits, np.ones(1000)))
    assert found == pytest.approx(wilson(300, 1000), abs=2e-4)


def test_equal_trials_of_a_cluster_are_one_trial() -> None:
    hits = np.arange(40) < 12
    once = share_interval(Clusters.of(np.arange(40), hits, np.ones(40)))
    tenfold = share_interval(Clusters.of(np.repeat(np.arange(40), 10), np.repeat(hits, 10), np.ones(400)))
    assert tenfold == pytest.approx(once)


@pytest.mark.parametrize(("hits", "bounds"), [(0, (0.0, None)), (30, (None, 1.0))])
def test_none_and_all_have_an_interval_of_as_many_trials_as_clusters(
    hits: int, bounds: tuple[float | None, float | None]
) -> None:
    found = share_interval(Clusters.of(np.repeat(np.arange(30), 5), np.repeat(np.arange(30) < hits, 5), np.ones(150)))
    z2 = special.stdtrit(29, 0.975) ** 2
    width = z2 / 30 / (1 + z2 / 30)
    assert found.width == pytest.approx(width)
    assert bounds in ((found.lower, None), (None, found.upper))


def test_clusters_with_nothing_below_are_left_out_and_one_says_nothing() -> None:
    assert Clusters.of(["a", "b"], [0, 1], [0, 2]).top.tolist() == [1.0]
    assert share_interval(Clusters.of(["a", "a"], [0, 1], [1, 1]))[:3] == (0.5, 0.0, 1.0)
    assert math.isnan(ratio_interval(Clusters.of(["a", "a"], [0, 1], [1, 1])).lower)
    assert math.isnan(share_interval(Clusters.of([], [], [])).estimate)
    assert math.isnan(quantile_interval([], [], 0.5).estimate)


def test_coverage_where_trials_hang_together() -> None:
    """500 studies of 60 users with 30 trials each, fixed seeds: outside of 92 to 98 % once in 500 times by chance."""
    rng = np.random.default_rng(3)
    inside = []
    for _ in range(500):
        shares = rng.beta(2, 0.5, 60)  # mean 0.8
        hits = rng.random((60, 30)) < shares[:, None]
        found = share_interval(Clusters(hits.sum(axis=1).astype(float), np.full(60, 30.0)))
        naive = wilson(int(hits.sum()), hits.size)
        inside.append((found.lower <= 0.8 <= found.upper, naive.lower <= 0.8 <= naive.upper))
    clustered, independent = np.mean(inside, axis=0)
    assert 0.92 <= clustered <= 0.98
    assert independent < 0.7


def test_quantiles_cover() -> None:
    """400 studies of 60 users with 20 values each about a level of their own."""
    rng = np.random.default_rng(4)
    truth = float(special.ndtri(0.95) * math.sqrt(2))
    inside = []
    for _ in range(400):
        values = rng.normal(size=(60, 1)) + rng.normal(size=(60, 20))
        found = quantile_interval(np.repeat(np.arange(60), 20), values.ravel(), 0.95)
        inside.append(found.lower <= truth <= found.upper)
    assert 0.92 <= np.mean(inside) <= 0.98
