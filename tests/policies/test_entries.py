"""The registry says of each policy what others need to know, and it is so."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from oo_sim import compare, run, sweep
from oo_sim.audit.rules import rules, undescribed
from oo_sim.bench.naive import NAIVE
from oo_sim.contract import Policy
from oo_sim.policies import ALIASES, POLICIES, UnknownPolicyError, canonical, make, ridge, with_model
from oo_sim.scenario import policy_key

from .cases import CASES, leaves
from .play import play


def learned(policy: Policy) -> list[NDArray[Any]]:
    """The arrays of the state after some rounds that do not depend on what the policy would have chosen."""
    return list(leaves(play(policy, 12).state))


def test_every_entry_is_complete() -> None:
    for name, entry in POLICIES.items():
        parameters = set(inspect.signature(entry.factory).parameters)
        assert entry.factory().name == name
        assert entry.only_choose <= parameters
        assert (entry.model == "none") == (not parameters) == (not entry.paper), name


@pytest.mark.parametrize("name", POLICIES)
def test_every_parameter_is_documented_with_its_range_and_the_paper_named(name: str) -> None:
    entry = POLICIES[name]
    text = inspect.getdoc(entry.factory) or ""
    assert len(text) > 40
    assert entry.when
    for parameter in inspect.signature(entry.factory).parameters:
        assert f"\n    {parameter}: " in text, parameter
    module = inspect.getmodule(entry.factory)
    assert module is not None
    for year in re.findall(r"\d{4}", entry.paper):
        assert year in (module.__doc__ or "") + text, year


@pytest.mark.parametrize("name", with_model("ridge"))
def test_a_plain_ridge_keeps_a_ridge_and_no_other_does(name: str) -> None:
    assert isinstance(make(name).init(2), ridge.Ridge)
    assert make(name).update is ridge.update


def test_no_other_policy_updates_as_a_plain_ridge() -> None:
    assert {name for name in POLICIES if make(name).update is ridge.update} == set(with_model("ridge"))


@pytest.mark.parametrize("name", [name for name, entry in POLICIES.items() if entry.only_choose])
def test_what_only_chooses_changes_no_state_that_learned_the_same(name: str) -> None:
    """The same observations under other values of such parameters leave the same state, bit for bit."""
    plain = make(name)
    others = {"schedule": "sqrt", "samples": 3}
    changed = make(name, {key: others.get(key, 0.25) for key in POLICIES[name].only_choose})
    for mine, theirs in zip(learned(plain), learned(changed), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("name", [name for name, entry in POLICIES.items() if entry.model != "none"])
def test_every_other_parameter_shapes_what_is_learned(name: str, warm_file: Path) -> None:
    values: dict[str, object] = {"prior": 3.0, "features": "oo7x", "replicates": 4, "spread": 0.1, "sharing": 0.2}
    values |= {"gamma": 0.7, "window": 2, "period": 2, "warm": str(warm_file)}
    at_the_score = {"prior"} if name in ("dlinucb", "swlinucb") else set()  # their sums leave the prior alone
    for key in set(inspect.signature(POLICIES[name].factory).parameters) - POLICIES[name].only_choose - at_the_score:
        mine, theirs = learned(make(name)), learned(make(name, {key: values[key]}))
        assert not (len(mine) == len(theirs) and all(map(np.array_equal, mine, theirs))), key


def _entry(name: str) -> dict[str, object]:
    return {"label": name, "name": name, "features": {"names": list(make(name).features.names)}}


def test_those_who_keep_lists_of_policies_miss_none() -> None:
    """The auditor shares no code, and the naive handlers are written by hand: each says what it knows, or why not."""
    described = rules({"policies": [_entry(name) for name in POLICIES]}, seed=1)
    assert {label: rule.unchecked for label, rule in described.items()} == dict.fromkeys(POLICIES, ())
    assert {alias: undescribed(alias).family for alias in ALIASES} == ALIASES
    assert set(NAIVE) == set(POLICIES) - set(with_model("none"))


SPELLINGS = ["linucb", "linucb:alpha=1", "linucb-v1", "linucb:alpha=1.0,prior=1", "linucb-v1:prior=1"]
OTHERS = ["linucb:alpha=2", "egreedy", "linucb:features=oo7", "linucb:nothing=1", "a:b", "?"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_of_one_policy_are_one(spelling: str) -> None:
    assert policy_key(spelling) == policy_key("linucb") == canonical("linucb", {})
    if spelling != "linucb":
        with pytest.raises(UnknownPolicyError, match=f"policy {spelling} is listed twice: it is linucb; write"):
            run("quickstart", policies=["linucb", spelling], users=2, rounds=1)


@pytest.mark.parametrize("spelling", OTHERS)
def test_other_policies_are_others(spelling: str) -> None:
    assert policy_key(spelling) != policy_key("linucb")


def test_a_sweep_runs_a_policy_once_however_it_is_spelled() -> None:
    found = sweep("quickstart", policies=["linucb:alpha=[0.5,1]", "linucb", "linucb-v1"], users=3, rounds=4)
    assert [row["policy"] for row in found.as_dict()["rows"]] == [
        *("linucb:alpha=0.5", "linucb:alpha=1", "linucb:alpha=1", "linucb:alpha=1")
    ]
    assert len(found.run.rows) == 2


def test_a_comparison_finds_a_policy_by_any_spelling() -> None:
    made = run("quickstart", policies=["linucb", "egreedy"], users=4, rounds=3)
    by_wire = compare(made, policies=["linucb:alpha=1", "egreedy-v1"])
    assert by_wire.as_dict() == compare(made, policies=["linucb", "egreedy"]).as_dict()


def test_cases_are_made_of_every_policy() -> None:
    assert {case.partition(":")[0] for case in CASES} == set(POLICIES)
