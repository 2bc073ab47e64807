"""JSON as the standard has it (no NaN, numbers kept as their own text, duplicate keys noticed), and the contract's
reading of a reply: such JSON as it stands, or inside one surrounding fence; nothing else."""

from __future__ import annotations

import json
import re
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
    raise MalformedError("values", f"{name} is not JSON")


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


_FENCE = re.compile(r"```[\w+-]*(?=[\s\[{])(.*)```", re.DOTALL)


def read_faithful(text: str) -> tuple[list[Any], list[str]]:
    """The items of the reply's array, and flags. `text` has no blanks around it. Raises `MalformedError`."""
    flags: list[str] = []
    try:
        value, duplicate = loads(text)
    except json.JSONDecodeError as error:
        inside = unfenced(text)
        if inside is None:
            raise _classed(error, text) from None
        flags.append("fence")
        value, duplicate = _inside(inside)
    if duplicate is not None:
        flags.append("duplicate_keys")
    if not isinstance(value, list):
        raise MalformedError("shape", f"the reply is {_kind(value)}; expected a bare array of objects")
    return value, flags


def unfenced(text: str) -> str | None:
    """What stands inside the one fence around the text; None where there is none."""
    fenced = _FENCE.fullmatch(text)
    return fenced and fenced[1].strip()


def _inside(text: str) -> tuple[Any, str | None]:
    try:
        return loads(text)
    except json.JSONDecodeError as error:
        raise _classed(error, text) from None


def _classed(error: json.JSONDecodeError, text: str) -> MalformedError:
    return MalformedError(_class(error, text), f"no JSON: {error.msg} at character {error.pos + 1} of {len(text)}")


def _class(error: json.JSONDecodeError, text: str) -> str:
    if "[" not in text and "{" not in text:
        return "no_json"
    if error.msg == "Extra data" or text[0] not in "[{":
        return "prose"
    return "truncated" if error.pos >= len(text) or error.msg.startswith("Unterminated") else "syntax"


def _kind(value: object) -> str:
    return "an object" if isinstance(value, dict) else "a single value"
