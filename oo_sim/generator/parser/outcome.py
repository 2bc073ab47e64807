"""What parsing a reply can come to: tips with flags, or a classed refusal."""

from __future__ import annotations

from typing import Literal, NamedTuple

MAX_CHARS = 1 << 18
"""The longest reply that is read, in characters without the blanks around it: 64 tips of 4,000 each."""
MAX_ID = 200
"""The most characters of a tip's id."""
MAX_TIPS = 64
"""The most tips that one request may ask for."""

CLASSES = {
    "empty": "no text at all",
    "no_json": "text without an array or object, such as a refusal",
    "prose": "text around the JSON (faithful only)",
    "truncated": "cut off before its end",
    "syntax": "brackets that are no JSON",
    "lazy": "an ellipsis where tips should stand",
    "ambiguous": "more than one answer",
    "shape": "JSON, but no array of objects",
    "values": "NaN, duplicate keys, over-long numbers, over-deep nesting",
    "item": "an item without usable content",
    "placeholder": "a tip that only repeats the words of the prompt's own schema",
    "count": "no tips, or a lone one where several were asked for",
    "duplicate": "two tips that say the same (lenient only)",
    "too_long": "longer than any answer can be",
    "refusal": "the gateway reports a refusal",
}
"""The classes of malformed replies."""


class MalformedError(Exception):
    """A reply without tips: `cls` is one of `CLASSES`, the message says what is wrong and where."""

    def __init__(self, cls: str, message: str) -> None:
        super().__init__(message)
        self.cls = cls
        self.message = message


class Tip(NamedTuple):
    """One tip as the model gave it. `id` is safe to send anywhere: at most `MAX_ID` printable characters, unique within
    its reply, and not the id of a task; where the model gave another one, `given_id` is that one."""

    id: str
    content: str
    rationale: str | None = None
    given_id: str | None = None


class Parsed(NamedTuple):
    """Tips in the model's order; `flags` name everything that was not as asked for."""

    tips: tuple[Tip, ...]
    flags: tuple[str, ...]
    outcome: Literal["accept", "repair", "salvage"]
