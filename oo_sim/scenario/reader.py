"""The strict YAML reader: plain data (dict with text keys, list, scalar), and where each of it stands.

It walks PyYAML's events, never its recursive composer, so that depth and size are bounded as they arise. No
anchors, aliases, tags, merge keys, directives, duplicate keys or second document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from oo_sim.scenario.decoding import StopReadingError, decoded
from oo_sim.scenario.problems import Path, Place, Position, Problem, Source
from oo_sim.scenario.scalars import Scalar, ScalarError, read_scalar
from oo_sim.scenario.syntax import explain_syntax
from oo_sim.scenario.text import clip, plain

MAX_DEPTH = 64
MAX_NODES = 20_000

_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_SEVERAL = "a scenario file holds one document; leave out --- and ... lines after the first"


class _Key(NamedTuple):
    name: str
    position: Position
    keep: bool = True  # False for a key given twice: its value is read, and dropped


@dataclass
class _Open:
    """A mapping or list whose end is not yet read."""

    path: Path
    into: dict[str, Any] | list[Any]
    keep: bool
    key: _Key | None = None  # of a mapping: the key that waits for its value


@dataclass
class Reading:
    """What was read: the data, where it stands, what is wrong, and the paths not to be judged further."""

    name: str
    places: dict[Path, Place] = field(default_factory=dict)
    data: Any = None
    problems: list[Problem] = field(default_factory=list)
    refused: set[Path] = field(default_factory=set)

    @property
    def source(self) -> Source:
        """Where everything stands."""
        return Source(self.name, self.places)

    def note(self, position: Position, path: Path, message: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(position, path, message, self.name))

    def covers(self, path: Path) -> bool:
        """True where a problem at `path` only follows from a value that was refused."""
        return any(path[:i] in self.refused for i in range(len(path) + 1))


def read(text: str | bytes, name: str = "scenario") -> Reading:
    """Read one YAML document. Whatever is wrong is in `problems`; raises nothing on any input."""
    reading = Reading(name)
    try:
        _Walk(reading).run(decoded(text))
    except StopReadingError as stop:
        reading.note(stop.position, stop.path, stop.message)
        reading.refused.add(())
    return reading


def _at(event: yaml.Event) -> Position:
    mark = event.start_mark
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)


class _Walk:
    """One pass over the events, with an explicit stack of what is open."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.stack: list[_Open] = []
        self.documents = 0
        self.nodes = 0

    def run(self, text: str) -> None:
        loader = yaml.SafeLoader(text)
        try:
            while loader.check_event():
                self.take(loader.get_event())  # type: ignore[no-untyped-call]
        except yaml.MarkedYAMLError as error:
            raise StopReadingError(*explain_syntax(error)) from None
        except (ValueError, OverflowError):  # PyYAML hands an escape such as "\UFFFFFFFF" to chr() as it is
            position = Position(loader.line + 1, loader.column + 1)
            raise StopReadingError(position, "an escape that stands for no character; use single quotes") from None
        if () not in self.reading.places:
            raise StopReadingError(Position(1, 1), "the file is empty; a scenario starts with `version: 1`")

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    raise StopReadingError(_at(event), _SEVERAL)
            case yaml.DocumentEndEvent() if event.explicit:
                raise StopReadingError(_at(event), _SEVERAL)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self.stack.pop()
            case yaml.NodeEvent() if self.wants_key():
                self.take_key(event)
            case yaml.ScalarEvent():
                self.take_scalar(event)
            case yaml.CollectionStartEvent():
                self.open(event)
            case yaml.AliasEvent():
                self.add(None, event, trusted=False)

    def wants_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].into, dict) and self.stack[-1].key is None

    def take_key(self, event: yaml.NodeEvent) -> None:
        frame, position = self.stack[-1], _at(event)
        if mark := _refused_mark(event):
            raise StopReadingError(position, mark, frame.path)
        if not isinstance(event, yaml.ScalarEvent):
            raise StopReadingError(position, "a mapping or list as a key; keys are plain text", frame.path)
        wrong = self.wrong_key(event)
        if wrong and frame.keep:
            self.reading.note(position, (*frame.path, event.value), wrong)
        frame.key = _Key(event.value, position, keep=not wrong)

    def wrong_key(self, event: yaml.ScalarEvent) -> str:
        frame, key = self.stack[-1], event.value
        if key == "<<" and event.style is None:
            return "merge keys (<<) are refused; write the keys out"
        if not key:
            return "an empty key; write a name before the colon"
        if hidden := _HIDDEN.search(key):
            return f"the key holds the character {plain(hidden[0])}; leave it out"
        if key in frame.into:
            first = self.reading.places[*frame.path, key].key if frame.keep else _at(event)
            return f"the key is given twice, first on line {first.line}; give it once"
        return ""

    def take_scalar(self, event: yaml.ScalarEvent) -> None:
        value: Scalar = event.value
        wrong = ""
        try:
            value = read_scalar(event.value) if event.style is None else event.value
        except ScalarError as error:
            wrong = str(error)
        if isinstance(value, str) and (hidden := _HIDDEN.search(value)):
            wrong = f"the text holds the character {plain(hidden[0])}; leave it out"
        keep = self.keeps()
        path = self.add(None if wrong else value, event, trusted=not wrong)
        if wrong and keep:
            self.reading.note(_at(event), path, wrong)

    def open(self, event: yaml.CollectionStartEvent) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise StopReadingError(_at(event), f"nested more than {MAX_DEPTH} deep; a scenario is flat")
        into: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        keep = self.keeps()
        self.stack.append(_Open(self.add(into, event), into, keep))

    def keeps(self) -> bool:
        """False within the value of a key that is given twice."""
        frame = self.stack[-1] if self.stack else None
        return frame is None or (frame.keep and (frame.key is None or frame.key.keep))

    def add(self, value: Any, event: yaml.NodeEvent, *, trusted: bool = True) -> Path:
        """Put a value where it belongs and note its place; its path."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise StopReadingError(_at(event), f"more than {MAX_NODES:,} values; a scenario is a small file")
        keep, (path, position) = self.keeps(), self.place(value, event)
        if keep:
            self.reading.places[path] = position
            if mark := _refused_mark(event):
                self.reading.note(position.value, path, mark)
            if mark or not trusted:
                self.reading.refused.add(path)
        return path

    def place(self, value: Any, event: yaml.NodeEvent) -> tuple[Path, Place]:
        if not self.stack:
            self.reading.data = value
            return (), Place(_at(event), _at(event))
        frame, position = self.stack[-1], _at(event)
        if isinstance(frame.into, list):
            frame.into.append(value)
            return (*frame.path, len(frame.into) - 1), Place(position, position)
        assert frame.key is not None
        key, frame.key = frame.key, None
        if key.keep:
            frame.into[key.name] = value
        return (*frame.path, key.name), Place(key.position, position)


def _refused_mark(event: yaml.NodeEvent) -> str:
    """What is wrong with a node's anchor or tag; empty when it has none."""
    if isinstance(event, yaml.AliasEvent):
        return f"the alias *{clip(str(event.anchor))} is refused; write the value out"
    if event.anchor is not None:
        return f"the anchor &{clip(event.anchor)} is refused; write values out where they are needed"
    tag = getattr(event, "tag", None)
    return f"the tag {clip(tag)} is refused; leave it out, or put the text in quotes" if tag is not None else ""
