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
ABREAST = 5
DISTINCT = 9
SCORED_ABREAST = 3
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
BOOTSTRAPS = False
DISCOUNTS = False
SLIDES = False
WINDOW = 0
MODEL_ROWS = 20
REPLICATES = 1
SAMPLES_THETA = False
LEARNS = True
IS_GREEDY = True
IS_EPSILON = False
IS_SOFTMAX = False
IS_INVERSE_GAP = False
IS_SHARES = False
IS_EVEN = False
LEARNS_RIDGE = True
LEARNS_RIDGE_BY_KIND = False
LEARNS_LAPLACE = False
LEARNS_RESTART = False
LEARNS_BOOTSTRAP = False
LEARNS_DISCOUNTED = False
LEARNS_WINDOW = False
LATE = False
LATE_GEOMETRIC = False
LATE_LOGNORMAL = False
LATE_UNIFORM = False
WIDE = False
LEARNS_WIDE = False
KIND = 0
N = 5
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
LEARNED = 832
HEARD = 832
REACTION = 1024
WORTH = 1088
DECIDED = 1152
BASE = 1216
SLOPE = 1280
N_TASKS = 1536
N_TIPS = 1600
BEGAN = 1664
TIME = 1728
SCRATCH = 1792
COMES_AT = 2176
GONE = 2240
BAD = 2304
DONE = 2368
ARRIVED = 2432
SOURCE = 2496
NOVEL = 2624
STATE = 2752
X = 4032
PAIRED = 4352
V = 4352
FACTOR = 4928
SAMPLE = 4928
SQUARED = 4928
LEVEL = 4928
AGE = 5568
AGED = 6208
OVERDUE = 6848
MASK = 7488
LLM = 7488
DUE = 7488
DATED = 8000
TIRED = 8512
UTILITY = 8512
EXPECTED = 9152
SCORE = 9792
TOTAL = 10432
OFFERED = 11072
THETA = 11072
TASTE = 11072
MOVED = 12672
WALKED = 12672
CONCERNED = 12672
TARGET = 12672
DRAWN = 12672
NORMAL = 14400
ROWS = 252
LIKED = 11072
WEIGHTS = 2752
Z = 4032
KEPT = 4032


@lane
def put_features(S: F64, k: Any, i: int) -> None:
    """The features of candidate k into the rows of X."""
    S[4032 + i] = S[0 + i]
    S[4096 + i] = S[64 + i]
    S[4160 + i] = S[k * 64 + 6848 + i]
    S[4224 + i] = S[k * 64 + 6208 + i]
    S[4288 + i] = S[k * 64 + 4928 + i] * 0.3333333333333333


@lane
def mean(S: F64, k: int, i: int) -> Any:
    """x' theta of candidate k: `ridge.ridge_mean`."""
    x0 = S[0 + i]
    x1 = S[64 + i]
    x2 = S[k * 64 + 6848 + i]
    x3 = S[k * 64 + 6208 + i]
    x4 = S[k * 64 + 4928 + i] * 0.3333333333333333
    total = 0.0
    total += x0 * S[2752 + i]
    total += x1 * S[2816 + i]
    total += x2 * S[2880 + i]
    total += x3 * S[2944 + i]
    total += x4 * S[3008 + i]
    return total


@lane
def quadratic(S: F64, k: int, i: int) -> Any:
    """x' A^-1 x of candidate k: `ridge.ridge_variance`."""
    x0 = S[0 + i]
    x1 = S[64 + i]
    x2 = S[k * 64 + 6848 + i]
    x3 = S[k * 64 + 6208 + i]
    x4 = S[k * 64 + 4928 + i] * 0.3333333333333333
    half = 0.0
    row = 0.5 * S[3072 + i] * x0
    row += S[3136 + i] * x1
    row += S[3200 + i] * x2
    row += S[3264 + i] * x3
    row += S[3328 + i] * x4
    half += row * x0
    row = 0.5 * S[3392 + i] * x1
    row += S[3456 + i] * x2
    row += S[3520 + i] * x3
    row += S[3584 + i] * x4
    half += row * x1
    row = 0.5 * S[3648 + i] * x2
    row += S[3712 + i] * x3
    row += S[3776 + i] * x4
    half += row * x2
    row = 0.5 * S[3840 + i] * x3
    row += S[3904 + i] * x4
    half += row * x3
    row = 0.5 * S[3968 + i] * x4
    half += row * x4
    return 2.0 * half


