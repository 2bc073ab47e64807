"""What a generation is about: a user's tasks, the hour and the weekday, and further signals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_DAY = 86_400.0


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _urgency(value: object) -> object:
    return 1 if value is None else value


def _due(value: object) -> object:
    """A date stays a date: read as a time, it would be due at its midnight, a day too early."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return date.fromisoformat(value.strip())
    except ValueError:
        return datetime.fromisoformat(value.strip())


class Task(BaseModel):
    """A user's task. `due_date` is a day, or a moment; `is_overdue` may be said by whoever knows."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: Annotated[str, BeforeValidator(_text)] = ""
    content: str
    priority: Annotated[int, BeforeValidator(_urgency), Field(ge=1, le=4)] = 1
    due_date: Annotated[datetime | date | None, BeforeValidator(_due)] = None
    is_overdue: bool = False


class GenerationContext(BaseModel):
    """What the prompt is written from. Monday is day 0; tasks stand in the order of the prompt."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tasks: tuple[Task, ...] = ()
    hour_of_day: int = Field(default=12, ge=0, le=23)
    day_of_week: int = Field(default=0, ge=0, le=6)
    extra: dict[str, Any] = Field(default_factory=dict)


def age_days(due_date: date | datetime | None, now: datetime) -> float:
    """Days since the due date, negative before it, 0 without one.

    A day is compared with the day that `now` shows, so a task due on the 30th has age 1 from midnight on,
    in the zone of `now`. A moment without a zone is one of `now`'s zone; a `now` without a zone is UTC beside
    a moment that has one.
    """
    if due_date is None:
        return 0.0
    if not isinstance(due_date, datetime):
        return float((now.date() - due_date).days)
    if due_date.tzinfo is None:
        due_date = due_date.replace(tzinfo=now.tzinfo)
    elif now.tzinfo is None:
        now = now.replace(tzinfo=UTC)
    return (now - due_date).total_seconds() / _DAY


def with_overdue(tasks: Iterable[Task], now: datetime) -> tuple[Task, ...]:
    """The tasks in their own order, overdue where they say so or their due date lies before `now`."""
    return tuple(
        task if task.is_overdue else task.model_copy(update={"is_overdue": age_days(task.due_date, now) > 0})
        for task in tasks
    )


def build_context(
    tasks: Iterable[Task | Mapping[str, Any]], now: datetime, extra: Mapping[str, Any] | None = None
) -> GenerationContext:
    """The context at `now`, the user's own clock: overdue tasks first, then most urgent first, stable.

    All tasks are kept, however many: the prompt counts them all and shows the first few. Raises
    `pydantic.ValidationError` when a task is none.
    """
    known = [task if isinstance(task, Task) else Task.model_validate(task) for task in tasks]
    marked = with_overdue((task.model_copy(update={"is_overdue": False}) for task in known), now)
    ordered = sorted(marked, key=lambda task: (not task.is_overdue, -task.priority))
    return GenerationContext(
        tasks=tuple(ordered), hour_of_day=now.hour, day_of_week=now.weekday(), extra=dict(extra or {})
    )
