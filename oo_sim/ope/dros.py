"""DRos: doubly robust with optimistic shrinkage, which shrinks weights the more the larger they are."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from oo_sim.ope.estimator import Estimator, averaged, estimate
from oo_sim.ope.sums import rows, sums
from oo_sim.stats import Interval

SHRINKAGE = 100.0
"""lambda unless another is given: a weight of 1 keeps 99 % of itself, one of 10 half."""


def shrinking(shrinkage: float = SHRINKAGE) -> Estimator:
    """The estimator: mean of q_target + lambda w / (w^2 + lambda) (r - q_chosen). ValueError unless 0 < lambda."""
    if not 0.0 < shrinkage < math.inf:
        raise ValueError(f"shrinkage: {shrinkage} given; lambda is a positive number, such as {SHRINKAGE}")
    column = f"q + shrunk w e, lambda {shrinkage}"
    return Estimator(
        "dros",
        lambda d: {column: d.q_target + shrinkage * d.w / (d.w**2 + shrinkage) * (d.r - d.q_chosen)},
        averaged(column),
        "Su, Dimakopoulou, Krishnamurthy and Dudik (2020), Doubly robust off-policy evaluation with shrinkage",
        uses_model=True,
    )


def dros(
    w: ArrayLike,
    r: ArrayLike,
    q_chosen: ArrayLike,
    q_target: ArrayLike,
    user: ArrayLike | None = None,
    *,
    shrinkage: float = SHRINKAGE,
    level: float = 0.95,
) -> Interval:
    """DR with optimistic shrinkage: w becomes lambda w / (w^2 + lambda). Arrays and errors as in `dr`.

    The direct method as lambda goes to 0, DR as it grows. Source: Su et al. (2020), eq. 8.
    """
    e = shrinking(shrinkage)
    return estimate(e, sums(rows(w, r, q_chosen, q_target, user), [e]), level).value
