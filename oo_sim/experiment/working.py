"""A plan's units, done in this process, its forks or elsewhere, kept where they are to be kept, each by one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from oo_sim.engine import Block, InterruptedRunError, Observer
from oo_sim.entrants import Entrant
from oo_sim.experiment.plan import Plan
from oo_sim.experiment.reducing import Reduction
from oo_sim.logs import EventSource, Recorder, RunWriter
from oo_sim.work import Executor, Played, Store, Unit, done, must_travel, play, prepare

Progress = Callable[[str, int, int], None]
"""Receives, from any thread: a policy's label, decisions made so far, decisions in all. What comes first is of each
policy what is kept already, and after that what is made."""

_EVENT_BLOCK = 256  # smaller blocks while events are written, so that fewer parts are open at a time
_LOOK_SECONDS = 0.2  # between looks at what another process is doing

_Places: TypeAlias = list[tuple[int, Unit, Path | None]]


class Working:
    """A plan's units, done one way or the other, and what came of them."""

    def __init__(
        self,
        plan: Plan,
        store: Store | None,
        executor: Executor | None,
        workers: int,
        block: int | None,
        progress: Progress | None,
        log: RunWriter | None,
    ) -> None:
        self.plan, self.store, self.workers = plan, store, workers
        self._executor, self._block, self._progress, self._log = executor, block, progress, log
        self.logs_events = log is not None
        self._total = self._made = 0
        self._left = [0] * len(plan.taking_part)  # decisions that each policy has yet to make, when work begins
        self._warm: set[int] = set()

    def into(self, reduction: Reduction) -> None:
        """Do all units, or take what is kept of them. What another process has taken is awaited."""
        self.plan.remember()
        units = list(self.plan.own(self.plan.units(self.store)))
        self._begin(units)
        while units:
            before = self._made
            if self._executor is not None:
                units = self._send(units, reduction, self._executor)
            units = self._through(units, reduction)
            if units and self._made == before:
                time.sleep(_LOOK_SECONDS)

    def _begin(self, units: _Places) -> None:
        """Tell of each policy what is kept of it."""
        kept = [0] * len(self.plan.taking_part)
        for j, unit, path in units:
            self._total += unit.decisions
            kept[j] += 0 if path is None else unit.decisions
            self._left[j] += unit.decisions if path is None else 0
        for j, decisions in enumerate(kept):
            self._tell(j, decisions)

    def _tell(self, j: int, decisions: int) -> None:
        self._made = min(self._made + decisions, self._total)  # what is damaged is made a second time
        if self._progress is not None:
            self._progress(self.plan.taking_part[j].label, self._made, self._total)

    def _through(self, units: _Places, reduction: Reduction) -> _Places:
        """Take what is kept and do the rest, in order. Returns those that another process does, and what waits for
        them: it is kept, so memory need not hold it."""
        late, behind = list[tuple[int, Unit, Path | None]](), set[int]()
        for j, unit, path in units:
            played = self._found(j, unit, path)
            if played is None and self._executor is None:
                played = self._done(j, unit)
            if played is None or (j in behind and played.failure is None):
                assert self.store is not None
                behind.add(j)
                late.append((j, unit, path if played is None else self.store.where(unit)))
            else:
                reduction.take(j, unit, played)
            del played  # before the next one is made
        return late

    def _send(self, units: _Places, reduction: Reduction, executor: Executor) -> _Places:
        """Let the executor do all that is not kept and that no other process has taken. What is left to be read is
        returned: where there is a store, memory holds no more than what is under way."""
        must_travel(self.plan.recipes)
        missing = [(j, unit) for j, unit, path in units if self._found(j, unit, path) is None]
        for j, unit in missing:  # what is compiled here is found by every process of this machine
            self._warm_up(j, unit)
        over = set[tuple[int, Unit]]()
        work, before = self._taken(missing), self.store.before if self.store is not None else lambda unit: None
        left = self._left.__getitem__
        for j, unit, played in done(work, len(missing), executor, fold=self.store is None, before=before, left=left):
            if self.store is None or played.failure is not None:
                over.add((j, unit))
                reduction.take(j, unit, played)
            else:
                self.store.write(unit, played)
            if self.store is not None:
                self.store.give(unit)
            self._tell(j, unit.decisions)
        return [] if self.store is None else [each for each in units if each[:2] not in over]

    def _taken(self, units: Iterable[tuple[int, Unit]]) -> Iterator[tuple[int, Unit]]:
        """Those that are this process's to do."""
        for j, unit in units:
            if self.store is None:
                yield j, unit
            elif self.store.take(unit):
                if self._found(j, unit, None) is None:
                    yield j, unit
                else:
                    self.store.give(unit)

    def _found(self, j: int, unit: Unit, path: Path | None) -> Played | None:
        """What is kept of a unit; without a `path`, what another process has kept of it since."""
        if self.store is None:
            return None
        played = self.store.read(unit, path or self.store.where(unit))
        if path is None and played is not None:
            self._tell(j, unit.decisions)
        return played

    def _done(self, j: int, unit: Unit) -> Played | None:
        """Do a unit and keep it; None where another process does."""
        if self.store is None:
            return self._played(j, unit)
        if not self.store.take(unit):
            return None
        try:
            played = self._found(j, unit, None)
            if played is None:
                played = self._played(j, unit)
                if played.failure is None:
                    self.store.write(unit, played)
            return played
        finally:
            self.store.give(unit)

    def _warm_up(self, j: int, unit: Unit) -> None:
        """Once for each policy: whether it pays to compile tiles is asked of all its units together, unless a log is
        written."""
        if j not in self._warm:
            self._warm.add(j)
            prepare(unit, 0 if self._log else self._left[j])

    def _played(self, j: int, unit: Unit) -> Played:
        entrant = self.plan.taking_part[j]
        self._warm_up(j, unit)
        watch = _watch(self._log, j, entrant) if self._log else None
        block = self._block or (_EVENT_BLOCK if self._log else None)
        before, shorter = self._made, self.store.before(unit) if self.store is not None else None
        played = play(unit, self.workers, block, watch, partial(self._tell, j), shorter)
        if shorter is not None:  # some rounds were there already
            self._tell(j, max(unit.decisions - (self._made - before), 0))
        if played.failure is not None:  # what is left of the unit is not done any more
            if self._log is not None:
                self._log.drop(j)
            self._tell(j, max(unit.decisions - (self._made - before), 0))
        return played


def _watch(log: RunWriter, index: int, entrant: Entrant) -> Callable[[Block], Any]:
    @contextmanager
    def watch(block: Block) -> Iterator[Observer]:
        source = EventSource.of(entrant.label, entrant.policy, entrant.hash, block.replicate)
        if entrant.bank is not None:
            source = source._replace(prompt_version=entrant.bank.prompt_version, models=entrant.bank.models)
        recorder = Recorder(log, index, source, block.first, block.user_ids)

        yield _Careful(recorder)
        recorder.close()

    return watch


class _Careful:
    """A recorder whose failures stop the run: they are the log's, not the policy's."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def decided(self, *seen: Any) -> None:
        try:
            self._recorder.decided(*seen)
        except Exception as error:
            raise InterruptedRunError from error

    def learned(self, *seen: Any) -> None:
        try:
            self._recorder.learned(*seen)
        except Exception as error:
            raise InterruptedRunError from error
