"""The verdict's sentences, on differences that are worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats
from studies.runs import made

from oo_sim.logs import LoggedPolicy
from oo_sim.page.verdict import leads, verdict
from oo_sim.studies import Pair, compare_outcomes, gather


def pairs(**values: list[float]) -> tuple[Pair, ...]:
    """Every two policies, each given by its users' values; a bank's policies are written `policy_bank`."""
    labelled = {name.replace("_", "+"): each for name, each in values.items()}
    return compare_outcomes(gather([made(labelled)]), "expected", seed=None).pairs


def policies(*labels: str) -> list[LoggedPolicy]:
    return [LoggedPolicy(label, label) for label in labels]


USERS = [0.1, 0.2, 0.3, 0.4]


def test_a_clear_leader_is_named_with_its_interval() -> None:
    better = [u + d for u, d in zip(USERS, (0.09, 0.10, 0.11, 0.10), strict=True)]
    first, *rest = verdict(policies("linucb", "egreedy"), pairs(linucb=USERS, egreedy=better))
    half = scipy_stats.t.ppf(0.975, 3) * np.std([0.09, 0.10, 0.11, 0.10], ddof=1) / 2
    bounds = f"{0.1 - half:.4f} to {0.1 + half:.4f}"
    assert first == f"egreedy is better: it earns 0.1000 ({bounds}) more per decision than linucb, the next."
    assert rest == ["True expected reward per decision; 95 % intervals over 4 users, paired by user."]


def test_what_may_be_chance_is_no_verdict() -> None:
    first = verdict(policies("a", "b"), pairs(a=USERS, b=[0.3, 0.1, 0.5, 0.2]))[0]
    assert first.startswith(
        "No policy is shown to be the best: b has the highest mean, but can't be told apart from a."
    )
    assert "includes 0" in first


def test_intervals_hold_for_all_pairs_at_once() -> None:
    found = pairs(a=USERS, b=[0.3, 0.1, 0.5, 0.2], c=[0.5, 0.6, 0.7, 0.9])
    level = 1 - 0.05 / 3
    for lead, pair in zip(leads(found), found, strict=True):
        wide = scipy_stats.t.ppf(0.5 + level / 2, 3) * pair.spread / 2
        assert lead.by.estimate == pytest.approx(abs(pair.difference.estimate))
        assert lead.by.width / 2 == pytest.approx(max(wide, pair.difference.width / 2))


def test_random_and_the_oracle_never_lead() -> None:
    shifted = {name: [u + s for u in USERS] for name, s in (("linucb", 0.0), ("random", 0.1), ("oracle", 0.2))}
    lines = verdict(policies(*shifted), pairs(**shifted))
    assert lines[0] == "Choosing at random earns 0.1000 (0.1000 to 0.1000) more than linucb."
    assert lines[1] == "The oracle, which knows the true means, earns 0.2000 (0.2000 to 0.2000) more than linucb."


def test_the_best_of_several_beats_each_of_them() -> None:
    shifted = {name: [u + s for u in USERS] for name, s in (("a", 0.0), ("b", 0.3), ("c", 0.1))}
    assert verdict(policies(*shifted), pairs(**shifted))[0].startswith("b is the best of the 3 policies that learn: it")


def test_no_verdict_without_pairs_or_with_one_user() -> None:
    assert verdict(policies("a"), []) == ["Fewer than two policies have results, so there is nothing to compare."]
    assert "no verdict" in verdict(policies("a", "b"), pairs(a=[1.0], b=[2.0]))[0]


def test_a_long_list_of_rivals_is_cut() -> None:
    users = {name: [0.1 * ((i * k) % 7) for i in range(1, 9)] for k, name in enumerate("abcdefg", 1)}
    first = verdict(policies(*users), pairs(**users))[0]
    assert " and 2 more. " in first


def test_what_banks_earn_is_compared_with_what_the_same_bank_earns_under_whole_names() -> None:
    banks = {"good": 0.4, "bad": 0.1, "none": 0.0}
    levels = {"linucb": 0.1, "random": 0.0, "oracle": 0.2}
    shifted = {
        f"{p}_{b}": [u + more + level for u in USERS] for b, more in banks.items() for p, level in levels.items()
    }
    who = [LoggedPolicy(f"{p}+{b}", p, bank={"bank": b}) for b in banks for p in levels]
    lines = verdict(who, pairs(**shifted))
    assert lines[0].startswith("linucb+good is the best of the 3 policies that learn: it earns 0.3000")
    assert lines[1] == "linucb+good earns 0.1000 (0.1000 to 0.1000) more than choosing at random (random+good)."
    assert lines[2].startswith("The oracle (oracle+good), which knows the true means, earns 0.1000")
    assert len(lines) == 4
