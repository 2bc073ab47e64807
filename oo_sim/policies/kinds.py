"""What policies with one model per kind of candidate share: the kinds are tasks (0) and LLM tips (1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, Bool, FeatureMap, LaneForm
from oo_sim.features import feature_map, with_kind
from oo_sim.kernels.kinds import kind_moments
from oo_sim.kernels.ridge import upper_confidence
from oo_sim.policies.checks import fits
from oo_sim.policies.ridge import Ridge, rows


class Kinds(NamedTuple):
    """The name of the features asked for, a map of them that holds the kind, the kind's column in x, and the columns
    that the models read, which are all others."""

    base: str
    phi: FeatureMap
    column: int
    columns: I64

    @property
    def d(self) -> int:
        """How many features each model reads."""
        return len(self.columns)

    @classmethod
    def of(cls, features: str | FeatureMap) -> Kinds:
        """A map that holds `is_llm`, or any other one with `is_llm` after its last column."""
        base = feature_map(features)
        phi = with_kind(base)
        column = phi.names.index("is_llm")
        return cls(base.name, phi, column, np.delete(np.arange(phi.d), column))

    def lanes(self, fresh: Callable[[int], Ridge], alpha: float) -> LaneForm:
        """How tiles see a policy that learns one regression on (x, 0) of tasks and (0, x) of tips: `fresh` makes its
        states."""
        return LaneForm("upper confidence by kind", "greedy", "ridge by kind", rows(fresh), (alpha,))

    def split(self, x: F64) -> tuple[F64, Bool]:
        """What a model learns from, (d, n), and whether it is the tips' model (n,), of a chosen one's x (d + 1, n)."""
        fits((self.phi.d, x.shape[-1]), x)
        return x[self.columns], x[self.column] > 0.5

    def upper_confidence(self, inverse: F64, theta: F64, x: F64, alpha: float) -> F64:
        """x' theta + alpha sqrt(x' A^-1 x) (K, n), each candidate under the model of its kind: `inverse`
        (2, d (d + 1) / 2, n) and `theta` (2, d, n)."""
        fits((self.phi.d, theta.shape[-1]), x)
        mean, variance = np.empty(x.shape[::2]), np.empty(x.shape[::2])
        kind_moments(inverse, theta, x, self.column, self.columns, mean, variance)
        upper_confidence(mean, variance, alpha)
        return mean
