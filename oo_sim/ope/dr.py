"""Doubly robust: the reward model's prediction, corrected by the weighted errors of what was logged."""

from __future__ import annotations

from numpy.typing import ArrayLike

from oo_sim.ope.estimator import Estimator, averaged, estimate
from oo_sim.ope.sums import rows, sums
from oo_sim.stats import Interval

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
