"""What a tip's text is worth: a part of the file that says nothing where it is left out."""

from __future__ import annotations

import pytest

from oo_sim.scenario import Appeal, Scenario, ScenarioError, TipsWorld, load, loads

TEXT = (
    "version: 1\nname: a\nusers: 10\nrounds: 20\npolicies: [random]\nworld:\n  kind: tips\n  tasks: {count: 3}\n"
    "  segments: [{name: all, preferences: {priority: 1}}]\n  tips: "
)


def appeal(tips: str) -> tuple[Scenario, Appeal | None]:
    scenario = loads(TEXT + tips)
    assert isinstance(scenario.world, TipsWorld)
    return scenario, scenario.world.tips.appeal


def test_without_it_the_canonical_form_and_the_hash_are_as_if_there_were_no_such_field() -> None:
    scenario, found = appeal("{count: 2}")
    assert found is None
    assert "appeal" not in scenario.canonical()["world"]["tips"]


def test_what_is_left_out_is_0() -> None:
    scenario, found = appeal("{count: 2, appeal: {about_task: 0.5, contradicts_hour: -1}}")
    assert found == Appeal(about_task=0.5, names_no_task=0.0, contradicts_hour=-1.0)
    assert scenario.content_hash() != appeal("{count: 2, appeal: {about_task: 0.5}}")[0].content_hash()
    assert (
        scenario.content_hash()
        == appeal("{count: 2, appeal: {contradicts_hour: -1, about_task: 0.5}}")[0].content_hash()
    )


def test_the_shipped_scenario_uses_all_keywords() -> None:
    world = load("llm_tips").world
    assert isinstance(world, TipsWorld)
    assert world.tips.appeal is not None
    assert world.tips.appeal.model_fields_set == {"about_task", "names_no_task", "contradicts_hour"}
    assert world.tips.features == "task"


@pytest.mark.parametrize(
    ("tips", "says"),
    [
        ("{count: 2, appeal: {kind: fitted}}", "name the file"),
        ("{count: 2, appeal: {kind: keywords, asks: 2}}", "goes with kind: panel"),
        ("{count: 2, appeal: {asks: 2}}", "goes with kind: panel"),
        ("{count: 2, appeal: {kind: taste}}", "kind"),
        ("{count: 2, appeal: {kind: panel, asks: 0}}", "asks"),
    ],
)
def test_each_make_has_fields_of_its_own(tips: str, says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        appeal(tips)


def test_other_makes_are_said_in_the_canonical_form_and_the_first_is_not() -> None:
    """So that a scenario of before has the content hash of before."""
    assert "kind" not in appeal("{count: 2, appeal: {about_task: 0.5}}")[0].canonical()["world"]["tips"]["appeal"]
    panel = appeal("{count: 2, appeal: {kind: panel, asks: 3}}")[0].canonical()["world"]["tips"]["appeal"]
    assert (panel["kind"], panel["asks"]) == ("panel", 3)
