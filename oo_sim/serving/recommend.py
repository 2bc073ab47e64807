"""The pipeline around the policy: a user's tasks and an LLM's tips in one pool, one of them served."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import NamedTuple

from oo_sim.generator import GenerationContext, Task, age_days, build_context
from oo_sim.serving.bodies import DatedContext, GenerateContext, RecommendBody, TaskBody
from oo_sim.serving.desk import Desk
from oo_sim.serving.ledger import Origin
from oo_sim.serving.replies import RefusalError, Tip
from oo_sim.serving.store import Offered

log = logging.getLogger("oo_sim.serving")


class Pool(NamedTuple):
    """The candidates as they are shown and as they are scored, in the same order."""

    tips: list[Tip]
    offered: list[Offered]
    hour: int
    day: int
    origin: Origin
    llm_error: str | None


async def gather(body: RecommendBody, desk: Desk, deadline: float) -> Pool:
    """Tasks first, the overdue and urgent ones in front, then the LLM's tips, if they come within `deadline` seconds.

    Raises RefusalError (422) where there is no candidate at all.
    """
    now = body.context.now or datetime.now(UTC)
    context = _at(build_context(_named(body.tasks), now, body.context.extra), body.context)
    tips, offered = _tasks(context.tasks, now)
    made = await desk.soon(context, body.n_llm, body.user_id, deadline) if body.n_llm else None
    failure, origin = None, Origin()
    if isinstance(made, str):
        failure = made
        log.warning("no tips by the LLM", extra={"reason": failure})
    elif made is not None:
        origin = Origin(made.prompt_version, made.model)
        for tip in made.candidates:
            tips.append(
                Tip(
                    id=tip.id,
                    given_id=tip.given_id,
                    content=tip.content,
                    kind="advice",
                    source="llm",
                    rationale=tip.rationale or None,
                )
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
