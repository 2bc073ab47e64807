"""Tasks of a Todoist account, or of an export of it, as contexts for a generator and as the task pool of a scenario.

Read over the REST API (version 2: `GET /rest/v2/tasks`, all active tasks in one list; later versions page with
`results` and `next_cursor`, which is followed too). Priority 4 is the most urgent there as in the contract.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import httpx
from pydantic import SecretStr, ValidationError

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.context import Task, age_days
from oo_sim.generator.gateway.exchange import MAX_WAIT
from oo_sim.generator.texts import first_problem, read_text

TokenStatus = Literal["ok", "expired", "missing", "forbidden"]
DEFAULT_URL = "https://api.todoist.com"
_PATH = "/rest/v2/tasks"
_TIMEOUT = 30.0
_MAX_PAGES = 1000
_TRIES = 5
_REFUSED: Mapping[int, TokenStatus] = {401: "expired", 403: "forbidden"}


class TokenError(GeneratorInputError):
    """The token does not open the account; `status` says why."""

    def __init__(self, status: TokenStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Todo(NamedTuple):
    """A task, and when it was made, where that is known."""

    task: Task
    created: datetime | None = None


class Account:
    """An account behind a token. `token_status` is what the last call said of it, None before the first: reading it
    makes none."""

    def __init__(
        self, token: SecretStr | None = None, url: str = DEFAULT_URL, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        given = token.get_secret_value() if token else os.environ.get("TODOIST_TOKEN", "")
        self._token = SecretStr(given.strip())
        self._url, self._sleep = url.rstrip("/"), sleep
        self.token_status: TokenStatus | None = None if self._token.get_secret_value() else "missing"

    def tasks(self) -> list[Todo]:
        """All active tasks. Raises `TokenError`, and `GeneratorInputError` for what else goes wrong."""
        if self.token_status == "missing":
            raise TokenError("missing", "TODOIST_TOKEN is not set; copy the API token from the account's settings")
        rows: list[Any] = []
        cursor: str | None = None
        with httpx.Client(trust_env=False, timeout=_TIMEOUT, headers=self._headers()) as http:
            for _ in range(_MAX_PAGES):
                page = self._page(http, cursor)
                found = page.get("results") if isinstance(page, dict) else page
                if not isinstance(found, list):
                    raise GeneratorInputError(f"{self._url}: the answer is not a list of tasks")
                rows += found
                cursor = page.get("next_cursor") if isinstance(page, dict) else None
                if not isinstance(cursor, str) or not cursor:
                    return [_todo(f"task {at}", row) for at, row in enumerate(rows, 1)]
        raise GeneratorInputError(f"{self._url}: more than {_MAX_PAGES} pages of tasks")

    async def check(self, timeout: float = 10.0) -> None:
        """Finds out what the token is worth, within `timeout` seconds. Raises `GeneratorInputError` where no answer
        comes, or one that tells nothing of the token: then `token_status` is what it was."""
        if self.token_status == "missing":
            return
        try:
            async with (
                asyncio.timeout(timeout),
                httpx.AsyncClient(trust_env=False, headers=self._headers()) as http,
                http.stream("GET", f"{self._url}{_PATH}", params={"limit": 1}) as got,
            ):
                status = got.status_code
        except (httpx.HTTPError, TimeoutError) as error:
            raise GeneratorInputError(f"{self._url} cannot be reached: {type(error).__name__}") from None
        if status not in _REFUSED and status != httpx.codes.OK:
            raise GeneratorInputError(f"{self._url} answered {status}")
        self.token_status = _REFUSED.get(status, "ok")

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token.get_secret_value()}", "Accept": "application/json"}

    def _page(self, http: httpx.Client, cursor: str | None) -> Any:
        parameters = {"cursor": cursor} if cursor else None
        for attempt in range(_TRIES):
            try:
                got = http.get(f"{self._url}{_PATH}", params=parameters)
            except httpx.HTTPError as error:
                raise GeneratorInputError(f"{self._url} cannot be reached: {type(error).__name__}") from None
            if got.status_code in _REFUSED:
                self.token_status = _REFUSED[got.status_code]
                raise TokenError(
                    self.token_status,
                    f"the token in TODOIST_TOKEN is {self.token_status} (status {got.status_code}); make a new one in "
                    "the account's settings, with access to tasks",
                )
            if got.status_code == httpx.codes.TOO_MANY_REQUESTS and attempt + 1 < _TRIES:
                self._sleep(_pause(got.headers.get("retry-after"), attempt))
                continue
            if got.status_code != httpx.codes.OK:
                raise GeneratorInputError(f"{self._url} answered {got.status_code}")
            self.token_status = "ok"
            try:
                return got.json()
            except ValueError:
                raise GeneratorInputError(f"{self._url}: the answer is not JSON") from None
        raise GeneratorInputError(f"{self._url} refused {_TRIES} calls (429); try again in a quarter of an hour")


def read_export(path: Path) -> list[Todo]:
    """Tasks from a file: JSON as the API gives it, or the CSV of a project (TYPE, CONTENT, PRIORITY, DATE, ...).

    In the CSV priority 1 is the most urgent; a date that is not ISO 8601, such as "every day", is none. Raises
    `GeneratorInputError`.
    """
    text = read_text(path)
    if text.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise GeneratorInputError(f"{path}: is not JSON") from None
        rows = value.get("results") or value.get("items") or value.get("tasks") if isinstance(value, dict) else value
        if not isinstance(rows, list):
            raise GeneratorInputError(f"{path}: holds no list of tasks")
        return [_todo(f"{path}, task {at}", row) for at, row in enumerate(rows, 1)]
    table = csv.DictReader(io.StringIO(text))
    if not {"TYPE", "CONTENT"} <= set(table.fieldnames or ()):
        raise GeneratorInputError(f"{path}: expected an export of Todoist, with the columns TYPE and CONTENT, or JSON")
    return [
        _todo(f"{path}, line {number}", _from_csv(number, row))
        for number, row in enumerate(table, 2)
        if (row["TYPE"] or "").strip().casefold() == "task" and (row["CONTENT"] or "").strip()
    ]


def contexts(todos: Sequence[Todo], hours: Sequence[datetime], *, user_id: str = "todoist", titles: bool = True) -> str:
    """JSON lines for `oo-sim generate`: the tasks as they are at each of these times, on the user's own clock."""
    tasks = [_plain(todo.task, at, titles) for at, todo in enumerate(todos)]
    lines = [{"user_id": user_id, "now": now.isoformat(), "tasks": tasks} for now in hours]
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)


