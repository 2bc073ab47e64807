"""The words for each kind of validation error: what is wrong with a value, and what would be right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails

from oo_sim.scenario.fields import Fault
from oo_sim.scenario.problems import Path
from oo_sim.scenario.text import choices, clip, describe, did_you_mean

_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "above"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "below"),
}
_LENGTHS = {
    "too_short": ("min_length", "at least", "items"),
    "too_long": ("max_length", "at most", "items"),
    "string_too_short": ("min_length", "at least", "characters"),
    "string_too_long": ("max_length", "at most", "characters"),
}
_SHORT_FORMS = {
    "count": "a whole number or a mapping {min, max}",
    "preferences": "a number or a mapping {mean, sd}",
}
_EXAMPLES = {
    "version": "; write version: 1",
    "name": "; write a name of a-z, 0-9, _ and -",
    "users": "; write how many users there are, such as users: 400",
    "rounds": "; write how many decisions each user gets, such as rounds: 500",
    "policies": "; list the policies to run, such as policies: [linucb, random, oracle]",
    "world": "; describe the world, starting with kind: tips or kind: linear",
    "tasks": "; write at least tasks: {count: 8}",
    "count": "; write a whole number or {min: 2, max: 8}",
    "segments": "; list at least one segment of users",
    "preferences": "; write the coefficients by term, such as {is_overdue: 0.8}",
}


def wrong_tag(detail: ErrorDetails, key: str, tags: list[str]) -> Fault:
    """A record without, or with an unknown, `key` that says which of `tags` it is."""
    if not isinstance(detail["input"], Mapping):
        return Fault((), f"must be a mapping, not {describe(detail['input'])}")
    if key not in detail["input"]:
        return Fault((key,), f"required key is missing; write {choices(f'{key}: {tag}' for tag in tags)}")
    return Fault((key,), _not_a_choice(detail["input"][key], tags))


def missing(path: Path) -> Fault:
    """A required key that is not there, or an item of a pair."""
    if isinstance(path[-1], int):
        return Fault((), "has too few items; write [low, high]")
    return Fault((), f"required key is missing{_EXAMPLES.get(path[-1], '')}")


def message(detail: ErrorDetails, path: Path) -> str:
    """What is wrong with a single value, and what would be right."""
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in _KINDS:
        return f"must be {_wanted(kind, path)}, not {describe(value)}{_repair(kind, value)}"
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"is {describe(value)}; must be {words} {context[key]:,}"
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        return _not_a_choice(value, known or [context["expected"]])
    if kind == "string_pattern_mismatch":
        return f"is {describe(value)}; write 1 to 64 characters of a-z, 0-9, _ and -"
    if kind in _LENGTHS:
        key, words, things = _LENGTHS[kind]
        return f"has {context.get('actual_length', len(value))} {things}; write {words} {context[key]:,}"
    return clip(detail["msg"], 200)


def _wanted(kind: str, path: Path) -> str:
    if kind in {"model_type", "model_attributes_type"}:
        names = [part for part in path if isinstance(part, str)]
        for name in names[-2:]:
            if name in _SHORT_FORMS:
                return _SHORT_FORMS[name]
    return _KINDS[kind]


def _repair(kind: str, value: Any) -> str:
    if value is None:
        return "; write a value"
    if kind in {"int_type", "int_from_float"} and isinstance(value, float) and value.is_integer():
        return f"; write {value:.0f}" if abs(value) < 2**63 else ""
    if kind in {"int_type", "float_type"} and isinstance(value, str):
        return _number_in_text(value)
    if kind == "string_type":
        return "; put it in quotes" if not isinstance(value, list | Mapping) else ""
    return ""


def _number_in_text(value: str) -> str:
    if re.fullmatch(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?", value, re.IGNORECASE):
        return "; take the quotes off"
    if found := re.fullmatch(r"([0-9]{1,3}(\.[0-9]+)?) ?%", value):
        return f"; write {float(found[1]) / 100:g}"
    return "; write digits, with a point for decimals and no thousands separator"


def _not_a_choice(value: Any, known: list[str]) -> str:
    hint = did_you_mean(value, known) if isinstance(value, str) else ""
    return f"is {describe(value)}; must be {choices(known)}{hint}"
