"""Validation errors as problems: each at its path in the file, however the models are built inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from oo_sim.scenario.fields import FAULTS, Fault, Frozen
from oo_sim.scenario.problems import Path, Problem, Source
from oo_sim.scenario.text import did_you_mean
from oo_sim.scenario.wording import message, missing, wrong_tag


def problems_of(error: ValidationError, root: type[Frozen], data: Any, source: Source) -> list[Problem]:
    """Every error of validating `data` against `root`, as a problem with its place in `source`."""
    details = error.errors(include_url=False)
    found: dict[Problem, None] = {}
    for detail in details:
        if detail["type"] == "too_short" and _is_outer(detail["loc"], details):
            continue  # pydantic counted only the sound items
        path, models, others = _walk(root, detail["loc"])
        for fault in _faults(detail, path, models, others, root):
            place = _written((*path, *map(_part, fault.path)), data)
            found[source.problem(place, fault.message, on_key=fault.on_key)] = None
    return list(found)


def _is_outer(loc: Path, details: list[ErrorDetails]) -> bool:
    return any(len(detail["loc"]) > len(loc) and detail["loc"][: len(loc)] == loc for detail in details)


def _written(path: Path, data: Any) -> Path:
    """The path up to where the data ends: a value in short form has none of the keys that it stands for."""
    for i, part in enumerate(path):
        if not isinstance(data, Mapping | list | tuple):
            return path[:i]
        if isinstance(data, Mapping):
            data = data.get(part, {})
        elif isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return path[:i]
    return path


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
        deeper = [f.annotation for m in models if (f := m.model_fields.get(str(part))) and isinstance(part, str)]
        if deeper:
            models, others = [m for annotation in deeper for m in _models_in(annotation)], []
    return tuple(path), models, others


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _faults(
    detail: ErrorDetails,
    path: Path,
    models: list[type[BaseModel]],
    others: list[type[BaseModel]],
    root: type[BaseModel],
) -> Iterator[Fault]:
    if detail["type"] == FAULTS:
        yield from detail["ctx"][FAULTS]
    elif detail["type"] == "extra_forbidden":
        yield Fault((), _misplaced(path, root) or _unknown_key(str(path[-1]), models, others), on_key=True)
    elif detail["type"].startswith("union_tag"):
        yield wrong_tag(detail, _tag_key(models[0]), [getattr(model, "tag", "") for model in models])
    elif detail["type"] == "missing":
        yield missing(path)
    else:
        yield Fault((), message(detail, path))


def _misplaced(path: Path, root: type[BaseModel]) -> str:
    """Of a key of the top that stands further down, or of a world's that stands at the top; else nothing."""
    key, worlds = str(path[-1]), root.model_fields["world"].annotation
    if len(path) > 1:
        return "goes at the top of the file, not in here" if key in root.model_fields else ""
    return "goes under world" if any(key in model.model_fields for model in _models_in(worlds)) else ""


def _unknown_key(key: str, models: list[type[BaseModel]], others: list[type[BaseModel]]) -> str:
    for other in others:
        if key in other.model_fields:
            return f"goes with {_choice_of(other)} only; leave it out, or write {_choice_of(other)}"
    known = [name for model in models for name in model.model_fields]
    return f"unknown key{did_you_mean(key, known) or '; keys are ' + ', '.join(known)}"


def _choice_of(model: type[BaseModel]) -> str:
    return f"{_tag_key(model)}: {getattr(model, 'tag', '')}"


def _tag_key(model: type[BaseModel]) -> str:
    return "mode" if "mode" in model.model_fields else "kind"
