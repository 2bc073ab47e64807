"""Where contexts come from: JSON lines, or plain lists of tasks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.bank.record import Work, context_text
from oo_sim.generator.context import GenerationContext, Task, build_context, with_overdue
from oo_sim.generator.gateway.wire import clean
from oo_sim.generator.texts import invalid, read_text


class _Line(BaseModel):
    """A line of a contexts file. With `now`, the tasks are put in order and the hour and weekday are its own; without,
    tasks stay in order, and which of them are overdue follows from the time at which the file is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: str = "user-0"
    tasks: tuple[Task, ...] = ()
    hour_of_day: int | None = Field(default=None, ge=0, le=23)
    day_of_week: int | None = Field(default=None, ge=0, le=6)
    now: datetime | None = None
    extra: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_time(self) -> _Line:
        if self.now is not None and (self.hour_of_day is not None or self.day_of_week is not None):
            raise ValueError("now gives the hour and the weekday: leave hour_of_day and day_of_week out")
        return self

    def context(self, read_at: datetime) -> GenerationContext:
        """The context that the line describes, read at that time."""
        if self.now is not None:
            return build_context(self.tasks, self.now, self.extra)
        given = {"hour_of_day": self.hour_of_day, "day_of_week": self.day_of_week}
        return GenerationContext(
            tasks=with_overdue(self.tasks, read_at),
            extra=self.extra,
            **{key: value for key, value in given.items() if value is not None},
        )


def contexts_from_tasks(
    users: Iterable[tuple[str, Sequence[Task | Mapping[str, Any]], int, int]],
) -> list[Work]:
    """Work from (user id, tasks in the order of the prompt, hour, weekday). Raises `pydantic.ValidationError`."""
    return numbered(
        (user_id, GenerationContext.model_validate({"tasks": tuple(tasks), "hour_of_day": hour, "day_of_week": day}))
        for user_id, tasks, hour, day in users
    )


def read_contexts(path: Path, limit: int | None = None, read_at: datetime | None = None) -> list[Work]:
    """The first `limit` contexts of a JSON lines file, read now or at `read_at`.

    Raises `GeneratorInputError`, which names the line.
    """
    text = read_text(path)
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise GeneratorInputError(f"{path}: holds no contexts; expected one JSON object a line")
    at = read_at or datetime.now(UTC)
    return numbered(_context(path, number, line, at) for number, line in lines[:limit])


def numbered(contexts: Iterable[tuple[str, GenerationContext]]) -> list[Work]:
    """Work in the order given, equal contexts counted."""
    seen: Counter[str] = Counter()
    work = []
    for position, (user_id, context) in enumerate(contexts):
        text = context_text(context)
        work.append(Work(position, clean(user_id), context, seen[text]))
        seen[text] += 1
    return work


def _context(path: Path, number: int, line: str, at: datetime) -> tuple[str, GenerationContext]:
    try:
        value = json.loads(line, parse_constant=_constant)
        found = _Line.model_validate(_flat(value))
        return found.user_id, found.context(at)
    except ValidationError as error:
        raise invalid(f"{path}, line {number}", error, "the line") from None
    except (ValueError, RecursionError) as error:
        raise GeneratorInputError(f"{path}, line {number}: is not JSON: {str(error)[:100]}") from None


def _flat(value: object) -> object:
    """The line with its `context` spread out, as calls of a tip service have it."""
    if not isinstance(value, dict) or not isinstance(value.get("context"), dict):
        return value
    return {**value["context"], **{key: member for key, member in value.items() if key != "context"}}


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
