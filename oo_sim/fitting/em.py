"""Laplace-EM: people as a mixture of segments, each coefficient normal over the users of a segment.

Outside, every user's log likelihood is replaced by a parabola at the posterior mode (Laplace; Tierney and Kadane 1986).
Inside, with parabolas, the mixture of normals has a closed-form EM (Dempster, Laird and Rubin 1977; for random effects
with several segments, Verbeke and Lesaffre 1996). Cut points climb the likelihood averaged over each user's posterior.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64
from oo_sim.fitting.people import Population, Reactions
from oo_sim.kernels import ordered

FLOOR = 0.03
"""The smallest standard deviation over users that is fitted: below it, nobody could tell from none."""
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
"""Gauss-Hermite nodes and weights of a standard normal."""
_CLOSE = 0.02  # log units over all users, below which another round is not worth its time


class Parabolas(NamedTuple):
    """Each user's log likelihood at `at` (N, d): constant (N,) + b' natural (N, d) - b' curvature (N, d, d) b / 2."""

    at: F64
    constant: F64
    natural: F64
    curvature: F64


class Assigned(NamedTuple):
    """Each user's log likelihood (N,), the segments' probabilities (N, S), and posterior means and variances of the
    coefficients under each segment (S, N, d)."""

    log: F64
    share: F64
    centre: F64
    variance: F64


class Fitted(NamedTuple):
    """What one start came to: the people, who is who, the log likelihood of all users, and how it rose."""

    people: Population
    users: Assigned
    parabolas: Parabolas
    log_likelihood: float
    path: tuple[float, ...]

    @property
    def bic(self) -> float:
        """Schwarz (1978), with the user as the unit."""
        return -2.0 * self.log_likelihood + self.people.parameters * float(np.log(len(self.users.log)))


def parabolas(data: Reactions, at: F64, cuts: F64) -> Parabolas:
    """The log likelihoods' parabolas at coefficients `at` (N, d)."""
    N, d = at.shape
    total, gradient, curvature = np.empty(N), np.empty((N, d)), np.empty((N, d, d))
    ordered.likelihood(data.X, data.y, data.first, np.ascontiguousarray(at), cuts, total, gradient, curvature)
    pull = np.einsum("nde,ne->nd", curvature, at)
    constant = total - (gradient * at).sum(axis=1) - 0.5 * (at * pull).sum(axis=1)
    return Parabolas(at, constant, gradient + pull, curvature)


def assigned(people: Population, shape: Parabolas) -> Assigned:
    """The E step: who belongs where, and what each user's coefficients are."""
    S, d = people.mean.shape
    N = len(shape.constant)
    centre, variance, evidence = np.empty((S, N, d)), np.empty((S, N, d)), np.empty((S, N))
    for s in range(S):
        ordered.posterior(
            shape.curvature, shape.natural, people.mean[s], people.sd[s] ** -2, centre[s], variance[s], evidence[s]
        )
    weighed = (evidence + np.log(np.maximum(people.share, 1e-300))[:, None]).T
    top = weighed.max(axis=1, keepdims=True)
    relative = np.exp(np.maximum(weighed - top, -700.0))
    total = relative.sum(axis=1, keepdims=True)
    return Assigned(shape.constant + (top + np.log(total))[:, 0], relative / total, centre, variance)


def _maximised(users: Assigned, cuts: F64) -> Population:
    """The M step: shares, means and spreads from who belongs where."""
    weight = users.share.T[:, :, None]
    held = np.maximum(weight.sum(axis=1), 1e-9)
    mean = (weight * users.centre).sum(axis=1) / held
    square = (weight * ((users.centre - mean[:, None]) ** 2 + users.variance)).sum(axis=1) / held
    return Population(users.share.mean(axis=0), mean, np.sqrt(np.maximum(square, FLOOR**2)), cuts)


def inner(people: Population, shape: Parabolas, rounds: int) -> tuple[Population, Assigned]:
    """EM with the parabolas as they are, until it gains next to nothing."""
    users = assigned(people, shape)
    before = float(users.log.sum())
    for _ in range(rounds):
        people = _maximised(users, people.cuts)
        users = assigned(people, shape)
        now = float(users.log.sum())
        if now - before < _CLOSE / 4:
            break
        before = now
    return people, users


def blended(users: Assigned) -> F64:
    """Each user's coefficients (N, d), averaged over the segments that they may belong to."""
    return np.asarray(np.einsum("ns,snd->nd", users.share, users.centre))


def _raised(cuts: F64, data: Reactions, users: Assigned, people: Population, shape: Parabolas) -> F64:
    """Cut points after Newton steps on the likelihood averaged over the posterior of each user's coefficients."""
    at = blended(users)
    apart = users.centre - at
    precision = np.einsum("ns,sd->nd", users.share, people.sd**-2.0)
    covariance = np.linalg.inv(shape.curvature + precision[:, :, None] * np.eye(at.shape[1]))
    covariance += np.einsum("ns,snd,sne->nde", users.share, apart, apart)
    spread = np.empty(len(data.y))
    ordered.row_spread(data.X, data.first, covariance, spread)
    u = np.einsum("md,md->m", data.X, at[data.owner])
    gradient, curvature = np.empty(len(cuts)), np.empty((len(cuts), len(cuts)))
    for _ in range(4):
        ordered.cut_derivatives(u, spread, data.y, cuts, NODES, WEIGHTS, gradient, curvature)
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(cuts)), gradient)
        while (np.diff(cuts + step) <= 0.0).any():
            step = step / 2.0
        cuts = cuts + step
        if np.abs(step).max() < 1e-4:
            break
    return cuts


def climb(
    data: Reactions,
    people: Population,
    at: F64,
    *,
    rounds: int = 40,
    told: Callable[[int, float], None] = lambda done, log: None,
) -> Fitted:
    """Laplace-EM from a population and coefficients `at` (N, d), until the log likelihood settles.

    `told` receives the number of each round and its log likelihood.
    """
    path: list[float] = []
    shape = parabolas(data, at, people.cuts)
    while True:
        people, users = inner(people, shape, 40)
        at = blended(users)
        shape = parabolas(data, at, people.cuts)
        users = assigned(people, shape)
        path.append(float(users.log.sum()))
        told(len(path), path[-1])
        if len(path) >= rounds or (len(path) > 3 and abs(path[-1] - path[-2]) < _CLOSE):
            return Fitted(people, users, shape, path[-1], tuple(path))
        people = people._replace(cuts=_raised(people.cuts, data, users, people, shape))
        shape = parabolas(data, blended(users), people.cuts)
