"""The field reference names every field, and its examples are valid."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import oo_sim.scenario as room
from oo_sim.scenario import dynamics, loads, shipped, validate
from oo_sim.scenario.reader import read

README = (Path(__file__).parents[2] / "scenarios" / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
MODELS = [
    model
    for model in (*vars(room).values(), *vars(dynamics).values())
    if isinstance(model, type) and issubclass(model, BaseModel) and model.model_fields
]


def merged(base: Any, part: Any) -> Any:
    """`part` laid over `base`, key by key; a world of another kind replaces it."""
    if not isinstance(base, dict) or not isinstance(part, dict) or part.get("kind") == "linear":
        return part
    return {**base, **{key: merged(base.get(key), value) for key, value in part.items()}}


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_valid(example: str) -> None:
    smallest = next(text for text in EXAMPLES if "name: smallest" in text)
    part = read(example)
    assert part.problems == []
    assert loads(smallest).name == "smallest"
    assert validate(merged(read(smallest).data, part.data))


@pytest.mark.parametrize("model", MODELS)
def test_every_field_is_in_a_table_and_an_example(model: type[BaseModel]) -> None:
    rows = " ".join(line.split("|")[1] for line in README.splitlines() if line.startswith("|"))
    for name in model.model_fields:
        if name not in {"min", "max"}:
            assert f"`{name}`" in rows, name
        assert any(f"{name}: " in text or f"{name}:\n" in text for text in EXAMPLES), name


def test_every_shipped_scenario_is_named() -> None:
    assert all(f"`{name}`" in README for name in shipped())
