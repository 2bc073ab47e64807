"""Sub-Gaussian importance weights: the harmonic mean of w and 1, which bounds them by 1 / lambda, for IPS and DR."""

from __future__ import annotations

from numpy.typing import ArrayLike

from oo_sim.ope.estimator import Estimator, averaged, estimate
from oo_sim.ope.sums import rows, sums
from oo_sim.stats import Interval
from oo_sim.stats.intervals import F64

CORRECTION = 0.1
"""lambda unless another is given: weights stay below 10."""
_SOURCE = "Metelli, Russo and Restelli (2021), Subgaussian and differentiable importance sampling"


def _tempered(w: F64, correction: float) -> F64:
    return w / (1.0 - correction + correction * w)


def _checked(correction: float) -> float:
    if not 0.0 <= correction <= 1.0:
        raise ValueError(f"correction: {correction} given; lambda lies between 0 (plain weights) and 1 (all weights 1)")
    return correction


def tempering(correction: float = CORRECTION) -> Estimator:
    """Sub-Gaussian IPS: mean of w / (1 - lambda + lambda w) r. ValueError unless lambda lies in 0 to 1."""
    lam, column = _checked(correction), f"tempered w r, lambda {correction}"
    return Estimator("sg-ips", lambda d: {column: _tempered(d.w, lam) * d.r}, averaged(column), _SOURCE)


def tempering_dr(correction: float = CORRECTION) -> Estimator:
    """Sub-Gaussian DR: mean of q_target + w / (1 - lambda + lambda w) (r - q_chosen). Errors as in `tempering`."""
    lam, column = _checked(correction), f"q + tempered w e, lambda {correction}"
    return Estimator(
        "sg-dr",
        lambda d: {column: d.q_target + _tempered(d.w, lam) * (d.r - d.q_chosen)},
        averaged(column),
        _SOURCE,
        uses_model=True,
    )


def subgaussian_ips(
    w: ArrayLike, r: ArrayLike, user: ArrayLike | None = None, *, correction: float = CORRECTION, level: float = 0.95
) -> Interval:
    """IPS with weights w / (1 - lambda + lambda w). Arrays and errors as in `ips`.

    Source: Metelli, Russo and Restelli (2021), eq. 5 with s = -1.
    """
    e = tempering(correction)
    return estimate(e, sums(rows(w, r, user=user), [e]), level).value


def subgaussian_dr(
    w: ArrayLike,
    r: ArrayLike,
    q_chosen: ArrayLike,
    q_target: ArrayLike,
    user: ArrayLike | None = None,
    *,
    correction: float = CORRECTION,
    level: float = 0.95,
) -> Interval:
    """DR with the weights of `subgaussian_ips`. Arrays and errors as in `dr`."""
    e = tempering_dr(correction)
    return estimate(e, sums(rows(w, r, q_chosen, q_target, user), [e]), level).value
