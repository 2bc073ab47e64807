"""The direct method: what the reward model predicts for the policy, which is no better than that model."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from oo_sim.ope.estimator import Estimator, averaged, estimate
from oo_sim.ope.sums import rows, sums
from oo_sim.stats import Interval

DM = Estimator(
    "dm",
    lambda d: {"q_target": d.q_target},
    averaged("q_target"),
    "Beygelzimer and Langford (2009), The offset tree for learning with partial labels",
    uses_model=True,
    bounded=False,
)
"""mean of q_target, without bounds: they would leave out the model's error, and on adaptive logs that is large."""


def dm(q_target: ArrayLike, user: ArrayLike | None = None) -> Interval:
    """The direct method: mean of the model's predictions under the policy (n,). Its bounds are always nan.

    Source: Dudik, Langford and Li (2011), eq. 1.
    """
    q = np.asarray(q_target, dtype=np.float64)
    zero = np.zeros(q.shape)
    return estimate(DM, sums(rows(zero, zero, zero, q, user), [DM])).value
