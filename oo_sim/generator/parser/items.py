"""From the items of an array to tips: usable content, ids that are texts and unique, at most n."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from oo_sim.generator.parser.faithful import Numeral
from oo_sim.generator.parser.outcome import MAX_ID, MalformedError, Tip

# What stands in the schema of the prompt (prompts/tips.txt) and in those that people write in its place.
_PLACEHOLDERS = frozenset(
    {
        "a short slug",
        "content",
        "string",
        "str",
        "text",
        "the tip",
        "the tip at most 2 sentences",
        "tip",
        "tip text",
        "why now at most 1 sentence",
        "your tip",
        "your tip here",
    }
)
_DOTS = frozenset(".… \t\n")
_DRESSING = re.compile(r"[\s.…,:;\"'`<>\[\]{}()]+")
_ANSI = re.compile(r"\x1b[\[\]()#][0-9;?]*[ -/]*[@-~]?|\x1b")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_HTML = re.compile(r"</?[A-Za-z][^<>]*>|&(?:#\d+|#x[0-9a-fA-F]+|[A-Za-z]{2,8});")
_SUSPECT = {"ansi": _ANSI, "control": _CONTROL, "bidi": _BIDI, "html": _HTML}
TEXT_FLAGS = frozenset(_SUSPECT)
"""Flags of what a text holds; it is kept as it came."""


def read_items(
    items: list[Any],
    n: int,
    flags: list[str],
    *,
    taken: Collection[str] = (),
    unique: bool = False,
    salvage: bool = False,
) -> tuple[tuple[Tip, ...], tuple[str, ...]]:
    """The first `n` items as tips, and all flags. With `unique`, repeated tips are refused or thinned.

    No tip gets an id out of `taken`. Raises `MalformedError` when there are no items, or when any of them is not an
    object with usable content.
    """
    if not items:
        raise MalformedError("count", "the array is empty")
    contents = [_content(item, index) for index, item in enumerate(items)]
    flags = [*flags, *(["cut"] if len(items) > n else [])]
    kept = list(range(min(n, len(items))))
    if unique:
        kept = _different(contents, kept, flags, salvage)
    ids = _ids([items[index] for index in kept], flags, taken)
    tips = tuple(
        Tip(id_, contents[at], _rationale(items[at], flags), given) for (id_, given), at in zip(ids, kept, strict=True)
    )
    said = "\n".join(text for tip in tips for text in (tip.content, tip.rationale or ""))
    flags += [name for name, pattern in _SUSPECT.items() if pattern.search(said)]
    if len(tips) < n:
        flags.append("fewer")
    return tips, tuple(dict.fromkeys(flags))


def _content(item: Any, index: int) -> str:
    if not isinstance(item, dict):
        raise MalformedError("item", f"item {index} is not an object")
    content = item.get("content")
    if not _usable(content):
        found = "none" if content is None else f"{content!r:.40}"
        raise MalformedError("item", f"item {index}: content must be a text that is not blank, not {found}")
    if is_placeholder(str(content)):
        raise MalformedError("placeholder", f"item {index}: content is {content!r:.60}, which is not a tip")
    return str(content)


def is_placeholder(content: str) -> bool:
    """Whether a text only repeats what a schema has in the place of a tip."""
    bare = " ".join(_DRESSING.sub(" ", content.casefold()).split())
    return bare in _PLACEHOLDERS if bare else set(content) <= _DOTS


def _usable(value: object) -> bool:
    """Whether it is a text with something to see in it that UTF-8 can hold (a lone surrogate it cannot)."""
    if type(value) is not str or not any(char.isprintable() and not char.isspace() for char in value):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _different(contents: list[str], kept: list[int], flags: list[str], salvage: bool) -> list[int]:
    first: dict[str, int] = {}
    for index in kept:
        first.setdefault(" ".join(contents[index].split()).casefold(), index)
    if len(first) < len(kept):
        if not salvage:
            raise MalformedError("duplicate", f"{len(kept) - len(first)} of {len(kept)} tips repeat another one")
        flags.append("salvaged")
    return list(first.values())


def _ids(items: list[dict[str, Any]], flags: list[str], taken: Collection[str]) -> list[tuple[str, str | None]]:
    """An id for each item, and the model's own where that is another one."""
    given = [_given(item.get("id")) for item in items]
    reserved = set(taken)
    known = reserved | {_safe(id_) for id_ in given if id_ is not None}
    ids: list[tuple[str, str | None]] = []
    used: set[str] = set()
    for index, id_ in enumerate(given):
        wanted = _safe(id_) if id_ is not None else ""
        if not wanted:
            flags.append("missing_id")
            wanted = f"tip-{index}"
            chosen = _fresh(wanted, known | used)
        elif wanted in used:
            flags.append("duplicate_id")
            chosen = _fresh(wanted, known | used)
        elif wanted in reserved:
            flags.append("task_id")
            chosen = _fresh(wanted, known | used)
        else:
            flags += [] if type(items[index]["id"]) is str else ["number_id"]
            chosen = wanted
        flags += ["unsafe_id"] if id_ is not None and wanted != id_ else []
        used.add(chosen)
        ids.append((chosen, id_ if id_ != chosen else None))
    return ids


def _given(value: object) -> str | None:
    if isinstance(value, Numeral):
        return str(value)
    return str(value) if _usable(value) else None


def _safe(id_: str) -> str:
    """The id without characters that cannot be seen, and of a length that every store and path takes."""
    shown = "".join(char if char.isprintable() else " " for char in id_)
    return "-".join(shown.split())[:MAX_ID] if shown != id_ else shown.strip()[:MAX_ID].rstrip()


def _fresh(wanted: str, taken: set[str]) -> str:
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted[: MAX_ID - len(str(count)) - 1]}-{count}"
    return name


def _rationale(item: dict[str, Any], flags: list[str]) -> str | None:
    rationale = item.get("rationale")
    if _usable(rationale) and not is_placeholder(str(rationale)):
        return str(rationale)
    if rationale not in (None, ""):
        flags.append("rationale_dropped")
    return None
