"""The contract's reading of a reply: JSON as it stands, or inside one surrounding fence; nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

from oo_sim.generator.parser.outcome import MalformedError
from oo_sim.generator.parser.strict import loads

_FENCE = re.compile(r"```[\w+-]*(?=[\s\[{])(.*)```", re.DOTALL)


def read_faithful(text: str) -> tuple[list[Any], list[str]]:
    """The items of the reply's array, and flags. `text` has no blanks around it. Raises `MalformedError`."""
    flags: list[str] = []
    try:
        value, duplicate = loads(text)
    except json.JSONDecodeError as error:
        fenced = _FENCE.fullmatch(text)
        if fenced is None:
            raise _classed(error, text) from None
        flags.append("fence")
        value, duplicate = _inside(fenced[1].strip())
    if duplicate is not None:
        flags.append("duplicate_keys")
    if not isinstance(value, list):
        raise MalformedError("shape", f"the reply is {_kind(value)}; a bare array of objects is wanted")
    return value, flags


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
