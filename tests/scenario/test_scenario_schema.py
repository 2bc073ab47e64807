"""The JSON Schema is one, accepts what the reader accepts, and refuses the mistakes that editors can show."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from oo_sim.scenario import TERMS, json_schema, load, shipped
from oo_sim.scenario.reader import read

BROKEN = Path(__file__).parent / "broken"
SHOWN = (
    *(
        "count_text",
        "unknown_key",
        "users_missing",
        "users_text",
        "users_zero",
        "version_two",
        "term_typo",
        "kind_unknown",
    ),
    *(
        "clock_hour_24",
        "clock_hours_in_walk",
        "coefficient_huge",
        "linear_with_tasks",
        "priority_5",
        "tasks_mode",
    ),
    *(
        "due_negative_sd",
        "cuts_three",
        "whole_days_word",
        "name_capitals",
        "policies_empty",
        "count_too_many",
    ),
)


@functools.cache
def validator() -> Any:
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # noqa: PLC0415 (a second or more)

    schema = json.loads(json.dumps(json_schema(), allow_nan=False))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("name", shipped())
def test_accepts_shipped_files_as_written_and_resolved(name: str) -> None:
    scenario = load(name)
    assert validator().is_valid(read(shipped()[name].read_bytes()).data)
    assert validator().is_valid(scenario.canonical())


@pytest.mark.parametrize("name", SHOWN)
def test_refuses_what_an_editor_should_underline(name: str) -> None:
    reading = read((BROKEN / f"{name}.yaml").read_bytes())
    assert reading.problems == []
    assert not validator().is_valid(reading.data)


def test_knows_every_term() -> None:
    preferences = json_schema()["$defs"]["Segment"]["properties"]["preferences"]
    assert tuple(preferences["properties"]) == TERMS


def test_is_the_same_every_time() -> None:
    assert json.dumps(json_schema()) == json.dumps(json_schema())
