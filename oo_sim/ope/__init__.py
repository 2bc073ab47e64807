"""Off-policy estimators: what another policy would have earned, from logged decisions. Arrays in, `Interval` out.

Each decision has a weight w = pi(a) / p(a), a reward r and, for the estimators that use a reward model, the model's
prediction for the candidate that was chosen, `q_chosen`, and its mean under the evaluated policy, `q_target`. The user
is the unit: a user's value is the mean over their decisions, and intervals are Student's t over users.

One call, everything in memory (`user` is any array of labels; without it every decision is its own user):

    ope.dr(w, r, q_chosen, q_target, user)                  # -> Interval(estimate, lower, upper, n)

A log in parts. Sums per user merge: parts may split a user, and come in any order (the reward model alone needs all
earlier decisions of a user, so cut between users where it is used). Several estimators share one pass:

    wanted = [ope.IPS, ope.SNIPS, ope.DR, ope.switching(tau=10.0)]
    parts = [ope.sums(ope.rows(w, r, q_chosen, q_target, user), wanted) for w, r, q_chosen, q_target, user in chunks]
    total = ope.merge(parts)
    for estimator in wanted:
        value, difference = ope.estimate(estimator, total)  # difference: from the logged policy, paired by user
    health = ope.diagnostics(total)                         # mean weight, effective users, largest weight and share

`ope.predictable_ridge` makes q for all candidates from that user's earlier rewards only; `ope.target_q` and
`ope.chosen_q` turn it into `q_target` and `q_chosen`.
"""

from oo_sim.ope.betting import betting_interval
from oo_sim.ope.diagnostics import Diagnostics, diagnostics, unsupported_mass, weight_test
from oo_sim.ope.estimator import Estimate, Estimator, estimate
from oo_sim.ope.modelled import DM, DR, SNDR, dm, dr, dros, shrinking, sndr, switch_dr, switching
from oo_sim.ope.replay import replay
from oo_sim.ope.reward_model import chosen_q, predictable_ridge, target_q
from oo_sim.ope.subgaussian import subgaussian_dr, subgaussian_ips, tempering, tempering_dr
from oo_sim.ope.sums import Rows, Sums, merge, rows, sums
from oo_sim.ope.weighted import IPS, SNIPS, clipped_ips, clipping, ips, snips

ESTIMATORS = {
    e.name: e for e in (IPS, clipping(), SNIPS, DM, DR, SNDR, switching(), shrinking(), tempering(), tempering_dr())
}
"""Every estimator of weights, by name, with its default parameter. `replay` stands alone: it has no weights."""

__all__ = [
    "DM",
    "DR",
    "ESTIMATORS",
    "IPS",
    "SNDR",
    "SNIPS",
    "Diagnostics",
    "Estimate",
    "Estimator",
    "Rows",
    "Sums",
    "betting_interval",
    "chosen_q",
    "clipped_ips",
    "clipping",
    "diagnostics",
    "dm",
    "dr",
    "dros",
    "estimate",
    "ips",
    "merge",
    "predictable_ridge",
    "replay",
    "rows",
    "shrinking",
    "sndr",
    "snips",
    "subgaussian_dr",
    "subgaussian_ips",
    "sums",
    "switch_dr",
    "switching",
    "target_q",
    "tempering",
    "tempering_dr",
    "unsupported_mass",
    "weight_test",
]
