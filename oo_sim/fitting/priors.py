"""What the fitted people say of a new user, for policies that learn a linear reward: a Gaussian per feature map."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, REWARDS, Candidates
from oo_sim.features import FEATURES, OO7X
from oo_sim.fitting.people import Population
from oo_sim.policies.warm import Start

MAPS = ("oo5", "oo7", "oo7x")
LOOSEST, TIGHTEST = 0.1, 100.0
"""The bounds of the eigenvalues of A, in decisions."""
_USERS = 500
_CANDIDATES = 2_000
_STEP = 0.5  # between the rewards of neighbouring reactions
_NEGLIGIBLE = 1e-9


class LinearPrior(NamedTuple):
    """The best linear reward model of a new user is about N(theta (d,), covariance (d, d)), and rewards scatter around
    it with variance `noise`."""

    theta: F64
    covariance: F64
    noise: float

    @property
    def start(self) -> Start:
        """Where a ridge regression of such a user starts: A = covariance^-1 noise, b = A theta.

        The eigenvalues of A, which are how many decisions' worth is known in a direction, are kept within bounds:
        no direction so loose that the ridge loses its digits, and none so tight that another kind of user could not
        be learned in a few dozen decisions.
        """
        values, directions = np.linalg.eigh(self.covariance)
        kept = np.clip(self.noise / np.maximum(values, 1e-12), LOOSEST, TIGHTEST)
        inverse = (directions / kept) @ directions.T
        A = (directions * kept) @ directions.T
        return Start(inverse[np.triu_indices(len(kept))], A @ self.theta, self.theta)


def linear_priors(
    people: Population, terms: tuple[str, ...], situations: Candidates, seed: int
) -> dict[str, LinearPrior]:
    """For each of `MAPS`: users are drawn from the people, and each one's expected rewards regressed on the features
    of all candidates in `situations`. What is left over, and the scatter of reactions, is noise.

    A policy's ridge model of a user is that regression, so this is the empirical Bayes prior of it (Morris 1983).
    """
    x = _rows("oo7x", situations)
    X = np.concatenate([np.ones((len(x), 1)), x[:, [OO7X.index(term) for term in terms]]], axis=1)
    rng = np.random.default_rng([seed, 77])
    which = rng.choice(people.segments, _USERS, p=people.share / people.share.sum())
    beta = people.mean[which] + people.sd[which] * rng.standard_normal((_USERS, len(terms) + 1))
    expected, scatter = _moments(X @ beta.T, people.cuts)
    found = {}
    for name in MAPS:
        phi = _rows(name, situations)
        gram = phi.T @ phi / len(phi)
        theta = np.linalg.solve(gram + _NEGLIGIBLE * np.eye(len(gram)), phi.T @ expected / len(phi)).T
        left = expected - phi @ theta.T
        noise = float((left**2 + scatter).mean())
        found[name] = LinearPrior(theta.mean(axis=0), np.cov(theta.T), noise)
    return found


def _rows(name: str, c: Candidates) -> F64:
    """The features (M, d) of the candidates that stand, or of an even choice among them where they are many."""
    phi = FEATURES[name]
    x = np.empty((c.mask.shape[0], phi.d, c.mask.shape[1]))
    phi.encode(c, x)
    every = x.transpose(2, 0, 1)[c.mask.T]
    return np.ascontiguousarray(every[:: -(-len(every) // _CANDIDATES)])


def _moments(u: F64, cuts: F64) -> tuple[F64, F64]:
    """Mean and variance of the reward at each u."""
    below = 1.0 / (1.0 + np.exp(np.clip(u[..., None] - cuts, -700.0, 700.0)))
    mean = REWARDS[-1] - _STEP * below.sum(axis=-1)
    edges = np.concatenate([np.zeros((*u.shape, 1)), below, np.ones((*u.shape, 1))], axis=-1)
    square = (np.diff(edges, axis=-1) * np.array(REWARDS) ** 2).sum(axis=-1)
    return mean, square - mean**2
