"""JSON as the standard has it: no NaN, numbers kept as their own text, duplicate keys noticed."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from oo_sim.generator.parser.outcome import MalformedError

MAX_DIGITS = 400


class Numeral(str):
    """A number as it was written. A type of its own, so that no number passes for a text."""

    __slots__ = ()


def numeral(text: str) -> Numeral:
    """The number as written; `MalformedError` when it has more digits than any float."""
    if len(text) > MAX_DIGITS:
        raise MalformedError("values", f"a number of {len(text)} characters; at most {MAX_DIGITS} make sense")
    return Numeral(text)


def _constant(name: str) -> NoReturn:
    raise MalformedError("values", f"{name} is no JSON")


class _Objects:
    """Builds objects and notices duplicate keys, of which the last one counts."""

    def __init__(self) -> None:
        self.duplicate: str | None = None

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(pairs)
        if len(built) < len(pairs) and self.duplicate is None:
            keys = [key for key, _ in pairs]
            self.duplicate = next(key for at, key in enumerate(keys) if key in keys[:at])
        return built


def loads(text: str) -> tuple[Any, str | None]:
    """The value of a JSON text, and a key that some object holds twice, if any.

    Raises `json.JSONDecodeError`, or `MalformedError` for constants, over-long numbers and over-deep nesting.
    """
    objects = _Objects()
    try:
        value = json.loads(
            text,
            object_pairs_hook=objects,
            parse_int=numeral,
            parse_float=numeral,
            parse_constant=_constant,
        )
    except RecursionError:
        raise MalformedError("values", "brackets are nested too deep") from None
    return value, objects.duplicate
