"""The mixture: people found again, the climb, starts, standard errors, held-out likelihood and drift."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from oo_sim.fitting import Population
from oo_sim.fitting.checks import calibration, drift, marginal, predicted
from oo_sim.fitting.em import blended
from oo_sim.fitting.precision import precision, settled, singular
from oo_sim.fitting.search import Step, preferred, search

from .cases import TWO, drawn


def test_two_kinds_of_people_are_found_again() -> None:
    """300 users, 60 reactions each. BIC takes two segments; nearly all are assigned rightly; and no number is further
    than 4.2 standard errors from the truth (over 20 numbers, chance below .001)."""
    data, which = drawn(TWO, 300, 60, 1)
    found = search(data, (1, 2, 3), 2, 0)
    best = preferred(found)
    assert best.fitted.people.segments == 2
    assert best.reached == 2
    fit = settled(data, best.fitted)
    error = precision(data, fit)
    assert (fit.users.share.argmax(axis=1) == which).mean() > 0.97
    for name in ("share", "mean", "sd", "cuts"):
        z = (getattr(fit.people, name) - getattr(TWO, name)) / getattr(error, name)
        assert np.abs(z).max() < 4.2, name
    assert fit.people.share @ fit.people.mean[:, 0] == pytest.approx(0.0, abs=1e-12)


def test_the_climb_rises_and_the_same_seed_gives_the_same_bits() -> None:
    data, _ = drawn(TWO, 80, 30, 2)
    told: list[Step] = []
    first = search(data, (2,), 2, 5, told.append)[0]
    again = search(data, (2,), 2, 5)[0]
    assert all(np.array_equal(a, b) for a, b in zip(first.fitted.people, again.fitted.people, strict=True))
    assert [(s.climb, s.segments, s.start, s.starts) for s in told if s.iterations == 1] == [
        (0, 1, 0, 1),
        (1, 2, 0, 2),
        (2, 2, 1, 2),
    ]
    assert {step.climbs for step in told} == {3}
    path = np.array(first.fitted.path)
    assert (np.diff(path) > -0.5).all()  # Laplace's parabolas move between rounds, so it may give back a little


def test_settling_changes_names_and_the_shift_alone() -> None:
    data, _ = drawn(TWO, 60, 30, 3)
    raw = search(data, (2,), 1, 0)[0].fitted
    fit = settled(data, raw)
    assert marginal(data, fit.people) == pytest.approx(marginal(data, raw.people), abs=1e-6)
    assert fit.people.share[0] >= fit.people.share[1]
    moved = blended(fit.users) - blended(raw.users)
    assert moved[:, 1:] == pytest.approx(0.0, abs=1e-12)
    assert fit.parabolas.constant + (fit.parabolas.natural * blended(fit.users)).sum(axis=1) - 0.5 * np.einsum(
        "nd,nde,ne->n", blended(fit.users), fit.parabolas.curvature, blended(fit.users)
    ) == pytest.approx(
        raw.parabolas.constant
        + (raw.parabolas.natural * blended(raw.users)).sum(axis=1)
        - 0.5 * np.einsum("nd,nde,ne->n", blended(raw.users), raw.parabolas.curvature, blended(raw.users)),
        abs=1e-6,
    )


def test_the_marginal_likelihood_is_the_integral() -> None:
    """One coefficient, so that the integral can be taken by quadrature; Laplace is within .01 of it here."""
    people = Population(np.array([0.3, 0.7]), np.array([[1.0], [-0.5]]), np.array([[0.6], [0.3]]), TWO.cuts)
    data, _ = drawn(people, 5, 40, 4)
    for i in range(5):
        y = data.y[data.first[i] : data.first[i + 1]]

        def density(b: float, y: np.ndarray[tuple[int], np.dtype[np.int64]] = y) -> float:
            below = np.r_[0.0, 1.0 / (1.0 + np.exp(b - people.cuts)), 1.0]
            prior = people.share @ stats.norm.pdf(b, people.mean[:, 0], people.sd[:, 0])
            return float(prior * np.exp(np.log(np.diff(below))[y].sum() + 60.0))

        truth = np.log(integrate.quad(density, -3.0, 4.0, limit=200)[0]) - 60.0
        assert marginal(data, people)[i] == pytest.approx(truth, abs=0.01)


def test_intervals_of_the_means_hold_the_truth() -> None:
    """20 fits of 200 users x 30, 8 means each: 95 % promised; below 140 of 160 has probability below .0003."""
    held = 0
    for seed in range(20):
        data, _ = drawn(TWO, 200, 30, 100 + seed)
        fit = settled(data, search(data, (2,), 1, 0)[0].fitted)
        error = precision(data, fit)
        order = min(itertools.permutations(range(2)), key=lambda p: np.abs(fit.people.mean[list(p)] - TWO.mean).sum())
        z = (fit.people.mean[list(order)] - TWO.mean) / error.mean[list(order)]
        held += int((np.abs(z) < 1.96).sum())
    assert held >= 140


def test_drift_is_seen_and_steady_people_are_not_accused() -> None:
    """At alpha = .001, 20 steady logs: more than one accused has probability below .0002."""
    accused = 0
    for seed in range(20):
        data, _ = drawn(TWO, 100, 40, 200 + seed)
        fit = settled(data, search(data, (1,), 1, 0)[0].fitted)
        accused += drift(data, fit.users, fit.people).p_value < 0.001
    assert accused <= 1
    moved, _ = drawn(TWO, 150, 60, 5, moved=0.8)
    fit = settled(moved, search(moved, (2,), 1, 0)[0].fitted)
    found = drift(moved, fit.users, fit.people)
    assert found.p_value < 1e-6
    assert found.term == "priority"


def test_later_reactions_are_predicted_and_calibrated() -> None:
    data, _ = drawn(TWO, 200, 60, 6)
    place = np.arange(len(data.y)) - data.first[data.owner]
    seen, later = data.where(place < 40), data.where(place >= 40)
    fit = search(seen, (2,), 1, 0)[0].fitted
    p = predicted(later, fit.users, fit.people)
    assert p.sum(axis=1) == pytest.approx(np.ones(len(p)), abs=1e-12)
    constant = np.log(np.bincount(seen.y) / len(seen.y))[later.y].mean()
    assert np.log(p[np.arange(len(p)), later.y]).mean() > constant + 0.1
    found = calibration(later, p)
    assert len(found.rows) == 10
    assert found.rows.sum() == len(later.y)
    # 400 rewards a group, sd below .75: 4 standard errors
    assert found.predicted == pytest.approx(found.observed, abs=0.15)


def test_a_term_that_does_not_vary_is_named() -> None:
    data, _ = drawn(TWO, 30, 10, 7)
    assert singular(data) == []
    constant = data.X.copy()
    constant[:, 2] = 0.4
    assert singular(data._replace(X=constant)) == ["task_age"]
    constant[:, 3] = 2.0 * constant[:, 1] - 1.0
    assert singular(data._replace(X=constant)) == ["task_age", "priority"]


def test_rows_and_users_are_picked() -> None:
    data, _ = drawn(TWO, 5, 4, 8)
    some = data.of_users(np.array([3, 1]))
    assert np.array_equal(some.y, np.r_[data.y[12:16], data.y[4:8]])
    assert some.first.tolist() == [0, 4, 8]
    few = data.where(data.owner != 2)
    assert few.sizes.tolist() == [4, 4, 0, 4, 4]
