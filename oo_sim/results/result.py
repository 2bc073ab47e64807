"""What every result can do (`Run`, `Comparison`, `Sweep`): be a table, a frame, a figure, plain data, and a file."""

from __future__ import annotations

import json
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from oo_sim.logs import RunLogError
from oo_sim.results import drawing
from oo_sim.show import Tables, picture

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from oo_sim.stats import Interval

DRAWN = (".png", ".pdf", ".svg")
"""Endings of files that hold a figure."""
WRITTEN = (".csv", ".tex", ".md", ".html", ".json")
"""Endings of files that hold the table."""


def spread(name: str, interval: Interval) -> dict[str, float]:
    """An interval's columns in a frame."""
    return {name: interval.estimate, f"{name}_lower": interval.lower, f"{name}_upper": interval.upper}


def finite(value: Any) -> Any:
    """The value as plain data has it: None for a number that is not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Result(ABC):
    """A result, to be looked at in the same way whatever it is of."""

    kinds: ClassVar[tuple[str, ...]]
    """The figures there are of it; the first is that of `figure()`."""
    alt: ClassVar[str]
    """What the first figure shows, in words."""

    @abstractmethod
    def table(self) -> Tables:
        """What it says, for people: prints itself, and has `latex()` and `markdown()`."""

    @abstractmethod
    def frame(self) -> pd.DataFrame:
        """What it says, for programs; an interval `a` has columns `a`, `a_lower`, `a_upper`."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """What it says as plain data, as `--json` prints it; numbers are finite or null."""

    @property
    @abstractmethod
    def drawable(self) -> bool:
        """Whether there is anything to draw."""

    def figure(self, kind: str | None = None, *, style: str = "screen", **options: Any) -> Figure:
        """A matplotlib figure, one of `kinds`. `style` is "screen", "paper" (one column, 3.3 inches) or "paper2" (both,
        6.9 inches). Raises `ValueError` for what there is not."""
        return drawing.figure(self, self._kind(kind), style=style, **options)

    def save(self, path: str | Path, kind: str | None = None, *, style: str = "screen") -> Path:
        """Write the figure (.png, .pdf, .svg) or the table (.csv, .tex, .md, .html, .json) into a file, whole or not
        at all; by the file's ending. Returns its path. Raises `ValueError` for another ending, `RunLogError` when it
        can't be written."""
        path = Path(path)
        ending = path.suffix.lower()
        if ending in DRAWN:
            drawing.save(self.figure(kind, style=style), path)
            return path
        writers: dict[str, Callable[[], str]] = {
            ".csv": lambda: self.frame().to_csv(index=False),
            ".tex": lambda: self.table().latex(),
            ".md": lambda: self.table().markdown(),
            ".html": self._repr_html_,
            ".json": lambda: json.dumps(self.as_dict(), indent=2, allow_nan=False) + "\n",
        }
        if ending not in writers:
            raise ValueError(f"{path} must end in one of {', '.join((*DRAWN, *WRITTEN))}")
        write_whole(path, writers[ending]().encode())
        return path

    def _kind(self, kind: str | None) -> str:
        if kind is None:
            return self.kinds[0]
        if kind not in self.kinds:
            raise ValueError(
                f"there is no figure {kind!r} of a {type(self).__name__}; there are {', '.join(self.kinds)}"
            )
        return kind

    def _repr_html_(self) -> str:
        image = picture(drawing.png(self.figure()), self.alt) if self.drawable else ""
        return f"<div>{self.table()._repr_html_()}{image}</div>"


def renamed(old: str, new: str) -> None:
    """Warn that a name has changed."""
    warnings.warn(f"{old} is now {new}", DeprecationWarning, stacklevel=3)


def write_whole(path: Path, content: bytes, *, parents: bool = False) -> None:
    """Write the content, replacing what is there, whole or not at all. Raises `RunLogError`."""
    write_all({path: content}, parents=parents)


def write_all(files: Mapping[Path, bytes], *, parents: bool = False) -> None:
    """Write files that belong together, replacing what is there: all of them whole, or none; with `parents` into
    directories that are made where there are none. Raises `RunLogError`."""
    partial = {path: path.with_name(f".{path.name}.oo-sim-partial") for path in files}
    path = next(iter(files))
    try:
        for path in files if parents else ():
            path.parent.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            partial[path].write_bytes(content)
        for path in files:
            partial[path].replace(path)
    except OSError as error:
        for each in partial.values():
            with suppress(OSError):
                each.unlink(missing_ok=True)
        raise RunLogError(path, f"cannot be written: {error.strerror}") from error
