"""One number of a table, with its denominator and interval; a number that is not known is None, never NaN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from oo_sim.stats import Interval, mean_interval, wilson


class Metric(NamedTuple):
    """`of` says what the value is counted over. Shares lie in 0 to 1; bounds are None where there are none."""

    name: str
    value: float | None
    of: str
    lower: float | None = None
    upper: float | None = None
    is_share: bool = False
    note: str = ""


class Section(NamedTuple):
    """Metrics that belong together."""

    title: str
    metrics: tuple[Metric, ...]


def share(name: str, successes: int, n: int, unit: str, note: str = "") -> Metric:
    """A share with Wilson's interval; of nothing, it is not known."""
    of = f"{successes} of {n} {unit}"
    return _with(wilson(successes, n), Metric(name, None, of, is_share=True, note=note))


def mean(name: str, values: Sequence[float], unit: str, note: str = "", *, is_share: bool = False) -> Metric:
    """A mean over independent units, with Student's interval."""
    of = f"{len(values)} {unit}"
    return _with(mean_interval(values), Metric(name, None, of, is_share=is_share, note=note))


def ratio(name: str, top: float, bottom: int, unit: str, note: str = "") -> Metric:
    """A sum per unit, without an interval; per none, it is not known."""
    return Metric(name, top / bottom if bottom else None, f"{top:g} over {bottom} {unit}", note=note)


def _with(interval: Interval, metric: Metric) -> Metric:
    if not interval.n:
        return metric
    known = [value if math.isfinite(value) else None for value in interval[:3]]
    return metric._replace(value=known[0], lower=known[1], upper=known[2])
