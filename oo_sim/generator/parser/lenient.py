"""The one answer in a reply and what surrounds it: prose, fences, closed think blocks, wrappers, lines."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from oo_sim.generator.parser.outcome import MalformedError
from oo_sim.generator.parser.strict import loads
from oo_sim.generator.parser.tolerant import Reader, TruncatedError

_MARK = re.compile(r"[\[\]{}]|<(think|thinking|thought|reasoning|reflection)\b[^<>]{0,200}>", re.IGNORECASE)
_FENCE = re.compile(r"(?:```|~~~)[\w+-]*")
# A bracket in prose closes before any other bracket, quotation mark or colon: "[see above]". What else fails to be
# read is broken JSON, and skipping it would lose a tip.
_PROSE = re.compile(r'[\[{][^\[\]{}":]*+[\]}]')
_MAX_PROSE = 64  # each costs an attempt to read on, so their number must be bounded for time to be linear


class _Found(NamedTuple):
    values: list[Any]
    gaps: list[str]  # the text before, between and behind the values
    flags: list[str]


def read_lenient(text: str, n: int, salvage: bool) -> tuple[list[Any], list[str]]:
    """The items of the reply's one answer, and the repairs made. Raises `MalformedError`."""
    bare = text.removeprefix("\ufeff").strip()
    flags = ["bom"] if bare != text else []
    if not bare:
        raise MalformedError("empty", "the reply is empty")
    try:
        value, duplicate = loads(bare)
    except json.JSONDecodeError:
        found = _find(bare, salvage)
        return _answer(found, n, salvage, [*flags, *found.flags])
    if duplicate is not None:
        raise MalformedError("values", f"the key {duplicate!r:.40} stands twice in one object")
    return _unwrap(value, n, salvage, flags)


def _find(text: str, salvage: bool) -> _Found:
    found = _Found([], [], [])
    start = pos = prose = 0
    while mark := _MARK.search(text, pos):
        if mark[1]:
            end = _behind_block(text, mark)
            found.flags.append("think")
            found.gaps.append(text[start : mark.start()])
            start = pos = end
            continue
        if mark[0] in "]}":
            raise MalformedError("syntax", f"{mark[0]} at character {mark.start() + 1} closes nothing")
        reader = Reader(text, mark.start())
        try:
            value = reader.value()
        except MalformedError as error:
            inline = _PROSE.match(text, mark.start())
            prose += 1
            if inline is not None and prose <= _MAX_PROSE:
                pos = inline.end()
                continue
            if not (salvage and isinstance(error, TruncatedError) and reader.items and not found.values):
                raise
            value, reader.pos = reader.items, len(text)
            found.flags.append("salvaged")
        found.flags.extend(reader.repairs)
        found.values.append(value)
        found.gaps.append(text[start : mark.start()])
        start = pos = reader.pos
    found.gaps.append(text[start:])
    return found


def _behind_block(text: str, opening: re.Match[str]) -> int:
    closing = re.compile(rf"</{opening[1]}\s*>", re.IGNORECASE).search(text, opening.end())
    if closing is None:
        raise MalformedError("truncated", f"the <{opening[1]}> block is never closed")
    return closing.end()


def _answer(found: _Found, n: int, salvage: bool, flags: list[str]) -> tuple[list[Any], list[str]]:
    if not found.values:
        raise MalformedError("no_json", "the reply holds no array and no object")
    around = "".join(found.gaps)
    if _FENCE.search(around):
        flags.append("fence")
    prose = _FENCE.sub("", around).strip()
    if len(found.values) == 1:
        flags += ["prose"] if prose else []
        return _unwrap(found.values[0], n, salvage, flags)
    if prose.strip(" ,\n\r\t") or not all(isinstance(value, dict) for value in found.values):
        raise MalformedError("ambiguous", f"the reply holds {len(found.values)} answers; one array is wanted")
    return found.values, [*flags, "json_lines"]


def _unwrap(value: Any, n: int, salvage: bool, flags: list[str]) -> tuple[list[Any], list[str]]:
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], list):
            return value[0], [*flags, "wrapper"]
        return value, flags
    if not isinstance(value, dict):
        raise MalformedError("shape", "the reply is a single value; an array of objects is wanted")
    if "content" in value:
        return _single(value, n, salvage, flags)
    lists = [member for member in value.values() if isinstance(member, list)]
    nested = [member for member in value.values() if isinstance(member, dict)]
    if len(lists) == 1 and not nested:
        return lists[0], [*flags, "wrapper"]
    if nested and len(nested) == len(value) and all("content" in member for member in nested):
        return [{"id": key, **member} for key, member in value.items()], [*flags, "keyed"]
    raise MalformedError("shape", "the reply is an object without tips in it; an array of objects is wanted")


def _single(value: dict[str, Any], n: int, salvage: bool, flags: list[str]) -> tuple[list[Any], list[str]]:
    if n == 1:
        return [value], [*flags, "single"]
    if not salvage:
        raise MalformedError("count", f"one object, where an array of {n} is wanted")
    return [value], [*flags, "single", "salvaged"]
