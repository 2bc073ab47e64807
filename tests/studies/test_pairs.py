"""Differences by user: worked by hand, symmetric, exact where nothing differs, and adjusted for how many there are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oo_sim
from oo_sim.stats import holm, sup_t_band
from oo_sim.studies import Comparison, ComparisonError, Metric, Pair, compare_outcomes, gather

from .runs import made

RNG = np.random.default_rng(7)
LEVELS = {label: (0.1 * i + 0.2 * RNG.random(40)).tolist() for i, label in enumerate("abcd")}


def compared(run: oo_sim.Run, metric: Metric = "expected", **choice: Any) -> Comparison:
    return compare_outcomes(gather([run], metric), metric, **choice)


def by_hand(metric: Metric = "expected") -> Pair:
    """Differences 0.1, 0.2, 0.3, 0.0: mean 0.15, sample variance 0.05/3."""
    return compared(made({"a": [0.5, 0.1, 0.2, 0.3], "b": [0.6, 0.3, 0.5, 0.3]}), metric).pairs[0]


def test_hand_worked() -> None:
    pair = by_hand()
    half = 3.182446305284263 * math.sqrt(0.05 / 3 / 4)  # Student's 0.975 quantile, 3 degrees of freedom
    assert (pair.baseline, pair.candidate, pair.users) == ("a", "b", 4)
    assert pair.difference == pytest.approx((0.15, 0.15 - half, 0.15 + half, 4))
    assert pair.spread == pytest.approx(math.sqrt(0.05 / 3))
    gain, same = pair.paired.gain, pair.paired.same
    assert gain[:3] == pytest.approx((0.75, 0.194120, 0.993691), abs=1e-6)  # Clopper-Pearson, 3 of 4
    assert same[:3] == pytest.approx((0.25, 0.006309, 0.805880), abs=1e-6)
    assert pair.paired.lose.estimate == 0.0
    # variances (divisor n): difference 0.0125; a 0.021875, b 0.016875
    assert pair.paired.variance_kept == pytest.approx(0.0125 / 0.03875)
    # 16 pairs of users: b's 0.6 beats 4; 0.5 beats 3, ties 1; 0.3 (twice) beats 2, ties 1
    assert pair.paired.improvement.estimate == pytest.approx((4 + 3.5 + 2.5 + 2.5) / 16)


def test_regret_mirrors_the_difference_and_keeps_who_gains() -> None:
    reward, regret = by_hand(), by_hand("regret")
    assert regret.difference == pytest.approx((-0.15, -reward.difference.upper, -reward.difference.lower, 4))
    assert regret.paired.candidate.estimate == pytest.approx(1 - reward.paired.candidate.estimate)
    assert regret.paired[5:] == pytest.approx(np.array(reward.paired[5:]))
    assert regret.p_value == pytest.approx(reward.p_value)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=12))
def test_swapped_policies_flip_signs(values: list[tuple[float, float]]) -> None:
    a, b = (list(column) for column in zip(*values, strict=True))
    there, back = (
        compared(made({x: each, y: other}), policies=[x, y]).pairs[0]
        for x, y, each, other in (("a", "b", a, b), ("b", "a", b, a))
    )
    assert there.difference == pytest.approx(
        (-back.difference.estimate, -back.difference.upper, -back.difference.lower, len(a)), nan_ok=True
    )
    assert there.paired.gain == back.paired.lose
    assert there.p_value == pytest.approx(back.p_value)
    assert there.band is not None
    assert back.band is not None
    assert there.band.upper == pytest.approx(-back.band.lower, nan_ok=True)


def test_identical_policies_differ_by_exactly_0_and_that_is_not_no_effect() -> None:
    found = compared(made({"a": LEVELS["a"], "b": LEVELS["a"]}))
    [pair] = found.pairs
    share = 1 - 0.025 ** (1 / 40)  # that may yet gain, or lose, by 2 at most: rewards are from -1 to 1
    assert pair.difference == pytest.approx((0.0, -2 * share, 2 * share, 40))
    assert pair.paired.improvement == pytest.approx((0.5, 0.5 - share, 0.5 + share, 40))
    assert (pair.p_value, pair.changed, pair.paired.same.estimate) == (1.0, 0, 1.0)
    bound = 1 - 0.025 ** (1 / 40)
    assert 1 - pair.paired.same.lower == pytest.approx(bound)
    [note] = [note for note in found.notes if "0 of 40 users changed" in note]
    assert f"That is not 'no effect': up to {bound * 100:.2f} % of all users" in note


def test_all_pairs_earlier_one_the_baseline_or_all_against_a_reference() -> None:
    run = made(LEVELS)
    pairs = [(p.baseline, p.candidate) for p in compared(run).pairs]
    assert pairs == [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]
    assert [(p.baseline, p.candidate) for p in compared(run, policies=["c", "a"]).pairs] == [("c", "a")]
    against = compared(run, reference="c").pairs
    assert [(p.baseline, p.candidate) for p in against] == [("c", "a"), ("c", "b"), ("c", "d")]
    assert [(p.baseline, p.candidate) for p in compared(run, policies=["b"], reference="c").pairs] == [("c", "b")]


@pytest.mark.parametrize("choice", [{"policies": ["a"]}, {"policies": ["a"], "reference": "a"}, {"policies": []}])
def test_fewer_than_two_policies_are_refused(choice: dict[str, Any]) -> None:
    with pytest.raises(ComparisonError, match="expected two policies of one scenario"):
        compared(made(LEVELS), **choice)


def test_an_ambiguous_reference_is_refused() -> None:
    runs = [made({"a": LEVELS["a"]}, path="old"), made({"a": LEVELS["b"]}, path="new")]
    assert compare_outcomes(gather(runs), "expected").pairs[0].candidate == "a@new"
    with pytest.raises(ComparisonError, match="reference a is ambiguous: a@old, a@new"):
        compare_outcomes(gather(runs), "expected", reference="a")


def test_holm_is_over_all_pairs_and_scenarios() -> None:
    runs = [made(LEVELS), made({k: v[::-1] for k, v in LEVELS.items()} | {"d": LEVELS["c"]}, name="other")]
    pairs = compare_outcomes(gather(runs), "expected").pairs
    raw, adjusted = (np.array([getattr(pair, name) for pair in pairs]) for name in ("p_value", "holm"))
    assert adjusted == pytest.approx(holm(raw))
    assert (adjusted >= raw).all()
    assert (np.diff(adjusted[np.argsort(raw)]) >= 0).all()
    alone = compare_outcomes(gather(runs[:1]), "expected", policies=["a", "b"]).pairs[0]
    assert alone.holm == alone.p_value


def test_the_band_holds_the_curve_and_its_seed_is_honoured() -> None:
    run = made(LEVELS)
    run.users["expected_reward"] += np.random.default_rng(1).normal(size=len(run.users))
    first, again, other = (compared(run, policies=["a", "b"], seed=seed).pairs[0] for seed in (1, 1, 2))
    assert first.band is not None
    assert again.band is not None
    assert other.band is not None
    assert first.band.upper.tolist() == again.band.upper.tolist() != other.band.upper.tolist()
    assert first.band.estimate[-1] == pytest.approx(first.difference.estimate)
    assert first.band.upper[-1] > first.difference.upper  # simultaneous over checkpoints
    [outcomes] = gather([run])
    direct = sup_t_band((outcomes.values["b"] - outcomes.values["a"]).T, seed=1)
    assert direct.lower.tolist() == first.band.lower.tolist()


def test_one_user_gives_no_interval() -> None:
    found = compared(made({"a": [0.1], "b": [0.2]}))
    [pair] = found.pairs
    assert pair.difference.estimate == pytest.approx(0.1)
    assert math.isnan(pair.difference.lower)
    assert math.isnan(pair.holm)
    assert pair.band is None
    assert any(note.startswith("No interval with one user") for note in found.notes)


def test_failed_policies_are_named_and_take_no_part() -> None:
    run = made({"a": LEVELS["a"], "b": LEVELS["b"]}, failures={"c": "round 3: raised [bold]"})
    found = compared(run, policies=["a", "b", "c"])
    assert len(found.pairs) == 1
    assert found.failures == {"toy: c": "round 3: raised [bold]"}
    assert compared(run, policies=["a"], reference="c").pairs == ()


def test_common_random_numbers_shrink_the_variance() -> None:
    """Same users and draws: the difference of two like policies varies far less than between users apart."""
    one, other = (
        oo_sim.run("quickstart", policies=["linucb", "linucb:alpha=0.8"], users=40, rounds=30, seed=seed)
        for seed in (1, 2)
    )
    paired = compared(one).pairs[0]
    [here], [there] = gather([one]), gather([other])
    apart = (there.values["linucb:alpha=0.8"] - here.values["linucb"])[-1].std(ddof=1)
    assert paired.spread < 0.5 * apart
    assert paired.paired.variance_kept < 0.25
