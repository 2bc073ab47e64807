"""From bytes to text that is safe to parse: bounded size, UTF-8, and no hidden characters."""

from __future__ import annotations

import re

from oo_sim.scenario.problems import Path, Position
from oo_sim.scenario.text import plain

MAX_BYTES = 1_000_000

_BOM = "\ufeff"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_DIRECTIVE = re.compile(r"(?:[ \t]*(?:#.*)?\n)*%")


class StopReadingError(Exception):
    """Nothing beyond this position can be read."""

    def __init__(self, position: Position, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.position, self.message, self.path = position, message, path


def decoded(text: str | bytes) -> str:
    """The text without its byte-order mark. Raises StopReadingError."""
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise StopReadingError(Position(1, 1), f"more than {MAX_BYTES:,} bytes; a scenario is a small file")
    text = _from_utf8(text) if isinstance(text, bytes) else text
    text = text.removeprefix(_BOM)
    if found := _CONTROL.search(text):
        advice = "take it out, or write it as an escape in double quotes"
        raise StopReadingError(_position(text, found.start()), f"the character {plain(found[0])} is refused; {advice}")
    if found := _DIRECTIVE.match(text):
        raise StopReadingError(_position(text, found.end() - 1), "a % directive is refused; leave the line out")
    return text


def _from_utf8(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise StopReadingError(Position(1, 1), "the file is UTF-16; save it as UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8").removeprefix(_BOM)
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8 text"
        raise StopReadingError(_position(before, len(before)), message) from None


def _position(text: str, index: int) -> Position:
    lines = re.split("\r\n|\r|\n", text[:index])
    return Position(len(lines), len(lines[-1]) + 1)
