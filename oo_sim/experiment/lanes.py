"""Private policies are tried out before they run: what they do in a lane must depend on that lane alone.

A policy whose lanes interact, or that draws numbers by itself, gives other results with other numbers of workers or
blocks of users, and nobody would notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, Batch, Bool, Decision, Lanes, Learned, Offer, State, World
from oo_sim.engine import Block, RoundError, simulate
from oo_sim.entrants import Entrant, entrants
from oo_sim.errors import UnknownPolicyError

LANES, ROUNDS = 8, 12
_ALL = tuple(range(LANES))


class Seen(NamedTuple):
    """What a policy did in all rounds: scores (T, K, n), nan where no candidate stands, probabilities (T, K, n) and
    choices (T, n)."""

    score: F64
    probs: F64
    chosen: I64


class _Eye:
    """An observer that keeps what was decided."""

    def __init__(self) -> None:
        self.rounds: list[tuple[F64, I64]] = []

    def decided(self, t: I64, offer: Offer, decision: Decision, active: Bool) -> None:
        """Keep a round."""
        self.rounds.append((decision.probs.copy(), decision.chosen.copy()))

    def learned(self, learned: Learned) -> None:
        """What is learned shows in later decisions."""


def check(world: World, taking_part: Sequence[Entrant], seed: int) -> None:
    """Try every private policy out. Raises UnknownPolicyError as `_check` does."""
    for each in taking_part:
        if not each.built_in:
            _check(world, each, seed)


def _check(world: World, entrant: Entrant, seed: int) -> None:
    """Raise UnknownPolicyError where a policy's lanes interact, or where it is not the same a second time.

    A few lanes are played for a few rounds: as they are, again, in another order, and in two halves. A policy that
    fails at that is left to fail in its run, which says where.
    """
    fresh = entrants(world, [entrant.name])[0] if entrant.made == "factory" else entrant
    try:
        plain = _played(world, fresh, seed, _ALL)
        again = _played(world, fresh, seed, _ALL)
        turned = _played(world, fresh, seed, _ALL[::-1])
        halves = [_played(world, fresh, seed, half) for half in (_ALL[: LANES // 2], _ALL[LANES // 2 :])]
    except RoundError:
        return
    joined = Seen._make(np.concatenate(parts, axis=-1) for parts in zip(*halves, strict=True))
    for other, how, why in (
        (again, "a second time", _REMEMBERS),
        (
            Seen(turned.score[..., ::-1], turned.probs[..., ::-1], turned.chosen[..., ::-1]),
            "with its lanes in another order",
            _INTERACT,
        ),
        (joined, "with its lanes in two halves", _INTERACT),
    ):
        _compare(entrant.label, plain, other, how, why)


_REMEMBERS = "it draws numbers or keeps something by itself: take numbers from `noise`, and keep things in the state"
_INTERACT = (
    "its lanes interact, so results would depend on the number of workers: compute along the last axis lane by lane, "
    "and write sums over other axes out instead of `@`, which rounds by the number of lanes"
)


def _played(world: World, entrant: Entrant, seed: int, pick: Sequence[int]) -> Seen:
    """Also the scores of what was not chosen: a policy shows them to nobody else."""
    users, policy, scores = Block(0, 0, LANES).lanes(seed).users, entrant.policy, []

    def score(state: State, batch: Batch, noise: F64) -> F64:
        found = policy.score(state, batch, noise)
        scores.append(np.where(batch.mask, found, np.nan)[:, : len(pick)])
        return found

    lanes, eye = Lanes(np.ascontiguousarray(users[list(pick)]), 0, seed, 0), _Eye()
    with np.errstate(all="ignore"):
        simulate(world, policy._replace(score=score), lanes, len(pick), ROUNDS, [ROUNDS], eye)
    return Seen(np.stack(scores), *(np.stack(parts) for parts in zip(*eye.rounds, strict=True)))


def _compare(label: str, plain: Seen, other: Seen, how: str, why: str) -> None:
    """Refuse the first round in which something differs in some lane."""
    for name, a, b in zip(Seen._fields, plain, other, strict=True):
        differs = ~((a == b) | (np.isnan(a) & np.isnan(b))) if a.dtype.kind == "f" else a != b
        if differs.any():
            t = int(np.flatnonzero(differs.reshape(ROUNDS, -1).any(axis=1))[0])
            place = tuple(np.argwhere(differs[t])[0])
            was, is_ = a[t][place], b[t][place]
            raise UnknownPolicyError(
                f"policy {label}: {how}, its {name} in round {t + 1} of user-{place[-1]} is {is_} instead of "
                f"{was}: {why}. To run it anyway: unchecked=True (--unchecked)"
            )
