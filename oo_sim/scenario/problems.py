"""What can be wrong with a scenario, and where: positions, problems, and the exception that carries them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from oo_sim.errors import OoSimError
from oo_sim.scenario.text import clip, plain

Path: TypeAlias = tuple[str | int, ...]
"""The way to a value: keys (always text) and list indices, from the top."""
MAX_LINES = 100
"""How many problems an error message lists; `ScenarioError.problems` holds all."""


class Position(NamedTuple):
    """A place in a file, both numbers from 1; (0, 0) where there is no file."""

    line: int = 0
    column: int = 0


class Place(NamedTuple):
    """Where a value stands, and its key (the value's own place for items of a list)."""

    key: Position
    value: Position


@dataclass(frozen=True)
class Source:
    """Where a scenario was written. Any two are equal, so that equal scenarios are equal wherever written."""

    name: str = field(default="scenario", compare=False)
    places: Mapping[Path, Place] = field(default_factory=dict, compare=False, repr=False)
    overridden: frozenset[str] = field(default=frozenset(), compare=False, repr=False)

    def override(self, keys: Iterable[str]) -> Source:
        """The same, where some top-level keys were given elsewhere: on the command line, say."""
        return replace(self, overridden=self.overridden.union(keys))

    def value(self, path: Path) -> Position:
        """The position of the value at `path`, or of the nearest mapping or list around it."""
        return self._place(path).value

    def key(self, path: Path) -> Position:
        """The position of the key of `path`; of what is around it when the file has no such key."""
        place = self._place(path)
        return place.key if path in self.places else place.value

    def _place(self, path: Path) -> Place:
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(Position(), Position()))

    def problem(self, path: Path, message: str, *, on_key: bool = False) -> Problem:
        """A problem of this source at a value, or at its key."""
        if path and path[0] in self.overridden:
            return Problem(Position(), path, message, f"{self.name}: override")
        return Problem(self.key(path) if on_key else self.value(path), path, message, self.name)


class Problem(NamedTuple):
    """One thing that is wrong, or only looks wrong (lint). As text: `file:line:column: path: message`."""

    position: Position
    path: Path
    message: str
    file: str = "scenario"

    @property
    def where(self) -> str:
        """The path as text, such as `world.segments[0].name`; empty for the file as a whole."""
        return "".join(f"[{p}]" if isinstance(p, int) else f".{clip(p)}" for p in self.path).removeprefix(".")

    def __str__(self) -> str:
        place = f":{self.position.line}:{self.position.column}" if self.position.line else ""
        where = f"{self.where}: " if self.path else ""
        return f"{plain(self.file)}{place}: {where}{self.message}"


class ScenarioError(OoSimError, ValueError):
    """A scenario is not valid. `problems` holds all that is wrong, in file order; the message lists them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.position))
        lines = [str(problem) for problem in self.problems[:MAX_LINES]]
        more = len(self.problems) - len(lines)
        super().__init__("\n".join([*lines, *([f"and {more} more problems"] if more else [])]))

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)
