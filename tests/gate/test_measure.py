"""What a measurement holds does not depend on how it was cut, agrees with a run, and notices a single bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import oo_sim
from oo_sim.contract import Decision
from oo_sim.decide import decide
from oo_sim.engine import forks
from oo_sim.engine.hashes import mix
from oo_sim.entrants import entrants
from oo_sim.gate import environment
from oo_sim.gate.measure import Measured, Stage
from oo_sim.gate.recording import stage
from oo_sim.scenario import Scenario, load

SCENARIOS = ["quickstart", "linear", "backlog", "tiny_sets", "changing_users"]


@pytest.fixture(params=SCENARIOS)
def ready(request: pytest.FixtureRequest) -> Stage:
    """A scenario, made short."""
    return stage(request.param, 30)


def measured(ready: Stage, *, first: int = 0, users: int = 40, workers: int = 2, block: int | None = None) -> Measured:
    (entrant,) = entrants(ready.world, ["egreedy"])
    return ready.run(entrant, first, users, workers, block=block)


def test_neither_workers_nor_blocks_matter(ready: Stage) -> None:
    whole = measured(ready, users=150, workers=1)
    for workers, block in ((2, None), (3, 7), (1, 149), (1, 64)):
        cut = measured(ready, users=150, workers=workers, block=block)
        assert (cut.decisions, cut.curves) == (whole.decisions, whole.curves)
        assert np.array_equal(cut.totals, whole.totals)


def test_forked_processes_measure_what_this_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """With so little to do nothing is forked, unless it is made to pay; the results are the same."""
    ready, forked = stage("quickstart", 10), forks.forked
    whole, calls = measured(ready, users=150, workers=1), list[Any]()

    def noted(*given: Any) -> bool:
        calls.append(given[:2])
        return forked(*given)

    monkeypatch.setattr(forks, "LEAST", 1)
    monkeypatch.setattr(forks, "forked", noted)
    cut = measured(ready, users=150, workers=2, block=9)
    assert calls == ([(2, 3)] if forks.possible() else [])
    assert (cut.decisions, cut.curves) == (whole.decisions, whole.curves)
    assert np.array_equal(cut.totals, whole.totals)


def test_batches_are_parts_of_the_whole(ready: Stage) -> None:
    whole, later = measured(ready), measured(ready, first=25, users=15)
    assert np.array_equal(whole.totals[:, 25:], later.totals)
    assert later.decisions != whole.decisions


def test_totals_are_those_of_a_run(ready: Stage) -> None:
    users = oo_sim.run(ready.scenario, policies=["egreedy"], users=40).users
    for row, mark in zip(measured(ready).totals, ready.marks, strict=True):
        expected = users[users["round"] == mark]["expected_reward"].to_numpy()
        assert np.array_equal(row / ready.world.scale, expected)


def test_the_sample_passes_its_audit(ready: Stage) -> None:
    sample = measured(ready).sample
    assert sample is not None
    report = sample.audit()
    assert report.clean, report
    (policy,) = report.policies
    assert 0 < policy.decisions <= 40 * 30


@pytest.mark.parametrize("field", Decision._fields)
def test_a_single_bit_of_a_decision_shows_in_the_hash(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = stage("quickstart", 10)
    sound = measured(ready)

    def once(*given: object) -> Decision:
        decision: Decision = decide(*given)  # type: ignore[arg-type]
        column = getattr(decision, field).copy()
        if int(given[3][0]) == 7:  # type: ignore[index]
            column[..., -1] = 1 - column[..., -1] if column.dtype != np.float64 else np.nextafter(column[..., -1], 2.0)
        return decision._replace(**{field: column})

    monkeypatch.setattr("oo_sim.engine.run.decide", once)
    assert measured(ready).decisions != sound.decisions


def test_lanes_are_hashed_apart_and_order_matters() -> None:
    a, b, c = np.zeros(3, np.uint64), np.zeros(3, np.uint64), np.zeros(3, np.uint64)
    one, two = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0])
    mix(a, one, one)
    mix(b, one, two)
    assert (a == b).tolist() == [True, True, False]
    mix(c, np.stack([one, one]))
    assert np.array_equal(a, c)
    x, y = np.zeros(3, np.uint64), np.zeros(3, np.uint64)
    for h, columns in ((x, (one, two)), (y, (two, one))):
        for column in columns:
            mix(h, column)
    assert (x == y).tolist() == [True, True, False]


def fingerprint(scenario: Scenario) -> dict[str, str]:
    ready = stage(scenario)
    return environment.fingerprint(ready.scenario, ready.world)


def test_the_environment_is_the_same_for_any_policy_and_number_of_users() -> None:
    scenario = load("quickstart").with_(rounds=20)
    other = scenario.with_(policies=["random"], users=7, description="otherwise", replicates=3)
    assert fingerprint(scenario) == fingerprint(other)


def test_what_differs_in_an_environment_is_named() -> None:
    scenario = load("quickstart").with_(rounds=20)
    seeded = scenario.with_(seed=2)
    assert set(environment.differences(fingerprint(scenario), fingerprint(seeded))) == {
        "scenario",
        "streams",
        "contexts",
        "oracle",
    }
    said = environment.changed(environment.settings(scenario), environment.settings(seeded))
    assert said == "seed was 1 and is 2"
    before, now = ({"world": {"segments": [{"name": "a"}, {"weight": weight}]}} for weight in (1.0, 2.0))
    assert environment.changed(before, now) == "world.segments[1].weight was 1.0 and is 2.0"
    longer = scenario.with_(rounds=21)
    assert environment.differences(fingerprint(scenario), fingerprint(longer))[0] == "scenario"


def test_another_kernel_of_draws_shows_in_the_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = load("linear").with_(rounds=5)
    before = fingerprint(scenario)
    from oo_sim.kernels.draws import LaneDraws  # noqa: PLC0415 (the class that is patched)

    uniforms = LaneDraws.uniforms
    monkeypatch.setattr(LaneDraws, "uniforms", lambda *given: 1.0 - uniforms(*given))
    assert "streams" in environment.differences(before, fingerprint(scenario))
    assert "scenario" not in environment.differences(before, fingerprint(scenario))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"a": [{"b": 1.0}, {"b": 2.0}]}, {"a": [{"b": 1.0}, {"b": 2.5}]}, "a[1].b was 2.0 and is 2.5"),
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, "a had 2 values and has 3"),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 0.5}}, "a.c was absent and is 0.5"),
        ({"a": "x" * 99}, {"a": "y"}, f"a was '{'x' * 58}… and is 'y'"),
        ({"a": [1, {"b": ()}]}, {"a": [1, {"b": ()}]}, ""),
    ],
)
def test_what_changed_is_named_down_to_the_value(before: dict[str, Any], after: dict[str, Any], said: str) -> None:
    assert environment.changed(before, after) == said
