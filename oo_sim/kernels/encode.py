"""Feature maps from raw columns to x (K, d, n), and the calendar tables that they read.

Shapes: `hour` (0 to 23) and `day` (0 is Monday) are (n,), the other raw columns (K, n): `overdue` and `is_llm` 0 or 1,
`age` in days since the due date, `priority` 1 to 4."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, I64
from oo_sim.kernels.compile import kernel

_RISING = [0.0, 0.25881904510252074, 0.5, 0.7071067811865476, 0.8660254037844386, 0.9659258262890683]
_HALF = np.array([*_RISING, 1.0, *_RISING[:0:-1]])
HOUR_SIN = np.concatenate((_HALF, 0.0 - _HALF))
"""sin(2 pi hour / 24), correctly rounded, hour 0 to 23."""
HOUR_COS = np.concatenate((HOUR_SIN[6:], HOUR_SIN[:6]))
"""cos(2 pi hour / 24), correctly rounded."""
_SIN_1, _SIN_2, _SIN_3 = 0.7818314824680298, 0.9749279121818236, 0.4338837391175581
DAY_SIN = np.array([0.0, _SIN_1, _SIN_2, _SIN_3, -_SIN_3, -_SIN_2, -_SIN_1])
"""sin(2 pi day / 7), correctly rounded, day 0 to 6."""
_COS_1, _COS_2, _COS_3 = 0.6234898018587335, -0.2225209339563144, -0.9009688679024191
DAY_COS = np.array([1.0, _COS_1, _COS_2, _COS_3, _COS_3, _COS_2, _COS_1])
"""cos(2 pi day / 7), correctly rounded."""

AGE_LIMIT = 30.0
"""Days after which a task counts as no older."""


@kernel
def spread(table: F64, index: I64, column: int, x: F64) -> None:
    """x[k, column, i] = table[index[i]] for every candidate k, with index (n,); looked up once a lane."""
    K, _, n = x.shape
    for i in range(n):
        x[0, column, i] = table[index[i]]
    for k in range(1, K):
        for i in range(n):
            x[k, column, i] = x[0, column, i]


@kernel
def encode_oo5(hour: I64, overdue: F64, age: F64, priority: F64, x: F64) -> None:
    """hour_sin, hour_cos, is_overdue, task_age, priority, into x[:, 0:5]."""
    spread(HOUR_SIN, hour, 0, x)
    spread(HOUR_COS, hour, 1, x)
    K, _, n = x.shape
    for k in range(K):
        for i in range(n):
            x[k, 2, i] = overdue[k, i]
        for i in range(n):
            x[k, 3, i] = min(max(age[k, i], 0.0), AGE_LIMIT) / AGE_LIMIT
        for i in range(n):
            x[k, 4, i] = (priority[k, i] - 1.0) / 3.0


@kernel
def encode_oo7(hour: I64, day: I64, overdue: F64, age: F64, priority: F64, x: F64) -> None:
    """oo5, then dow_sin and dow_cos, into x[:, 0:7]."""
    encode_oo5(hour, overdue, age, priority, x)
    spread(DAY_SIN, day, 5, x)
    spread(DAY_COS, day, 6, x)


@kernel
def encode_oo7x(hour: I64, day: I64, overdue: F64, age: F64, priority: F64, is_llm: F64, x: F64) -> None:
    """oo7, is_llm, then the products of each of the four clock terms with each of the four candidate terms."""
    encode_oo7(hour, day, overdue, age, priority, x)
    K, _, n = x.shape
    for k in range(K):
        for i in range(n):
            x[k, 7, i] = is_llm[k, i]
        p = 8
        for c in (0, 1, 5, 6):
            for a in (2, 3, 4, 7):
                for i in range(n):
                    x[k, p, i] = x[k, c, i] * x[k, a, i]
                p += 1
