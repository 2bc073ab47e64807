"""Self-normalised IPS: weights are divided by their own mean, so that a constant reward is found exactly."""

from __future__ import annotations

from numpy.typing import ArrayLike

from oo_sim.ope.estimator import Estimator, estimate, ratio
from oo_sim.ope.sums import rows, sums
from oo_sim.stats import Interval

SNIPS = Estimator(
    "snips",
    lambda d: {"w r": d.w * d.r},
    lambda s: ratio("w r", s),
    "Swaminathan and Joachims (2015), The self-normalized estimator for counterfactual learning",
)
"""sum of w r over sum of w, of users' means."""


def snips(w: ArrayLike, r: ArrayLike, user: ArrayLike | None = None, level: float = 0.95) -> Interval:
    """Self-normalised IPS: mean of w r over mean of w. Arrays and errors as in `ips`, and ValueError if all w are 0.

    The interval is that of the linearised ratio, too narrow where few users carry the weight. Source: Swaminathan and
    Joachims (2015), eq. 8; the variance is Owen (2013), eq. 9.9, over users.
    """
    return estimate(SNIPS, sums(rows(w, r, user=user), [SNIPS]), level).value
