"""Units that are done by the caller's own executor, of the shape that `concurrent.futures` has."""

from __future__ import annotations

import importlib
import os
import pickle
import platform
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, Protocol

from oo_sim.errors import WorkError
from oo_sim.work.unit import Played, Recipe, Unit, play, prepare

_TRIES = 3
_AHEAD = 64
"""Tasks that are under way before it is known how many workers there are; later a few for each."""
_EACH = 4
_SECONDS = 2.0
"""The most work in a task, for small units: a task has a price, and what a worker that dies had under way is lost."""

_PREPARED = set[tuple[Recipe, int]]()
"""What this process, as a worker, has loaded or compiled."""

Item = tuple[int, Unit]
"""A unit, and a number by which the caller knows whose it is."""


class Executor(Protocol):
    """What is asked of an executor: `ProcessPoolExecutor`, loky, mpi4py.futures and Dask's `get_executor()` have it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Call a function some time, somewhere."""


class Done(NamedTuple):
    """What came of a task, and which process did it."""

    who: str
    played: list[Played]


class Task(NamedTuple):
    """Units of a policy, each with what is there of it; whether only the sum of all comes back; and how many decisions
    the policy has left to make in all, by which a machine that has compiled nothing decides whether it pays."""

    units: Sequence[Unit]
    fold: bool
    before: Sequence[Played | None]
    left: int

    def packed(self) -> bytes:
        """As it travels: Dask would look into each unit for its own."""
        return pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL)


def toil(task: bytes) -> Done:
    """Do a packed task's units one after the other; if one failed, all come back."""
    units, fold, before, left = pickle.loads(task)
    if (asked := (units[0].recipe, left)) not in _PREPARED:
        _PREPARED.add(asked)
        prepare(max(units, key=lambda unit: unit.decisions), left)
    played = [play(unit, before=shorter) for unit, shorter in zip(units, before, strict=True)]
    if fold and all(each.failure is None for each in played):
        whole = played[0]
        for each in played[1:]:
            whole.sums[...] += each.sums
            moments, seconds = whole.moments.merged(each.moments), whole.seconds + each.seconds
            whole = whole._replace(moments=moments, seconds=seconds)
        played = [whole]
    return Done(f"{platform.node()} {os.getpid()}", played)


def must_travel(recipes: Iterable[Recipe]) -> None:
    """Raise WorkError where one cannot."""
    for recipe in recipes:
        if not recipe.travels:
            raise WorkError(_stays_here(recipe))


def done(
    items: Iterable[Item],
    count: int,
    executor: Executor,
    *,
    fold: bool,
    before: Callable[[Unit], Played | None] = lambda unit: None,
    left: Callable[[int], int] = lambda j: 0,
) -> Iterator[tuple[int, Unit, Played]]:
    """What came of the units, `count` at most, in the order in which they are done, each after what there is `before`,
    in fewer rounds; `left` decisions are to be made for each j in all. With `fold`, what has no checkpoints comes back
    as sums over units: each stands for the users of several.

    Small units go several to a task: fewer where few are left, so that all workers end together. A unit whose worker
    died is done again, by itself; where the whole executor broke, what is left is done in this process. Raises
    WorkError where a worker is not as this process, or a unit fails again and again.
    """
    pile, running = _Pile(items, count, fold=fold), dict[Future[Any], list[Item]]()
    try:
        while True:
            while len(running) < pile.ahead and (task := pile.task()):
                units = [unit for _, unit in task]
                given = Task(units, fold and not units[0].marks, list(map(before, units)), left(task[0][0]))
                try:
                    running[executor.submit(toil, given.packed())] = task
                except (BrokenExecutor, RuntimeError):  # it is shut down, or all of its workers died
                    yield from ((j, unit, play(unit, before=before(unit))) for j, unit in task)
            if not running:
                return
            ready, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ready:
                task = running.pop(future)
                try:
                    found = future.result()
                except WorkError:
                    raise
                except (Exception, CancelledError) as error:
                    pile.again(task, error)
                else:
                    pile.heard(task, found)
                    yield from _told(task, found.played)
    finally:
        for future in running:
            future.cancel()


def _told(task: Sequence[Item], played: Sequence[Played]) -> Iterator[tuple[int, Unit, Played]]:
    if len(played) == len(task):
        yield from ((j, unit, each) for (j, unit), each in zip(task, played, strict=True))
    else:
        (j, first), (whole,) = task[0], played
        yield j, first._replace(users=sum(unit.users for _, unit in task)), whole


class _Pile:
    """Units that are to be done, in tasks as large as suits their number, their size and the workers."""

    def __init__(self, items: Iterable[Item], count: int, *, fold: bool) -> None:
        self._items, self._left, self._fold = iter(items), count, fold
        self._back, self._tries = deque[list[Item]](), dict[Item, int]()
        self._next: Item | None = None
        self._workers: set[str] = set()
        self._pace = 0.0  # seconds of a unit

    @property
    def ahead(self) -> int:
        """How many tasks may be under way."""
        return _EACH * len(self._workers) if self._workers else _AHEAD

    def task(self) -> list[Item]:
        """The next units to send; none where nothing is left. Those of a task are of one policy and replicate."""
        if self._back:
            return self._back.popleft()
        task = list[Item]()
        most = min(_SECONDS / self._pace, self._left / (2 * self.ahead)) if self._workers else 1.0
        while len(task) < max(most, 1):
            item = self._next or next(self._items, None)
            self._next = None
            if item is not None and task and (item[0], item[1].replicate) != (task[0][0], task[0][1].replicate):
                self._next = item
                break
            if item is None:
                break
            task.append(item)
        self._left -= len(task)
        return task

    def heard(self, task: Sequence[Item], found: Done) -> None:
        """Learn how long units take, and which workers are there."""
        self._workers.add(found.who)
        pace = sum(each.seconds for each in found.played) / len(task)
        self._pace = max((self._pace + pace) / 2 if self._pace else pace, 1e-6)

    def again(self, task: Sequence[Item], error: BaseException) -> None:
        """Each by itself: one that ends its worker must not take others with it. Raises WorkError at last."""
        for item in task:
            self._tries[item] = self._tries.get(item, 0) + 1
            if self._tries[item] >= _TRIES and len(task) == 1:
                raise WorkError(f"a unit failed {_TRIES} times on a worker: {_first_line(error)}") from error
            self._back.append([item])


def _stays_here(recipe: Recipe) -> str:
    if recipe.bank:
        return "tip banks are files of this machine and do not travel; run without an executor"
    return (
        f"policy {recipe.policy} was handed over in Python and cannot travel; put it into a module that workers "
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
            n_workers=int(count),
            threads_per_worker=1,
            dashboard_address=None,
            env={"PYTHONPATH": paths, "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"},
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client.get_executor(pure=False)
