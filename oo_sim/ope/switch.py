"""Switch-DR: doubly robust where weights are moderate, the reward model alone where they are large."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from oo_sim.ope.estimator import Estimator, averaged, estimate
from oo_sim.ope.sums import rows, sums
from oo_sim.stats import Interval

TAU = 10.0
"""The largest weight that still corrects the model, unless another is given."""


def switching(tau: float = TAU) -> Estimator:
    """The estimator: mean of q_target + w 1[w <= tau] (r - q_chosen). ValueError unless tau >= 0."""
    if not tau >= 0.0:
        raise ValueError(f"tau: {tau} given; the largest weight that corrects the model is 0 or more, such as {TAU}")
    column = f"q + w e where w <= {tau}"
    return Estimator(
        "switch-dr",
        lambda d: {column: d.q_target + np.where(d.w <= tau, d.w, 0.0) * (d.r - d.q_chosen)},
        averaged(column),
        "Wang, Agarwal and Dudik (2017), Optimal and adaptive off-policy evaluation in contextual bandits",
        uses_model=True,
    )


def switch_dr(
    w: ArrayLike,
    r: ArrayLike,
    q_chosen: ArrayLike,
    q_target: ArrayLike,
    user: ArrayLike | None = None,
    *,
    tau: float = TAU,
    level: float = 0.95,
) -> Interval:
    """Switch-DR: mean of q_target + w 1[w <= tau] (r - q_chosen). Arrays and errors as in `dr`.

    Biased by the model's error where w > tau. Source: Wang, Agarwal and Dudik (2017), section 4, with the switch on
    the logged weight.
    """
    e = switching(tau)
    return estimate(e, sums(rows(w, r, q_chosen, q_target, user), [e]), level).value
