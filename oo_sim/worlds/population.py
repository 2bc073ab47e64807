"""The users of the tips world: which segment each belongs to, and what each prefers."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, I64, Lanes
from oo_sim.kernels import philox
from oo_sim.kernels.draws import LaneDraws
from oo_sim.kernels.tips import category
from oo_sim.scenario import TERMS, Segment


def cumulative(weights: tuple[float, ...]) -> F64:
    """Cumulative probabilities of weights; the last is 1 or as near as rounding leaves it."""
    total = np.cumsum(np.array(weights, dtype=np.float64))
    cdf: F64 = total / total[-1]
    return cdf


def segment_of(segments: tuple[Segment, ...], lanes: Lanes) -> I64:
    """The segment (n,) of each user; it depends on the user and the seed, never on the replicate."""
    uniform = LaneDraws.of_population(lanes).uniforms(philox.SEGMENT, np.zeros(lanes.n, np.int64), 1)[0]
    out = np.empty(lanes.n, np.int64)
    category(uniform, cumulative(tuple(s.weight for s in segments)), out)
    return out


def coefficients(segments: tuple[Segment, ...], lanes: Lanes) -> F64:
    """Preferences (25, n) in the order of `TERMS`: mean + sd z of the user's segment, z standard normal."""
    mean, sd = np.zeros((len(TERMS), len(segments))), np.zeros((len(TERMS), len(segments)))
    for j, segment in enumerate(segments):
        for i, term in enumerate(TERMS):
            if term in segment.preferences:
                mean[i, j], sd[i, j] = segment.preferences[term].mean, segment.preferences[term].sd
    which = segment_of(segments, lanes)
    z = LaneDraws.of_population(lanes).normals(philox.PREFERENCE, np.zeros(lanes.n, np.int64), len(TERMS))
    drawn: F64 = mean[:, which] + sd[:, which] * z
    return drawn
