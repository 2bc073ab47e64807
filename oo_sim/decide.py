"""One decision: encode, score, probabilities, draw. The only place where a candidate is drawn, so that the propensity
that is logged is by construction the one that was drawn with."""

from __future__ import annotations

from typing import Any

import numpy as np

from oo_sim.contract import F64, I64, Batch, Bool, Candidates, Decision, Draws, Policy, Probs, State
from oo_sim.errors import OoSimError
from oo_sim.kernels import choice, philox

_FLOAT = np.dtype(np.float64)


class PolicyError(OoSimError):
    """A policy broke a rule: it raised, or returned something that is not a set of scores or probabilities."""

    exit_code = 1

    def __init__(self, policy: str, what: str, lane: int = 0) -> None:
        super().__init__(f"policy {policy}: {what}")
        self.what, self.lane = what, lane


def encode(policy: Policy, candidates: Candidates) -> F64:
    """The candidates' features x (K, d, n) under the policy's feature map."""
    K, n = candidates.mask.shape
    x = np.empty((K, policy.features.d, n))
    policy.features.encode(candidates, x)
    return x


def decide(
    policy: Policy, state: State, candidates: Candidates, t: I64, draws: Draws, x: F64 | None = None
) -> Decision:
    """Choose one candidate in each lane.

    `t` (n,) counts each lane's decisions under this policy; `x` (K, d, n), where given, is memory to encode into.
    Raises PolicyError, naming the lane, where scores or probabilities break a rule.
    """
    if x is None:
        x = encode(policy, candidates)
    else:
        policy.features.encode(candidates, x)
    batch = Batch(x, candidates.mask, t)
    shape = candidates.mask.shape
    scores = _plain(
        policy, "score", policy.score(state, batch, draws.uniforms(philox.SCORE, t, policy.noise[0])), shape
    )
    probs = policy.probs(scores, batch)
    if not isinstance(probs, Probs):
        raise PolicyError(policy.name, f"probs returned {type(probs).__name__}, not Probs(total, explored)")
    total = _plain(policy, "probs", probs.total, shape)
    explored = _plain(policy, "probs", probs.explored, shape)
    n = shape[1]
    chosen, propensity, score = np.empty(n, np.int64), np.empty(n), np.empty(n)
    flag = np.empty(n, np.bool_)
    uniform = draws.uniforms(philox.DECIDE, t, 2)
    if choice.draw(total, explored, scores, candidates.mask, uniform, chosen, propensity, score, flag):
        raise PolicyError(policy.name, *_first_fault(scores, total, explored, candidates.mask))
    return Decision(x, total, chosen, propensity, score, flag)


def _plain(policy: Policy, what: str, array: Any, shape: tuple[int, ...]) -> F64:
    """A policy's array as the kernels require it: float64, of the right shape, in C order."""
    if type(array) is np.ndarray and array.dtype == _FLOAT and array.shape == shape and array.flags.c_contiguous:
        return array
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.shape != shape:
        got = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise PolicyError(policy.name, f"{what} returned {got}, not float64 of shape (candidates, lanes) = {shape}")
    return np.ascontiguousarray(array, dtype=np.float64)


def _first_fault(scores: F64, total: F64, explored: F64, mask: Bool) -> tuple[str, int]:
    """Which rule is broken, and the first lane in which it is."""
    rules = (
        ("a score that is not finite", (~np.isfinite(scores) & mask).any(axis=0)),
        ("a probability that is not a number", (np.isnan(total) | np.isnan(explored)).any(axis=0)),
        ("a negative probability", ((total < 0) | (explored < 0)).any(axis=0)),
        ("weight on a masked candidate", (((total != 0) | (explored != 0)) & ~mask).any(axis=0)),
        ("more exploration than probability", (explored > total).any(axis=0)),
        ("probabilities that do not sum to 1", ~(np.abs(total.sum(axis=0) - 1) <= choice.SUM_TOLERANCE)),
    )
    for what, lanes in rules:
        if lanes.any():
            lane = int(np.argmax(lanes))
            return f"{what}: scores {scores[:, lane]}, probabilities {total[:, lane]}", lane
    return "probabilities that break a rule", 0
