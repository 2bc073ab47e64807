"""Faults in the parts under the policies: kernels, the draw, the log, and how rewards are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mutants.faults import Entrant, Mutant
from oo_sim.contract import F64, NO_REACTION, Bool, Decision, Response
from oo_sim.kernels import philox

Plant = Callable[[pytest.MonkeyPatch], Entrant]


def wrapped(target: str, policy: str, around: Callable[..., Any]) -> Plant:
    """Replace a function by `around(function, *its arguments)`."""

    def plant(patch: pytest.MonkeyPatch) -> Entrant:
        module, _, name = target.rpartition(".")
        original = getattr(__import__(module, fromlist=[name]), name)
        patch.setattr(target, lambda *given, **named: around(original, *given, **named))
        return policy

    return plant


def logged(policy: str, fault: Callable[[Decision], Decision]) -> Plant:
    """Decisions that are logged otherwise than they were made."""
    return wrapped("oo_sim.engine.run.decide", policy, lambda decide, *given: fault(decide(*given)))


def served_next(draw: Any, total: F64, explored: F64, scores: F64, *rest: Any) -> int:
    """The candidate after the one that was drawn is served, and logged with its own probability and score."""
    bad: int = draw(total, explored, scores, *rest)
    _, _, index, propensity, score, _ = rest
    index[:] = (index + 1) % len(total)
    lanes = np.arange(len(index))
    propensity[:], score[:] = total[index, lanes], scores[index, lanes]
    return bad


def rewarded(fault: Callable[[Response], Response]) -> Plant:
    """A world that makes other rewards of its users' reactions."""

    def around(respond: Any, *given: Any) -> Any:
        response, state = respond(*given)
        return fault(response), state

    return wrapped("oo_sim.worlds.tips._respond", "linucb", around)


def decide_draws(fault: Callable[[F64], F64]) -> Plant:
    """Other uniforms to decide with."""

    def around(uniforms: Any, draws: Any, purpose: np.uint64, *address: Any) -> Any:
        drawn = uniforms(draws, purpose, *address)
        return np.ascontiguousarray(fault(drawn)) if purpose == philox.DECIDE else drawn

    def plant(patch: pytest.MonkeyPatch) -> Entrant:
        from oo_sim.kernels.draws import LaneDraws  # noqa: PLC0415 (the class that is patched)

        original = LaneDraws.uniforms
        patch.setattr(LaneDraws, "uniforms", lambda *given: around(original, *given))
        return "egreedy"

    return plant


def too_long(update: Any, inverse: F64, b: F64, theta: F64, x: F64, reward: F64, learn: Bool) -> None:
    """Sherman-Morrison with a vector that is 0.5 % too long."""
    update(inverse, b, theta, 1.005 * x, reward, learn)


def half_variance(quadratic: Any, inverse: F64, x: F64, variance: F64) -> None:
    """x' A^-1 x without its factor of 2."""
    quadratic(inverse, x, variance)
    variance *= 0.5


def second_best(explorer: Any, scores: F64, mask: Bool, epsilon: F64, total: F64, explored: F64) -> None:
    """An argmax that starts at the second candidate."""
    cut = scores.copy()
    cut[0] = scores.min() - 1.0
    explorer(cut, mask, epsilon, total, explored)


def age_in_weeks(encode: Any, hour: Any, overdue: F64, age: F64, priority: F64, x: F64) -> None:
    """Ages in other units."""
    encode(hour, overdue, age / 7.0, priority, x)


def forgetful(update: Any, inverse: F64, b: F64, theta: F64, x: F64, reward: F64, learn: Bool) -> None:
    """The last lane of each block is left out, as a loop to n - 1 does."""
    some = learn.copy()
    some[-1] = False
    update(inverse, b, theta, x, reward, some)


PATCHES: dict[str, Mutant] = {
    "kernel: update with a longer vector": Mutant(
        "linucb", "score", wrapped("oo_sim.kernels.ridge.ridge_update", "linucb", too_long)
    ),
    "kernel: variance halved": Mutant(
        "linucb", "score", wrapped("oo_sim.kernels.ridge.ridge_variance", "linucb", half_variance)
    ),
    "kernel: argmax from the second on": Mutant(
        "linucb", "argmax", wrapped("oo_sim.kernels.choice.epsilon_greedy", "linucb", second_best)
    ),
    "kernel: age in weeks": Mutant(
        "linucb", "features", wrapped("oo_sim.kernels.encode.encode_oo5", "linucb", age_in_weeks)
    ),
    "kernel: last lane left out": Mutant(
        "linucb", "score", wrapped("oo_sim.kernels.ridge.ridge_update", "linucb", forgetful)
    ),
    "draw: uniforms turned round": Mutant("egreedy", "draw", decide_draws(lambda u: 1.0 - 2.0**-53 - u)),
    "draw: both uniforms the same": Mutant("egreedy", "explored", decide_draws(lambda u: u[[0, 0]])),
    "draw: the next candidate served": Mutant(
        "egreedy", "draw", wrapped("oo_sim.kernels.choice.draw", "egreedy", served_next)
    ),
    "log: propensity halved": Mutant(
        "egreedy", "propensity", logged("egreedy", lambda d: d._replace(propensity=0.5 * d.propensity))
    ),
    "log: exploration flag turned round": Mutant(
        "egreedy", "explored", logged("egreedy", lambda d: d._replace(explored=~d.explored))
    ),
    "log: features are not those used": Mutant(
        "linucb", "features", logged("linucb", lambda d: d._replace(x=np.roll(d.x, 1, axis=1)))
    ),
    "log: score of another user": Mutant(
        "linucb", "score", logged("linucb", lambda d: d._replace(score=np.roll(d.score, 1)))
    ),
    "rewards: helpful and done swapped": Mutant(
        "linucb", "reward", rewarded(lambda r: r._replace(reward=np.where(r.reward > 0, 1.5 - r.reward, r.reward)))
    ),
    "rewards: clipped at 0": Mutant(
        "linucb", "reward", rewarded(lambda r: r._replace(reward=np.maximum(r.reward, 0.0)))
    ),
    "rewards: of another user": Mutant("linucb", "reward", rewarded(lambda r: r._replace(reward=np.roll(r.reward, 1)))),
    "rewards: silence is learned from": Mutant(
        "linucb", "reward", rewarded(lambda r: r._replace(learn=(r.reaction == NO_REACTION) | r.learn))
    ),
}
"""Faults under the policies; those that are planted below a policy keep its compiled code."""
