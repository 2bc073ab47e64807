"""All pairs at once: intervals and p-values say the same, ranks follow, exact bounds where nearly no user differs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from rich.text import Text

from oo_sim.studies import Comparison, compare_outcomes, gather
from oo_sim.studies.pairs import largest_difference

from .runs import made

RNG = np.random.default_rng(21)
USERS = RNG.normal(size=60)
LEVELS = {"a": 0.0, "b": 0.02, "c": 0.5, "d": 0.52, "e": 2.0}
VALUES = {label: (USERS + level + RNG.normal(0, 0.2, 60)).tolist() for label, level in LEVELS.items()}


@pytest.fixture(scope="module")
def found() -> Comparison:
    return compare_outcomes(gather([made(VALUES)]), "expected")


def test_the_interval_excludes_0_just_where_the_p_value_says_so(found: Comparison) -> None:
    assert {pair.sure for pair in found.pairs} == {True, False}
    for pair in found.pairs:
        assert pair.simultaneous is not None
        assert pair.sure == pair.simultaneous.excludes(0.0) == (pair.p_together <= 0.05)
        assert pair.simultaneous.width > pair.difference.width


def test_ranks_follow_from_what_is_sure(found: Comparison) -> None:
    ranks = found.ranks("toy")
    assert {rank.policy: (rank.best, rank.worst) for rank in ranks} == {
        "e": (1, 1),
        "d": (2, 3),
        "c": (2, 3),
        "b": (4, 5),
        "a": (4, 5),
    }
    assert [rank.mean for rank in ranks] == sorted((rank.mean for rank in ranks), reverse=True)
    assert "toy: the ranks that policies can have" in str(found.table())


def test_with_regret_the_lowest_ranks_first() -> None:
    ranks = compare_outcomes(gather([made(VALUES)], "regret"), "regret").ranks("toy")
    assert ranks[0].policy == "e"
    assert {rank.policy for rank in ranks[1:3]} == {"c", "d"}
    assert [rank.best for rank in ranks] == [1, 2, 2, 4, 4]


def test_no_ranks_against_a_reference_or_of_two() -> None:
    assert compare_outcomes(gather([made(VALUES)]), "expected", reference="a").ranks("toy") == []
    assert compare_outcomes(gather([made(VALUES)]), "expected", policies=["a", "b"]).ranks("toy") == []


@pytest.mark.e2e
@pytest.mark.parametrize(("studies", "most"), [(30, 6), pytest.param(300, 30, marks=pytest.mark.slow)])
def test_ranks_hold_the_truth(studies: int, most: int) -> None:
    """Studies of 8 policies, 40 users: sets miss in 5 % of them at most; more than is allowed once in 1,700 seeds, or
    in 8,000 of the slow one."""
    levels, rng, missed = np.array([0, 0, 0, 0.3, 0.3, 0.6, 0.6, 1.0]), np.random.default_rng(22), 0
    for study in range(studies):
        users = rng.normal(size=(40, 1)) + levels + rng.normal(0, 0.8, size=(40, 8))
        values = {f"p{i}": users[:, i].tolist() for i in range(8)}
        ranks = compare_outcomes(gather([made(values, rounds=1)]), "expected", seed=study).ranks("toy")
        for rank in ranks:
            own = levels[int(rank.policy[1])]
            above, below = int((levels > own).sum()), int((levels < own).sum())
            if not (rank.best <= 1 + above and rank.worst >= len(levels) - below):
                missed += 1
                break
    assert missed <= most


def test_where_nearly_no_user_differs_bounds_are_exact_and_said_to_be() -> None:
    one = np.zeros(100)
    one[:3] = 0.1
    found = compare_outcomes(gather([made({"a": [0.0] * 100, "b": one.tolist(), "c": [0.0] * 100})]), "expected")
    changed, unchanged = found.pairs[0], found.pairs[1]
    for pair in (changed, unchanged):
        assert pair.few
        assert pair.simultaneous is not None
        assert pair.simultaneous.lower < pair.difference.lower < 0 < pair.difference.upper < pair.simultaneous.upper
    assert changed.difference.upper == pytest.approx(2 * changed.paired.gain.upper)
    assert changed.p_value == pytest.approx(0.25)  # three of three gain
    notes = " ".join(found.notes)
    assert "only 3 of 100 users changed, too few for Student's interval" in notes
    assert "0 of 100 users changed. That is not 'no effect'" in notes


def test_the_largest_difference_follows_from_the_world() -> None:
    tips = made({"a": [0.0], "b": [0.0]}).manifest.scenario
    assert largest_difference(tips, "expected") == largest_difference(tips, "regret") == 2.0
    ball = {"world": {"kind": "linear", "contexts": "ball", "theta_norm": 3.0}}
    assert largest_difference(ball, "expected") == 6.0
    rough = {"world": {"kind": "linear", "contexts": "gaussian", "noise": "gaussian"}}
    assert math.isnan(largest_difference(rough, "expected"))
    assert math.isnan(largest_difference(rough, "realised"))


def test_many_pairs_for_few_users_is_said() -> None:
    values = {name: RNG.normal(size=20).tolist() for name in "abcdef"}
    few = " ".join(compare_outcomes(gather([made(values)]), "expected").notes)
    assert "Many pairs for few users: 15 comparisons over 20 users" in few
    assert "Many pairs" not in " ".join(compare_outcomes(gather([made(VALUES)]), "expected").notes)


def test_whether_users_are_enough_is_said(found: Comparison) -> None:
    hardest = max(found.pairs, key=lambda pair: pair.detectable)
    [note] = [note for note in found.notes if note.startswith("Enough users?")]
    assert f"at most {hardest.detectable:.4f} here" in note


@pytest.mark.parametrize("width", [60, 80, 120])
def test_at_any_width_labels_stay_and_numbers_are_whole(found: Comparison, width: int) -> None:
    from rich.console import Console  # noqa: PLC0415

    console = Console(width=width, color_system=None)
    with console.capture() as text:
        console.print(found.table())
    lines = text.get().splitlines()
    assert all(len(line.rstrip()) <= width for line in lines)
    parts = sum(line.startswith("candidate") for line in lines)
    for a, b in itertools.combinations(LEVELS, 2):
        assert sum(line.startswith(f"{b} ") for line in lines) >= parts
        assert sum(line.startswith(f"− {a} ") or line.rstrip() == f"− {a}" for line in lines) >= parts  # noqa: RUF001
    for pair in found.pairs:
        assert any(Text(f"{pair.detectable:.4f}").plain in line for line in lines)
