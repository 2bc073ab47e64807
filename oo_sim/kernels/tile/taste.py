"""How good candidates are to a tile's users, and how users react: the ordered logit of `kernels/tips.py`."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, NO_REACTION, U64
from oo_sim.kernels.compile import inner, lane
from oo_sim.kernels.elementary import exp_within
from oo_sim.kernels.philox import REACTION as REACTION_DRAW
from oo_sim.kernels.tile import numbers as at
from oo_sim.kernels.tips import LARGEST_UTILITY, reward_at

from . import draws
from .plan import (
    ABREAST,
    AGE,
    ANSWERED,
    BASE,
    CHOSEN,
    EXPECTED,
    GOT,
    LANES,
    LEVEL,
    LLM,
    MASK,
    OVERDUE,
    PLACES,
    REACTION,
    SCRATCH,
    SLOPE,
    TASKS,
    TIRED,
    TIRES,
    TOP,
    TRUTH,
    UTILITY,
    WORTH,
    K,
)

_16 = np.uint64(16)
_MARGIN = 1e-14
"""More than twice the error of `reward_at`: below 3e-15, from an exponential good to 1e-15 and a dozen roundings."""


@inner
def weigh(S: F64, P: F64) -> None:
    """Each candidate's linear predictor, as in `tips.expected_rewards`, and the best expected reward in TOP; every
    candidate's in EXPECTED where a policy asks for the truth."""
    for i in range(LANES):
        S[TOP + i] = -np.inf
    for first in range(0, K, ABREAST):
        for i in range(LANES):
            top = S[TOP + i]
            for k in range(first, first + ABREAST):
                j = k * LANES + i
                u = S[BASE + i] + S[SLOPE + i] * S[OVERDUE + j] + S[SLOPE + LANES + i] * S[AGE + j]
                is_llm = S[LLM + j] if PLACES else (1.0 if k >= TASKS else 0.0)
                u = u + (S[SLOPE + 2 * LANES + i] * S[LEVEL + j] + S[SLOPE + 3 * LANES + i] * is_llm)
                if TIRES:
                    u = u - S[TIRED + min(k, TASKS - 1) * LANES + i] if k < TASKS else u
                S[UTILITY + j] = u
                if PLACES:
                    u = u if S[MASK + j] > 0.0 else -np.inf
                top = u if u > top else top
            S[TOP + i] = top
    if TRUTH or _best_by_utility(S, P) > 0:
        _best_of_all(S, P)


@lane
def _worth(u: float, c: tuple[float, float, float, float], answers: float) -> float:
    """The expected reward at a linear predictor."""
    e = exp_within(min(max(u, -LARGEST_UTILITY), LARGEST_UTILITY))
    return reward_at(e, c[0], c[1], c[2], c[3], answers)


@lane
def _cuts(P: F64) -> tuple[float, float, float, float]:
    return P[at.CUTS], P[at.CUTS + 1], P[at.CUTS + 2], P[at.CUTS + 3]


@inner
def _best_by_utility(S: F64, P: F64) -> int:
    """The expected reward at the highest utility, and in how many lanes the best of all might lie on another multiple
    of 1 / scale.

    The reward rises with utility, and as computed it is within half of `_MARGIN` of the true one: so the largest of
    all lies between the one at the highest utility and `_MARGIN` more. Where both are cut to the same multiple, so is
    it.
    """
    c, answers, scale, unsure = _cuts(P), P[at.ANSWERS], P[at.SCALE], 0
    for i in range(LANES):
        value = _worth(S[TOP + i], c, answers)
        unsure += 0 if np.trunc(value * scale) == np.trunc((value + _MARGIN) * scale) else 1
        S[SCRATCH + i] = value
    if unsure == 0:
        for i in range(LANES):
            S[TOP + i] = S[SCRATCH + i]
    return unsure


@inner
def _best_of_all(S: F64, P: F64) -> None:
    """The best expected reward, as `tips.expected_rewards` has it."""
    c, answers = _cuts(P), P[at.ANSWERS]
    for i in range(LANES):
        S[TOP + i] = -np.inf
    for k in range(K):
        j = k * LANES
        for i in range(LANES):
            value = _worth(S[UTILITY + j + i], c, answers)
            there = S[MASK + j + i] > 0.0 if PLACES else True
            if TRUTH:
                S[EXPECTED + j + i] = value if there else 0.0
            S[TOP + i] = max(S[TOP + i], value if there else -np.inf)


@inner
def react(S: F64, U: U64, P: F64, t: int, seed: np.uint64, replicate: np.uint64) -> None:
    """`tips.react`: the reward, whether there is one, the reaction, and what was to be expected."""
    c, answers, silence = _cuts(P), P[at.ANSWERS], P[at.SILENCE]
    draws.pairs(S, U, t, REACTION_DRAW << _16, seed, replicate, SCRATCH)
    for i in range(LANES):
        S[WORTH + i] = S[UTILITY + np.int64(S[CHOSEN + i]) * LANES + i]
    for i in range(LANES):
        e, u = exp_within(min(max(S[WORTH + i], -LARGEST_UTILITY), LARGEST_UTILITY)), S[SCRATCH + i]
        code = 0.0
        code = code + (u >= 1.0 / (1.0 + e * c[0])) + (u >= 1.0 / (1.0 + e * c[1]))
        code = code + (u >= 1.0 / (1.0 + e * c[2])) + (u >= 1.0 / (1.0 + e * c[3]))
        answered = S[SCRATCH + LANES + i] >= silence
        S[GOT + i] = (code - 2.0) * 0.5 if answered else 0.0
        S[ANSWERED + i] = 1.0 if answered else 0.0
        S[REACTION + i] = code if answered else float(NO_REACTION)
        S[WORTH + i] = reward_at(e, c[0], c[1], c[2], c[3], answers)
