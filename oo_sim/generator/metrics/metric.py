"""One number of a table, with its denominator and interval; a number that is not known is None, never NaN.

Tips of one reply fail together, and so do replies to one user: every interval is over users.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from oo_sim.stats import Interval, mean_interval
from oo_sim.stats.clusters import Clusters, quantile_interval, ratio_interval, share_interval

Row = tuple[str, float, float]
"""A user, what is counted, and what it is counted over."""


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


def share(name: str, rows: Iterable[Row], unit: str, note: str = "") -> Metric:
    """A share; of nothing, it is not known."""
    clusters = _clusters(rows)
    of = f"{clusters.top.sum():.0f} of {clusters.bottom.sum():.0f} {unit}"
    return known(share_interval(clusters), Metric(name, None, of, is_share=True, note=note))


def ratio(name: str, rows: Iterable[Row], unit: str, note: str = "") -> Metric:
    """A sum per unit; per none, it is not known."""
    rows = list(rows)
    top, bottom = sum(row[1] for row in rows), sum(row[2] for row in rows)
    return known(ratio_interval(_clusters(rows)), Metric(name, None, f"{top:g} over {bottom:g} {unit}", note=note))


def mean(name: str, rows: Iterable[tuple[str, float]], unit: str, note: str = "", *, is_share: bool = False) -> Metric:
    """A mean of one value per unit, each of a user."""
    rows = list(rows)
    clusters = _clusters((user, value, 1.0) for user, value in rows)
    return known(ratio_interval(clusters), Metric(name, None, f"{len(rows)} {unit}", is_share=is_share, note=note))


def percentile(name: str, rows: Sequence[tuple[str, float]], rank: int, unit: str, note: str = "") -> Metric:
    """A percentile of one value per unit."""
    values = quantile_interval([user for user, _ in rows], [value for _, value in rows], rank / 100)
    return known(values, Metric(name, None, f"{len(rows)} {unit}", note=note))


def over_samples(
    name: str, values: Sequence[float | None], of: str, note: str = "", *, is_share: bool = False
) -> Metric:
    """A mean over independent samples of users."""
    found = [value for value in values if value is not None]
    return known(mean_interval(found), Metric(name, None, of, is_share=is_share, note=note))


def known(interval: Interval, metric: Metric) -> Metric:
    """The metric with its value and bounds, as far as there are any."""
    if not interval.n:
        return metric
    values = [value if math.isfinite(value) else None for value in interval[:3]]
    return metric._replace(value=values[0], lower=values[1], upper=values[2])


def _clusters(rows: Iterable[Row]) -> Clusters:
    labels, top, bottom = zip(*rows, strict=True) if (rows := list(rows)) else ((), (), ())
    if not labels:
        return Clusters(np.empty(0), np.empty(0))
    return Clusters.of(labels, top, bottom)
