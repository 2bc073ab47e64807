"""The users of the tips world: which segment each belongs to, and what each prefers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, Lanes
from oo_sim.kernels import philox
from oo_sim.kernels.draws import LaneDraws
from oo_sim.kernels.tips import category
from oo_sim.scenario import TERMS, Normal, Segment


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


class Spread(NamedTuple):
    """Mean and standard deviation (25, segments) of each term's coefficient, in the order of `TERMS`."""

    mean: F64
    sd: F64

    def of(self, which: I64, z: F64) -> F64:
        """Coefficients (25, n) of users of the segments `which` (n,), each at its own place z (25, n) in the spread."""
        drawn: F64 = self.mean[:, which] + self.sd[:, which] * z
        return drawn


def spread(preferences: Sequence[Mapping[str, Normal]]) -> Spread:
    """The spread of each segment's preferences; 0 for terms that it does not have."""
    table = np.zeros((2, len(TERMS), len(preferences)))
    for j, preferred in enumerate(preferences):
        for i, term in enumerate(TERMS):
            if term in preferred:
                table[:, i, j] = preferred[term].mean, preferred[term].sd
    return Spread(*table)


def individuality(lanes: Lanes) -> F64:
    """Each user's place z (25, n) in the spread of its segment: standard normal, the same in all replicates."""
    return LaneDraws.of_population(lanes).normals(philox.PREFERENCE, np.zeros(lanes.n, np.int64), len(TERMS))


def coefficients(segments: tuple[Segment, ...], lanes: Lanes) -> F64:
    """Preferences (25, n) in the order of `TERMS`: mean + sd z of the user's segment, z standard normal."""
    return spread([s.preferences for s in segments]).of(segment_of(segments, lanes), individuality(lanes))
