"""Self-normalised doubly robust: the correction's weights are divided by their own mean."""

from __future__ import annotations

from numpy.typing import ArrayLike

from oo_sim.ope.estimator import Estimator, estimate, ratio
from oo_sim.ope.sums import rows, sums
from oo_sim.stats import Interval

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
