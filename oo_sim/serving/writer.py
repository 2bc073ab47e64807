"""The one writer of a process, which commits in groups: calls that wait together share one fsync.

A call is acknowledged only after its commit. Several processes may do this on one file: every batch reads and writes
inside one BEGIN IMMEDIATE transaction. Work runs on the event loop, because it takes a fraction of a millisecond and a
thread would have to win the interpreter back after every statement; only waiting, for the disk or for another
process, happens in a thread, and meanwhile the loop reads the calls of the next batch.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from oo_sim.serving.errors import RefusalError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
"""What is done inside a transaction. It may be done again after a rollback, so it must do nothing else."""

MAX_BATCH = 64
MAX_WAITING = 10_000
LOCK_WAIT = 10.0
"""Seconds to wait while other processes write."""
_PAUSE = 0.0005  # SQLite's own wait grows to 100 ms a step


class Job(NamedTuple):
    """A call that waits for its transaction."""

    work: Work[Any]
    future: asyncio.Future[Any]


class Outcome(NamedTuple):
    """What came of a call: a result, or the error to raise."""

    result: Any
    error: Exception | None = None


class Writer:
    """Does work on `db` in the order in which it was submitted. Lives on one event loop."""

    def __init__(self, db: sqlite3.Connection, check: Work[None] = lambda db: None) -> None:
        """`check` begins every transaction and may raise RefusalError to refuse all that waits."""
        self._db, self._check = db, check
        db.execute("PRAGMA busy_timeout = 0")  # `_begin` waits by itself
        self._thread = ThreadPoolExecutor(1, "oo-sim-disk")
        self._waiting: deque[Job] = deque()
        self._busy: asyncio.Task[None] | None = None

    async def submit(self, work: Work[T]) -> T:
        """The result of the work, once it is durable. Raises what the work raised; its writes are then undone."""
        if len(self._waiting) >= MAX_WAITING:
            raise RefusalError(503, "too many calls are waiting; try again")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.append(Job(work, future))
        if self._busy is None:
            self._busy = loop.create_task(self._drain())
        return await future

    async def close(self) -> None:
        """Finish what was submitted, and close the database."""
        if self._busy is not None:
            await self._busy
        self._thread.shutdown()
        self._db.close()

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
        await self._begin()
        try:
            self._check(self._db)
            outcomes = [self._do(job) for job in batch]
            await self._in_thread(self._db.execute, "COMMIT")
            return outcomes
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    async def _begin(self) -> None:
        if not _try_begin(self._db):
            await self._in_thread(_wait_to_begin, self._db)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def _do(self, job: Job) -> Outcome:
        before = self._db.total_changes
        try:
            return Outcome(job.work(self._db))
        except sqlite3.Error:
            raise
        except Exception as error:
            if self._db.total_changes != before:
                raise
            return Outcome(None, error)


def _try_begin(db: sqlite3.Connection) -> bool:
    """Begin to write, unless another process is writing."""
    try:
        db.execute("BEGIN IMMEDIATE")
        return True
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return False
        raise


def _wait_to_begin(db: sqlite3.Connection) -> None:
    deadline = time.monotonic() + LOCK_WAIT
    while not _try_begin(db):
        if time.monotonic() > deadline:
            raise sqlite3.OperationalError(f"another process has been writing for {LOCK_WAIT:g} s")
        time.sleep(_PAUSE)


def _deliver(batch: list[Job], outcomes: list[Outcome]) -> None:
    """Answer the calls; those that nobody waits for any more were done all the same."""
    for job, outcome in zip(batch, outcomes, strict=True):
        if job.future.done():
            continue
        if outcome.error is not None:
            job.future.set_exception(outcome.error)
        else:
            job.future.set_result(outcome.result)
