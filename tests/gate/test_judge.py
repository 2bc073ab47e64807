"""The verdict of the statistics: hand-worked cases, the order of the rules, and how many users a power takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import stats

from oo_sim.contract import F64
from oo_sim.gate.judge import ALPHA, Finding, Judgement, judge, looks, power_of, sup_t_band, users_wanted

MARGIN = 0.01


def steps(mean: float, spread: float = 0.001, users: int = 100, early: float | None = None) -> F64:
    """Differences (2, users) with exactly this mean and sample standard deviation; `early` is the first mark's mean."""
    z = stats.norm.ppf((np.arange(users) + 0.5) / users)
    z = (z - z.mean()) / z.std(ddof=1)
    return np.array([(mean if early is None else early) + spread * z, mean + spread * z])


def found(mean: float, spread: float = 0.001, early: float | None = None) -> Judgement:
    return judge(steps(mean, spread, early=early), (10, 20), MARGIN)


@pytest.mark.parametrize(
    ("mean", "spread", "finding"),
    [
        (0.0, 0.001, Finding.EQUIVALENT),
        (-0.004, 0.001, Finding.EQUIVALENT),  # surely a loss, but of less than half the margin
        (-0.006, 0.001, Finding.REGRESSED),
        (-0.006, 0.05, Finding.INCONCLUSIVE),  # the upper bound is above 0, the lower below the margin
        (0.0, 0.05, Finding.INCONCLUSIVE),
        (0.004, 0.001, Finding.EQUIVALENT),
        (0.006, 0.001, Finding.IMPROVED),
        (0.006, 0.02, Finding.EQUIVALENT),  # better perhaps
        (-0.02, 0.05, Finding.REGRESSED),
    ],
)
def test_hand_worked_cases(mean: float, spread: float, finding: Finding) -> None:
    """100 users: the one-sided bound at 0.001 lies 3.175 standard errors away, a tenth of the spread each."""
    judged = found(mean, spread)
    assert judged.finding is finding
    half = float(stats.t.ppf(1 - ALPHA, 99)) * spread / 10
    assert judged.difference.estimate == pytest.approx(mean, abs=1e-15)
    assert judged.difference.upper - mean == pytest.approx(half)
    assert mean - judged.difference.lower == pytest.approx(half)


def test_a_loss_early_on_the_curve_is_found_though_it_is_made_up_for() -> None:
    judged = found(0.0, early=-0.02)
    assert judged.finding is Finding.REGRESSED
    assert "up to round 10" in judged.why
    assert found(0.0, early=-0.009).finding is Finding.EQUIVALENT


def test_the_band_is_students_bound_for_one_mark_and_bonferronis_at_most_for_many() -> None:
    """One mark: the quantile of Student's distribution. Independent marks: nearly that of alpha / C."""
    rng = np.random.default_rng(1)
    one = sup_t_band(rng.normal(size=(1, 400)), ALPHA)
    assert one.critical == pytest.approx(stats.t.ppf(1 - ALPHA, 399), rel=0.01)
    many = sup_t_band(rng.normal(size=(6, 400)), ALPHA)
    assert many.critical == pytest.approx(stats.t.ppf(1 - ALPHA / 6, 399), rel=0.02)
    same = sup_t_band(np.repeat(rng.normal(size=(1, 400)), 6, axis=0), ALPHA)
    assert same.critical == pytest.approx(stats.t.ppf(1 - ALPHA, 399), rel=0.01)
    flat = sup_t_band(np.zeros((2, 64)), ALPHA)
    assert np.isnan(flat.lower).all()
    assert np.isnan(flat.upper).all()


def test_users_that_do_not_differ_are_equivalent() -> None:
    judged = judge(np.zeros((3, 64)), (1, 2, 3), MARGIN)
    assert judged.finding is Finding.EQUIVALENT
    assert judged.difference[:3] == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("differ", "finding"), [(0, Finding.EQUIVALENT), (3, Finding.INCONCLUSIVE)])
def test_users_who_nearly_never_differ_have_an_exact_bound(differ: int, finding: Finding) -> None:
    """Of 64 users, k lose a little: the mean loss is at most the Clopper-Pearson bound of their share, times 2."""
    some = np.zeros((2, 64))
    some[:, :differ] = -1e-4
    judged = judge(some, (1, 2), MARGIN, largest=2.0)
    bound = stats.beta.ppf(1 - ALPHA, differ + 1, 64 - differ)
    assert judged.difference.lower == pytest.approx(-2.0 * bound)
    assert judged.finding is finding
    assert np.isnan(judged.band.lower).all()


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.05, 0.05), st.floats(1e-4, 0.2))
@example(0.02, 0.001)
@example(0.02, 0.06)
@example(0.004, 0.001)
def test_regressed_and_improved_mirror_each_other(mean: float, spread: float) -> None:
    """Turned round, an improvement is a regression; the curve's band alone has no mirror."""
    one, other = (judge(steps(m, spread)[-1:], (20,), MARGIN) for m in (mean, -mean))
    half = float(stats.t.ppf(1 - ALPHA, 99)) * spread / 10
    better = mean - half > 0.0 and mean >= MARGIN / 2
    assume(abs(mean - half) > 1e-12 and abs(mean - MARGIN / 2) > 1e-12)
    assert (one.finding is Finding.IMPROVED) == better
    assert (other.finding is Finding.REGRESSED and "half the margin" in other.why) == better


def test_users_wanted_bring_the_power_that_was_wanted() -> None:
    """n = (sd (z_0.999 + z_power) / margin)^2, with z_0.999 = 3.0902 and z_0.99 = 2.3263."""
    assert users_wanted(0.05, MARGIN, 0.99) == int(np.ceil((5 * (3.0902323 + 2.3263479)) ** 2))
    for power in (0.9, 0.99, 0.9999):
        assert power_of(users_wanted(0.05, MARGIN, power), 0.05, MARGIN) == pytest.approx(power, abs=0.002)
    assert users_wanted(0.0, MARGIN) == 64
    assert power_of(64, 0.0, MARGIN) == 1.0
    assert users_wanted(100.0, MARGIN) == 20_000


@given(st.integers(64, 30_000))
def test_looks_rise_to_all_users(users: int) -> None:
    planned = looks(users)
    assert planned == sorted(set(planned))
    assert planned[-1] == users
    assert 64 <= planned[0] <= 512
    assert len(planned) <= 3


@pytest.mark.parametrize(("mean", "worse"), [(-0.004, True), (0.0, False), (0.004, False)])
def test_a_sure_loss_below_the_margin_is_called_one(mean: float, worse: bool) -> None:
    judged = found(mean)
    assert judged.finding is Finding.EQUIVALENT
    assert judged.why.startswith("worse, by less than the margin") is worse
