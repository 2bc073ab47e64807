"""Work as it is watched: by a bar in a notebook, by one on stderr where it is asked for, or by a function."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeAlias

from oo_sim.show.text import plain

Hears: TypeAlias = Callable[[str, int, int], None]
"""Receives, from any thread: what is done now, how much is done, how much there is."""
Wanted: TypeAlias = bool | Hears | None
"""A function; True: a bar; False: nothing; None: a bar in a notebook, nothing elsewhere."""

_EVERY = 0.2  # seconds between two drawings
COMPILING = "compiling, once on this machine"


class Bar(Protocol):
    """Where progress is drawn."""

    def draw(self, what: str, done: int, total: int, left: float | None) -> None:
        """What is done now, how much of how much, and the seconds that are left."""

    def end(self) -> None:
        """Nothing is left of it."""


@contextmanager
def watched(name: str, wanted: Wanted = None) -> Iterator[Hears | None]:
    """What work reports to, by the argument `progress` of a call; None where nobody watches."""
    if not isinstance(wanted, bool | None):
        yield wanted
        return
    cell = in_notebook()
    if wanted is False or (wanted is None and not cell):
        yield None
        return
    bar: Bar = _Cell(name) if cell else _Terminal(name)
    try:
        if is_cold():
            bar.draw(COMPILING, 0, 1, None)
        yield _timed(bar)
    finally:
        bar.end()


def is_cold() -> bool:
    """Whether no kernel has been compiled and kept on this machine yet: then the first work is to compile them."""
    from oo_sim.kernels.compile import cache_directory  # noqa: PLC0415 (slow to import)

    directory = cache_directory()
    return directory is None or not any(directory.glob("**/*.nbi"))


def in_notebook() -> bool:
    """Whether IPython runs here with a kernel, so that a frontend shows what is displayed."""
    module = sys.modules.get("IPython")
    shell = None if module is None else module.get_ipython()
    return getattr(shell, "kernel", None) is not None


def _timed(bar: Bar) -> Hears:
    start = drawn = time.monotonic()
    before: int | None = None

    def hear(what: str, done: int, total: int) -> None:
        nonlocal drawn, before
        now = time.monotonic()
        before = done if before is None else before  # what was kept already took no time now
        if now - drawn >= _EVERY:
            drawn = now
            rate = (done - before) / (now - start)
            bar.draw(plain(what, 60), done, total, (total - done) / rate if rate > 0 else None)

    return hear


class _Cell:
    """A bar in the output of a notebook's cell, in place, with a line of text for frontends without HTML."""

    def __init__(self, name: str) -> None:
        from IPython.display import publish_display_data  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

        self._name, self._shown = plain(name, 60), False
        self._publish: Callable[..., None] = publish_display_data
        self._transient = {"display_id": str(id(self))}

    def draw(self, what: str, done: int, total: int, left: float | None) -> None:
        said = f"{self._name}: {what}: {done / max(total, 1):.0%}{_left(left)}"
        page = f'<progress value="{done}" max="{max(total, 1)}"></progress> {html.escape(said)}'
        self._say({"text/html": page, "text/plain": said})

    def end(self) -> None:
        if self._shown:
            self._say({"text/html": "", "text/plain": ""})

    def _say(self, data: dict[str, str]) -> None:
        self._publish(data=data, metadata={}, transient=self._transient, update=self._shown)
        self._shown = True


class _Terminal:
    """A bar on stderr."""

    def __init__(self, name: str) -> None:
        from rich.console import Console  # noqa: PLC0415 (slow to import)
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn  # noqa: PLC0415

        columns = ("{task.description}", BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[left]}"))
        self._name, self._bars = plain(name, 60), Progress(*columns, console=Console(stderr=True), transient=True)
        self._bars.start()
        self._task = self._bars.add_task("", total=None, left="")

    def draw(self, what: str, done: int, total: int, left: float | None) -> None:
        from rich.markup import escape  # noqa: PLC0415

        said = escape(f"{self._name}: {what}")
        self._bars.update(self._task, description=said, completed=done, total=total, left=_left(left))

    def end(self) -> None:
        self._bars.stop()


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f", {seconds:.0f} s left" if seconds < 100 else f", {seconds / 60:.0f} min left"
