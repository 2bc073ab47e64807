"""Epsilon-greedy's schedules against their formulas."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from oo_sim.contract import F64, Batch
from oo_sim.policies import UnknownPolicyError, make

FORMULAS: dict[str, Callable[[float], float]] = {
    "harmonic": lambda u: 1 / (1 + u),
    "sqrt": lambda u: 1 / math.sqrt(1 + u),
    "cbrt": lambda u: (1 + u) ** (-1 / 3),
    "exponential": lambda u: math.exp(-u),
}
T = np.array([0, 1, 2, 10, 1000, 1_000_000])


def epsilon(**parameters: object) -> F64:
    """epsilon_t at the rounds T, read off two candidates: twice what is explored of the worse one."""
    batch = Batch(np.zeros((2, 7, len(T))), np.ones((2, len(T)), np.bool_), T)
    scores = np.array([[1.0], [0.0]]).repeat(len(T), axis=1)
    return np.asarray(2.0 * make("egreedy", parameters).probs(scores, batch).explored[1])


@pytest.mark.parametrize("schedule", FORMULAS)
def test_exploration_fades_by_the_formula(schedule: str) -> None:
    expected = [0.4 * FORMULAS[schedule](0.05 * t) for t in T]
    np.testing.assert_allclose(epsilon(epsilon=0.4, decay=0.05, schedule=schedule), expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("schedule", FORMULAS)
def test_without_decay_it_stays(schedule: str) -> None:
    np.testing.assert_array_equal(epsilon(epsilon=0.4, schedule=schedule), 0.4)


def test_the_default_is_harmonic_bit_for_bit() -> None:
    np.testing.assert_array_equal(epsilon(epsilon=0.3, decay=0.7), 0.3 / (1.0 + 0.7 * T))


def test_a_schedule_is_recorded_where_it_is_not_the_default() -> None:
    assert "schedule" not in make("egreedy", {"schedule": "harmonic"}).parameters
    assert make("egreedy", {"schedule": "cbrt"}).parameters["schedule"] == "cbrt"


@pytest.mark.parametrize("wrong", ["linear", "", 3, None])
def test_an_unknown_schedule_is_refused_with_those_there_are(wrong: object) -> None:
    with pytest.raises(UnknownPolicyError, match="schedule must be one of harmonic, sqrt, cbrt, exponential"):
        make("egreedy", {"schedule": wrong})
