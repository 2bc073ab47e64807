"""Weights by hour, weekday, priority or days, checked one by one, so that each fault has its own place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from oo_sim.scenario.fields import Fault, Unsigned, refuse
from oo_sim.scenario.problems import Path
from oo_sim.scenario.scalars import ScalarError, read_number
from oo_sim.scenario.text import clip, describe

MAX_DAYS = 36_500
MAX_WEIGHT = 1e9
_WEIGHT_SCHEMA = {"type": "number", "minimum": 0, "maximum": MAX_WEIGHT}

Days: TypeAlias = Annotated[float, Field(ge=-MAX_DAYS, le=MAX_DAYS), Unsigned]
Duration: TypeAlias = Annotated[float, Field(ge=0, le=MAX_DAYS), Unsigned]
Weight: TypeAlias = Annotated[float, Field(ge=0, le=MAX_WEIGHT), Unsigned]


def weight_faults(weights: Iterable[tuple[Path, Any]]) -> Iterator[Fault]:
    """What is wrong with single weights, each with its path: numbers, finite, none negative."""
    for path, weight in weights:
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            yield Fault(path, f"must be a weight (a number), not {describe(weight)}")
        elif not 0 <= weight <= MAX_WEIGHT:
            yield Fault(path, f"is {describe(weight)}; a weight is from 0 to 1e9")


def _some_positive(weights: Iterable[float]) -> None:
    if not any(weights):
        refuse([Fault((), "all weights are 0; make at least one positive")])


def _by_index(value: Any, low: int, size: int, what: str) -> tuple[float, ...]:
    """Weights of `size` things counted from `low`: a list, or a mapping with 0 for what it leaves out."""
    if isinstance(value, list | tuple):
        refuse(_list_faults(value, size, what))
        _some_positive(value)
        return tuple(float(weight) for weight in value)
    if not isinstance(value, Mapping):
        wanted = f"a mapping {{{what}: weight}} or a list of {size} weights"
        refuse([Fault((), f"must be {wanted}, not {describe(value)}")])
    keys = {str(low + i): i for i in range(size)}
    refuse(_mapping_faults(value, keys, what))
    _some_positive(value.values())
    weights = [0.0] * size
    for key, weight in value.items():
        weights[keys[str(key)]] = float(weight)
    return tuple(weights)


def _list_faults(value: list[Any] | tuple[Any, ...], size: int, what: str) -> Iterator[Fault]:
    if len(value) != size:
        advice = f"write {size} weights, or a mapping {{{what}: weight}}"
        yield Fault((), f"the list has {len(value)} weights, one for each {what} makes {size}; {advice}")
    yield from weight_faults(((i,), weight) for i, weight in enumerate(value))


def _mapping_faults(value: Mapping[Any, Any], keys: Mapping[str, int], what: str) -> Iterator[Fault]:
    low, *_, high = keys
    for key in value:
        if str(key) not in keys:
            yield Fault((key,), f"'{clip(str(key))}' is not a valid {what}; write {low} to {high}", on_key=True)
    yield from weight_faults(((key,), weight) for key, weight in value.items() if str(key) in keys)


def _by_days(value: Any) -> tuple[tuple[float, float], ...]:
    """Pairs (days, weight), sorted by days, from a mapping whose keys spell numbers."""
    if not isinstance(value, Mapping):
        refuse([Fault((), f"must be a mapping {{days: weight}}, not {describe(value)}")])
    faults: list[Fault] = []
    found: dict[float, tuple[Any, Any]] = {}
    for key, weight in value.items():
        days = _days(str(key))
        if isinstance(days, str):
            faults.append(Fault((key,), days, True))
        elif days in found:
            faults.append(Fault((key,), f"{clip(str(key))} days are given twice; give them once", True))
        else:
            found[days] = (key, weight)
    refuse([*faults, *weight_faults(((key,), weight) for key, weight in found.values())])
    _some_positive(weight for _, weight in found.values())
    return tuple((days, float(found[days][1])) for days in sorted(found))


def _days(key: str) -> float | str:
    """The number that a key spells, or what is wrong with it."""
    try:
        number = read_number(key)
    except ScalarError as error:
        return str(error)
    if number is None:
        return f"'{clip(key)}' is not a number of days; write a plain decimal number such as -3 or 0.5"
    if abs(number) > MAX_DAYS:
        return f"{clip(key)} days is out of range; write -{MAX_DAYS} to {MAX_DAYS}"
    return float(number) + 0.0


def _days_mapping(pairs: tuple[tuple[float, float], ...]) -> dict[str, float]:
    return {f"{days:.17g}": weight for days, weight in pairs}


def _index_schema(low: int, size: int) -> WithJsonSchema:
    keys = {str(low + i): _WEIGHT_SCHEMA for i in range(size)}
    by_list = {"type": "array", "items": _WEIGHT_SCHEMA, "minItems": size, "maxItems": size}
    by_key = {"type": "object", "properties": keys, "additionalProperties": False, "minProperties": 1}
    return WithJsonSchema({"anyOf": [by_key, by_list]})


HourWeights: TypeAlias = Annotated[
    tuple[float, ...], BeforeValidator(lambda value: _by_index(value, 0, 24, "hour")), _index_schema(0, 24)
]
"""24 weights, index 0 is midnight."""
WeekdayWeights: TypeAlias = Annotated[
    tuple[float, ...], BeforeValidator(lambda value: _by_index(value, 0, 7, "weekday")), _index_schema(0, 7)
]
"""7 weights, index 0 is weekday 0."""
PriorityWeights: TypeAlias = Annotated[
    tuple[float, ...], BeforeValidator(lambda value: _by_index(value, 1, 4, "priority")), _index_schema(1, 4)
]
"""4 weights, index 0 is priority 1."""
DayWeights: TypeAlias = Annotated[
    tuple[tuple[float, float], ...],
    BeforeValidator(_by_days),
    PlainSerializer(_days_mapping),
    WithJsonSchema({"type": "object", "additionalProperties": _WEIGHT_SCHEMA, "minProperties": 1}),
]
"""Pairs (days, weight), sorted by days."""
