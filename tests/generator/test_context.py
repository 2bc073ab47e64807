"""`build_context, with_overdue`: overdue first, then priority, stable; odd due dates have one meaning each."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from oo_sim.generator.context import GenerationContext, Task, age_days, build_context, with_overdue

NOW = datetime(2026, 1, 31, 9, 30)
EAST = timezone(timedelta(hours=14))


def ids(tasks: list[dict[str, Any]], now: datetime = NOW) -> list[str]:
    """The ids in the context's order."""
    return [task.id for task in build_context([{"content": "x", **task} for task in tasks], now).tasks]


def test_overdue_comes_first_then_priority_and_ties_keep_their_order() -> None:
    tasks = [
        {"id": "low", "priority": 1},
        {"id": "high", "priority": 4},
        {"id": "late-low", "priority": 1, "due_date": "2026-01-01"},
        {"id": "high-2", "priority": 4, "due_date": "2026-01-31"},
        {"id": "late-high", "priority": 4, "due_date": "2026-01-30"},
        {"id": "late-high-2", "priority": 4, "due_date": "2025-01-30"},
    ]
    assert ids(tasks) == ["late-high", "late-high-2", "late-low", "high", "high-2", "low"]


def test_no_tasks_and_defaults() -> None:
    assert build_context([], NOW) == GenerationContext(hour_of_day=9, day_of_week=5)
    assert GenerationContext() == GenerationContext(tasks=(), hour_of_day=12, day_of_week=0, extra={})


@pytest.mark.parametrize(
    ("due", "now", "age"),
    [
        (None, NOW, 0.0),
        (date(2026, 1, 31), NOW, 0.0),
        (
            date(2026, 1, 30),
            datetime(2026, 1, 31, 0, 1),
            1.0,
        ),  # past midnight: yesterday's task is a day late
        (date(2026, 2, 2), NOW, -2.0),
        (datetime(2026, 1, 31, 8, 30), NOW, 1 / 24),
        (datetime(2026, 1, 31, 8, 30, tzinfo=UTC), NOW, 1 / 24),  # a clock without a zone is UTC
        (datetime(2026, 1, 31, 8, 30), NOW.replace(tzinfo=EAST), 1 / 24),
        (datetime(2026, 1, 30, 19, 30, tzinfo=UTC), NOW.replace(tzinfo=EAST), 0.0),
        (
            date(2026, 1, 30),
            datetime(2026, 1, 30, 23, 59, tzinfo=EAST),
            0.0,
        ),  # the user's day counts, not UTC's
        (datetime(1, 1, 1, tzinfo=EAST), NOW.replace(tzinfo=UTC), 739646.98),
    ],
)
def test_age(due: date | None, now: datetime, age: float) -> None:
    assert age_days(due, now) == pytest.approx(age, abs=0.01)


def test_a_day_is_no_moment() -> None:
    task = Task.model_validate({"id": 7, "content": "x", "due_date": "2026-01-31"})
    assert (task.id, type(task.due_date)) == ("7", date)
    assert Task.model_validate({"id": "a", "content": "x", "due_date": " "}).due_date is None
    moment = Task.model_validate({"id": "a", "content": "x", "due_date": "2026-01-31T09:00:00Z"}).due_date
    assert moment == datetime(2026, 1, 31, 9, tzinfo=UTC)


def test_what_a_task_may_lack() -> None:
    task = Task.model_validate({"content": "x", "priority": None, "due_date": None, "labels": ["home"]})
    assert task == Task(id="", content="x", priority=1, due_date=None, is_overdue=False)


def test_a_task_due_today_is_not_overdue_until_midnight() -> None:
    task = {"id": "a", "content": "x", "due_date": "2026-01-31"}
    for now, overdue in ((datetime(2026, 1, 31, 23, 59), False), (datetime(2026, 2, 1, 0, 0), True)):
        assert build_context([task], now).tasks[0].is_overdue is overdue


def test_overdue_is_told_by_the_due_date_in_the_order_given() -> None:
    dues = ("2026-02-01", "2020-01-01", None, "2026-01-31T11:59:00Z", "2026-01-31")
    tasks = [Task.model_validate({"content": "x", "due_date": due}) for due in dues]
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert [task.is_overdue for task in with_overdue(tasks, now)] == [False, True, False, True, False]
    assert [task.due_date for task in with_overdue(tasks, now)] == [task.due_date for task in tasks]
    assert with_overdue([Task(content="x", is_overdue=True)], now)[0].is_overdue


def test_more_than_a_hundred_tasks_are_all_kept() -> None:
    context = build_context([{"id": at, "content": "x", "due_date": "2026-01-01"} for at in range(1000)], NOW)
    assert len(context.tasks) == 1000
    assert all(task.is_overdue for task in context.tasks)


@pytest.mark.parametrize(
    "task",
    [
        {},
        {"id": "a"},
        {"content": "x", "priority": 5},
        {"id": "a", "content": "x", "due_date": "soon"},
    ],
)
def test_what_is_no_task_is_refused(task: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        build_context([task], NOW)
