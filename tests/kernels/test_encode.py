"""Feature vectors against the recommender's formulas, and the calendar tables against correctly rounded sines."""

from __future__ import annotations

import decimal
import math
from decimal import Decimal

import numpy as np
import pytest

from oo_sim.contract import F64, Candidates
from oo_sim.features import FEATURES, OO5, OO7, OO7X, raw
from oo_sim.kernels.encode import DAY_COS, DAY_SIN, HOUR_COS, HOUR_SIN

PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")


def sine(part: int, whole: int) -> float:
    """sin(2 pi part / whole), correctly rounded: its Taylor series to 50 digits."""
    with decimal.localcontext(decimal.Context(prec=50)):
        x = term = total = 2 * PI * part / whole
        for k in range(2, 200, 2):
            term = -term * x * x / (k * (k + 1))
            total += term
    return 0.0 if abs(total) < Decimal("1e-40") else float(total)


@pytest.mark.parametrize(
    ("table", "period", "quarter"), [(HOUR_SIN, 24, 0), (HOUR_COS, 24, 1), (DAY_SIN, 7, 0), (DAY_COS, 7, 1)]
)
def test_calendar_tables_are_correctly_rounded(table: F64, period: int, quarter: int) -> None:
    want = [sine(4 * j + quarter * period, 4 * period) for j in range(period)]
    assert table.tolist() == want


def test_no_entry_is_a_negative_zero() -> None:
    for table in (HOUR_SIN, HOUR_COS, DAY_SIN, DAY_COS):
        assert not np.signbit(table[table == 0.0]).any()


def formulas(hour: int, day: int, overdue: float, age: float, priority: float, is_llm: float) -> dict[str, float]:
    """All features of one candidate, as the contract writes them."""
    x = {
        "hour_sin": math.sin(2 * math.pi * hour / 24),
        "hour_cos": math.cos(2 * math.pi * hour / 24),
        "is_overdue": overdue,
        "task_age": min(max(age, 0.0), 30.0) / 30.0,
        "priority": (priority - 1) / 3,
        "dow_sin": math.sin(2 * math.pi * day / 7),
        "dow_cos": math.cos(2 * math.pi * day / 7),
        "is_llm": is_llm,
    }
    products = {
        f"{c}*{a}": x[c] * x[a]
        for c in ("hour_sin", "hour_cos", "dow_sin", "dow_cos")
        for a in ("is_overdue", "task_age", "priority", "is_llm")
    }
    return x | products


AGES = [-1e9, -3.5, -0.0, 0.0, 0.5, 1.0, 29.999, 30.0, 30.001, 1e9]


def every_hour_and_day() -> Candidates:
    """Lanes over all hours and days, candidates over a spread of the other columns."""
    n, K = 24 * 7, 40
    g = np.random.default_rng(1)
    return Candidates(
        is_overdue=g.integers(0, 2, (K, n)).astype(float),
        task_age_days=g.choice(AGES, (K, n)),
        priority=g.integers(1, 5, (K, n)).astype(float),
        is_llm=g.integers(0, 2, (K, n)).astype(float),
        hour=np.arange(n) % 24,
        day=np.arange(n) // 24,
        mask=np.ones((K, n), np.bool_),
        serial=np.zeros((K, n), np.int64),
    )


@pytest.mark.parametrize(("name", "names"), [("oo5", OO5), ("oo7", OO7), ("oo7x", OO7X)])
def test_features_are_the_contracts(name: str, names: tuple[str, ...]) -> None:
    c = every_hour_and_day()
    K, n = c.mask.shape
    phi = FEATURES[name]
    x = np.full((K, phi.d, n), np.nan)
    phi.encode(c, x)
    for i in range(n):
        for k in range(0, K, 7):
            columns = c.is_overdue[k, i], c.task_age_days[k, i], c.priority[k, i], c.is_llm[k, i]
            want = formulas(int(c.hour[i]), int(c.day[i]), *map(float, columns))
            np.testing.assert_allclose(x[k, :, i], [want[name] for name in names], rtol=0, atol=1e-15)
    assert np.isfinite(x).all()


def test_the_names_and_their_order_are_the_contracts() -> None:
    assert FEATURES["oo5"].names == ("hour_sin", "hour_cos", "is_overdue", "task_age", "priority")
    assert FEATURES["oo7"].names == (*FEATURES["oo5"].names, "dow_sin", "dow_cos")
    assert FEATURES["oo7x"].names == (*FEATURES["oo7"].names, "is_llm", *list(formulas(0, 0, 0, 0, 1, 0))[8:])


def test_the_smaller_maps_are_the_first_columns_of_the_larger_bit_for_bit() -> None:
    c = every_hour_and_day()
    K, n = c.mask.shape
    x5, x7, x24 = (np.empty((K, FEATURES[name].d, n)) for name in ("oo5", "oo7", "oo7x"))
    for name, x in (("oo5", x5), ("oo7", x7), ("oo7x", x24)):
        FEATURES[name].encode(c, x)
    np.testing.assert_array_equal(x7[:, :5], x5)
    np.testing.assert_array_equal(x24[:, :7], x7)


def test_worlds_own_columns_are_refused_where_no_world_filled_them() -> None:
    c = every_hour_and_day()
    with pytest.raises(ValueError, match="only a simulated world knows"):
        FEATURES["truth"].encode(c, np.empty((40, 1, 168)))
    with pytest.raises(ValueError, match="offers tips"):
        raw(3).encode(c, np.empty((40, 3, 168)))


def test_worlds_own_columns_are_passed_through() -> None:
    c = every_hour_and_day()
    truth, vectors = np.random.default_rng(1).random((40, 168)), np.random.default_rng(2).random((40, 3, 168))
    x1, x3 = np.empty((40, 1, 168)), np.empty((40, 3, 168))
    FEATURES["truth"].encode(c._replace(truth=truth), x1)
    raw(3).encode(c._replace(vectors=vectors), x3)
    np.testing.assert_array_equal(x1[:, 0], truth)
    np.testing.assert_array_equal(x3, vectors)
