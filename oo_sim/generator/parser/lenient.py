"""The one answer in a reply and what surrounds it: prose, fences, closed think blocks, wrappers, lines, and JSON that
was written into a text once more."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from oo_sim.generator.parser.faithful import loads, unfenced
from oo_sim.generator.parser.outcome import MalformedError
from oo_sim.generator.parser.tolerant import Reader, TruncatedError

_MARK = re.compile(r"[\[\]{}]|<(think|thinking|thought|reasoning|reflection)\b[^<>]{0,200}>", re.IGNORECASE)
_FENCE = re.compile(r"(?:```|~~~)[\w+-]*")
# A bracket in prose closes before any other bracket, quotation mark or colon: "[see above]". What else fails to be
# read is broken JSON, and skipping it would lose a tip.
_PROSE = re.compile(r'[\[{][^\[\]{}":]*+[\]}]')
_KEYS = frozenset({"id", "content", "rationale"})
_ERRORS = frozenset({"error", "errors"})
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
    inside = unfenced(bare)
    if inside is not None and _json_in(_json_or_none(inside)) is not None:
        bare, flags = inside, [*flags, "fence"]
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
        raise MalformedError("ambiguous", f"the reply holds {len(found.values)} answers; expected one array")
    return found.values, [*flags, "json_lines"]


def _unwrap(value: Any, n: int, salvage: bool, flags: list[str]) -> tuple[list[Any], list[str]]:
    value, flags = _decoded(value, flags)
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], list):
            value, flags = value[0], [*flags, "wrapper"]
        return _plain_items(value, flags)
    if not isinstance(value, dict):
        raise MalformedError("shape", "the reply is a single value; expected an array of objects")
    if _holds_content(value):
        return _single(value, n, salvage, flags)
    lists = [member for member in value.values() if isinstance(member, list)]
    nested = [member for member in value.values() if isinstance(member, dict)]
    if len(lists) == 1 and not nested and not _ERRORS & {key.casefold() for key in value}:
        return _plain_items(lists[0], [*flags, "wrapper"])
    if nested and len(nested) == len(value) and all(_holds_content(member) for member in nested):
        return _plain_items([{"id": key, **member} for key, member in value.items()], [*flags, "keyed"])
    raise MalformedError("shape", "the reply is an object without tips in it; expected an array of objects")


def _single(value: dict[str, Any], n: int, salvage: bool, flags: list[str]) -> tuple[list[Any], list[str]]:
    """A lone tip. A message of a chat, or an object that holds further objects, only talks about tips."""
    names = {key.casefold() for key in value}
    if names & (_ERRORS | {"role"}) or any(_holds_objects(member) for member in value.values()):
        raise MalformedError("ambiguous", "the reply is an object with a text and more around it; expected an array")
    if n == 1:
        return _plain_items([value], [*flags, "single"])
    if not salvage:
        raise MalformedError("count", f"one object; expected an array of {n}")
    return _plain_items([value], [*flags, "single", "salvaged"])


def _decoded(value: Any, flags: list[str]) -> tuple[Any, list[str]]:
    """The array or object that a text holds, where the reply was encoded twice; else the value."""
    inner = _json_in(value)
    return (value, flags) if inner is None else (inner, [*flags, "double_encoded"])


def _json_or_none(text: str) -> Any:
    if not text.startswith('"'):
        return None
    try:
        return loads(text)[0]
    except json.JSONDecodeError:
        return None


def _json_in(value: Any) -> Any:
    if type(value) is not str or value.strip()[:1] not in ("[", "{"):
        return None
    try:
        inner, duplicate = loads(value)
    except json.JSONDecodeError:
        return None
    if duplicate is not None:
        raise MalformedError("values", f"the key {duplicate!r:.40} stands twice in one object")
    return inner


def _plain_items(items: list[Any], flags: list[str]) -> tuple[list[Any], list[str]]:
    """The items as objects with the keys that were asked for, where they say them in another case or as texts."""
    decoded = [_json_in(item) for item in items]
    if items and all(isinstance(item, dict) for item in decoded):
        items, flags = decoded, [*flags, "double_encoded"]
    plain = [_lower(item) if isinstance(item, dict) else item for item in items]
    return plain, flags if plain == items else [*flags, "key_case"]


def _lower(item: dict[str, Any]) -> dict[str, Any]:
    """The item with its keys as asked for; an item that has a key in two cases is left as it is."""
    names = {key: key.strip().casefold() for key in item}
    clear = len(set(names.values())) == len(names)
    return {names[key] if clear and names[key] in _KEYS else key: value for key, value in item.items()}


def _holds_content(value: dict[str, Any]) -> bool:
    return any(key.strip().casefold() == "content" for key in value)


def _holds_objects(value: Any) -> bool:
    members = value if isinstance(value, list) else [value]
    return any(isinstance(member, dict) and _holds_content(member) for member in members)
