"""The plan of an instance: see `writing.py`, which writes it."""

# ruff: noqa: F401, PLR0915 (as many statements as there are steps)
from __future__ import annotations

from typing import Any

import numpy as np

from oo_sim.contract import F64
from oo_sim.kernels.compile import lane

LANES = 64
TASKS = 8
TIPS = 2
K = 10
D = 5
DIMENSION = 0
CHANGES = 0
STATE_ROWS = 20
VECTORS = False
BALL = False
BERNOULLI = False
WALKS = False
BACKLOG = False
WHOLE = True
DUE_UNIFORM = True
DUE_NORMAL = False
DUE_WEIGHTS = False
PLACES = False
ABOUT_TASK = False
HOURLY = False
WEEKDAYS = False
WEEKLY = False
DRIFTS = False
WANDERS = False
TIRES = False
COMES = False
CHURNS = False
PRESENT = False
TRUTH = False
SCORED = True
SCORES_TRUTH = False
UPPER = True
SAMPLES_THETA = False
LEARNS = True
IS_GREEDY = True
IS_EPSILON = False
IS_SOFTMAX = False
IS_INVERSE_GAP = False
IS_SHARES = False
IS_EVEN = False
LEARNS_RIDGE = True
LEARNS_LAPLACE = False
LEARNS_RESTART = False
WIDE = False
CLOCK = 0
DAY = 256
TOP = 320
BEST = 384
PEAK = 448
SOUND = 512
CHOSEN = 576
ACTIVE = 640
NOW = 704
GOT = 768
ANSWERED = 832
LEARNED = 896
HEARD = 960
REACTION = 1024
WORTH = 1088
BASE = 1152
SLOPE = 1216
N_TASKS = 1472
N_TIPS = 1536
BEGAN = 1600
TIME = 1664
SCRATCH = 1728
COMES_AT = 2112
GONE = 2176
BAD = 2240
DONE = 2304
ARRIVED = 2368
SOURCE = 2432
NOVEL = 2560
STATE = 2688
X = 3968
V = 4288
FACTOR = 4864
SAMPLE = 4864
LEVEL = 4864
AGE = 5504
AGED = 6144
OVERDUE = 6784
MASK = 7424
LLM = 7424
DUE = 7424
DATED = 7936
TIRED = 8448
UTILITY = 8448
EXPECTED = 9088
SCORE = 9728
TOTAL = 10368
OFFERED = 11008
THETA = 11008
TASTE = 11008
MOVED = 12608
WALKED = 12608
CONCERNED = 12608
TARGET = 12608
DRAWN = 12608
NORMAL = 14336
ROWS = 251
LIKED = 11008
WEIGHTS = 2688


@lane
def put_features(S: F64, k: Any, i: int) -> None:
    """The features of candidate k into the rows of X."""
    S[3968 + i] = S[0 + i]
    S[4032 + i] = S[64 + i]
    S[4096 + i] = S[k * 64 + 6784 + i]
    S[4160 + i] = S[k * 64 + 6144 + i]
    S[4224 + i] = S[k * 64 + 4864 + i] * 0.3333333333333333


@lane
def mean(S: F64, k: int, i: int) -> Any:
    """x' theta of candidate k: `ridge.ridge_mean`."""
    x0 = S[0 + i]
    x1 = S[64 + i]
    x2 = S[k * 64 + 6784 + i]
    x3 = S[k * 64 + 6144 + i]
    x4 = S[k * 64 + 4864 + i] * 0.3333333333333333
    total = 0.0
    total += x0 * S[2688 + i]
    total += x1 * S[2752 + i]
    total += x2 * S[2816 + i]
    total += x3 * S[2880 + i]
    total += x4 * S[2944 + i]
    return total


