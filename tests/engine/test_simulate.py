"""The loop and its blocks: what is summed, what is watched, how work is cut, and how it ends early."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from oo_sim.contract import NO_REACTION, REWARDS, Policy
from oo_sim.engine import Block, RoundError, blocks, checkpoints, run_policy, simulate
from oo_sim.engine.run import Tally
from oo_sim.kernels.tally import DECIDED
from oo_sim.policies import make
from oo_sim.scenario import load
from oo_sim.worlds import build

from .cases import Watch

WORLD = build(load("quickstart"))
USERS, ROUNDS = 6, 7


def watched(policy: Policy) -> tuple[Tally, Watch]:
    watch = Watch()
    lanes = Block(0, 0, USERS).lanes(3)
    return simulate(WORLD, policy, lanes, USERS, ROUNDS, checkpoints(ROUNDS), observer=watch), watch


def test_sums_and_totals_are_what_was_seen() -> None:
    tally, watch = watched(make("linucb"))
    scale = WORLD.scale
    for t, (row, lesson) in enumerate(zip(watch.rows, watch.lessons, strict=True)):
        value = np.trunc(row.got * scale)
        columns = [lesson.learning.reward * scale, value, np.trunc(row.best * scale) - value]
        assert tally.sums[t, :3].tolist() == [int(column.sum()) for column in columns]
        assert tally.sums[t, 3:9].tolist() == np.bincount(lesson.reaction, minlength=6).tolist()
    assert tally.sums[:, 3:9].sum(axis=1).tolist() == [USERS] * ROUNDS
    assert tally.sums[:, DECIDED].tolist() == [USERS] * ROUNDS
    for mark, total in zip(checkpoints(ROUNDS), tally.totals, strict=True):
        reward = np.sum([lesson.learning.reward for lesson in watch.lessons[:mark]], axis=0)
        np.testing.assert_array_equal(total[0] / scale, reward)


def test_what_is_learned_is_what_was_chosen_and_answered() -> None:
    _, watch = watched(make("egreedy"))
    for t, (row, lesson) in enumerate(zip(watch.rows, watch.lessons, strict=True)):
        learning = lesson.learning
        np.testing.assert_array_equal(learning.x, row.x)
        np.testing.assert_array_equal(learning.reward, np.array([*REWARDS, 0.0])[lesson.reaction])
        np.testing.assert_array_equal(learning.learn, lesson.reaction < NO_REACTION)
        for moment in (row.t, learning.t_decided, learning.t_now):
            assert (moment == t).all()
        assert learning.tick


def test_checkpoints_are_log_spaced_and_end_with_the_last_round() -> None:
    assert checkpoints(1) == [1]
    assert checkpoints(2) == [1, 2]
    assert checkpoints(99) == [1, 2, 5, 10, 20, 50, 99]
    assert checkpoints(1_000_000)[-2:] == [500_000, 1_000_000]


def test_checkpoints_may_end_before_the_rounds_do() -> None:
    lanes = Block(0, 0, 3).lanes(3)
    tally = simulate(WORLD, make("random"), lanes, 3, 5, [2])
    assert tally.totals.shape == (1, 4, 3)
    np.testing.assert_array_equal(tally.totals[0, :3].sum(axis=1), tally.sums[:2, :3].sum(axis=0))


@pytest.mark.parametrize("users", [1, 63, 64, 65, 1000])
@pytest.mark.parametrize("block", [1, 64, 100, 1000, 5000])
def test_blocks_part_the_users_at_multiples_of_64(users: int, block: int) -> None:
    cut = list(blocks(users, 2, block))
    for replicate in (0, 1):
        mine = [part for part in cut if part.replicate == replicate]
        assert [j for part in mine for j in range(part.first, part.first + part.users)] == list(range(users))
        assert all(part.first % 64 == 0 for part in mine)
    assert max(part.users for part in cut) <= max(64, block + 96)


def test_a_lone_user_stands_twice_and_counts_once() -> None:
    lanes = Block(0, 128, 1).lanes(3)
    assert lanes.n == 2
    assert lanes.users[0] == lanes.users[1]
    one = run_policy(WORLD, make("linucb"), seed=3, users=1, rounds=5)
    many = run_policy(WORLD, make("linucb"), seed=3, users=65, rounds=5)
    np.testing.assert_array_equal(one.totals[0, :, :, 0], many.totals[0, :, :, 0])
    assert one.sums[0, :, 3:9].sum(axis=1).tolist() == [1] * 5


def test_progress_adds_up_to_all_decisions() -> None:
    heard: list[int] = []
    run_policy(WORLD, make("random"), seed=1, users=150, rounds=37, replicates=2, threads=2, progress=heard.append)
    assert sum(heard) == 150 * 37 * 2
    assert min(heard) > 0


def failing(at: Callable[[int, np.ndarray[Any, Any]], bool]) -> Policy:
    """A random policy whose probabilities turn wrong in some round, for some lanes' first features."""
    sound = make("random")

    def probs(scores: Any, batch: Any) -> Any:
        out = sound.probs(scores, batch)
        if at(int(batch.t[0]), scores):
            return out._replace(total=out.total * 0.5)
        return out

    return sound._replace(probs=probs)


@pytest.mark.parametrize(("threads", "block"), [(1, 64), (2, 64), (2, 1000)])
def test_the_first_round_and_user_to_fail_are_named_whatever_the_threads(threads: int, block: int) -> None:
    with pytest.raises(RoundError) as failure:
        run_policy(WORLD, failing(lambda t, _: t == 4), seed=1, users=200, rounds=9, threads=threads, block=block)
    assert (failure.value.t, failure.value.user) == (4, 0)


def test_an_exception_in_progress_stops_all_threads_and_reaches_the_caller() -> None:
    class EnoughError(Exception):
        """Raised by the caller's own code."""

    def progress(decisions: int) -> None:
        raise EnoughError

    before = threading.active_count()
    with pytest.raises(EnoughError):
        run_policy(WORLD, make("random"), seed=1, users=500, rounds=10_000, threads=2, progress=progress)
    assert threading.active_count() == before


def test_observers_see_every_block_once_and_are_closed() -> None:
    opened, closed = [], []

    class Watch(nullcontext[None]):
        def __init__(self, part: Block) -> None:
            super().__init__()
            opened.append(part)

        def __exit__(self, *_: object) -> None:
            closed.append(self)

    run_policy(WORLD, make("random"), seed=1, users=130, rounds=2, replicates=2, threads=2, block=64, watch=Watch)
    assert sorted(opened) == list(blocks(130, 2, 64))
    assert len(closed) == 6
