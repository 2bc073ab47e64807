"""Validation errors in plain words: what is wrong with which value, and what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from oo_sim.scenario.fields import FAULTS, Fault, Frozen
from oo_sim.scenario.problems import Path, Problem, Source
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
_SHORT_FORMS = {
    "count": "a whole number or a mapping {min, max}",
    "preferences": "a number or a mapping {mean, sd}",
}


def problems_of(error: ValidationError, root: type[Frozen], source: Source) -> Iterator[Problem]:
    """Every error of a validation against `root` as a problem with its place in `source`."""
    details = error.errors(include_url=False)
    broken = {detail["loc"][:-1] for detail in details}
    for detail in details:
        if detail["type"] == "too_short" and detail["loc"] in broken:
            continue  # only the sound items were counted
        path, models, others = _walk(root, detail["loc"])
        for fault in _faults(detail, path, models, others):
            yield source.problem((*path, *map(_part, fault.path)), fault.message, on_key=fault.on_key)


def _part(part: object) -> str | int:
    return part if isinstance(part, int) else str(part)


def _walk(root: type[BaseModel], loc: Path) -> tuple[Path, list[type[BaseModel]], list[type[BaseModel]]]:
    """A location (which also names union members) as path, the models there, the union's other members."""
    path: list[str | int] = []
    models: list[type[BaseModel]] = [root]
    others: list[type[BaseModel]] = []
    for part in loc:
        if len(models) > 1 and (chosen := [m for m in models if getattr(m, "tag", None) == part]):
            others = [m for m in models if m not in chosen]
            models = chosen
            continue
        path.append(part)
        deeper = [
            f.annotation for m in models if (f := m.model_fields.get(str(part))) and isinstance(part, str)
        ]
        if deeper:
            models, others = [m for annotation in deeper for m in _models_in(annotation)], []
    return tuple(path), models, others


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _faults(
    detail: ErrorDetails, path: Path, models: list[type[BaseModel]], others: list[type[BaseModel]]
) -> Iterator[Fault]:
    if detail["type"] == FAULTS:
        yield from detail["ctx"][FAULTS]
    elif detail["type"] == "extra_forbidden":
        yield Fault((), _unknown_key(str(path[-1]), models, others), on_key=True)
    elif detail["type"] in {"missing", "union_tag_not_found"}:
        yield _missing(detail, path)
    else:
        yield Fault((), _message(detail, path))


def _unknown_key(key: str, models: list[type[BaseModel]], others: list[type[BaseModel]]) -> str:
    for other in others:
        if key in other.model_fields:
            return f"is a key of {_choice_of(other)} only; leave it out, or change that"
    known = [name for model in models for name in model.model_fields]
    return f"unknown key{did_you_mean(key, known) or '; keys are ' + ', '.join(known)}"


def _choice_of(model: type[BaseModel]) -> str:
    key = "mode" if "mode" in model.model_fields else "kind"
    return f"{key}: {getattr(model, 'tag', '')}"


def _missing(detail: ErrorDetails, path: Path) -> Fault:
    if detail["type"] == "union_tag_not_found":
        return Fault(("kind",), "required key is missing; write kind: tips or kind: linear")
    return Fault((), f"required key is missing{_EXAMPLES.get(str(path[-1]), '')}")


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


def _message(detail: ErrorDetails, path: Path) -> str:  # noqa: PLR0911 (a table of cases)
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in _KINDS:
        return f"must be {_wanted(kind, path)}, not {describe(value)}{_repair(kind, value)}"
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"is {describe(value)}; must be {words} {context[key]:,}"
    if kind in {"literal_error", "union_tag_invalid"}:
        return _not_a_choice(kind, value, context)
    if kind in {"too_short", "too_long"}:
        return _length(kind, value, context, path)
    if kind == "missing_argument":
        return "has too few items"
    if kind == "string_pattern_mismatch":
        return f"is {describe(value)}; write 1 to 64 characters of a-z, 0-9, _ and -"
    if kind in {"string_too_short", "string_too_long"}:
        return f"has {len(value)} characters; write 1 to {context.get('max_length', 'more')}"
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
        return "; write a value, or leave the key out"
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


def _not_a_choice(kind: str, value: Any, context: Mapping[str, Any]) -> str:
    known = re.findall(r"'([^']*)'", str(context.get("expected", context.get("expected_tags", ""))))
    if not known:
        return f"is {describe(value)}; must be {context.get('expected', '')}"
    if kind == "union_tag_invalid":
        value = context.get("tag", value)
    hint = did_you_mean(value, known) if isinstance(value, str) else ""
    return f"is {describe(value)}; must be {choices(known)}{hint}"


def _length(kind: str, value: Any, context: Mapping[str, Any], path: Path) -> str:
    low, high = context.get("min_length"), context.get("max_length")
    bound = f"at least {low}" if kind == "too_short" else f"at most {high}"
    return f"has {context.get('actual_length', len(value))} items; write {bound}"
