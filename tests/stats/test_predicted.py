"""Prediction-powered means: a good predictor narrows the interval, a bad one moves nothing, and coverage holds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from oo_sim.stats import Interval, mean_interval
from oo_sim.stats.predicted import predicted_mean

Judge = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def both_orders(right: float) -> Judge:
    """A judge that is right so often, asked in both orders, which agree or tie."""

    def judged(rng: np.random.Generator, truth: np.ndarray) -> np.ndarray:
        verdicts = [np.where(rng.random(len(truth)) < right, truth, 1 - truth) for _ in range(2)]
        mean: np.ndarray = (verdicts[0] + verdicts[1]) / 2
        return mean

    return judged


def constant(said: float) -> Judge:
    """A judge that always says the same."""
    return lambda rng, truth: np.full(len(truth), said)


def one_order(right: float) -> Judge:
    """A judge that is right so often, asked once."""
    return lambda rng, truth: np.where(rng.random(len(truth)) < right, truth, 1 - truth)


JUDGES: dict[str, Judge] = {
    "good": both_orders(0.85),
    "random": both_orders(0.5),
    "adversarial": both_orders(0.15),
}


def study(seed: int, judge: Judge, labels: int = 200, more: int = 5000, users: int = 400) -> tuple[Interval, Interval]:
    """The interval of labels and judgements, and that of labels alone; the truth is 0.55, users differ."""
    rng = np.random.default_rng(seed)
    likes = rng.beta(11, 9, users)
    who = rng.integers(0, users, labels + more)
    truth = (rng.random(labels + more) < likes[who]).astype(float)
    judged = judge(rng, truth)
    powered, _ = predicted_mean(truth[:labels], judged[:labels], who[:labels], judged[labels:], who[labels:])
    alone, _ = predicted_mean(truth[:labels], judged[:labels], who[:labels], [], [])
    return powered, alone


def test_without_predictions_it_is_the_mean_over_users() -> None:
    values = np.random.default_rng(1).random(30)
    found, weight = predicted_mean(values, values, np.arange(30), [], [])
    assert found == pytest.approx(mean_interval(values))
    assert weight == 0.0


def test_a_judge_that_always_says_the_same_moves_nothing() -> None:
    for said in (0.0, 1.0):
        powered, alone = study(1, constant(said))
        assert powered == alone


def test_a_good_judge_narrows_and_a_random_one_does_no_harm() -> None:
    ratios = {name: narrowed(judge) for name, judge in JUDGES.items()}
    assert ratios["good"] < 0.7
    assert ratios["adversarial"] < 0.7  # one that is always wrong is as good as one that is always right
    assert 0.95 < ratios["random"] < 1.02


@pytest.mark.parametrize("right", [0.15, 0.7, 0.85, 0.95])
def test_one_verdict_a_pair_narrows_as_far_as_any_weight_can(right: float) -> None:
    """The variance left is 1 - r^2 N / (N + n), with the correlation r of verdict and truth, of shares q and 0.55: so
    85 % of right verdicts cannot come below 0.71 of labels alone, and both orders do."""
    q = 0.55 * right + 0.45 * (1 - right)
    squared = (2 * right - 1) ** 2 * 0.55 * 0.45 / (q * (1 - q))
    least = np.sqrt(1 - squared * 5000 / 5200)
    assert narrowed(one_order(right)) == pytest.approx(least, abs=0.03)


def narrowed(judge: Judge) -> float:
    """The mean ratio of the widths with and without the judge."""
    return float(np.mean([a.width / b.width for a, b in (study(seed, judge) for seed in range(20))]))


@pytest.mark.parametrize("labels", [15, 200])
@pytest.mark.parametrize("name", JUDGES)
def test_coverage(name: str, labels: int) -> None:
    """200 studies with 1,000 judgements, fixed seeds: by chance one outside of 91 to 98.5 % once in 30 times."""
    assert 0.91 <= covered(name, 200, labels, 1000) <= 0.985


@pytest.mark.slow
@pytest.mark.parametrize("name", JUDGES)
def test_coverage_in_many_studies(name: str) -> None:
    """3,000 studies of 200 labels and 5,000 judgements: a true 95 % is never outside of 93 to 97 by chance."""
    found = covered(name, 3000)
    print(f"{name}: {found:.1%}")
    assert 0.93 <= found <= 0.97


def covered(name: str, studies: int, labels: int = 200, more: int = 5000) -> float:
    """The share of studies whose interval has the truth in it."""
    found = [study(seed, JUDGES[name], labels, more)[0] for seed in range(studies)]
    return float(np.mean([one.lower <= 0.55 <= one.upper for one in found]))


def test_nothing_and_one_user() -> None:
    assert predicted_mean([], [], [], [1.0], ["a"])[0].n == 0
    one, _ = predicted_mean([1.0, 0.0], [1.0, 1.0], ["a", "a"], [1.0], ["b"])
    assert np.isnan(one.lower)
