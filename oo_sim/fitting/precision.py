"""How surely each number of a fit is known: standard errors from the marginal information of users as they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64
from oo_sim.fitting.em import Fitted, blended, parabolas
from oo_sim.fitting.people import Reactions
from oo_sim.kernels import ordered


class Precision(NamedTuple):
    """Standard errors of a population's shares (S,), means and sds (S, d) and cut points (4,)."""

    share: F64
    mean: F64
    sd: F64
    cuts: F64


def settled(data: Reactions, fitted: Fitted) -> Fitted:
    """The same fit with its people `centred`, and the users' coefficients and assignments moved with them."""
    people = fitted.people.centred()
    order = np.argsort(-fitted.people.share, kind="stable")
    shift = float((fitted.people.cuts - people.cuts)[0])
    centre = fitted.users.centre[order].copy()
    centre[:, :, 0] -= shift
    at = blended(fitted.users)
    at[:, 0] -= shift
    users = fitted.users._replace(
        share=fitted.users.share[:, order], centre=centre, variance=fitted.users.variance[order]
    )
    return fitted._replace(people=people, users=users, parabolas=parabolas(data, at, people.cuts))


def precision(data: Reactions, fitted: Fitted) -> Precision:
    """Standard errors of a settled fit.

    A user of segment s with curvature H tells about its mean W = H - H A^-1 H, A = H + Sigma^-1 (Louis 1982, with the
    coefficients integrated out): how far one user's reactions reach, less what one user's own taste hides. Means and
    cut points are inverted together, under the constraint that the mean intercept is 0; a spread's information is
    W_jj^2 / 2. Intervals from posterior variances alone would leave the users' differences out, and held 16 to 20 %
    where 95 was promised.
    """
    people, users, H = fitted.people, fitted.users, fitted.parabolas.curvature
    S, d = people.mean.shape
    N, C = len(H), len(people.cuts)
    cross, within = np.empty((N, d, C)), np.empty((N, C, C))
    at = np.ascontiguousarray(blended(users))
    ordered.cross_derivatives(data.X, data.y, data.first, at, people.cuts, cross, within)
    information = np.zeros((C + S * d, C + S * d))
    spread = np.empty((S, d))
    for s in range(S):
        own, weight = slice(C + s * d, C + (s + 1) * d), users.share[:, s]
        inverse = np.linalg.inv(H + np.diag(people.sd[s] ** -2.0))
        told = H - H @ inverse @ H
        hidden = people.sd[s][:, None] ** -2.0 * (inverse @ cross)  # P A^-1 K
        information[own, own] += np.einsum("n,nde->de", weight, told)
        information[:C, own] -= np.einsum("n,ndc->cd", weight, hidden)
        information[:C, :C] += np.einsum("n,ncb->cb", weight, within - cross.transpose(0, 2, 1) @ inverse @ cross)
        diagonal = np.einsum("ndd->nd", told)
        variance = 1.0 / np.maximum(0.5 * (weight[:, None] * diagonal**2).sum(axis=0), 1e-300)
        spread[s] = np.sqrt(variance) / (2.0 * people.sd[s])
    information[C:, :C] = information[:C, C:].T
    tied = np.zeros(C + S * d)
    tied[C::d] = people.share
    errors = np.sqrt(np.maximum(np.diag(_inverse_without(information, tied)), 0.0))
    return Precision(_share_errors(people.share, users.share), errors[C:].reshape(S, d), spread, errors[:C])


def _inverse_without(information: F64, tied: F64) -> F64:
    """The covariance where `tied`' x is fixed: inverted in the directions that are free."""
    _, _, directions = np.linalg.svd(tied[None] / np.linalg.norm(tied))
    free = directions[1:].T
    return np.asarray(free @ np.linalg.pinv(free.T @ information @ free, hermitian=True) @ free.T)


def _share_errors(share: F64, assigned: F64) -> F64:
    """From the users' scores, each segment against the others; 0 where there is one segment."""
    if len(share) == 1:
        return np.zeros(1)
    score = assigned / share - (1.0 - assigned) / (1.0 - share)
    return np.asarray(1.0 / np.sqrt(np.maximum((score**2).sum(axis=0), 1e-300)))


def singular(data: Reactions) -> list[str]:
    """The terms that the log cannot tell from those before them: their column adds nothing to the others'."""
    gram = data.X.T @ data.X / max(len(data.y), 1)
    found, kept = [], list[int]()
    for j, term in enumerate(data.terms):
        left = gram[j, j]
        if kept:
            left -= gram[j, kept] @ np.linalg.lstsq(gram[np.ix_(kept, kept)], gram[kept, j], rcond=None)[0]
        if left <= 1e-8 * max(gram[j, j], 1e-12):
            found.append(term)
        else:
            kept.append(j)
    return found
