"""Every estimator: hand-worked values and the properties that hold whatever the log."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oo_sim import ope
from oo_sim.ope import ESTIMATORS, Estimator, estimate, merge, rows, sums
from oo_sim.stats import mean_interval

from .cases import log, picked, value

SEEDS = st.integers(0, 2**32 - 1)
every = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)


def test_values_worked_by_hand() -> None:
    """Two users, three decisions; user b counts as much as a, though a decided twice."""
    w, r, q_chosen, q_target, user = [2.0, 0.0, 4.0], [1.0, -1.0, 0.5], [0.5, 0.0, 0.25], [0.2, 0.4, 0.1], list("aab")
    assert ope.ips(w, r, user).estimate == pytest.approx((1.0 + 2.0) / 2)
    assert ope.clipped_ips(w, r, user, bound=3.0).estimate == pytest.approx((1.0 + 1.5) / 2)
    assert ope.snips(w, r, user).estimate == pytest.approx((1.0 + 2.0) / (1.0 + 4.0))
    assert ope.dm(q_target, user).estimate == pytest.approx((0.3 + 0.1) / 2)
    corrected = (0.5, 1.0)  # means of w (r - q_chosen): (1 + 0) / 2 and 1
    assert ope.dr(w, r, q_chosen, q_target, user).estimate == pytest.approx((0.3 + 0.1 + sum(corrected)) / 2)
    assert ope.sndr(w, r, q_chosen, q_target, user).estimate == pytest.approx(0.2 + sum(corrected) / 5.0)
    assert ope.switch_dr(w, r, q_chosen, q_target, user, tau=2.0).estimate == pytest.approx((0.3 + 0.5 + 0.1) / 2)
    assert ope.switch_dr(w, r, q_chosen, q_target, user, tau=1.9).estimate == pytest.approx(0.2)
    shrunk = (0.5 * (4 * 2 / 8) * 0.5, 16 / 20 * 0.25)
    assert ope.dros(w, r, q_chosen, q_target, user, shrinkage=4.0).estimate == pytest.approx((0.4 + sum(shrunk)) / 2)
    tempered = (2 / 1.5, 4 / 2.5)  # lambda 1/2
    assert ope.subgaussian_ips(w, r, user, correction=0.5).estimate == pytest.approx(
        (tempered[0] / 2 + tempered[1] / 2) / 2
    )
    assert ope.subgaussian_dr(w, r, q_chosen, q_target, user, correction=0.5).estimate == pytest.approx(
        (0.3 + tempered[0] * 0.5 / 2 + 0.1 + tempered[1] * 0.25) / 2
    )


@every
@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_weights_of_one_give_the_logs_mean(estimator: Estimator, seed: int) -> None:
    """With w = 1 and a model that knows nothing, each gives the mean reward; DM knows the model alone. The limits of
    shrunk and clipped weights are such that 1 stays 1, but for DRos, which takes lambda / (1 + lambda) of it."""
    d = log(seed).decisions
    plain = rows(np.ones(len(d.r)), d.r, user=d.user)
    means = [d.r[d.user == u].mean() for u in np.unique(d.user)]
    expected = {"dm": 0.0, "dros": np.mean(means) * 100.0 / 101.0}.get(estimator.name, np.mean(means))
    assert value(estimator, plain).estimate == pytest.approx(expected, abs=1e-12)
    if estimator.name not in ("dm", "dros"):
        interval, difference = estimate(estimator, sums(plain, [estimator]))
        assert interval == pytest.approx(mean_interval(means), abs=1e-12)
        assert difference == pytest.approx((0.0, 0.0, 0.0, len(means)), abs=1e-12)


@every
@given(seed=SEEDS, cut=st.floats(0.0, 1.0))
@settings(max_examples=15, deadline=None)
def test_merged_parts_are_the_whole(estimator: Estimator, seed: int, cut: float) -> None:
    """However the rows are split, users too, and in whichever order the parts come."""
    d = log(seed).decisions
    n = len(d.w)
    order = np.random.default_rng(seed).permutation(n)
    first, second = order[: int(cut * n)], order[int(cut * n) :]
    whole = value(estimator, d)
    for parts in ((first, second), (second, first)):
        assert value(estimator, *(picked(d, at) for at in parts)) == pytest.approx(whole, rel=1e-10, nan_ok=True)


@every
@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_the_order_and_the_names_of_users_do_not_matter(estimator: Estimator, seed: int) -> None:
    d = log(seed).decisions
    order = np.random.default_rng(seed).permutation(len(d.w))
    shuffled = picked(d, order)._replace(user=np.array([f"u{u * 7919 % 61}" for u in d.user[order]]))
    assert value(estimator, shuffled) == pytest.approx(value(estimator, d), rel=1e-10, nan_ok=True)


@every
@given(seed=SEEDS, factor=st.floats(1e-3, 1e3))
@settings(max_examples=15, deadline=None)
def test_scaled_rewards_scale_the_estimate(estimator: Estimator, seed: int, factor: float) -> None:
    d = log(seed).decisions
    scaled = rows(d.w, factor * d.r, factor * d.q_chosen, factor * d.q_target, d.user)
    known = np.array(value(estimator, d)[:3]) * factor
    assert value(estimator, scaled)[:3] == pytest.approx(known, rel=1e-9, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("estimator", [e for e in ESTIMATORS.values() if e.bounded], ids=lambda e: e.name)
def test_more_users_make_it_tighter(estimator: Estimator) -> None:
    widths = [value(estimator, log(7, users=n).decisions).width for n in (50, 200, 800, 3200)]
    assert all(later < 0.7 * earlier for earlier, later in itertools.pairwise(widths))


@pytest.mark.parametrize("name", ["snips", "sndr"])
@given(seed=SEEDS, factor=st.floats(0.01, 100.0))
@settings(max_examples=15, deadline=None)
def test_self_normalised_ones_do_not_depend_on_the_weights_scale(name: str, seed: int, factor: float) -> None:
    d = log(seed).decisions
    assert value(ESTIMATORS[name], d._replace(w=factor * d.w)) == pytest.approx(value(ESTIMATORS[name], d), rel=1e-9)


def test_parameters_reach_their_limits() -> None:
    d = log(3).decisions
    ips, dr, dm = (value(ESTIMATORS[name], d).estimate for name in ("ips", "dr", "dm"))
    assert value(ope.clipping(1e9), d).estimate == pytest.approx(ips)
    assert value(ope.tempering(0.0), d).estimate == pytest.approx(ips)
    assert value(ope.tempering(1.0), d).estimate == pytest.approx(d.r.mean())
    assert value(ope.tempering_dr(0.0), d).estimate == pytest.approx(dr)
    assert value(ope.switching(1e9), d).estimate == pytest.approx(dr)
    assert value(ope.switching(0.0), d).estimate == pytest.approx(dm)
    assert value(ope.shrinking(1e12), d).estimate == pytest.approx(dr)
    assert value(ope.shrinking(1e-12), d).estimate == pytest.approx(dm)


def test_the_direct_method_has_no_bounds_and_a_single_user_none_either() -> None:
    d = log(1).decisions
    both = estimate(ope.DM, sums(d, [ope.DM]))
    assert all(math.isnan(bound) for i in both for bound in (i.lower, i.upper))
    alone = ope.dr(d.w, d.r, d.q_chosen, d.q_target, np.zeros(len(d.w), int))
    assert math.isnan(alone.lower)
    assert alone.n == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"w": [1.0, 1.0], "r": [0.0]}, r"r: shape \(1,\) given; one value per decision is expected, \(2,\)"),
        ({"w": [1.0, np.nan], "r": [0.0, 0.0]}, "w: row 1 is nan"),
        ({"w": [1.0, -0.5], "r": [0.0, 0.0]}, "w: row 1 is -0.5"),
        ({"w": [1.0], "r": [np.inf]}, "r: row 0 is inf"),
        ({"w": [1.0], "r": [0.0], "q_chosen": [np.nan]}, "q_chosen: row 0"),
        ({"w": [1.0], "r": [0.0], "user": ["a", "b"]}, "user: shape"),
        ({"w": [[1.0]], "r": [[0.0]]}, "w: shape"),
    ],
)
def test_bad_arrays_are_named(arguments: dict[str, list[float]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rows(**arguments)


def test_bad_parameters_and_parts_are_named() -> None:
    for bad, said in (
        (lambda: ope.clipping(0.0), "bound"),
        (lambda: ope.switching(math.nan), "tau"),
        (lambda: ope.shrinking(0.0), "shrinkage"),
        (lambda: ope.tempering(1.5), "correction"),
        (lambda: merge([]), "no parts"),
        (lambda: ope.snips([0.0, 0.0], [1.0, 1.0]), "every weight is 0"),
    ):
        with pytest.raises(ValueError, match=said):
            bad()
    d = log(1).decisions
    with pytest.raises(ValueError, match="different estimators"):
        merge([sums(d, [ope.IPS]), sums(d, [ope.DR])])