@lane
def decomposed(S: F64, prior: float, i: int) -> None:
    """`gram.factorise`."""
    raise NotImplementedError


@lane
def entered(S: F64, weight: float, scale: float, i: int) -> None:
    """`gram.add_outer` by `weight`, and `gram.add_scaled` by `scale`."""
    raise NotImplementedError


@lane
def left(S: F64, weight: float, scale: float, i: int) -> None:
    """`gram.add_outer` by `weight`, and `gram.add_scaled` by `scale`."""
    raise NotImplementedError


@lane
def solved(S: F64, prior: float, i: int) -> None:
    """`gram.factorise`, and theta of `gram.discounted_moments`."""
    raise NotImplementedError


@lane
def counted(S: F64, weight: float, scale: float, i: int) -> None:
    """`gram.add_outer` by `weight` and its square, and `gram.add_scaled` by `scale`."""
    raise NotImplementedError


@lane
def weighted(S: F64, model: int, weight: float, i: int) -> None:
    """`weighted.weighted_update`."""
    raise NotImplementedError


@lane
def learned(S: F64, i: int) -> None:
    """`ridge.ridge_update`."""
    x0 = S[4032 + i]
    x1 = S[4096 + i]
    x2 = S[4160 + i]
    x3 = S[4224 + i]
    x4 = S[4288 + i]
    v0 = S[3072 + i] * x0
    v0 += S[3136 + i] * x1
    v0 += S[3200 + i] * x2
    v0 += S[3264 + i] * x3
    v0 += S[3328 + i] * x4
    v1 = S[3136 + i] * x0
    v1 += S[3392 + i] * x1
    v1 += S[3456 + i] * x2
    v1 += S[3520 + i] * x3
    v1 += S[3584 + i] * x4
    v2 = S[3200 + i] * x0
    v2 += S[3456 + i] * x1
    v2 += S[3648 + i] * x2
    v2 += S[3712 + i] * x3
    v2 += S[3776 + i] * x4
    v3 = S[3264 + i] * x0
    v3 += S[3520 + i] * x1
    v3 += S[3712 + i] * x2
    v3 += S[3840 + i] * x3
    v3 += S[3904 + i] * x4
    v4 = S[3328 + i] * x0
    v4 += S[3584 + i] * x1
    v4 += S[3776 + i] * x2
    v4 += S[3904 + i] * x3
    v4 += S[3968 + i] * x4
    gain, error = 1.0, S[768 + i]
    gain += x0 * v0
    error -= x0 * S[2752 + i]
    gain += x1 * v1
    error -= x1 * S[2816 + i]
    gain += x2 * v2
    error -= x2 * S[2880 + i]
    gain += x3 * v3
    error -= x3 * S[2944 + i]
    gain += x4 * v4
    error -= x4 * S[3008 + i]
    learn = S[832 + i] > 0.0
    gain = 1.0 / gain if learn else 0.0
    error = gain * error if learn else 0.0
    S[2752 + i] += error * v0
    S[3072 + i] -= gain * v0 * v0
    S[3136 + i] -= gain * v0 * v1
    S[3200 + i] -= gain * v0 * v2
    S[3264 + i] -= gain * v0 * v3
    S[3328 + i] -= gain * v0 * v4
    S[2816 + i] += error * v1
    S[3392 + i] -= gain * v1 * v1
    S[3456 + i] -= gain * v1 * v2
    S[3520 + i] -= gain * v1 * v3
    S[3584 + i] -= gain * v1 * v4
    S[2880 + i] += error * v2
    S[3648 + i] -= gain * v2 * v2
    S[3712 + i] -= gain * v2 * v3
    S[3776 + i] -= gain * v2 * v4
    S[2944 + i] += error * v3
    S[3840 + i] -= gain * v3 * v3
    S[3904 + i] -= gain * v3 * v4
    S[3008 + i] += error * v4
    S[3968 + i] -= gain * v4 * v4


@lane
def factored(S: F64, i: int) -> None:
    """`ridge.cholesky`."""
    raise NotImplementedError


@lane
def sampled(S: F64, i: int) -> None:
    """`ridge.times_factor`."""
    raise NotImplementedError


@lane
def multiplied(S: F64, i: int) -> None:
    """`ridge.times_inverse`."""
    raise NotImplementedError


@lane
def added(S: F64, i: int, gain: float, step: float) -> None:
    """theta + step v, and A^-1 - gain v v': `weighted._shrink`."""
    raise NotImplementedError
