"""The numbers that enter formulas without deciding which code there is: one flat array, so that another alpha or
another cut point compiles nothing."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

import numpy as np

from oo_sim.contract import F64

SIZES = {
    "hours": 24,  # cumulative, where the clock does not walk
    "days": 7,
    "from_hour": 1,
    "to_hour": 1,
    "per_day": 1,
    "priorities": 4,  # cumulative
    "undated": 1,
    "due_first": 1,  # low, or mean
    "due_second": 1,  # high, or sd
    "least_tasks": 1,
    "task_counts": 1,  # how many different numbers of tasks there are
    "least_tips": 1,
    "tip_counts": 1,
    "cuts": 4,  # e^-c of the cut points c
    "answers": 1,
    "silence": 1,
    "tire_task": 1,
    "tire_source": 1,
    "recovers": 1,  # what is kept a round of what is missing
    "novelty": 1,
    "wears": 1,  # what is kept of it a showing
    "hazard": 1,
    "enough": 1,  # bad reactions
    "root": 1,  # of a linear world's dimension
    "noise_sd": 1,
    "scale": 1,
    "policy": 4,  # what scores and choices depend on
    "samples": 1,
    "period": 1,
    "prior": 1,
    "replicates": 1,
    "window": 1,  # rounds in which a reward may arrive
    "delay": 2,
    "missing": 1,
    "missing_by_reaction": 6,
    "missing_by_source": 2,
}
"""How many numbers each name stands for, in order."""

_AT = dict(zip(SIZES, accumulate([0, *SIZES.values()]), strict=False))
HOURS, DAYS, FROM_HOUR, TO_HOUR, PER_DAY = (_AT[n] for n in ("hours", "days", "from_hour", "to_hour", "per_day"))
PRIORITIES, UNDATED, DUE_FIRST, DUE_SECOND = (_AT[n] for n in ("priorities", "undated", "due_first", "due_second"))
LEAST_TASKS, TASK_COUNTS, LEAST_TIPS, TIP_COUNTS = (
    _AT[n] for n in ("least_tasks", "task_counts", "least_tips", "tip_counts")
)
CUTS, ANSWERS, SILENCE = (_AT[n] for n in ("cuts", "answers", "silence"))
TIRE_TASK, TIRE_SOURCE, RECOVERS, NOVELTY, WEARS = (
    _AT[n] for n in ("tire_task", "tire_source", "recovers", "novelty", "wears")
)
HAZARD, ENOUGH, ROOT, NOISE_SD, SCALE = (_AT[n] for n in ("hazard", "enough", "root", "noise_sd", "scale"))
POLICY, SAMPLES, PERIOD, PRIOR, REPLICATES = (_AT[n] for n in ("policy", "samples", "period", "prior", "replicates"))
WINDOW, DELAY, MISSING, MISSING_BY_REACTION, MISSING_BY_SOURCE = (
    _AT[n] for n in ("window", "delay", "missing", "missing_by_reaction", "missing_by_source")
)

TERMS = 25
ABRUPT, GRADUAL, PERIODIC, WALK = range(4)
KIND, WHEN, ON_DAYS, NAMED = 0, 1, 3, 10
"""Columns of a change: its kind, the round of an abrupt one, the first and last of a gradual one or the rows that a
walk moves (2), the weekdays of a periodic one (7), the terms that it names (25)."""


def packed(given: Mapping[str, float | F64]) -> F64:
    """The numbers by name, in one array; 0 for those that are not given. Raises ValueError for one of another size."""
    out = np.zeros(sum(SIZES.values()))
    for name, value in given.items():
        many = np.atleast_1d(np.asarray(value, np.float64))
        if len(many) > SIZES[name]:
            raise ValueError(f"{name}: {len(many)} numbers received; at most {SIZES[name]} expected")
        out[_AT[name] : _AT[name] + len(many)] = many
    return out
