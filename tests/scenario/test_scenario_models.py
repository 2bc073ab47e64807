"""A scenario is immutable, has one canonical form, and can be changed only into a valid one."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from oo_sim.features import FEATURES
from oo_sim.scenario import (
    TERMS,
    Normal,
    PolicySpec,
    RandomClock,
    Scenario,
    ScenarioError,
    Span,
    TipsWorld,
    WalkClock,
    lint,
    load,
    loads,
    shipped,
    validate,
)

BASE = "version: 1\nname: base\nusers: 10\nrounds: 20\npolicies: [linucb, random]\n"


def tips(world: str, preferences: str = "{priority: 1}") -> TipsWorld:
    text = f"{BASE}world:\n  kind: tips\n  segments: [{{name: all, preferences: {preferences}}}]\n  {world}\n"
    found = loads(text).world
    assert isinstance(found, TipsWorld)
    return found


def refused(overrides: dict[str, Any]) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load("quickstart").with_(**overrides)
    return [str(problem) for problem in caught.value.problems]


def test_terms_are_the_25_of_the_reference() -> None:
    assert len(TERMS) == len(set(TERMS)) == 25
    assert TERMS[:9] == (
        *(
            "intercept",
            "hour_sin",
            "hour_cos",
            "is_overdue",
            "task_age",
            "priority",
            "dow_sin",
            "dow_cos",
            "is_llm",
        ),
    )
    assert TERMS[9:14] == (
        *(
            "hour_sin*is_overdue",
            "hour_sin*task_age",
            "hour_sin*priority",
            "hour_sin*is_llm",
            "hour_cos*is_overdue",
        ),
    )
    assert TERMS[-1] == "dow_cos*is_llm"
    assert TERMS[1:] == FEATURES["oo7x"].names


def test_defaults() -> None:
    scenario = loads(f"{BASE}world: {{kind: linear}}")
    assert (scenario.replicates, scenario.seed, scenario.description) == (1, 1, "")
    world = tips("tasks: {count: 3}")
    assert world.clock == RandomClock()
    assert world.tips.count == Span(min=0, max=0)
    assert world.tasks.due_in_days.uniform == (-14.0, 14.0)
    assert world.segments[0].weight == 1.0


def test_short_forms_equal_long_ones() -> None:
    assert tips("tasks: {count: 3}") == tips("tasks: {count: {min: 3, max: 3}}")
    assert tips("tasks: {count: 3}") == tips("tasks: {count: 3}", "{priority: {mean: 1, sd: 0}}")
    assert tips("tasks: {count: 3, priority: {2: 1}}") == tips("tasks: {count: 3, priority: [0, 1, 0, 0]}")
    by_list = "[0, 0, 0, 0, 0, 0, 0, 0, 2, 1" + ", 0" * 14 + "]"
    assert tips("tasks: {count: 3}\n  clock: {hours: {9: 1, 8: 2}}") == tips(
        f"tasks: {{count: 3}}\n  clock: {{hours: {by_list}}}"
    )
    assert tips("tasks: {count: 3}\n  clock: {mode: random}") == tips("tasks: {count: 3}")


def test_walk_clock_and_weights_by_days() -> None:
    world = tips("tasks: {count: 3, due_in_days: {weights: {7: 1, -3: 2, 0.5: 1}}}\n  clock: {mode: walk, to_hour: 20}")
    assert world.clock == WalkClock(mode="walk", decisions_per_day=6, from_hour=8, to_hour=20)
    assert world.tasks.due_in_days.weights == ((-3.0, 2.0), (0.5, 1.0), (7.0, 1.0))


def test_order_of_terms_days_and_parameters_is_no_difference() -> None:
    one = tips("tasks: {count: 3}", "{is_llm: 1, intercept: {mean: 2, sd: 1}}")
    other = tips("tasks: {count: 3}", "{intercept: {sd: 1, mean: 2}, is_llm: 1.0}")
    assert one == other
    assert list(one.segments[0].preferences) == ["intercept", "is_llm"]
    assert one.segments[0].preferences["intercept"] == Normal(mean=2.0, sd=1.0)
    linear = "world: {kind: linear}"
    texts = [f"{BASE.replace('linucb', spec)}{linear}" for spec in ("'x:a=1,b=2'", "'x:b=2,a=1'")]
    assert loads(texts[0]).content_hash() == loads(texts[1]).content_hash()


def test_negative_zero_is_zero() -> None:
    one, other = (tips("tasks: {count: 3}", f"{{priority: {zero}}}") for zero in ("0", "-0.0"))
    assert json.dumps(one.model_dump()) == json.dumps(other.model_dump())


@pytest.mark.parametrize("name", shipped())
def test_canonical_form_reads_back(name: str) -> None:
    scenario = load(name)
    text = json.dumps(scenario.canonical(), allow_nan=False)
    again = validate(json.loads(text))
    assert again == scenario
    assert json.dumps(again.canonical()) == text
    assert again.content_hash() == scenario.content_hash()
    assert loads(text, "json") == scenario


def test_canonical_form_of_bernoulli_noise_reads_back() -> None:
    scenario = loads(f"{BASE}world: {{kind: linear, noise: bernoulli}}")
    assert validate(scenario.canonical()) == scenario


def test_hashes_differ_where_scenarios_do() -> None:
    scenarios = [load(name) for name in shipped()]
    changed = [scenario.with_(seed=99) for scenario in scenarios]
    assert len({scenario.content_hash() for scenario in [*scenarios, *changed]}) == 2 * len(scenarios)


def test_frozen() -> None:
    scenario = load("quickstart")
    with pytest.raises(ValidationError):
        scenario.users = 3
    with pytest.raises(ValidationError):
        scenario.world.kind = "linear"


def test_equal_wherever_written_and_pickled() -> None:
    scenario = load("quickstart")
    elsewhere = loads(shipped()["quickstart"].read_bytes(), "elsewhere")
    assert scenario == elsewhere == pickle.loads(pickle.dumps(scenario))
    assert pickle.loads(pickle.dumps(scenario)).source.places == scenario.source.places


def test_source_points_to_values() -> None:
    scenario = load("quickstart")
    line, column = scenario.source.value(("users",))
    assert shipped()["quickstart"].read_text(encoding="utf-8").splitlines()[line - 1][column - 1 :].startswith("400")


def test_overrides() -> None:
    scenario = load("quickstart")
    changed = scenario.with_(users=3, rounds=None, policies=["random", PolicySpec("linucb", (("alpha", 0.5),))])
    assert (changed.users, changed.rounds) == (3, scenario.rounds)
    assert changed.policies == ("random", "linucb:alpha=0.5")
    assert [spec.name for spec in changed.specs] == ["random", "linucb"]
    assert changed.source == scenario.source
    assert scenario.with_() == scenario


@pytest.mark.parametrize("overrides", [{"users": 1}, {"rounds": 1}, {"policies": ["linucb"]}])
def test_what_looks_wrong_with_an_override_is_not_said_of_a_line_of_the_file(overrides: dict[str, Any]) -> None:
    [said] = map(str, lint(load("commuters").with_(users=9).with_(**overrides)))
    assert f"commuters.yaml: override: {next(iter(overrides))}: " in said


@pytest.mark.parametrize(
    ("overrides", "lines"),
    [
        ({"users": 0}, ["quickstart: override: users: is 0; must be at least 1"]),
        (
            {"users": "3"},
            ["quickstart: override: users: must be a whole number, not the text '3'; take the quotes off"],
        ),
        ({"seed": True}, ["quickstart: override: seed: must be a whole number, not true"]),
        ({"rounds": 2.5}, ["quickstart: override: rounds: must be a whole number, not 2.5"]),
        ({"policies": "linucb"}, ["quickstart: override: policies: must be a list, not the text 'linucb'"]),
        ({"policies": []}, ["quickstart: override: policies: has 0 items; write at least 1"]),
    ],
)
def test_wrong_overrides_are_named(overrides: dict[str, Any], lines: list[str]) -> None:
    assert refused(overrides) == lines


def test_all_wrong_overrides_are_named_at_once() -> None:
    assert len(refused({"users": 0, "rounds": 0, "policies": ["a b", "c d"]})) == 4


def test_what_is_no_override_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="user can't be overridden; did you mean users"):
        load("quickstart").with_(user=3)
    with pytest.raises(TypeError, match="world can't be overridden; these can: users"):
        load("quickstart").with_(world={})


def test_an_error_keeps_its_problems_when_pickled() -> None:
    with pytest.raises(ScenarioError) as caught:
        loads("users: no")
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.problems == caught.value.problems
    assert str(again) == str(caught.value)


def test_a_long_list_of_problems_is_cut_in_the_message_only() -> None:
    with pytest.raises(ScenarioError) as caught:
        loads(BASE + "".join(f"k{i}: 1\n" for i in range(300)))
    assert len(caught.value.problems) == 301
    assert str(caught.value).endswith("and 201 more problems")


def test_validate_takes_plain_python_data() -> None:
    data = load("quickstart").canonical()
    data["world"]["tasks"]["priority"] = {1: 4, 2: 3, 3: 2, 4: 1}
    assert isinstance(validate(data), Scenario)
    with pytest.raises(ScenarioError, match="a scenario is a mapping"):
        validate([data])
