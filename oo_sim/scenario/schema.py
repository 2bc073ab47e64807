"""JSON Schema of scenario files, for editors. It accepts all that the reader accepts, and a little more."""

from __future__ import annotations

from typing import Any

from oo_sim.scenario.scenario import Scenario

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of a scenario. What must fit between fields is checked by `load` alone."""
    schema = Scenario.model_json_schema(mode="validation")
    return {"$schema": DIALECT, "title": "oo-sim scenario", **_untitled(schema)}


def _untitled(node: Any) -> Any:
    """Without the titles that only repeat the field's name in other letters."""
    if isinstance(node, list):
        return [_untitled(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _untitled(value) for key, value in node.items() if key != "title" or not isinstance(value, str)}
