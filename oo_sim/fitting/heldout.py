"""How well a fit predicts reactions that it has not seen: of new users, and of the same users later."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64
from oo_sim.fitting import checks
from oo_sim.fitting.em import Fitted, blended, climb
from oo_sim.fitting.log import Gathered
from oo_sim.fitting.people import Reactions
from oo_sim.fitting.said import HeldOut
from oo_sim.fitting.search import Searched


def held_out(
    data: Gathered, fitted: Fitted, found: list[Searched], share: float, seed: int
) -> tuple[HeldOut, dict[str, checks.Calibration]]:
    """Log likelihood per reaction of new users, and of the same users' later rounds, under a fit that saw neither.

    It starts from the fit to all, which only decides which top it climbs.
    """
    reactions = data.reactions
    order = np.random.default_rng([seed, 99]).permutation(reactions.users)
    new = np.sort(order[: max(1, round(share * reactions.users))])
    old = np.setdiff1d(np.arange(reactions.users), new)
    row_hours = Reactions(reactions.X[:, :1], data.hour, reactions.first, ("hour",)).of_users(old)
    theirs, unseen = reactions.of_users(old), reactions.of_users(new)
    place = np.arange(len(theirs.y)) - theirs.first[theirs.owner]
    early = place < np.ceil((1.0 - share) * theirs.sizes[theirs.owner])
    seen, later = theirs.where(early), theirs.where(~early)
    hour = row_hours.y[~early]
    counts = np.bincount(seen.y, minlength=5) + 0.5
    constant = np.log(counts / counts.sum())
    one = climb(seen, found[0].fitted.people, blended(found[0].fitted.users)[old], rounds=15)
    full = one
    if fitted.people.segments > 1:
        full = climb(seen, fitted.people, blended(fitted.users)[old], rounds=15)
    rows = np.arange(len(later.y))
    probabilities = checks.predicted(later, full.users, full.people)

    def per(log: F64, n: int) -> float:
        return float(log.sum() / max(n, 1))

    def later_of(fit: Fitted) -> float:
        p = probabilities if fit is full else checks.predicted(later, fit.users, fit.people)
        return per(np.log(np.maximum(p[rows, later.y], 1e-300)), len(rows))

    held: HeldOut = {
        "new_users": {
            "users": len(new),
            "reactions": len(unseen.y),
            "fit": per(checks.marginal(unseen, full.people), len(unseen.y)),
            "one_segment": per(checks.marginal(unseen, one.people), len(unseen.y)),
            "constant": per(constant[unseen.y], len(unseen.y)),
        },
        "later_rounds": {
            "users": len(old),
            "reactions": len(later.y),
            "fit": later_of(full),
            "one_segment": later_of(one),
            "constant": per(constant[later.y], len(later.y)),
        },
    }
    calibration = {
        "decile": checks.calibration(later, probabilities),
        "hour": checks.calibration(later, probabilities, hour),
    }
    return held, calibration
