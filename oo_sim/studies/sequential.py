"""Adding users until it is known which policy is better, or how small the difference is; one may look every time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oo_sim.results.summary import LEVEL
from oo_sim.stats import Interval, confidence_sequence
from oo_sim.studies.pairs import Pair, exact_interval

FIRST_USERS = 30
"""The fewest users of a first look: the sequence is asymptotic."""


class Look(NamedTuple):
    """The anytime-valid interval of each pair, in order, after so many users."""

    users: int
    intervals: tuple[Interval, ...]

    def settled(self, width: float, *, precise: bool = False) -> bool:
        """Whether each interval is at most +- `width`, or, unless all are to be `precise`, excludes 0."""
        return all(each.width / 2 <= width or (each.excludes(0.0) and not precise) for each in self.intervals)


def sizes(first: int, most: int) -> list[int]:
    """The users of each look: doubled every time, from at least `FIRST_USERS` up to `most`."""
    looks = [max(first, FIRST_USERS)]
    while looks[-1] < most:
        looks.append(min(2 * looks[-1], most))
    return looks


def look(pairs: Sequence[Pair], planned: Sequence[int]) -> Look:
    """The intervals of all pairs at once: together they hold with 95 % at every look (Bonferroni over pairs).

    They are narrowest in the middle of the `planned` looks, fixed beforehand. While fewer than `FIRST_USERS` users
    differ, bounds are exact at each of the planned looks, for the sequence is asymptotic in users who do.
    """
    level = 1 - (1 - LEVEL) / max(len(pairs), 1)
    n_best = planned[len(planned) // 2]
    intervals = []
    for pair in pairs:
        mean = pair.difference.estimate
        if pair.changed < FIRST_USERS:
            each = 1 - (1 - level) / len(planned)  # an exact bound at every planned look
            intervals.append(exact_interval(pair, each))
            continue
        intervals.append(confidence_sequence(mean, pair.spread**2, pair.users, n_best=n_best, level=level))
    return Look(max((pair.users for pair in pairs), default=0), tuple(intervals))


def sequential(pairs: Sequence[Pair], seen: Look) -> list[Pair]:
    """The pairs with their anytime-valid intervals. They have no p-values: those require users fixed beforehand."""
    nan = float("nan")
    return [
        pair._replace(difference=interval, p_value=nan, holm=nan, band=None)
        for pair, interval in zip(pairs, seen.intervals, strict=True)
    ]
