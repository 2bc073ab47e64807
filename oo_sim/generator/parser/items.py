"""From the items of an array to tips: usable content, ids that are texts and unique, at most n."""

from __future__ import annotations

from typing import Any

from oo_sim.generator.parser.outcome import MalformedError, Tip
from oo_sim.generator.parser.strict import Numeral


def read_items(
    items: list[Any], n: int, flags: list[str], *, unique: bool = False, salvage: bool = False
) -> tuple[tuple[Tip, ...], tuple[str, ...]]:
    """The first `n` items as tips, and all flags. With `unique`, repeated tips are refused or thinned.

    Raises `MalformedError` when there are no items, or when any of them is no object with usable content.
    """
    if not items:
        raise MalformedError("count", "the array is empty")
    contents = [_content(item, index) for index, item in enumerate(items)]
    flags = [*flags, *(["cut"] if len(items) > n else [])]
    kept = list(range(min(n, len(items))))
    if unique:
        kept = _different(contents, kept, flags, salvage)
    ids = _ids([items[index] for index in kept], flags)
    tips = tuple(Tip(id_, contents[at], _rationale(items[at], flags)) for id_, at in zip(ids, kept, strict=True))
    if len(tips) < n:
        flags.append("fewer")
    return tips, tuple(dict.fromkeys(flags))


def _content(item: Any, index: int) -> str:
    if not isinstance(item, dict):
        raise MalformedError("item", f"item {index} is no object")
    content = item.get("content")
    if not _usable(content):
        found = "none" if content is None else f"{content!r:.40}"
        raise MalformedError("item", f"item {index}: content must be a text that is not blank, not {found}")
    return str(content)


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


def _ids(items: list[dict[str, Any]], flags: list[str]) -> list[str]:
    given = [_given(item.get("id")) for item in items]
    taken = {id_ for id_ in given if id_ is not None}
    ids: list[str] = []
    for index, id_ in enumerate(given):
        if id_ is None:
            flags.append("missing_id")
            ids.append(_fresh(f"tip-{index}", taken.union(ids)))
        elif id_ in ids:
            flags.append("duplicate_id")
            ids.append(_fresh(id_, taken.union(ids)))
        else:
            flags.extend([] if type(items[index]["id"]) is str else ["number_id"])
            ids.append(id_)
    return ids


def _given(value: object) -> str | None:
    if isinstance(value, Numeral):
        return str(value)
    return str(value) if _usable(value) else None


def _fresh(wanted: str, taken: set[str]) -> str:
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}-{count}"
    return name


def _rationale(item: dict[str, Any], flags: list[str]) -> str | None:
    rationale = item.get("rationale")
    if _usable(rationale):
        return str(rationale)
    if rationale not in (None, ""):
        flags.append("rationale_dropped")
    return None
