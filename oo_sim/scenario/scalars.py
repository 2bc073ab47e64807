"""What an unquoted word of the file is: true, false, null, a decimal number or text; and which are refused.

YAML's dialects disagree about words such as `no`, `010` or `12:30`. None of them may change its meaning
silently, so a word that some dialect reads as something else than it looks like is refused, with advice.
"""

from __future__ import annotations

import math
import re
from typing import TypeAlias

Scalar: TypeAlias = bool | int | float | str | None

MAX_INT = 2**63 - 1
_MAX_DIGITS = 400

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None, "": None}
_SWITCHES = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false"})
_NULLS = frozenset({"~", "null"})
_NOT_FINITE = re.compile(r"[-+]?\.?(inf|infinity|nan)", re.IGNORECASE)

_AMBIGUOUS = (
    (re.compile(r"[-+]?0[0-9_]+"), "some readers take it for an octal number"),
    (re.compile(r"[-+]?0[0-9_]+(\.[0-9_]*)?([eE][-+]?[0-9]+)?"), "a number has no leading zeros"),
    (re.compile(r"[-+]?0[xX][0-9a-fA-F_]+"), "some readers take it for a hexadecimal number"),
    (re.compile(r"[-+]?0[oObB][0-9_]+"), "some readers take it for an octal or binary number"),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-9_]+)+(\.[0-9_]*)?"), "some readers take it for a base-60 number"),
    (re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?"), "a number has no underscores"),
    (re.compile(r"[-+]?[0-9]*\.[0-9]*_[0-9_]*([eE][-+]?[0-9]+)?"), "a number has no underscores"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?"), "some readers take it for a date"),
)


class ScalarError(ValueError):
    """The word is refused; the message says why and what to write instead."""


def read_scalar(word: str) -> Scalar:
    """The value of an unquoted word. Raises ScalarError."""
    if word in _WORDS:
        return _WORDS[word]
    if _FLOAT.fullmatch(word):
        return _number(word)
    if not word[0].isascii() or len(word) > _MAX_DIGITS:
        return word
    _refuse_ambiguous(word)
    return word


def read_number(word: str) -> int | float | None:
    """The number that a word spells, None when it spells none. Raises ScalarError for one out of range."""
    return _number(word) if _FLOAT.fullmatch(word) else None


def _number(word: str) -> int | float:
    if len(word) > _MAX_DIGITS:
        raise ScalarError(f"a number of {len(word)} characters; write at most {_MAX_DIGITS}")
    if _INT.fullmatch(word):
        if abs(int(word)) > MAX_INT:
            raise ScalarError(f"the whole number is out of range; at most {MAX_INT} (2^63 - 1) is read")
        return int(word)
    value = float(word)
    if math.isinf(value):
        raise ScalarError("the number is too large for a float; at most about 1.8e308 is read")
    if value == 0.0 and re.search(r"[1-9]", re.split("[eE]", word)[0]):
        raise ScalarError("the number is too small for a float and would become 0; write 0 if that is meant")
    return value


def _refuse_ambiguous(word: str) -> None:
    lower = word.lower()
    if lower in _SWITCHES:
        truth = "true" if lower in {"y", "yes", "on", "true"} else "false"
        raise ScalarError(f"{word}: some readers take it for {truth}, some for text; write {truth} or '{word}'")
    if lower in _NULLS:
        raise ScalarError(f"{word}: some readers take it for null; leave the key out, or quote the text: '{word}'")
    if _NOT_FINITE.fullmatch(word):
        raise ScalarError(f"{word}: infinities and NaN are refused; write a finite number, or quote the text")
    for pattern, why in _AMBIGUOUS:
        if pattern.fullmatch(word):
            raise ScalarError(f"{word}: {why}; write a plain decimal number, or quote the text: '{word}'")
