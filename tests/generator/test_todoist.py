"""Todoist as a source of tasks, against a server shaped after its public API: pages, limits, tokens, dates."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from calling import running
from pydantic import SecretStr
from typer.testing import CliRunner

from oo_sim.cli.import_tasks import app
from oo_sim.errors import GeneratorInputError
from oo_sim.generator.bank import read_contexts
from oo_sim.generator.todoist import Account, TokenError, arrivals, contexts, read_export, task_pool
from oo_sim.scenario import loads

TOKEN = "0123456789abcdef0123456789abcdef01234567"
NOW = datetime(2026, 3, 4, 9, tzinfo=UTC)


def task(number: int, **fields: Any) -> dict[str, Any]:
    """A task as the REST API gives it."""
    return {
        "id": str(2_995_104_339 + number),
        "project_id": "2203306141",
        "section_id": None,
        "content": f"Task {number}",
        "description": "",
        "is_completed": False,
        "labels": ["Food"],
        "parent_id": None,
        "order": number,
        "priority": 1,
        "due": None,
        "url": f"https://todoist.com/showTask?id={number}",
        "comment_count": 0,
        "created_at": "2026-02-20T21:00:30.00000Z",
        "creator_id": "2671355",
        "assignee_id": None,
        "assigner_id": None,
    } | fields


TASKS = [
    task(1, priority=4, due={"date": "2026-03-01", "is_recurring": False, "string": "1 Mar", "lang": "en"}),
    task(2, due={"date": "2026-03-05", "datetime": "2026-03-05T08:00:00Z", "string": "tomorrow", "timezone": "UTC"}),
    task(3, content="Ruf Mama an \u260e\ufe0f", created_at="2025-11-12T10:00:00.00000Z"),
]


class Todoist(ThreadingHTTPServer):
    """The API: a list of tasks, whole or in pages, for those who bring the token."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tasks: list[Any] = list(TASKS)
        self.page: int | None = None
        self.busy = 0
        self.status = 200
        self.asked = 0

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Todoist

    def do_GET(self) -> None:
        self.server.asked += 1
        place = urlsplit(self.path)
        if place.path != "/rest/v2/tasks":
            self._send(404, "Not Found")
        elif self.headers.get("authorization") != f"Bearer {TOKEN}":
            self._send(401, "Unauthorized")
        elif self.server.status != 200:
            self._send(self.server.status, "Forbidden")
        elif self.server.busy:
            self.server.busy -= 1
            self._send(429, {"error": "Too many requests", "error_extra": {"retry_after": 3}}, {"retry-after": "3"})
        elif self.server.page is None:
            self._send(200, self.server.tasks)
        else:
            first = int(parse_qs(place.query).get("cursor", ["0"])[0])
            last = first + self.server.page
            after = str(last) if last < len(self.server.tasks) else None
            self._send(200, {"results": self.server.tasks[first:last], "next_cursor": after})

    def log_message(self, *args: object) -> None:
        """Says nothing."""

    def _send(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {
            **(headers or {}),
            "content-type": "application/json",
            "content-length": str(len(body)),
        }.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)


def todoist() -> AbstractContextManager[Todoist]:
    """The server, running."""
    return running(Todoist())


def account(server: Todoist, token: str = TOKEN, sleeps: list[float] | None = None) -> Account:
    """An account there; pauses are kept instead of taken."""
    return Account(SecretStr(token), server.url, (sleeps if sleeps is not None else []).append)


@pytest.mark.parametrize("page", [None, 1, 2, 3, 50])
def test_all_tasks_are_read_whatever_the_pages(page: int | None) -> None:
    with todoist() as server:
        server.page = page
        todos = account(server).tasks()
    assert [todo.task.content for todo in todos] == ["Task 1", "Task 2", "Ruf Mama an \u260e\ufe0f"]
    assert [todo.task.priority for todo in todos] == [4, 1, 1]
    assert [todo.task.due_date for todo in todos] == [date(2026, 3, 1), datetime(2026, 3, 5, 8, tzinfo=UTC), None]
    assert todos[0].created == datetime(2026, 2, 20, 21, 0, 30, tzinfo=UTC)


def test_rate_limits_are_honoured() -> None:
    sleeps: list[float] = []
    with todoist() as server:
        server.busy = 2
        assert len(account(server, sleeps=sleeps).tasks()) == 3
        assert sleeps == [3.0, 3.0]
        server.busy = 99
        with pytest.raises(GeneratorInputError, match="429"):
            account(server, sleeps=sleeps).tasks()


def test_what_a_token_is_worth_is_known_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TODOIST_TOKEN", raising=False)
    with todoist() as server:
        assert Account(url=server.url).token_status == "missing"
        with pytest.raises(TokenError, match="TODOIST_TOKEN is not set"):
            Account(url=server.url).tasks()
        assert server.asked == 0
        for token, status, says in ((TOKEN, 403, "forbidden"), ("another-token-0000", 200, "expired")):
            server.status = status
            one = account(server, token)
            with pytest.raises(TokenError, match=says) as caught:
                one.tasks()
            assert one.token_status == caught.value.status == says
            assert token not in str(caught.value)
        server.status = 200
        good = account(server)
        good.tasks()
        asked = server.asked
        assert good.token_status == "ok"
        assert server.asked == asked