@lane
def quadratic(S: F64, k: int, i: int) -> Any:
    """x' A^-1 x of candidate k: `ridge.ridge_variance`."""
    x0 = S[0 + i]
    x1 = S[64 + i]
    x2 = S[k * 64 + 6784 + i]
    x3 = S[k * 64 + 6144 + i]
    x4 = S[k * 64 + 4864 + i] * 0.3333333333333333
    half = 0.0
    row = 0.5 * S[3008 + i] * x0
    row += S[3072 + i] * x1
    row += S[3136 + i] * x2
    row += S[3200 + i] * x3
    row += S[3264 + i] * x4
    half += row * x0
    row = 0.5 * S[3328 + i] * x1
    row += S[3392 + i] * x2
    row += S[3456 + i] * x3
    row += S[3520 + i] * x4
    half += row * x1
    row = 0.5 * S[3584 + i] * x2
    row += S[3648 + i] * x3
    row += S[3712 + i] * x4
    half += row * x2
    row = 0.5 * S[3776 + i] * x3
    row += S[3840 + i] * x4
    half += row * x3
    row = 0.5 * S[3904 + i] * x4
    half += row * x4
    return 2.0 * half


@lane
def learned(S: F64, i: int) -> None:
    """`ridge.ridge_update`."""
    x0 = S[3968 + i]
    x1 = S[4032 + i]
    x2 = S[4096 + i]
    x3 = S[4160 + i]
    x4 = S[4224 + i]
    v0 = S[3008 + i] * x0
    v0 += S[3072 + i] * x1
    v0 += S[3136 + i] * x2
    v0 += S[3200 + i] * x3
    v0 += S[3264 + i] * x4
    v1 = S[3072 + i] * x0
    v1 += S[3328 + i] * x1
    v1 += S[3392 + i] * x2
    v1 += S[3456 + i] * x3
    v1 += S[3520 + i] * x4
    v2 = S[3136 + i] * x0
    v2 += S[3392 + i] * x1
    v2 += S[3584 + i] * x2
    v2 += S[3648 + i] * x3
    v2 += S[3712 + i] * x4
    v3 = S[3200 + i] * x0
    v3 += S[3456 + i] * x1
    v3 += S[3648 + i] * x2
    v3 += S[3776 + i] * x3
    v3 += S[3840 + i] * x4
    v4 = S[3264 + i] * x0
    v4 += S[3520 + i] * x1
    v4 += S[3712 + i] * x2
    v4 += S[3840 + i] * x3
    v4 += S[3904 + i] * x4
    gain, error = 1.0, S[768 + i]
    gain += x0 * v0
    error -= x0 * S[2688 + i]
    gain += x1 * v1
    error -= x1 * S[2752 + i]
    gain += x2 * v2
    error -= x2 * S[2816 + i]
    gain += x3 * v3
    error -= x3 * S[2880 + i]
    gain += x4 * v4
    error -= x4 * S[2944 + i]
    learn = S[896 + i] > 0.0
    gain = 1.0 / gain if learn else 0.0
    error = gain * error if learn else 0.0
    S[2688 + i] += error * v0
    S[3008 + i] -= gain * v0 * v0
    S[3072 + i] -= gain * v0 * v1
    S[3136 + i] -= gain * v0 * v2
    S[3200 + i] -= gain * v0 * v3
    S[3264 + i] -= gain * v0 * v4
    S[2752 + i] += error * v1
    S[3328 + i] -= gain * v1 * v1
    S[3392 + i] -= gain * v1 * v2
    S[3456 + i] -= gain * v1 * v3
    S[3520 + i] -= gain * v1 * v4
    S[2816 + i] += error * v2
    S[3584 + i] -= gain * v2 * v2
    S[3648 + i] -= gain * v2 * v3
    S[3712 + i] -= gain * v2 * v4
    S[2880 + i] += error * v3
    S[3776 + i] -= gain * v3 * v3
    S[3840 + i] -= gain * v3 * v4
    S[2944 + i] += error * v4
    S[3904 + i] -= gain * v4 * v4


@lane
def factored(S: F64, i: int) -> None:
    """`ridge.cholesky`."""
    pass


@lane
def sampled(S: F64, i: int) -> None:
    """`ridge.times_factor`."""
    pass


@lane
def multiplied(S: F64, i: int) -> None:
    """`ridge.times_inverse`."""
    pass


@lane
def added(S: F64, i: int, gain: float, step: float) -> None:
    """theta + step v, and A^-1 - gain v v': `weighted._shrink`."""
    pass
