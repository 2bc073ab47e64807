"""Rewrites that change nothing but the order of sums, or how the work is cut: none may raise an alarm."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from oo_sim.contract import F64, Batch, Learning, Policy, Probs
from oo_sim.policies import explore, ridge
from oo_sim.policies.egreedy import egreedy
from oo_sim.policies.linucb import linucb


class Gram(NamedTuple):
    """A (d, d, n) and b (d, n) themselves."""

    A: F64
    b: F64


class Renamed(NamedTuple):
    """The parts of the ridge regression under other names, in another order, with one more."""

    weights: F64
    moments: F64
    packed: F64
    seen: F64


Means = Callable[[Gram, F64], tuple[F64, F64]]


def by_solving(state: Gram, x: F64) -> tuple[F64, F64]:
    """LU decomposition, for each decision anew."""
    A, rows = state.A.transpose(2, 0, 1), x.transpose(2, 1, 0)
    theta, v = np.linalg.solve(A, state.b.T[..., None])[..., 0], np.linalg.solve(A, rows)
    return np.einsum("kdn,nd->kn", x, theta), np.einsum("kdn,ndk->kn", x, v)


def by_inverting(state: Gram, x: F64) -> tuple[F64, F64]:
    """The inverse, for each decision anew."""
    inverse = np.linalg.inv(state.A.transpose(2, 0, 1)).transpose(1, 2, 0)
    theta = (inverse * state.b).sum(axis=1)
    return (x * theta).sum(axis=1), (x[:, :, None] * inverse * x[:, None]).sum(axis=(1, 2))


def by_cholesky(state: Gram, x: F64) -> tuple[F64, F64]:
    """A = L L', variance = |L^-1 x|^2, mean = (L^-1 x)' (L^-1 b)."""
    L = np.linalg.cholesky(state.A.transpose(2, 0, 1))
    v, w = np.linalg.solve(L, x.transpose(2, 1, 0)), np.linalg.solve(L, state.b.T[..., None])
    return np.asarray((v * w).sum(axis=1).T), np.asarray((v * v).sum(axis=1).T)


def by_eigenvalues(state: Gram, x: F64) -> tuple[F64, F64]:
    """A = Q diag(w) Q'."""
    w, Q = np.linalg.eigh(state.A.transpose(2, 0, 1))
    v, b = np.einsum("nde,kdn->nek", Q, x), np.einsum("nde,dn->ne", Q, state.b)
    return np.asarray((v * (b / w)[..., None]).sum(axis=1).T), np.asarray((v * v / w[..., None]).sum(axis=1).T)


def on_gram(base: Policy, means: Means, alpha: float) -> Policy:
    """The same policy in plain NumPy, from A and b."""
    d = base.features.d

    def init(n: int) -> Gram:
        return Gram(np.repeat(np.eye(d)[:, :, None], n, axis=2), np.zeros((d, n)))

    def score(state: Gram, batch: Batch, noise: F64) -> F64:
        mean, variance = means(state, batch.x)
        return np.asarray(mean + alpha * np.sqrt(variance) if alpha else mean)

    def update(state: Gram, learning: Learning, noise: F64) -> Gram:
        x = learning.x * learning.learn
        return Gram(state.A + x[:, None] * x[None], state.b + learning.reward * x)

    return base._replace(init=init, score=score, update=update)


def scored(base: Policy, fault: Callable[[ridge.Ridge, F64], F64]) -> Policy:
    """The same policy with other code for its scores."""
    return base._replace(score=lambda state, batch, noise: fault(state, batch.x))


def backwards(state: ridge.Ridge, x: F64) -> F64:
    """The mean is summed from the last feature to the first."""
    _, variance = ridge.mean_and_variance(state, x)
    return np.asarray((x * state.theta)[:, ::-1].cumsum(axis=1)[:, -1] + np.sqrt(variance))


def root_of_the_square(state: ridge.Ridge, x: F64) -> F64:
    """sqrt(4 v) / 2 - -mean."""
    mean, variance = ridge.mean_and_variance(state, x)
    return np.asarray(np.sqrt(4.0 * variance) / 2.0 - -mean)


def jittered(state: ridge.Ridge, x: F64) -> F64:
    """All is multiplied by 1 + 1e-13."""
    mean, variance = ridge.mean_and_variance(state, x)
    return np.asarray((mean + np.sqrt(variance)) * (1.0 + 1e-13))


def jittered_mean(state: ridge.Ridge, x: F64) -> F64:
    """The mean times 1 - 1e-13."""
    return np.asarray(ridge.mean(state, x) * (1.0 - 1e-13))


def mean_backwards(state: ridge.Ridge, x: F64) -> F64:
    """The mean alone, summed from the last feature to the first."""
    return np.asarray((x * state.theta)[:, ::-1].cumsum(axis=1)[:, -1])


def idle(base: Policy) -> Policy:
    """Each update is followed by one in which nobody learns."""

    def update(state: ridge.Ridge, learning: Learning, noise: F64) -> ridge.Ridge:
        state = ridge.update(state, learning, noise)
        return ridge.update(state, learning._replace(learn=np.zeros_like(learning.learn), tick=False), noise)

    return base._replace(update=update)


def copied(base: Policy) -> Policy:
    """The state is copied before it is updated."""

    def update(state: ridge.Ridge, learning: Learning, noise: F64) -> ridge.Ridge:
        return ridge.update(ridge.Ridge(*(part.copy() for part in state)), learning, noise)

    return base._replace(update=update)


