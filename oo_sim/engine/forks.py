"""Work on forked processes. A round makes a dozen short calls into compiled code, and two threads would wait for each
other's interpreter between any two of them: they are no faster than one."""

from __future__ import annotations

import mmap
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from multiprocessing.connection import wait
from typing import Any

import numpy as np

from oo_sim.contract import I64
from oo_sim.errors import whole

LEAST = 400_000
"""Decisions, a tenth of a second's work, from which on it is worth while."""
_POLL_SECONDS = 0.05


def cores() -> int:
    """Cores that this process may use, where the system can tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processes(workers: int | None, threads: int | None = None) -> int:
    """On how many processes to work: `workers`, or `threads`, its older name, or all cores. Raises ArgumentError."""
    said = [whole(name, n) for name, n in (("workers", workers), ("threads", threads)) if n is not None]
    return said[0] if said else cores()


def possible() -> bool:
    """Whether this process may fork: elsewhere than on Linux, system libraries do not survive it; and a daemonic
    process may have no children."""
    return sys.platform == "linux" and not multiprocessing.current_process().daemon


def shared(*shape: int) -> I64:
    """Zeros that forked processes and this one all see."""
    size = 8 * int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(mmap.mmap(-1, max(size, 8)), np.int64, size // 8).reshape(shape)


def shared_lock() -> AbstractContextManager[Any]:
    """A lock that forked processes and this one share."""
    return multiprocessing.get_context("fork").Lock()


def forked(workers: int, items: int, work: Callable[[int], None], poll: Callable[[], None]) -> bool:
    """Call `work` on 0, 1, ..., items - 1, each once, on forked processes, and `poll` from time to time in this one.

    What `work` writes into shared memory is all that is left of it. Returns whether all of it succeeded; as soon as
    some has not, and when `poll` raises, the processes are ended.
    """
    context = multiprocessing.get_context("fork")
    following = context.Value("q", 0)

    def toil() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends its children
        status = 1
        try:
            while True:
                with following.get_lock():
                    item, following.value = following.value, following.value + 1
                if item >= items:
                    status = 0
                    break
                work(item)
        finally:
            os._exit(status)

    crew = [context.Process(target=toil, daemon=True) for _ in range(min(workers, items))]
    try:
        if not _started(crew):
            return False
        running: dict[Any, Any] = {each.sentinel: each for each in crew}
        while running:
            for sentinel in wait(list(running), _POLL_SECONDS):
                each = running.pop(sentinel)
                each.join()
                if each.exitcode:
                    return False
            poll()
    finally:
        for each in crew:
            if each.pid is not None:
                each.kill()
                each.join()
    return True


def _started(crew: Sequence[Any]) -> bool:
    """Whether there was memory and room for them all."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads: nothing here needs theirs
            for each in crew:
                each.start()
    except OSError:
        return False
    return True
