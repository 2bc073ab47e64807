"""Runs that fit together are gathered by scenario; those that do not are refused with the place where they differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import oo_sim
from oo_sim.policies import make
from oo_sim.studies import ComparisonError, gather
from oo_sim.studies.outcomes import Metric

from .runs import made

A, B = [0.1, 0.2, 0.4], [0.3, 0.2, 0.1]


@pytest.mark.parametrize(("metric", "expected"), [("expected", A), ("realised", [0.05, 0.1, 0.2])])
def test_values_are_per_decision_at_every_checkpoint(metric: Metric, expected: list[float]) -> None:
    [outcomes] = gather([made({"a": A, "b": B})], metric)
    assert outcomes.marks.tolist() == [1, 2, 5, 10]
    assert outcomes.values["a"] == pytest.approx(np.tile(expected, (4, 1)))


def test_regret_is_one_minus_reward_here() -> None:
    [outcomes] = gather([made({"a": A, "b": B})], "regret")
    assert outcomes.values["b"][-1] == pytest.approx([0.7, 0.8, 0.9])


def test_replicates_of_a_user_are_averaged() -> None:
    [outcomes] = gather([made({"a": [[0.0, 1.0], [1.0, 1.0]]})])
    assert outcomes.values["a"][-1] == pytest.approx([0.5, 1.0])


def test_runs_of_one_scenario_are_joined_and_the_same_results_count_once() -> None:
    [outcomes] = gather([made({"a": A, "b": B}, path="x/1"), made({"b": B, "c": A}, path="x/2")])
    assert list(outcomes.values) == ["a", "b", "c"]


def test_one_label_with_other_results_stands_by_run() -> None:
    [outcomes] = gather([made({"a": A}, path="old"), made({"a": B}, path="new"), made({"a": A}, path="again")])
    assert list(outcomes.values) == ["a@old", "a@new"]
    assert outcomes.named("a") == ["a@old", "a@new"]
    assert outcomes.named("a@new") == ["a@new"]


def test_scenarios_are_told_apart_by_name() -> None:
    found = gather([made({"a": A}), made({"a": B}, name="other", seed=5)])
    assert [outcomes.name for outcomes in found] == ["toy", "other"]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"seed": 2}, "seed is 1 and 2"),
        ({"rounds": 20}, "rounds is 10 and 20"),
        ({"scenario": {"world": {"kind": "tips", "tasks": [1, 3]}}}, "world.tasks[1] is 2 and 3"),
        ({"scenario": {"world": {"kind": "linear", "tasks": [1, 2]}}}, "world.kind is tips and linear"),
        ({"scenario": {"world": {"kind": "tips"}}}, "world.tasks is [1, 2] and absent"),
        ({"scenario": {"world": {"kind": "tips", "tasks": [1, 2]}, "extra": "\x1b[31m"}}, "extra is absent and"),
    ],
)
def test_runs_of_other_worlds_are_refused(facts: dict[str, object], words: str) -> None:
    with pytest.raises(ComparisonError, match="not the same scenario") as caught:
        gather([made({"a": A}, path="p"), made({"b": B}, path="q", **facts)])  # type: ignore[arg-type]
    assert words in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_regret_on_own_trajectories_is_refused() -> None:
    run = made({"a": A, "b": B}, own_trajectory=True)
    assert gather([run], "expected")
    with pytest.raises(ComparisonError, match=r"toy: regret can't be compared.*own trajectory; compare the reward"):
        gather([run], "regret")


@pytest.mark.parametrize("order", [1, -1])
def test_one_run_on_its_own_trajectory_is_enough_to_refuse_regret(order: int) -> None:
    """A policy with a bank of tips brings its own offers; that of the other run does not."""
    runs = [made({"a": A}, path="x"), made({"b": B}, path="y", own_trajectory=True)][::order]
    [outcomes] = gather(runs)
    assert outcomes.manifest.own_trajectory is True
    with pytest.raises(ComparisonError, match="own trajectory"):
        gather(runs, "regret")


def test_unknown_names_list_what_there_is() -> None:
    run = made({"a": A, "b:x=1,y=2": B})
    [outcomes] = gather([run])
    assert outcomes.named("b:y=2, x=1") == ["b:x=1,y=2"]
    with pytest.raises(ComparisonError, match="toy: no policy c; there are a, b:x=1,y=2"):
        outcomes.named("c")
    with pytest.raises(ComparisonError, match="no metric 'profit'"):
        gather([run], "profit")  # type: ignore[arg-type]


def test_damaged_users_are_refused() -> None:
    run = made({"a": A, "b": B})
    run.users = run.users.drop(index=3)
    with pytest.raises(ComparisonError, match="a: some users lack a checkpoint"):
        gather([run])
    run = made({"a": A, "b": B})
    run.users.loc[run.users["policy"] == "b", "user_id"] += "x"
    with pytest.raises(ComparisonError, match="b met other users"):
        gather([run])


@pytest.mark.parametrize("bank", ["small", "small@keywords", "a+b@panel"])
@pytest.mark.parametrize("name", ["greedy", "linucb:features=oo7x"])
def test_labels_of_a_run_are_taken_as_they_stand(name: str, bank: str) -> None:
    """Those with a bank are not specs; a spec among them may be spelled as one likes."""
    labels = [f"{name}+{bank}", f"random+{bank}"]
    policies = [make("random")._replace(name=label) for label in labels]
    found = oo_sim.compare(oo_sim.run("quickstart", policies=policies, users=20, rounds=5), policies=labels)
    assert {found.pairs[0].baseline, found.pairs[0].candidate} == set(labels)


@pytest.mark.parametrize("order", [1, -1])
def test_a_run_all_of_whose_policies_failed_takes_no_round_from_the_others(order: int) -> None:
    facts: dict[str, Any] = {
        "users": 3,
        "policies": [{"label": "c", "name": "c"}],
        "failures": {"c": "round 1: raised"},
    }
    whole, failed = made({"a": A, "b": B}), made({"c": [[]]}, **facts)
    [found] = gather([whole, failed][::order])
    assert set(found.values) == {"a", "b"}
    assert found.marks.tolist() == sorted(set(whole.users["round"]))
    assert found.failures == {"c": "round 1: raised"}