def task_pool(todos: Sequence[Todo], now: datetime, *, titles: bool = True) -> dict[str, Any]:
    """The `tasks` of a tips world like this list: titles, priorities, days until due and the share without a date."""
    if not todos:
        raise GeneratorInputError("there are no tasks to make a scenario of")
    due = [-age_days(todo.task.due_date, now) for todo in todos if todo.task.due_date is not None]
    days = Counter(min(max(round(one), -365), 365) for one in due)
    known = list(dict.fromkeys(todo.task.content[:200] for todo in todos))[:1000]
    pool: dict[str, Any] = {
        "count": min(len(todos), 5),
        "titles": known if titles else ["task"],
        "priority": {level: sum(todo.task.priority == level for todo in todos) for level in (1, 2, 3, 4)},
        "no_due_date": round(1 - len(due) / len(todos), 4),
    }
    if days:
        pool["due_in_days"] = {"weights": dict(sorted(days.items()))}
    return pool


def arrivals(todos: Iterable[Todo], now: datetime) -> float | None:
    """New tasks a week over the last four, of those still open; None where it is not known when tasks were made."""
    made = [todo.created for todo in todos if todo.created is not None]
    if not made:
        return None
    ages = [(now - one).total_seconds() / 86_400 for one in made]
    return sum(0 <= age < 28 for age in ages) / 4


def _todo(where: str, row: object) -> Todo:
    if not isinstance(row, Mapping):
        raise GeneratorInputError(f"{where}: is not an object")
    due = row.get("due")
    moment = (due.get("datetime") or due.get("date")) if isinstance(due, Mapping) else None
    created = row.get("created_at") or row.get("added_at")
    try:
        task = Task.model_validate(
            {
                "id": row.get("id", ""),
                "content": row.get("content"),
                "priority": row.get("priority"),
                "due_date": moment,
            }
        )
        return Todo(task, _moment(created))
    except (ValidationError, ValueError) as error:
        what = first_problem(error) if isinstance(error, ValidationError) else str(error)
        raise GeneratorInputError(f"{where}: {what}") from None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str) or not value:
        return None
    found = datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _from_csv(number: int, row: Mapping[str, str | None]) -> dict[str, Any]:
    given = (row.get("PRIORITY") or "4").strip()
    day = (row.get("DATE") or "").strip()
    try:
        date.fromisoformat(day[:10])
    except ValueError:
        day = ""
    level = 5 - int(given) if given.isascii() and given.isdigit() else None
    return {"id": f"csv-{number}", "content": row["CONTENT"], "priority": level, "due": {"date": day} if day else None}


def _plain(task: Task, at: int, titles: bool) -> dict[str, Any]:
    due = task.due_date.isoformat() if task.due_date else None
    return {
        "id": task.id or f"task-{at}",
        "content": task.content if titles else f"task {at + 1}",
        "priority": task.priority,
        "due_date": due,
    }


def _pause(told: str | None, attempt: int) -> float:
    try:
        seconds = float(told or "")
    except ValueError:
        seconds = 2.0**attempt
    return min(max(seconds, 0.0), MAX_WAIT)
