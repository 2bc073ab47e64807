"""`run`: what comes back, and what is refused before anything runs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from oo_sim import POLICIES, Run, RunLogError, ScenarioError, load_run, run
from oo_sim.policies import UnknownPolicyError, make
from oo_sim.scenario import Scenario, SpecError, loads, shipped, validate

BASE: dict[str, Any] = {"version": 1, "name": "small", "users": 3, "rounds": 4, "policies": ["random"]}
SEGMENT = {"name": "all", "preferences": {"priority": {"mean": 1, "sd": 1}}}


def tips(count: int | dict[str, int]) -> Scenario:
    return validate(BASE | {"world": {"kind": "tips", "tasks": {"count": count}, "segments": [SEGMENT]}})


def linear(K: int, d: int) -> Scenario:
    return validate(BASE | {"world": {"kind": "linear", "candidates": K, "dimension": d}})


def small(policies: Any, **settings: Any) -> Run:
    defaults: dict[str, Any] = {"users": 5, "rounds": 6, "threads": 2, "plot": False}
    return run("quickstart", policies=policies, **(defaults | settings))


SHAPES = {
    "one task": tips(1),
    "64 tasks": tips(64),
    "one or two": tips({"min": 1, "max": 2}),
    "one number": linear(1, 1),
    "64 vectors": linear(64, 2),
}

# What comes back.


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_scenario_runs_with_its_own_policies(name: str) -> None:
    result = run(name, users=20, rounds=10)
    assert not result.failures
    assert len(result.rows) == len(result.manifest.policies)


def test_tables_hold_what_was_run() -> None:
    result = small(["linucb", "random"], replicates=2, users=70)
    assert len(result.curves) == 2 * 2 * 6
    assert len(result.users) == 2 * 2 * 70 * 4  # checkpoints 1, 2, 5, 6
    assert set(result.users["segment"]) == {"planners", "grazers"}
    assert result.users["user_id"].nunique() == 70
    counts = result.curves[["dismiss", "not_helpful", "snooze", "helpful", "done", "none"]]
    assert (counts.sum(axis=1) == 70).all()
    assert (result.curves["users"] == 70).all()
    rewards = counts.to_numpy() @ np.array([-1, -0.5, 0, 0.5, 1, 0])
    np.testing.assert_array_equal(result.curves["reward"], rewards)


def test_curves_and_users_are_two_views_of_the_same_sums() -> None:
    """Exactly: both are whole multiples of a power of two."""
    result = small(["linucb", "egreedy"], replicates=2, users=70)
    keys = ["policy", "replicate"]
    last = result.users[result.users["round"] == 6]
    for column in ("reward", "expected_reward", "regret"):
        pd.testing.assert_series_equal(
            last.groupby(keys)[column].sum(), result.curves.groupby(keys)[column].sum(), check_exact=True
        )


def test_a_run_directory_reads_back_as_the_run(tmp_path: Path) -> None:
    result = small(["linucb", "egreedy"], out=tmp_path / "run", events=True)
    again = load_run(tmp_path / "run")
    pd.testing.assert_frame_equal(again.curves, result.curves, check_exact=True)
    pd.testing.assert_frame_equal(again.users, result.users, check_exact=True)
    assert again.manifest.as_dict() == json.loads(json.dumps(result.manifest.as_dict()))
    assert len(again.decisions()) == 2 * 5 * 6
    assert again.manifest.scenario["policies"] == ["linucb", "egreedy"]


@pytest.mark.parametrize("users", [1, 65])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_smallest_and_largest_shapes_run(shape: str, users: int, tmp_path: Path) -> None:
    """One user, a block and one more, one round, 1 to 64 candidates; with events, in one file each."""
    result = run(
        SHAPES[shape], policies=list(POLICIES), users=users, rounds=1, out=tmp_path / "run", events=True, plot=False
    )
    assert not result.failures
    assert len(result.curves) == len(POLICIES)
    assert len(result.decisions()) == users * len(POLICIES)


def test_many_features_run() -> None:
    result = run(linear(8, 64), policies=["linucb", "thompson"], users=3, rounds=4)
    assert not result.failures


# What goes wrong before anything runs.


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threads": -1}, "threads must be a whole number of at least 1"),
        ({"policies": "linucb"}, "policies must be a list"),
        ({"policies": []}, "policies must be a list"),
        ({"events": True}, "out="),
    ],
)
def test_wrong_arguments_are_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run("quickstart", **settings)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"users": 0}, ScenarioError, "users: is 0; must be at least 1"),
        ({"rounds": 2.5}, ScenarioError, "rounds: must be a whole number"),
        ({"seed": -1}, ScenarioError, "seed"),
        ({"replicates": 1001}, ScenarioError, "replicates"),
        ({"policies": ["linucbb"]}, UnknownPolicyError, "did you mean linucb"),
        ({"policies": ["linucb:"]}, SpecError, "write key=value"),
        ({"policies": ["linucb", "linucb"]}, UnknownPolicyError, "listed twice"),
        ({"policies": [None]}, UnknownPolicyError, "None is not a policy"),
        ({"policies": [make("linucb"), make("linucb")]}, UnknownPolicyError, "listed twice"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        run("quickstart", **settings)


def test_an_unknown_scenario_gets_a_suggestion() -> None:
    with pytest.raises(ScenarioError, match="did you mean quickstart"):
        run("quickstarted")


def test_features_that_a_world_cannot_fill_are_refused() -> None:
    with pytest.raises(UnknownPolicyError, match="no features 'oo7' here; there are raw"):
        run(linear(3, 2), policies=["linucb:features=oo7"])
    with pytest.raises(UnknownPolicyError, match="a linear world has no features 'oo5'"):
        run(linear(3, 2), policies=[make("linucb")])


def test_a_directory_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(RunLogError, match="never overwritten"):
        small(["random"], out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": {"n": np.int64(3)}},
        {"parameters": {"n": math.nan}},
        {"parameters": {"n": np.zeros(2)}},
        {"noise": (-1, 0)},
        {"noise": (1.5, 0)},
        {"noise": (200_000, 0)},
        {"noise": 3},
        {"name": 3},
        {"name": ""},
    ],
    ids=str,
)
def test_a_policy_that_could_not_be_run_or_written_down_is_refused_up_front(changes: dict[str, Any]) -> None:
    heard: list[Any] = []
    with pytest.raises(UnknownPolicyError):
        small([make("random")._replace(**changes)], progress=lambda *a: heard.append(a))
    assert not heard


def test_scenarios_may_come_as_text_file_or_value(tmp_path: Path) -> None:
    text = "version: 1\nname: own\nusers: 3\nrounds: 2\npolicies: [random]\nworld: {kind: linear}\n"
    (tmp_path / "own.yaml").write_text(text)
    hashes = {
        run(source).manifest.content_hash for source in (tmp_path / "own.yaml", str(tmp_path / "own.yaml"), loads(text))
    }
    assert len(hashes) == 1