def test_a_check_asks_once_and_tells_what_the_token_is_worth() -> None:
    with todoist() as server:
        for token, status, says in (
            (TOKEN, 200, "ok"),
            (TOKEN, 403, "forbidden"),
            ("another-token-0000", 200, "expired"),
        ):
            server.status, server.asked = status, 0
            one = account(server, token)
            asyncio.run(one.check())
            assert (one.token_status, server.asked) == (says, 1)
        server.status, good = 200, account(server)
        asyncio.run(good.check())
        server.status = 500
        with pytest.raises(GeneratorInputError, match="answered 500"):
            asyncio.run(good.check())
        assert good.token_status == "ok"  # as it was: a server that fails says nothing of a token
        server.asked = 0
        asyncio.run(account(server, " ").check())
        assert server.asked == 0
    with pytest.raises(GeneratorInputError, match="cannot be reached"):
        asyncio.run(good.check())


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        ([task(1, priority=9)], "task 1: priority"),
        ([task(1), task(2, content=None)], "task 2: content"),
        ([task(1, due={"date": "someday"})], "task 1"),
        ([5], "task 1: is not an object"),
        ({"error": "x"}, "not a list of tasks"),
    ],
)
def test_what_is_not_a_task_is_refused(tasks: Any, says: str) -> None:
    with todoist() as server:
        server.tasks = tasks
        with pytest.raises(GeneratorInputError, match=says):
            account(server).tasks()


def test_a_server_that_is_not_there_or_fails_is_said() -> None:
    with todoist() as server:
        server.status = 500
        with pytest.raises(GeneratorInputError, match="answered 500"):
            account(server).tasks()
        url = server.url
    with pytest.raises(GeneratorInputError, match="cannot be reached"):
        Account(SecretStr(TOKEN), url).tasks()


def test_exports_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"items": TASKS}))
    assert len(read_export(tmp_path / "a.json")) == 3
    (tmp_path / "a.csv").write_text(
        "TYPE,CONTENT,DESCRIPTION,PRIORITY,INDENT,AUTHOR,RESPONSIBLE,DATE,DATE_LANG,TIMEZONE\n"
        "section,Home,,,,,,,,\n"
        "task,Pay the rent,,1,1,Ada (1),,2026-03-01,en,UTC\n"
        "task,Water the ferns,,4,1,Ada (1),,every day,en,UTC\n"
        ",,,,,,,,,\n"
    )
    todos = read_export(tmp_path / "a.csv")
    assert [(todo.task.content, todo.task.priority, todo.task.due_date) for todo in todos] == [
        ("Pay the rent", 4, date(2026, 3, 1)),
        ("Water the ferns", 1, None),
    ]
    for text, says in (("a,b\n1,2\n", "TYPE and CONTENT"), ("{", "is not JSON"), ('{"a": 1}', "no list of tasks")):
        (tmp_path / "bad").write_text(text)
        with pytest.raises(GeneratorInputError, match=says):
            read_export(tmp_path / "bad")


def test_contexts_know_what_is_overdue_at_their_own_time(tmp_path: Path) -> None:
    with todoist() as server:
        todos = account(server).tasks()
    path = tmp_path / "c.jsonl"
    path.write_text(contexts(todos, [NOW, NOW.replace(month=2)]))
    first, second = read_contexts(path)
    assert [one.content for one in first.context.tasks if one.is_overdue] == ["Task 1"]
    assert not any(one.is_overdue for one in second.context.tasks)
    assert (first.user_id, first.context.hour_of_day, first.context.day_of_week) == ("todoist", 9, 2)
    path.write_text(contexts(todos, [NOW], titles=False))
    assert "Mama" not in path.read_text()
    assert len(read_contexts(path)[0].context.tasks) == 3


def test_the_task_pool_is_that_of_the_list() -> None:
    with todoist() as server:
        todos = account(server).tasks()
    pool = task_pool(todos, NOW)
    assert pool["titles"] == ["Task 1", "Task 2", "Ruf Mama an \u260e\ufe0f"]
    assert pool["priority"] == {1: 2, 2: 0, 3: 0, 4: 1}
    assert pool["due_in_days"] == {"weights": {-3: 1, 1: 1}}
    assert pool["no_due_date"] == pytest.approx(1 / 3, abs=1e-4)
    assert task_pool(todos, NOW, titles=False)["titles"] == ["task"]
    assert arrivals(todos, NOW) == 0.5
    with pytest.raises(GeneratorInputError, match="no tasks"):
        task_pool([], NOW)


def test_the_command_writes_contexts_and_a_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TODOIST_TOKEN", TOKEN)
    out, scenario = tmp_path / "c.jsonl", tmp_path / "s.yaml"
    with todoist() as server:
        command = [
            "todoist",
            "--url",
            server.url,
            "-o",
            str(out),
            "--hour",
            "8",
            "--hour",
            "20",
            "--scenario",
            str(scenario),
        ]
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
        assert "3 tasks" in result.stdout
        assert [work.context.hour_of_day for work in read_contexts(out)] == [8, 20]
        assert loads(scenario.read_text()).name == "todoist"
        told = loads(scenario.read_text()).description
        assert re.fullmatch(r"3 open tasks of a Todoist account, \d\.\d of them a week new\.", told)
        assert yaml.safe_load(scenario.read_text())["world"]["tasks"]["titles"][0] == "Task 1"
        server.status = 403
        refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2
    assert "forbidden" in refused.stderr
    for path in tmp_path.iterdir():
        assert TOKEN not in path.read_text()
