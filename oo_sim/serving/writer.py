"""The one writer of a process, which commits in groups: calls that wait together share one fsync.

A call is acknowledged only after its commit. Several processes may do this on one store: every batch reads and writes
inside one transaction. Work runs on the event loop, because it takes a fraction of a millisecond and a
thread would have to win the interpreter back after every statement; only waiting, for the disk or for another
process, happens in a thread, and meanwhile the loop reads the calls of the next batch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from oo_sim.serving.replies import RefusalError
from oo_sim.serving.store import Store, StoreError, wait_to_begin

T = TypeVar("T")
Work = Callable[[Store], T]
"""What is done inside a transaction. It may be done again after a rollback, so it must do nothing else."""

MAX_BATCH = 64
MAX_WAITING = 10_000


class Job(NamedTuple):
    """A call that waits for its transaction."""

    work: Work[Any]
    future: asyncio.Future[Any]


class Outcome(NamedTuple):
    """What came of a call: a result, or the error to raise."""

    result: Any
    error: Exception | None = None


class Writer:
    """Does work on a store in the order in which it was submitted. Lives on one event loop."""

    def __init__(self, store: Store, check: Work[None] = lambda store: None) -> None:
        """`check` begins every transaction and may raise RefusalError to refuse all that waits."""
        self._store, self._check = store, check
        self._thread = ThreadPoolExecutor(1, "oo-sim-disk")
        self._waiting: deque[Job] = deque()
        self._busy: asyncio.Task[None] | None = None

    async def submit(self, work: Work[T]) -> T:
        """The result of the work, once it is durable. Raises what the work raised; its writes are then undone."""
        if len(self._waiting) >= MAX_WAITING:
            raise RefusalError(503, "too many calls are waiting; try again", retry_after=1)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.append(Job(work, future))
        if self._busy is None:
            self._busy = loop.create_task(self._drain())
        return await future

    async def close(self) -> None:
        """Finish what was submitted, and close the store."""
        if self._busy is not None:
            await self._busy
        self._thread.shutdown()
        self._store.close()

    async def _drain(self) -> None:
        """Batch after batch, until nothing waits."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
            _deliver(batch, await self._attempt(batch))
        self._busy = None

    async def _attempt(self, batch: list[Job]) -> list[Outcome]:
        """All in one transaction; one by one where one of them fails after it has begun to write."""
        try:
            return await self._transact(batch)
        except Exception as error:
            if len(batch) == 1:
                return [Outcome(None, error)]
        return [outcome for job in batch for outcome in await self._attempt([job])]

    async def _transact(self, batch: list[Job]) -> list[Outcome]:
        if not self._store.begin():
            await self._in_thread(wait_to_begin, self._store)
        try:
            self._check(self._store)
            outcomes = [self._do(job) for job in batch]
            await self._in_thread(self._store.commit)
            return outcomes
        except BaseException:
            self._store.rollback()
            raise

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def _do(self, job: Job) -> Outcome:
        before = self._store.changes
        try:
            return Outcome(job.work(self._store))
        except StoreError:
            raise
        except Exception as error:
            if self._store.changes != before:
                raise
            return Outcome(None, error)


def _deliver(batch: list[Job], outcomes: list[Outcome]) -> None:
    """Answer the calls; those that nobody waits for any more were done all the same."""
    for job, outcome in zip(batch, outcomes, strict=True):
        if job.future.done():
            continue
        if outcome.error is not None:
            job.future.set_exception(outcome.error)
        else:
            job.future.set_result(outcome.result)
