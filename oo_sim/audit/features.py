"""Feature vectors derived from the raw columns of a log, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from oo_sim.audit.arrays import F64, I64, Bool

CLOCK = ("hour_sin", "hour_cos", "dow_sin", "dow_cos")
TASK = ("is_overdue", "task_age", "priority", "is_llm")
OO5 = ("hour_sin", "hour_cos", "is_overdue", "task_age", "priority")
OO7 = (*OO5, "dow_sin", "dow_cos")
OO7X = (*OO7, "is_llm", *(f"{clock}*{task}" for clock in CLOCK for task in TASK))
MAPS: Mapping[str, tuple[str, ...]] = {"oo5": OO5, "oo7": OO7, "oo7x": OO7X}
"""The names of each feature map, in order."""


def derivable(names: Sequence[str]) -> bool:
    """Whether every one of these features follows from the raw columns of a log."""
    return all(name in OO7X for name in names)


def derive(names: Sequence[str], hour: I64, day: I64, is_overdue: Bool, age: F64, priority: F64, is_llm: Bool) -> F64:
    """The features `names` of n decisions over K candidates, x (K, d, n); see `each`."""
    return np.stack(list(each(names, hour, day, is_overdue, age, priority, is_llm)), axis=1)


def each(
    names: Sequence[str], hour: I64, day: I64, is_overdue: Bool, age: F64, priority: F64, is_llm: Bool
) -> Iterator[F64]:
    """The features `names` of n decisions over K candidates one by one, (K, n).

    `hour` and `day` are (n,), the others (K, n); age in days since the due date, priority 1 to 4.
    """
    columns = {name: np.broadcast_to(values, age.shape) for name, values in _clock(hour, day).items()} | {
        "is_overdue": is_overdue.astype(np.float64),
        "task_age": np.clip(age, 0.0, 30.0) / 30.0,
        "priority": (priority - 1.0) / 3.0,
        "is_llm": is_llm.astype(np.float64),
    }
    for name in names:
        first, _, second = name.partition("*")
        yield columns[first] * columns[second] if second else columns[first]


def _clock(hour: I64, day: I64) -> dict[str, F64]:
    turn, week = 2.0 * np.pi * np.arange(24) / 24.0, 2.0 * np.pi * np.arange(7) / 7.0
    return {
        "hour_sin": np.sin(turn)[hour],
        "hour_cos": np.cos(turn)[hour],
        "dow_sin": np.sin(week)[day],
        "dow_cos": np.cos(week)[day],
    }


def plausible(names: Sequence[str], x: F64) -> Bool:
    """Which vectors `x` (d, n) some hour, day and candidate can give; other names are not judged."""
    column = {name: x[j] for j, name in enumerate(names)}
    fine = np.ones(x.shape[1], np.bool_)
    for sine, cosine, steps in (("hour_sin", "hour_cos", 24), ("dow_sin", "dow_cos", 7)):
        if sine in column and cosine in column:
            fine &= _on_grid(column[sine], column[cosine], steps)
    for name, values in column.items():
        if name in ("is_overdue", "is_llm"):
            fine &= (values == 0.0) | (values == 1.0)
        elif name in ("task_age", "priority"):
            fine &= (values >= 0.0) & (values <= 1.0)
        elif "*" in name and all(part in column for part in name.split("*")):
            clock, task = name.split("*")
            fine &= np.abs(values - column[clock] * column[task]) <= 1e-9
    return fine


def _on_grid(sine: F64, cosine: F64, steps: int) -> Bool:
    angle = np.round(np.arctan2(sine, cosine) * steps / (2.0 * np.pi)) * (2.0 * np.pi / steps)
    return np.asarray((np.abs(np.sin(angle) - sine) <= 1e-9) & (np.abs(np.cos(angle) - cosine) <= 1e-9))
