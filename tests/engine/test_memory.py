"""What a block remembers: rounds that are played in two stretches are those that are played in one, lane by lane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from oo_sim.contract import I64, Learning, Policy, World
from oo_sim.engine import Begin, Memory, Result, run_policy
from oo_sim.engine.memory import LOOP
from oo_sim.policies import POLICIES, make
from oo_sim.worlds import build

from .test_tile import VARIANTS, WORLDS, policy_for

ROUNDS, HALF = 11, 5


def played(world: World, policy: Policy, rounds: int, block: int, begin: Result | None = None, **more: Any) -> Result:
    """Ten users' rounds, all of them or those after what is there."""
    marks = [mark for mark in (3, HALF, 9, ROUNDS) if mark <= rounds and (begin is None or mark > HALF)]
    start = begin and Begin(Memory(HALF, begin.by, begin.words[0]), begin.hashes[0])
    sizes = {"seed": 4, "users": 10, "first": 3, "replicate": 1, "threads": 1, "hashed": True, "remembers": True}
    return run_policy(world, policy, rounds=rounds, block=block, marks=marks, begin=start, **(sizes | more))


def assert_goes_on(world: World, policy: Policy) -> None:
    """In blocks of other sizes, in the first of which a lane's number is also that of some array's rows."""
    whole = played(world, policy, ROUNDS, 64)
    first = played(world, policy, HALF, 64)
    then = played(world, policy, ROUNDS, 64, first)
    assert first.by == then.by == LOOP
    assert len(first.words[0])
    np.testing.assert_array_equal(np.concatenate([first.sums, then.sums], axis=1), whole.sums)
    np.testing.assert_array_equal(np.concatenate([first.totals, then.totals], axis=1), whole.totals)
    np.testing.assert_array_equal(then.hashes, whole.hashes)


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_goes_on(name: str) -> None:
    assert_goes_on(build(WORLDS[name]), make("linucb", {}, build(WORLDS[name]).features))


@pytest.mark.parametrize("name", ["one task", "gaussian", "late"])
def test_every_policy_goes_on(name: str) -> None:
    world = build(WORLDS[name])
    for text in [*POLICIES, *VARIANTS]:
        if (policy := policy_for(world, text)) is not None:
            assert_goes_on(world, policy)


def test_users_go_on_in_blocks_of_other_sizes_and_on_other_processes() -> None:
    world, policy = build(WORLDS["late"]), make("thompson")
    sizes: dict[str, Any] = {"users": 200, "first": 0}
    whole, first = (played(world, policy, rounds, 1600, **sizes) for rounds in (ROUNDS, HALF))
    for more in ({"block": 64}, {"threads": 2}, {"threads": 2, "fork": True}):
        then = played(world, policy, ROUNDS, begin=first, **({"block": 320} | sizes | more))
        np.testing.assert_array_equal(np.concatenate([first.totals, then.totals], axis=1), whole.totals)
        np.testing.assert_array_equal(then.words, whole.words)


class Counting(NamedTuple):
    """A state with something else than lanes in it."""

    theta: Any
    other: Any


@pytest.mark.parametrize(
    "other", [lambda n: 0, lambda n: np.zeros(3), lambda n: {"a": np.zeros(n)}, lambda n: np.zeros(n, np.int64)]
)
def test_what_cannot_be_kept_is_not(other: Callable[[int], Any]) -> None:
    """The last one's state becomes one of another type."""

    def update(state: Counting, learning: Learning, noise: Any) -> Counting:
        return state._replace(other=state.other * 1.0 if isinstance(state.other, np.ndarray) else state.other)

    plain = make("random")
    policy = plain._replace(init=lambda n: Counting(np.zeros((2, n)), other(n)), update=update, lanes=None)
    found = played(build(WORLDS["mixed"]), policy, HALF, 64)
    assert found.words.shape == (1, 0, 10)


def test_words_are_those_of_each_user() -> None:
    world, policy = build(WORLDS["backlog"]), make("linucb")
    whole: I64 = played(world, policy, HALF, 64).words
    alone = played(world, policy, HALF, 64, users=1, first=7).words
    np.testing.assert_array_equal(alone, whole[..., 4:5])
