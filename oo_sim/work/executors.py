"""Units that are done by the caller's own executor, of the shape that `concurrent.futures` has."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from oo_sim.errors import WorkError
from oo_sim.work.unit import Played, Unit, play

AHEAD = 64
"""Units that an executor has at most at a time: enough for some dozen workers, few enough for this process's memory."""
_TRIES = 3


class Executor(Protocol):
    """What is asked of an executor: `ProcessPoolExecutor`, loky, mpi4py.futures and Dask's `get_executor()` have it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Call a function some time, somewhere."""


def done(units: Sequence[Unit], executor: Executor) -> Iterator[tuple[Unit, Played]]:
    """What came of the units, in the order in which they are done.

    A unit whose worker died is done again; where the whole executor broke, what is left is done in this process. Raises
    WorkError where a policy cannot travel, or a worker is not as this process.
    """
    for unit in units:
        if not unit.recipe.travels:
            raise WorkError(_stays_here(unit))
    left, running, tries = list(reversed(units)), dict[Future[Any], Unit](), dict[Unit, int]()
    try:
        while left or running:
            while left and len(running) < AHEAD:
                unit = left.pop()
                try:
                    running[executor.submit(play, unit)] = unit
                except (BrokenExecutor, RuntimeError):  # it is shut down, or all of its workers died
                    yield unit, play(unit)
            ready, _ = wait(running, return_when=FIRST_COMPLETED) if running else ((), ())
            for future in ready:
                unit = running.pop(future)
                try:
                    found = future.result()
                except WorkError:
                    raise
                except (Exception, CancelledError) as error:
                    tries[unit] = tries.get(unit, 0) + 1
                    if tries[unit] >= _TRIES:
                        raise WorkError(f"a unit failed {_TRIES} times on a worker: {_first_line(error)}") from error
                    left.append(unit)
                    continue
                yield unit, found
    finally:
        for future in running:
            future.cancel()


def _stays_here(unit: Unit) -> str:
    if unit.recipe.bank:
        return "tip banks are files of this machine and do not travel; run without an executor"
    return (
        f"policy {unit.recipe.policy} was handed over in Python and cannot travel; put it into a module that workers "
        "can import, and name it module:factory"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:200] or type(error).__name__


def named(text: str) -> AbstractContextManager[Executor]:
    """The executor that `module:factory` makes. Raises WorkError."""
    module, colon, attribute = text.partition(":")
    try:
        made = getattr(importlib.import_module(module), attribute)()
    except Exception as error:
        raise WorkError(f"executor {text}: {type(error).__name__}: {_first_line(error)}") from error
    if not colon or not hasattr(made, "submit"):
        raise WorkError(f"executor {text}: is {type(made).__name__}, which has no submit; name module:factory")
    return made if hasattr(made, "__exit__") else _plain(made)


@contextmanager
def _plain(executor: Executor) -> Iterator[Executor]:
    yield executor


@contextmanager
def dask(address: str) -> Iterator[Executor]:
    """Dask's workers as an executor: a scheduler's address, or `local:N` for N workers of this machine."""
    distributed: Any = importlib.import_module("distributed")  # an extra, and slow to import

    kind, _, count = address.partition(":")
    if kind != "local":
        try:
            with distributed.Client(address, timeout=10) as client:
                yield client.get_executor(pure=False)
        except (OSError, ValueError) as error:
            raise WorkError(f"dask {address}: cannot be reached: {_first_line(error)}") from error
        return
    if not count.isdecimal() or not int(count):
        raise WorkError(f"dask {address}: must be local:N with N of at least 1, or a scheduler's address")
    paths = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH", "")]))
    with (
        distributed.LocalCluster(
            n_workers=int(count), threads_per_worker=1, dashboard_address=None, env={"PYTHONPATH": paths}
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client.get_executor(pure=False)
