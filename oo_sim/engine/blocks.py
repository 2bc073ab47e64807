"""Blocks of lanes, at work side by side. Results do not depend on it: draws are addressed and sums are integers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import numpy as np

from oo_sim.contract import I64, MIN_LANES, U64, Lanes, Policy, World
from oo_sim.engine import forks, tile
from oo_sim.engine.hashes import Hashing
from oo_sim.engine.memory import LOOP, Layout, Memory, UnkeptError
from oo_sim.engine.run import InterruptedRunError, Observer, RoundError, Tally, simulate
from oo_sim.engine.tile import interpreted
from oo_sim.kernels.draws import hash_users
from oo_sim.kernels.tally import SUMS, TOTALS

BLOCK = 1600
"""The most lanes in a block, if not told otherwise: enough to make calls cheap, and few enough for the caches; half as
many where features are wide, and where what is decided is hashed: it is looked at a second time."""
_WIDE = 12
GROUP = 64
"""Blocks are cut at multiples of this many users, so that logs can be written group by group whatever the block."""
_REPORT_ROUNDS = 16


class Block(NamedTuple):
    """`users` users from the user with serial number `first` on, in one replicate."""

    replicate: int
    first: int
    users: int

    @property
    def user_ids(self) -> list[str]:
        """The ids of the block's users."""
        return [f"user-{j}" for j in range(self.first, self.first + self.users)]

    def lanes(self, seed: int) -> Lanes:
        """The block's lanes; a lone user stands twice, because no policy is called with one lane."""
        users = hash_users(self.user_ids)
        return Lanes(np.resize(users, max(self.users, MIN_LANES)), self.first, seed, self.replicate)


class Result(NamedTuple):
    """What one policy earned, in whole multiples of 1 / world.scale: sums (replicates, rounds, SUMS), totals at the
    checkpoints (replicates, C, TOTALS, users); and where it was asked for, hashes of all that was decided for each user
    and learned from them (replicates, users), otherwise (replicates, 0), and what users remember (replicates, rows,
    users), otherwise without rows; and who made the decisions, `memory.LOOP` or an instance of the tile."""

    sums: I64
    totals: I64
    hashes: U64
    words: I64
    by: str


Watch = Callable[[Block], AbstractContextManager[Observer | None]]
"""Opens an observer for a block; it is closed when the block is done."""


def checkpoints(rounds: int) -> list[int]:
    """1, 2, 5, 10, 20, 50, ... and the last round."""
    marks = [m * 10**e for e in range(7) for m in (1, 2, 5)]
    return [*(m for m in marks if m < rounds), rounds]


