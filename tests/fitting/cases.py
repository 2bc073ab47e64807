"""People whose preferences are known, and reactions of theirs, drawn with NumPy alone."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import I64
from oo_sim.fitting import Population, Reactions

TERMS = ("intercept", "is_overdue", "task_age", "priority")
TWO = Population(
    np.array([0.6, 0.4]),
    np.array([[-0.4, 1.0, 0.8, 2.0], [0.6, -0.6, -1.6, -1.2]]),
    np.array([[0.2, 0.3, 0.3, 0.4], [0.2, 0.3, 0.4, 0.4]]),
    np.array([-1.5, -0.5, 0.5, 1.5]),
)
"""Two segments; the share-weighted mean intercept is 0."""


def drawn(people: Population, users: int, rounds: int, seed: int, moved: float = 0.0) -> tuple[Reactions, I64]:
    """Reactions of each user, and who belongs to which segment. By `moved`, the last coefficient's mean changes in the
    second half of the rounds."""
    rng = np.random.default_rng(seed)
    d = people.mean.shape[1]
    which = rng.choice(people.segments, users, p=people.share)
    beta = people.mean[which] + people.sd[which] * rng.standard_normal((users, d))
    X = rng.uniform(0.0, 1.0, (users, rounds, d))
    X[:, :, 0] = 1.0
    u = np.einsum("ntd,nd->nt", X, beta)
    u[:, rounds // 2 :] += moved * X[:, rounds // 2 :, -1]
    below = 1.0 / (1.0 + np.exp(u[..., None] - people.cuts))
    y = (rng.random((users, rounds, 1)) > below).sum(axis=2)
    first = np.arange(users + 1) * rounds
    return Reactions(X.reshape(-1, d), y.reshape(-1).astype(np.int64), first, TERMS[:d]), which
