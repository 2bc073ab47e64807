"""The pipeline around the policy: a user's tasks and an LLM's tips in one pool, one of them served."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import NamedTuple, Protocol

from oo_sim.generator import Generation, GenerationContext, GenerationError, Task, age_days, build_context
from oo_sim.serving.bodies import DatedContext, GenerateContext, RecommendBody, TaskBody
from oo_sim.serving.ledger import Origin
from oo_sim.serving.replies import RefusalError, Tip
from oo_sim.serving.store import Offered

log = logging.getLogger("oo_sim.serving")


class Generator(Protocol):
    """What writes tips: the generator room's async client, or whatever stands in for it."""

    async def generate(self, context: GenerationContext, n: int = 3, user_id: str | None = None) -> Generation:
        """At most `n` tips for the context. Raises GenerationError."""

    async def aclose(self) -> None:
        """Frees what it holds."""


class Pool(NamedTuple):
    """The candidates as they are shown and as they are scored, in the same order."""

    tips: list[Tip]
    offered: list[Offered]
    hour: int
    day: int
    origin: Origin
    llm_error: str | None


async def gather(body: RecommendBody, generator: Generator, deadline: float) -> Pool:
    """Tasks first, the overdue and urgent ones in front, then the LLM's tips, if they come within `deadline` seconds.

    Raises RefusalError (422) where there is no candidate at all.
    """
    now = body.context.now or datetime.now(UTC)
    context = _at(build_context(_named(body.tasks), now, body.context.extra), body.context)
    tips, offered = _tasks(context.tasks, now)
    generation, failure = await _tips(body, context, generator, deadline)
    if failure:
        log.warning("no tips by the LLM", extra={"reason": failure})
    origin = Origin()
    if generation is not None:
        origin = Origin(generation.prompt_version, generation.model)
        for tip in generation.candidates:
            tips.append(
                Tip(id=tip.id, content=tip.content, kind="advice", source="llm", rationale=tip.rationale or None)
            )
            offered.append(Offered(tip.id, "llm", None, False, 0.0, 1))
    if not offered:
        raise RefusalError(422, f"there is no task, and no tip either: {failure or 'none was asked for'}", "tasks")
    return Pool(tips, offered, context.hour_of_day, context.day_of_week, origin, failure)


def generation_context(given: GenerateContext) -> GenerationContext:
    """The context of a call that brings its own: tasks in its order, overdue where it says so or their date does."""
    now = given.now or datetime.now(UTC)
    tasks = [
        task if task.is_overdue else task.model_copy(update={"is_overdue": age_days(task.due_date, now) > 0})
        for task in _named(given.tasks)
    ]
    context = GenerationContext(tasks=tuple(tasks), hour_of_day=now.hour, day_of_week=now.weekday(), extra=given.extra)
    return _at(context, given)


def _at(context: GenerationContext, given: DatedContext) -> GenerationContext:
    """The context at the hour and day that the caller names; those of `now` only where the caller named that."""
    named = given.model_fields_set & {"hour_of_day", "day_of_week"}
    if given.now is None:
        named |= {"hour_of_day", "day_of_week"}
    return context.model_copy(update={name: getattr(given, name) for name in named})


def _named(tasks: Sequence[TaskBody]) -> list[Task]:
    """Tasks for the generator, each with an id. Raises RefusalError (422) where two have the same."""
    given = [task.id for task in tasks]
    refuse_twice(given, "tasks")
    known = set(given)
    named = []
    for i, task in enumerate(tasks):
        name = task.id or next(one for one in _numbered(f"task-{i}") if one not in known)
        known.add(name)
        named.append(Task.model_construct(**{**dict(task), "id": name}))
    return named


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{n}" for n in count(2))


def refuse_twice(ids: Sequence[str | None], *field: str) -> None:
    """Raise RefusalError (422) where an id stands twice: a reward could not say which of the two it is about."""
    if len(set(ids)) == len(ids):
        return
    seen: dict[str, int] = {}
    for i, one in enumerate(ids):
        if one is not None and seen.setdefault(one, i) != i:
            raise RefusalError(422, f"{one[:100]!r} is the id of number {seen[one]} already", *field, i, "id")


def _tasks(tasks: Sequence[Task], now: datetime) -> tuple[list[Tip], list[Offered]]:
    tips = [Tip(id=task.id, content=task.content, kind="task", source="todoist", rationale=None) for task in tasks]
    offered = [
        Offered(task.id, "todoist", task.id, task.is_overdue, age_days(task.due_date, now), task.priority)
        for task in tasks
    ]
    return tips, offered


async def _tips(
    body: RecommendBody, context: GenerationContext, generator: Generator, deadline: float
) -> tuple[Generation | None, str | None]:
    """The LLM's tips, or why there are none."""
    if body.n_llm == 0:
        return None, None
    try:
        async with asyncio.timeout(deadline):
            return await generator.generate(context, body.n_llm, body.user_id), None
    except TimeoutError:
        return None, f"no tips within {deadline:g} s"
    except GenerationError as error:
        return None, error.message
