"""Estimators with a reward model: the direct method, and the model's prediction corrected by weighted errors.

The direct method is no better than its model. Doubly robust corrects it by the errors of what was logged; the others
differ in the correction's weights: divided by their own mean, left out where large (switch), or shrunk (DRos).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from oo_sim.ope.estimator import Estimator, averaged, estimate, ratio
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


DR = Estimator(
    "dr",
    lambda d: {"q + w e": d.q_target + d.w * (d.r - d.q_chosen)},
    averaged("q + w e"),
    "Dudik, Langford and Li (2011), Doubly robust policy evaluation and learning",
    uses_model=True,
)
"""mean of q_target + w (r - q_chosen)."""


def dr(
    w: ArrayLike,
    r: ArrayLike,
    q_chosen: ArrayLike,
    q_target: ArrayLike,
    user: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """Doubly robust: mean of q_target + w (r - q_chosen), all (n,). Errors as in `rows`.

    Unbiased for any model that has seen only what came before the decision; `predictable_ridge` is one. A good model
    makes it narrow. Source: Dudik, Langford and Li (2011), eq. 2.
    """
    return estimate(DR, sums(rows(w, r, q_chosen, q_target, user), [DR]), level).value


SNDR = Estimator(
    "sndr",
    lambda d: {"q_target": d.q_target, "w e": d.w * (d.r - d.q_chosen)},
    lambda s: s.mean("q_target") + ratio("w e", s),
    "Kallus and Uehara (2019), Intrinsically efficient, stable, and bounded off-policy evaluation",
    uses_model=True,
)
"""mean of q_target, plus mean of w (r - q_chosen) over mean of w."""


def sndr(
    w: ArrayLike,
    r: ArrayLike,
    q_chosen: ArrayLike,
    q_target: ArrayLike,
    user: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """Self-normalised DR: mean(q_target) + mean(w (r - q_chosen)) / mean(w). Arrays and errors as in `dr` and `snips`.

    Source: Thomas and Brunskill (2016), the weighted doubly robust estimator for one step; Kallus and Uehara (2019).
    """
    return estimate(SNDR, sums(rows(w, r, q_chosen, q_target, user), [SNDR]), level).value


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
