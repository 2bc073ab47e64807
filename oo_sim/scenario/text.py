"""Words about values: how untrusted text is shown, what a value is called, what a mistyped word meant."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def plain(text: str, keep: str = "") -> str:
    """Text with all that is invisible, directional or unprintable (but for `keep`) written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or unicodedata.category(c) not in _HIDDEN else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clip(text: str, limit: int = 60) -> str:
    """`plain` text, cut to `limit` characters."""
    return plain(text) if len(text) <= limit else plain(text[: limit - 3]) + "..."


def describe(value: object) -> str:
    """What a value is, in words a reader of the file would use."""
    if value is None or isinstance(value, bool):
        return {None: "empty (null)", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f"the text '{clip(value)}'"
    if isinstance(value, int | float):
        return clip(repr(value))
    kinds = ((Mapping, "a mapping"), (Sequence, "a list"))
    return next((words for kind, words in kinds if isinstance(value, kind)), f"a {type(value).__name__}")


def choices(words: Iterable[object]) -> str:
    """'a, b or c'."""
    *head, last = [str(word) for word in words]
    return f"{', '.join(head)} or {last}" if head else last


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?`, or nothing when no known word is near."""
    folded = {option.lower(): option for option in known}
    near = get_close_matches(word[:80].lower(), folded, n=1, cutoff=0.6)
    return f"; did you mean {clip(folded[near[0]])}?" if near else ""