def blocks(users: int, replicates: int, block: int) -> Iterator[Block]:
    """Cut the users of every replicate into blocks of about `block` lanes.

    It is an odd multiple of `GROUP`: rows that lie a large power of two apart would fall into the same few cache lines,
    which halves the speed.
    """
    size = (-(-block // GROUP) | 1) * GROUP
    for replicate in range(replicates):
        for first in range(0, users, size):
            yield Block(replicate, first, min(size, users - first))


def run_policy(
    world: World,
    policy: Policy,
    *,
    seed: int,
    users: int,
    rounds: int,
    replicates: int = 1,
    threads: int | None = None,
    block: int | None = None,
    marks: Sequence[int] | None = None,
    watch: Watch | None = None,
    progress: Callable[[int], None] | None = None,
    fork: bool = False,
    first: int = 0,
    replicate: int = 0,
    hashed: bool = False,
    begin: Begin | None = None,
    remembers: bool = False,
) -> Result:
    """Run one policy over all users and replicates, `threads` blocks at a time; both are counted from `first` and
    `replicate` on.

    They are at work on threads, at full speed where compiled tiles play them. Elsewhere, with `fork` and where the
    system can, they are on forked processes, which are about as many times faster as there are cores; on one thread
    where there is too little to do. Only a world and a policy that hold no threads, locks or files of their own may be
    forked, and nobody can `watch` it. With `hashed`, the result has a hash of all that was decided for each user and
    learned from them: whole numbers that come back from processes too. With `begin`, what the same users remembered
    after some rounds of the replicate, those rounds are not played again: sums, and checkpoints, are of the rest. With
    `remembers`, the result says what they remember at the end, unless that cannot be kept.

    `progress` hears, from any thread, how many more decisions are made. Raises RoundError, that of the first round and
    user to fail, when the policy fails: it is the same for any number of threads and size of blocks. What `progress`
    raises, and an exception in the calling thread (such as Ctrl-C), stops all work and reaches the caller.
    """
    marks = marks or checkpoints(rounds)
    past, memory = (begin.memory.rounds, begin.memory) if begin else (0, None)
    forkable = fork and watch is None and forks.possible()
    decisions = users * replicates * rounds
    little = forkable and users * replicates * (rounds - past) < forks.LEAST
    threads = 1 if little else threads or forks.cores()
    most = BLOCK // (1 + (policy.features.d >= _WIDE)) // (1 + hashed)
    block = block or _lanes(users * replicates, threads, most)
    parts = list(blocks(users, replicates, block))
    tiled = watch is None and not hashed and interpreted(world, policy, decisions) is None
    by = memory.by if memory else tile.name(world, policy) if tiled else LOOP
    rows = remembered(world, policy, by) + 1 if remembers else 0  # the last says who remembers
    fork = forkable and by == LOOP
    told = _Told(progress or (lambda decisions: None))

    def simulated(part: Block, ticked: Callable[[int], None]) -> tuple[Tally, U64]:
        placed = Block(replicate + part.replicate, first + part.first, part.users)
        some = slice(part.first, part.first + part.users)
        hashes = np.zeros(part.users if hashed else 0, np.uint64)
        if begin and hashed:
            hashes[:] = begin.hashes[some]
        with watch(placed) if watch else nullcontext() as observer:
            seen = Hashing(hashes, observer) if hashed else observer
            lanes = placed.lanes(seed)
            here = memory and memory._replace(words=memory.words[:, some])
            sizes = part.users, rounds, marks
            return simulate(world, policy, lanes, *sizes, seen, ticked, decisions, here, rows > 1), hashes

    left = rounds - past
    sums, totals = (replicates, left, len(SUMS)), (replicates, len(marks), len(TOTALS), users)
    hashes, words = (replicates, users if hashed else 0), (replicates, rows, users)
    if fork and min(threads, len(parts)) > 1:
        kept = forks.shared(*hashes).view(np.uint64), forks.shared(*words)
        result = Result(forks.shared(*sums), forks.shared(*totals), *kept, by)
        if _on_processes(threads, parts, left, simulated, result, told):
            return _remembering(result)
    fresh = np.zeros(hashes, np.uint64), np.zeros(words, np.int64)
    result = Result(np.zeros(sums, np.int64), np.empty(totals, np.int64), *fresh, by)
    _on_threads(threads, parts, left, simulated, result, told)
    return _remembering(result)


def _remembering(result: Result) -> Result:
    """What users remember, without the row that says who does; nothing where some do not."""
    words = result.words[:, :-1]
    return result._replace(words=words if result.words[:, -1:].all() else words[:, :0])


class Begin(NamedTuple):
    """What users remember, and the hashes (users,) of what was decided for them so far, if they were asked for."""

    memory: Memory
    hashes: U64


def can_go_on(world: World, policy: Policy, by: str) -> bool:
    """Whether what was remembered by the loop, or by an instance of the tile, can be gone on with here."""
    return by == LOOP or (by == tile.name(world, policy) and interpreted(world, policy, tile.LEAST_COMPILED) is None)


def remembered(world: World, policy: Policy, by: str) -> int:
    """How many words of eight bytes a user remembers; 0 where they cannot be kept."""
    try:
        return Layout(world, policy).rows if by == LOOP else tile.rows(world, policy)
    except UnkeptError:
        return 0


def _lanes(users: int, threads: int, most: int) -> int:
    """How many lanes a block has so that every thread has as many blocks as the others, of at most `most` lanes."""
    turns = -(-users // (most * threads))
    return -(-users // (turns * threads))


class _Told:
    """Passes on how many more decisions are made, each once: what failed on processes is done again on threads."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self._progress, self._told = progress, 0

    def __call__(self, decisions: int) -> None:
        """`decisions` are made in all."""
        if decisions > self._told:
            more, self._told = decisions - self._told, decisions
            self._progress(more)


_Simulated = Callable[[Block, Callable[[int], None]], tuple[Tally, U64]]


def _put(result: Result, part: Block, tally: Tally, hashes: U64) -> None:
    result.sums[part.replicate] += tally.sums
    result.totals[part.replicate, :, :, part.first : part.first + part.users] = tally.totals
    result.hashes[part.replicate, part.first : part.first + len(hashes)] = hashes
    if tally.words is not None:
        here = result.words[part.replicate, :, part.first : part.first + part.users]
        here[:-1], here[-1] = tally.words, 1


def _due(done: int, rounds: int) -> int:
    """How many rounds are to be reported when `done` are over."""
    return (done - 1) % _REPORT_ROUNDS + 1 if done % _REPORT_ROUNDS == 0 or done == rounds else 0


def _on_processes(
    workers: int, parts: Sequence[Block], rounds: int, simulated: _Simulated, result: Result, told: _Told
) -> bool:
    """Whether all went well. A failure is not told apart here: done again on threads, it is the same."""
    made, lock, parent = forks.shared(1), forks.shared_lock(), os.getpid()

    def work(j: int) -> None:
        def ticked(done: int) -> None:
            if fresh := _due(done, rounds):
                if os.getppid() != parent:
                    raise InterruptedRunError  # nobody waits for it any more
                with lock:
                    made[0] += parts[j].users * fresh

        found = simulated(parts[j], ticked)
        with lock:
            _put(result, parts[j], *found)

    return forks.forked(workers, len(parts), work, lambda: told(int(made[0])))


def _on_threads(
    workers: int, parts: Sequence[Block], rounds: int, simulated: _Simulated, result: Result, told: _Told
) -> None:
    lock, stop = threading.Lock(), threading.Event()
    made = 0

    def report(decisions: int) -> None:
        nonlocal made
        try:
            with lock:
                made += decisions
                told(made)
        except BaseException as error:
            stop.set()
            raise InterruptedRunError from error

    def work(part: Block) -> None:
        def ticked(done: int) -> None:
            if stop.is_set():
                raise InterruptedRunError
            if fresh := _due(done, rounds):
                report(part.users * fresh)

        found = simulated(part, ticked)
        with lock:
            _put(result, part, *found)

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, part) for part in parts]
        try:
            wait(futures)
        finally:
            stop.set()
            for future in futures:
                future.cancel()
    _raise_first([error for future in futures if (error := future.exception())])


def _raise_first(errors: Sequence[BaseException]) -> None:
    """Raise what the caller's own callback raised, else the failure of the first round and user."""
    for error in errors:
        if isinstance(error, InterruptedRunError) and error.__cause__ is not None:
            raise error.__cause__
    rounds = [error for error in errors if isinstance(error, RoundError)]
    if rounds:
        raise min(rounds, key=lambda error: (error.t, error.user))
    if errors:
        raise errors[0]
