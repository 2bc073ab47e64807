"""How fast a run goes, policy by policy: what is shown on a terminal, in a notebook and in plain lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

_WATCHED = 0.5  # seconds, before which nobody can tell: threads and workers report at the same moments


class Going(NamedTuple):
    """How far a policy is: its decisions so far and in all, how many it makes in a second while it is at work, and how
    many seconds are left of it; None where it has not begun, or where nobody can tell yet."""

    label: str
    done: int
    total: int
    rate: float | None
    left: float | None

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1."""
        return self.done / self.total if self.total else 1.0


class Pace:
    """Receives what `run(progress=...)` reports, and knows how far each policy is.

    What comes first of a policy is what was kept of it, and took no time. The time between two calls belongs to the
    policy of the later one; that before the first decisions of a policy to none: its code was compiled in it. Where
    other numbers begin (another scenario, more users), it begins anew.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begin(0)

    def _begin(self, total: int) -> None:
        self.total, self.done, self._last = total, 0, self._clock()
        self._done, self._made, self._seconds = dict[str, int](), dict[str, int](), dict[str, float]()

    def __call__(self, label: str, done: int, total: int) -> None:
        """Hear that `done` of `total` decisions are made, the latest by the policy `label`."""
        if total != self.total or done < self.done:
            self._begin(total)
        more, now = done - self.done, self._clock()
        if label in self._made:
            self._made[label] += more
            self._seconds[label] += now - self._last
        elif label in self._done:
            self._made[label], self._seconds[label] = 0, 0.0
        self._done[label] = self._done.get(label, 0) + more
        self.done, self._last = done, now

    @property
    def rate(self) -> float | None:
        """Decisions a second, of all policies."""
        return _rate(sum(self._made.values()), sum(self._seconds.values()))

    @property
    def left(self) -> float | None:
        """Seconds left of the whole run: each policy at its own rate, those that have not begun at that of all."""
        if not self.rate:
            return None
        return sum(each.left if each.left is not None else _over(each, self.rate) for each in self.policies())

    def policies(self) -> list[Going]:
        """Each policy, in the order of the run."""
        each = self.total // max(len(self._done), 1)
        found = []
        for label, done in self._done.items():
            rate = _rate(self._made.get(label, 0), self._seconds.get(label, 0.0))
            going = Going(label, min(done, each), each, rate, None)
            found.append(going._replace(left=_over(going, rate) if rate else None))
        return found

    def text(self) -> str:
        """A line about the whole, and about the policies that are under way."""
        parts = [f"{self.done / max(self.total, 1):.1%}"]
        if self.rate:
            parts += [f"{self.rate:,.0f} decisions/s", f"{duration(self.left or 0.0)} left"]
        under_way = [f"{each.label} {each.share:.0%}" for each in self.policies() if each.rate and each.share < 1]
        return ", ".join(parts) + (f" ({', '.join(under_way)})" if under_way else "")


def _rate(made: int, seconds: float) -> float | None:
    return made / seconds if made and seconds >= _WATCHED else None


def _over(going: Going, rate: float) -> float:
    return (going.total - going.done) / rate


def duration(seconds: float) -> str:
    """A time in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"
