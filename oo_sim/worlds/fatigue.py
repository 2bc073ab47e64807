"""Appetite: it drops with each showing of the same task or source and comes back with time; novelty wears off."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, Bool
from oo_sim.kernels.elementary import exp
from oo_sim.scenario import TERMS, Fatigue

_LN2 = 0.6931471805599453
_INTERCEPT, _IS_LLM = TERMS.index("intercept"), TERMS.index("is_llm")


class Appetite(NamedTuple):
    """What is missing of the appetite for tasks and for LLM tips (2, n) and for each task (tasks, n), and what is left
    of novelty's bonus (2, n); all in units of utility."""

    sources: F64
    tasks: F64
    novelty: F64


def fresh(spec: Fatigue, tasks: int, n: int) -> Appetite:
    """Nobody is tired, and everything is new."""
    return Appetite(np.zeros((2, n)), np.zeros((tasks, n)), np.full((2, n), spec.novelty))


def kept(spec: Fatigue) -> tuple[float, float, float]:
    """What is kept of what is missing from one round to the next, novelty's bonus, and what is kept of it a showing."""
    return exp(-_LN2 / spec.half_life), spec.novelty, exp(-_LN2 / spec.novelty_showings)


def recover(spec: Fatigue, appetite: Appetite) -> None:
    """One round passes: half of what is missing comes back every `half_life` rounds."""
    missing, _, _ = kept(spec)
    np.multiply(appetite.sources, missing, out=appetite.sources)
    np.multiply(appetite.tasks, missing, out=appetite.tasks)


def tire(spec: Fatigue, appetite: Appetite, chosen: I64, is_llm: I64, active: Bool) -> None:
    """Something was shown: the candidate `chosen` (n,), an LLM tip where `is_llm` (n,) is 1."""
    lanes = np.flatnonzero(active)
    source = is_llm[lanes]
    appetite.sources[source, lanes] += spec.source
    appetite.novelty[source, lanes] *= kept(spec)[2]
    shown = lanes[chosen[lanes] < len(appetite.tasks)]
    appetite.tasks[chosen[shown], shown] += spec.task


def shifted(appetite: Appetite, coefficients: F64) -> F64:
    """The coefficients (25, n) with what depends on the source alone: it is a change of intercept and is_llm."""
    tasks, tips = appetite.novelty - appetite.sources
    out = coefficients.copy()
    out[_INTERCEPT] += tasks
    out[_IS_LLM] += tips - tasks
    return out