def renamed(base: Policy) -> Policy:
    """The state has other names, another order, and counts what nobody asks for."""

    def parts(state: Renamed) -> ridge.Ridge:
        return ridge.Ridge(state.packed, state.moments, state.weights)

    def init(n: int) -> Renamed:
        fresh = ridge.init(5, 1.0)(n)
        return Renamed(fresh.theta, fresh.b, fresh.inverse, np.zeros(n))

    def update(state: Renamed, learning: Learning, noise: F64) -> Renamed:
        new = ridge.update(parts(state), learning, noise)
        return Renamed(new.theta, new.b, new.inverse, state.seen + learning.learn)

    score: Any = base.score
    return base._replace(init=init, score=lambda s, batch, noise: score(parts(s), batch, noise), update=update)


def by_sorting(scores: F64, batch: Batch) -> Probs:
    """The best candidate is the first of a stable sort."""
    best = np.argsort(-np.where(batch.mask, scores, -np.inf), axis=0, kind="stable")[0]
    return Probs(1.0 * (np.arange(len(scores))[:, None] == best), np.zeros(scores.shape))


def one_less_the_rest(scores: F64, batch: Batch) -> Probs:
    """The best candidate gets 1 less what the others get."""
    best, K = explore.greedy(scores, batch).total, len(scores)
    explored = np.full(scores.shape, 0.1 / K)
    return Probs(np.where(best > 0.0, 1.0 - 0.1 / K * (K - 1), explored), explored)


def theta_anew(base: Policy) -> Policy:
    """Theta is A^-1 b, computed anew after each update, not moved along."""
    upper = np.triu_indices(base.features.d)

    def update(state: ridge.Ridge, learning: Learning, noise: F64) -> ridge.Ridge:
        new, d = ridge.update(state, learning, noise), base.features.d
        full = np.empty((d, d, new.b.shape[1]))
        full[upper] = full[upper[::-1]] = new.inverse
        return new._replace(theta=np.ascontiguousarray((full * new.b).sum(axis=1)))

    return base._replace(update=update)


def cut(lanes: int) -> Callable[[pytest.MonkeyPatch], Policy | None]:
    """Blocks of so many lanes."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr("oo_sim.gate.measure.LANES", lanes)
        blocks = sys.modules["oo_sim.engine.blocks"]  # the room's name for it is a function
        patch.setattr(blocks, "BLOCK", 2 * lanes)
        patch.setattr(blocks, "GROUP", 1)

    return plant


class Rewrite(NamedTuple):
    """A policy that is held against the baseline of its name, or a patch; and how many threads run it."""

    policy: Policy | None = None
    plant: Callable[[pytest.MonkeyPatch], Any] | None = None
    threads: int = 2
    identical: bool = False


HARMLESS: dict[str, Rewrite] = {
    "blocks of 3 lanes": Rewrite(plant=cut(3), identical=True),
    "blocks of 64 lanes": Rewrite(plant=cut(64), identical=True),
    "blocks of 97 lanes": Rewrite(plant=cut(97), identical=True),
    "one block": Rewrite(threads=1, identical=True),
    "three threads": Rewrite(threads=3, identical=True),
    "linucb: renamed state": Rewrite(renamed(linucb()), identical=True),
    "linucb: copied state": Rewrite(copied(linucb()), identical=True),
    "linucb: best by sorting": Rewrite(linucb()._replace(probs=by_sorting), identical=True),
    "blocks of 31 lanes": Rewrite(plant=cut(31), identical=True),
    "five threads": Rewrite(threads=5, identical=True),
    "linucb: idle updates": Rewrite(idle(linucb()), identical=True),
    "egreedy: idle updates": Rewrite(idle(egreedy()), identical=True),
    "blocks of 11 lanes": Rewrite(plant=cut(11), identical=True),
    "egreedy: 1 - 1e-13": Rewrite(scored(egreedy(), jittered_mean)),
    "egreedy: summed backwards": Rewrite(scored(egreedy(), mean_backwards)),
    "linucb: inverted, copied": Rewrite(on_gram(copied(linucb()), by_inverting, 1.0)),
    "linucb: solved": Rewrite(on_gram(linucb(), by_solving, 1.0)),
    "linucb: inverted": Rewrite(on_gram(linucb(), by_inverting, 1.0)),
    "linucb: Cholesky": Rewrite(on_gram(linucb(), by_cholesky, 1.0)),
    "linucb: eigenvalues": Rewrite(on_gram(linucb(), by_eigenvalues, 1.0)),
    "linucb: summed backwards": Rewrite(scored(linucb(), backwards)),
    "linucb: root of the square": Rewrite(scored(linucb(), root_of_the_square)),
    "linucb: 1 + 1e-13": Rewrite(scored(linucb(), jittered)),
    "linucb: theta anew": Rewrite(theta_anew(linucb())),
    "egreedy: solved": Rewrite(on_gram(egreedy(), by_solving, 0.0)),
    "egreedy: inverted": Rewrite(on_gram(egreedy(), by_inverting, 0.0)),
    "egreedy: Cholesky": Rewrite(on_gram(egreedy(), by_cholesky, 0.0)),
    "egreedy: copied state": Rewrite(copied(egreedy()), identical=True),
    "egreedy: 1 less the rest": Rewrite(egreedy()._replace(probs=one_less_the_rest)),
    "egreedy: theta anew": Rewrite(theta_anew(egreedy())),
}
"""Rewrites; those that are `identical` keep every bit."""
