"""A reader of one JSON value that also takes trailing commas, comments, Python literals a comma that is
missing between two objects, and line breaks within texts: what can be read in one way only.
It notes each such repair."""

from __future__ import annotations

import json
import re
from typing import Any

from oo_sim.generator.parser.faithful import numeral
from oo_sim.generator.parser.outcome import MalformedError

MAX_DEPTH = 64

_JSON = json.JSONDecoder(strict=False)  # line breaks within texts are noted as a repair
_GAP = re.compile(r"(?:\s++|//[^\n]*+|#[^\n]*+|/\*.*?\*/)*+", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*+)(?:\.\d++)?(?:[eE][+-]?\d++)?(?![\w.])")
_WORD = re.compile(r"[A-Za-z_]\w*+")
_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_QUOTED = re.compile(r'\\.|"')
_RAW = re.compile(r"[\x00-\x1f]")
_SINGLE = re.compile(r"'([^'\\\n]*+(?:\\.[^'\\\n]*+)*+)'")


class TruncatedError(MalformedError):
    """The text ended before the value did."""

    def __init__(self) -> None:
        super().__init__("truncated", "the reply ends before its JSON does")


class Reader:
    """Reads the value that starts at `pos` in `text`. `items` are the whole items of an outermost array."""

    def __init__(self, text: str, pos: int) -> None:
        self.text = text
        self.pos = pos
        self.repairs: list[str] = []
        self.items: list[Any] = []

    def value(self, depth: int = 0) -> Any:
        """The value at `pos`, which then stands behind it. Raises `MalformedError`."""
        if depth > MAX_DEPTH:
            raise MalformedError("values", f"brackets are nested deeper than {MAX_DEPTH}")
        char = self._char()
        if char == "{":
            return self._object(depth)
        if char == "[":
            return self._array(depth)
        return self._string(char) if char in "\"'" else self._literal()

    def _array(self, depth: int) -> list[Any]:
        items: list[Any] = [] if depth else self.items
        self.pos += 1
        self._gap()
        while self._char() != "]":
            items.append(self.value(depth + 1))
            self._gap()
            if self._char() == "{" and isinstance(items[-1], dict):
                self.repairs.append("missing_comma")
            else:
                self._comma("]")
        self.pos += 1
        return items

    def _object(self, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        self.pos += 1
        self._gap()
        while self._char() != "}":
            key = self._key(members)
            members[key] = self.value(depth + 1)
            self._gap()
            self._comma("}")
        self.pos += 1
        return members

    def _key(self, members: dict[str, Any]) -> str:
        char = self._char()
        if char not in "\"'":
            raise self._wrong("a quoted key")
        key = self._string(char)
        if key in members:
            raise MalformedError("values", f"the key {key!r:.40} stands twice in one object")
        self._gap()
        if self._char() != ":":
            raise self._wrong("a colon")
        self.pos += 1
        self._gap()
        return key

    def _comma(self, closing: str) -> None:
        """Steps over the comma between items; none is needed before the closing bracket, one is forgiven."""
        if self._char() == closing:
            return
        if self._char() != ",":
            raise self._wrong(f"a comma or {closing}")
        self.pos += 1
        self._gap()
        if self._char() == closing:
            self.repairs.append("trailing_comma")

    def _string(self, quote: str) -> str:
        if quote == '"':
            try:
                value, end = _JSON.raw_decode(self.text, self.pos)
            except json.JSONDecodeError as error:
                raise self._string_error(error) from None
            self.repairs += ["raw_control"] if _RAW.search(self.text, self.pos, end) else []
            self.pos = end
            return str(value)
        match = _SINGLE.match(self.text, self.pos)
        if match is None:
            raise (TruncatedError() if self.text.find("'", self.pos + 1) < 0 else self._wrong("the end of a quotation"))
        self.repairs.append("python_literal")
        body = _QUOTED.sub(_double_quoted, match[1])
        try:
            value, _ = _JSON.raw_decode(f'"{body}"')
        except json.JSONDecodeError as error:
            raise self._string_error(error) from None
        self.pos = match.end()
        return str(value)

    def _string_error(self, error: json.JSONDecodeError) -> MalformedError:
        if error.msg.startswith("Unterminated"):
            return TruncatedError()
        return MalformedError("syntax", f"no JSON: {error.msg} in the text at character {self.pos + 1}")

    def _literal(self) -> Any:
        number = _NUMBER.match(self.text, self.pos)
        if number is not None:
            self.pos = number.end()
            return numeral(number[0])
        word = _WORD.match(self.text, self.pos)
        if word is None or word[0] not in _WORDS:
            raise self._wrong("a value")
        self.pos = word.end()
        if word[0][0].isupper():
            self.repairs.append("python_literal")
        return _WORDS[word[0]]

    def _gap(self) -> None:
        match = _GAP.match(self.text, self.pos)
        skipped = match[0] if match else ""
        if skipped and not skipped.isspace():
            if "..." in skipped or "…" in skipped:
                raise MalformedError("lazy", f"an ellipsis in the comment at character {self.pos + 1}")
            self.repairs.append("comment")
        self.pos += len(skipped)

    def _char(self) -> str:
        if self.pos >= len(self.text):
            raise TruncatedError()
        return self.text[self.pos]

    def _wrong(self, wanted: str) -> MalformedError:
        found = self.text[self.pos : self.pos + 8]
        if found.startswith(("...", "…")):
            return MalformedError("lazy", f"an ellipsis at character {self.pos + 1}")
        if found.startswith(("NaN", "Infinity", "-Infinity")):
            return MalformedError("values", f"{found.split(',')[0]} at character {self.pos + 1} is not JSON")
        return MalformedError("syntax", f"{found!r} at character {self.pos + 1}, where {wanted} should stand")


def _double_quoted(match: re.Match[str]) -> str:
    """An escape or quotation mark of a single-quoted text, as a double-quoted one has it."""
    return {"\\'": "'", '"': '\\"'}.get(match[0], match[0])
