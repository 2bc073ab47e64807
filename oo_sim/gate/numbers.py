"""What statistics say of outcomes that are fixed here: a change of any shows, with its old and new value.

Nine digits are kept, and six compared: libraries may round the last ones in other ways.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from oo_sim import stats
from oo_sim.contract import F64

_GOLDEN = 0.6180339887498949


def _spread(*shape: int, at: int = 1) -> F64:
    """Values evenly spread over 0 to 1, the same on every machine."""
    return np.asarray((np.arange(at, at + math.prod(shape)) * _GOLDEN % 1.0).reshape(shape))


def _said() -> Iterator[tuple[str, Any]]:
    a = _spread(60)
    curves = (_spread(60, 4, at=100) - 0.4) * np.array([1.0, 2.0, 0.5, 1.0])
    b = a + curves[:, 0] ** 3
    rare = np.where(np.arange(60) < 4, curves[:, 1], 0.0)
    yield "mean", stats.mean_interval(b, 0.9)
    yield "moments", stats.merge(stats.moments(curves[:20]), stats.moments(curves[20:])).bounds()
    yield "wilson", stats.wilson(7, 40)
    yield "clopper_pearson", stats.clopper_pearson(7, 40, 0.9)
    yield "paired", stats.paired(a, b)
    yield "paired, few", stats.paired(a, a + rare, largest=2.0)
    yield "t_test", stats.t_test(curves[:, 1])
    yield "sign_test", stats.sign_test(9, 2)
    yield "holm", stats.holm([0.01, 0.04, 0.03, 0.5])
    yield "band", stats.sup_t_band(curves, seed=3, samples=400)
    yield "together", stats.max_t(curves, seed=4, samples=400)
    yield "sequence", stats.confidence_sequence(0.2, 1.5, 90, n_best=60)
    yield "power", (stats.detectable(0.7, 50, 0.95), stats.users_for(0.7, 0.1, 0.95))
    yield "iqm", stats.iqm([a, b], seed=5, samples=200)
    yield "profile", stats.performance_profile([a, b], [0.2, 0.6], seed=6, samples=200)


def _flat(name: str, value: Any) -> Iterator[tuple[str, float]]:
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        parts = list(value.items())
    elif isinstance(value, tuple | list | np.ndarray):
        parts = list(enumerate(value))
    elif value is None or isinstance(value, str):
        return
    else:
        yield name, float(f"{float(value):.9g}")
        return
    for key, part in parts:
        yield from _flat(f"{name}.{key}", part)


def numbers() -> dict[str, float | None]:
    """Every number by name; None where there is none (nan)."""
    flat = (pair for name, value in _said() for pair in _flat(name, value))
    return {name: None if math.isnan(value) else value for name, value in flat}


def other(
    before: Mapping[str, float | None], now: Mapping[str, float | None]
) -> Iterator[tuple[str, float | None, float | None]]:
    """The numbers that differ, each with what it was and what it is."""
    for name in dict.fromkeys([*before, *now]):
        was, here = before.get(name), now.get(name)
        if was is None or here is None:
            if was is not here:
                yield name, was, here
        elif not math.isclose(was, here, rel_tol=1e-6, abs_tol=1e-9):
            yield name, was, here
