"""The textbook linear world: mean reward x' theta, one theta a user (Abbasi-Yadkori et al. 2011, sec. 2)."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, Candidates, Decision, Lanes, Offer, Response, Tiles, World
from oo_sim.features import FEATURES, raw
from oo_sim.kernels import philox, vectors
from oo_sim.kernels.draws import LaneDraws
from oo_sim.kernels.tile.instances import Users
from oo_sim.kernels.tile.writing import Scene
from oo_sim.scenario import LinearWorld

_NO_REACTIONS = -1
_FARTHEST = 9.0  # standard deviations: no addressed normal draw lies beyond


class LinearState(NamedTuple):
    """The lanes' draws, their round (n,), their theta (d, n), and memory for what is offered in a round."""

    draws: LaneDraws
    rounds: I64
    theta: F64
    candidates: Candidates
    expected: F64
    best: F64


def _scale(spec: LinearWorld) -> float:
    """Units fine enough, and coarse enough that sums over ten million users cannot overflow."""
    norm = 1.0 if spec.contexts == "ball" else _FARTHEST
    bound = spec.theta_norm * norm + (_FARTHEST * spec.noise_sd if spec.noise == "gaussian" else 1.0)
    return 2.0 ** (36 - max(0, math.ceil(math.log2(max(bound, 1.0)))))


def thetas(spec: LinearWorld, lanes: Lanes) -> F64:
    """Each user's theta (d, n): uniform on the sphere of radius `theta_norm`, the same in all replicates."""
    theta = LaneDraws.of_population(lanes).normals(philox.PREFERENCE, np.zeros(lanes.n, np.int64), spec.dimension)
    theta *= spec.theta_norm / np.sqrt(np.sum(theta * theta, axis=0))
    return theta


def _scene(spec: LinearWorld) -> Scene:
    return Scene(spec.contexts, spec.candidates, 0, spec.dimension, bernoulli=spec.noise == "bernoulli")


def _tiled(spec: LinearWorld, lanes: Lanes) -> Users:
    nothing = np.zeros(0)
    numbers: dict[str, float | F64] = {"root": math.sqrt(spec.dimension), "noise_sd": float(spec.noise_sd)}
    return Users(thetas(spec, lanes), np.zeros((0, 0)), nothing, nothing, numbers)


def build(spec: LinearWorld) -> World:
    """The world of K candidates with d numbers each."""
    K, d = spec.candidates, spec.dimension
    features = {"raw": raw(d), "none": FEATURES["none"], "truth": FEATURES["truth"]}

    def init(lanes: Lanes) -> LinearState:
        n, theta = lanes.n, thetas(spec, lanes)
        zeros, calendar, expected = np.zeros((K, n)), np.zeros(n, np.int64), np.empty((K, n))
        candidates = Candidates(
            is_overdue=zeros,
            task_age_days=zeros,
            priority=np.ones((K, n)),
            is_llm=zeros,
            hour=calendar,
            day=calendar,
            mask=np.ones((K, n), np.bool_),
            serial=np.full((K, n), -1),
            truth=expected,
            vectors=np.empty((K, d, n)),
        )
        return LinearState(LaneDraws.of(lanes), np.zeros(n, np.int64), theta, candidates, expected, np.empty(n))

    def observe(state: LinearState, t: int) -> Offer:
        x = state.candidates.vectors
        assert x is not None
        state.rounds[:] = t
        if spec.contexts == "ball":
            normals = state.draws.normals(philox.VECTOR, state.rounds, K * (d + 2))
            vectors.ball(normals.reshape(K, d + 2, -1), x)
        else:
            x[:] = state.draws.normals(philox.VECTOR, state.rounds, K * d).reshape(x.shape) / math.sqrt(d)
        vectors.linear_rewards(state.theta, x, state.expected, state.best)
        return Offer(state.candidates, state.expected, state.best)

    def respond(state: LinearState, t: int, decision: Decision) -> tuple[Response, LinearState]:
        n = len(decision.chosen)
        mean = state.expected[decision.chosen, np.arange(n)]
        if spec.noise == "gaussian":
            reward = mean + spec.noise_sd * state.draws.normals(philox.NOISE, state.rounds, 1)[0]
        else:
            reward = np.where(state.draws.uniforms(philox.NOISE, state.rounds, 1)[0] < (1.0 + mean) / 2.0, 1.0, -1.0)
        return Response(_silent(n), reward, np.ones(n, np.bool_)), state

    return World(
        name="linear",
        arms=K,
        features=features,
        default_features="raw",
        own_trajectory=False,
        has_reactions=False,
        init=init,
        observe=observe,
        respond=respond,
        scale=_scale(spec),
        tile=Tiles(_scene(spec), partial(_tiled, spec), (observe, respond)),
    )


def _silent(n: int) -> I64:
    return np.full(n, _NO_REACTIONS)
