"""Every bad input is refused with its field, and changes nothing."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from oo_sim.serving.database import FILE

from .conftest import Client, serving, task


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serving") / "state"


@pytest.fixture(scope="module")
def server(state: Path) -> Iterator[Client]:
    with serving(state, policies=["linucb:features=oo7x"], seed=1) as client:
        client.post("/score", {"user_id": "u", "candidates": [task("a")]})
        client.post("/react", {"decision_id": "linucb/0/0/u", "reaction": "done"})
        yield client


def _content(state: Path) -> list[tuple[object, ...]]:
    db = sqlite3.connect(state / FILE)
    try:
        tables = ("models", "decisions", "learnings")
        return [row for table in tables for row in db.execute(f"SELECT * FROM {table}").fetchall()]
    finally:
        db.close()


SCORE = {"user_id": "u", "candidates": [task("a")], "context": {"hour_of_day": 9, "day_of_week": 2}}
REWARD = {"user_id": "u", "tip_id": "a", "reward": 0.5, "features": {"priority": 2}, "day_of_week": 1}
RECOMMEND: dict[str, Any] = {"user_id": "u", "tasks": [{"id": "a", "content": "b", "priority": 2}], "n_llm": 0}
DEEP = "[" * 50_000 + "]" * 50_000


def _with(body: object, path: str, raw: str) -> bytes:
    """The body as JSON with the value at a path replaced by raw text."""
    copy = json.loads(json.dumps(body))
    *parents, last = path.split(".")
    at = copy
    for key in parents:
        at = at[int(key)] if key.isdigit() else at[key]
    at[int(last) if last.isdigit() else last] = "@@"
    return json.dumps(copy).replace('"@@"', raw).encode()


WRONG = [
    ("/score", SCORE, "candidates.0.features.hour_of_day", ["24", "-1", "true", "9.5", '"9"', "NaN", "1e308", "null"]),
    (
        "/score",
        SCORE,
        "candidates.0.features.task_age_days",
        ["NaN", "Infinity", "-Infinity", "1e308", "1e999", "true"],
    ),
    ("/score", SCORE, "candidates.0.features.priority", ["0", "5", "false", "2.5", "1" + "0" * 400]),
    ("/score", SCORE, "candidates.0.features.is_overdue", ["1", '"yes"', "null"]),
    ("/score", SCORE, "candidates.0.features.overdue", ["true"]),
    ("/reward", REWARD, "features.prioirty", ["4"]),
    ("/score", SCORE, "candidates.0.source", ['"mail"', "1"]),
    ("/score", SCORE, "candidates.0.id", ['""', "7", '"a\\u0000"', '"a\\nb"', json.dumps("x" * 257)]),
    ("/score", SCORE, "context.hour_of_day", ["24", "-1", "true", "NaN"]),
    ("/score", SCORE, "context.day_of_week", ["7", "-1", "true", "1e308"]),
    ("/score", SCORE, "user_id", ['""', "7", "null", '"a\\u0007"', '"\\u007f"', '"\\u0085"', json.dumps("x" * 257)]),
    ("/score", SCORE, "candidates", ["[]", "{}", "null", json.dumps([task("a")] * 1001)]),
    ("/score/egreedy", SCORE, "context", ["[]", "3"]),
    ("/reward", REWARD, "reward", ["1.0000001", "-2", "NaN", "Infinity", "1e308", "true", '"1"', "null"]),
    ("/reward/egreedy", REWARD, "features.priority", ["0", "true"]),
    ("/reward/egreedy", REWARD, "day_of_week", ["7", "2.5"]),
    ("/recommend", RECOMMEND, "tasks.0.priority", ["0", "5", "true"]),
    ("/recommend", RECOMMEND, "tasks.0.due_date", ['"soon"', "3", "true", '"2026-02-30"']),
    ("/recommend", RECOMMEND, "n_llm", ["-1", "65", "true"]),
    ("/recommend", RECOMMEND, "tasks", ["[]", DEEP]),
    ("/generate", {"user_id": "u", "n": 3, "context": {"extra": {"a": 1}}}, "n", ["0", "65", "true"]),
    ("/generate", {"user_id": "u", "n": 3, "context": {"extra": {"a": 1}}}, "context.extra", ["[]", '{"a": NaN}']),
    ("/react", {"decision_id": "linucb/0/0/u", "reaction": "done"}, "reaction", ['"love"', "1", "true"]),
]
CASES = [(path, body, where, raw) for path, body, where, raws in WRONG for raw in raws]


@pytest.mark.parametrize(("path", "body", "where", "raw"), CASES, ids=[f"{p} {w}={r[:20]}" for p, _, w, r in CASES])
def test_what_is_out_of_range_is_refused_with_its_field(
    server: Client, state: Path, path: str, body: object, where: str, raw: str
) -> None:
    before = _content(state)
    answer = server.call("POST", path, _with(body, where, raw))
    assert answer.status == 422, answer
    if raw is not DEEP and len(raw) < 400:
        assert [str(key) for key in answer.body["detail"][0]["loc"]][1:][: len(where.split("."))] == where.split(".")
    assert _content(state) == before


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/score", {**SCORE, "candidates": [task("a"), task("b"), task("a", priority=2)]}, ["candidates", 2, "id"]),
        ("/recommend", {**RECOMMEND, "tasks": [*RECOMMEND["tasks"], *RECOMMEND["tasks"]]}, ["tasks", 1, "id"]),
        ("/generate", {"user_id": "u", "context": {"tasks": [*RECOMMEND["tasks"], *RECOMMEND["tasks"]]}}, None),
    ],
)
def test_two_with_one_id_are_refused(
    server: Client, state: Path, path: str, body: object, where: list[str | int] | None
) -> None:
    before = _content(state)
    answer = server.call("POST", path, body)
    assert answer.status == 422
    assert answer.body["detail"][0]["loc"] == ["body", *(where or ["tasks", 1, "id"])]
    assert "'a' is the id of number 0 already" in answer.body["detail"][0]["msg"]
    assert _content(state) == before


POSTS = {
    "/score": SCORE,
    "/score/egreedy": SCORE,
    "/reward/egreedy": REWARD,
    "/react": {"decision_id": "linucb/0/0/u", "reaction": "done"},
    "/recommend": RECOMMEND,
    "/generate": {"user_id": "u"},
    "/reset/u": None,
}


@pytest.mark.parametrize("origin", ["http://evil.example", "https://127.0.0.1", "null", "http://127.0.0.1:1"])
@pytest.mark.parametrize("path", POSTS)
def test_a_page_of_another_origin_changes_nothing(server: Client, state: Path, path: str, origin: str) -> None:
    before = _content(state)
    for kind in ("text/plain", "application/json"):
        answer = server.call("POST", path, POSTS[path], {"Origin": origin, "Content-Type": kind})
        assert answer.status == 403
    assert _content(state) == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("path", [path for path, body in POSTS.items() if body])
def test_what_does_not_call_itself_json_is_refused(server: Client, state: Path, path: str, kind: str) -> None:
    before = _content(state)
    answer = server.call("POST", path, POSTS[path], {"Content-Type": kind})
    assert answer.status == 415
    assert "Content-Type: application/json" in answer.body["detail"]
    assert _content(state) == before


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", None])
def test_json_is_taken_from_programs_and_from_our_own_page(server: Client, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    assert server.call("POST", "/score", SCORE, headers).status == 200
    own = f"http://127.0.0.1:{server.port}"
    assert server.call("POST", "/score", SCORE, {**headers, "Origin": own}).status == 200


WHOLE_NUMBERS = [
    ("/score", SCORE, "candidates.0.features.hour_of_day", 23),
    ("/score/egreedy", SCORE, "candidates.0.features.priority", 4),
    ("/score", SCORE, "context.hour_of_day", 9),
    ("/score/egreedy", SCORE, "context.day_of_week", 6),
    ("/reward/egreedy", REWARD, "features.hour_of_day", 0),
    ("/reward/egreedy", REWARD, "features.priority", 1),
    ("/reward/egreedy", REWARD, "day_of_week", 6),
    ("/recommend", RECOMMEND, "tasks.0.priority", 3),
    ("/recommend", {**RECOMMEND, "n_llm": 0}, "n_llm", 0),
    ("/recommend", {**RECOMMEND, "context": {"hour_of_day": 1}}, "context.hour_of_day", 7),
]


@pytest.mark.parametrize(("path", "body", "where", "value"), WHOLE_NUMBERS)
def test_nine_point_zero_is_nine(tmp_path: Path, path: str, body: object, where: str, value: int) -> None:
    """JSON has one kind of number. The same calls with either leave the same state."""
    contents = []
    for raw in (f"{value}", f"{value}.0", f"{value}e0"):
        with serving(tmp_path / raw, seed=1) as client:
            assert client.call("POST", path, _with(body, where, raw)).status == 200
        contents.append([[v for v in row if not isinstance(v, int) or v < 10**12] for row in _content(tmp_path / raw)])
    assert contents[0] == contents[1] == contents[2]


WHOLE = [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"user_id": "a", "user_id": "b"}', b'"\\ud800"', DEEP.encode()]
WHOLE += [b'{"user_id": "\\ud83d", "candidates": [{"id": "a", "content": "", "source": "llm"}]}', b"9" * 5000]


@pytest.mark.parametrize("body", WHOLE, ids=lambda body: repr(body[:20]))
def test_what_is_no_proper_json_is_refused(server: Client, state: Path, body: bytes) -> None:
    before = _content(state)
    for path in ("/score", "/reward", "/recommend", "/react", "/generate"):
        assert server.call("POST", path, body).status == 422
    assert _content(state) == before


def test_bodies_over_a_megabyte_are_refused(server: Client, state: Path) -> None:
    before = _content(state)
    assert server.call("POST", "/score", b" " * 1_000_001).status == 413
    assert _content(state) == before


@pytest.mark.parametrize("megabytes", [1.2, 6])
def test_a_chunked_body_over_a_megabyte_is_refused(state: Path, server: Client, megabytes: float) -> None:
    """And read to its end where that is near: who is cut off while sending might never see why."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("POST", "/score", iter([b" " * 200_000] * round(5 * megabytes)), encode_chunked=True)
        assert connection.getresponse().status == 413
    finally:
        connection.close()


def test_a_body_without_end_is_cut_off(server: Client) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 1_000_000_000:
            sent += 200_000
            yield b" " * 200_000

    with suppress(OSError):
        connection.request("POST", "/score", endless(), encode_chunked=True)
    connection.close()
    assert sent < 100_000_000  # eight are read; what lies in buffers comes on top


def test_who_asks_before_sending_a_large_body_is_told_at_once(server: Client) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=1) as peer:
        peer.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n\r\n")
        assert peer.recv(100).startswith(b"HTTP/1.1 413")


def test_features_beyond_a_reward_need_the_decision(server: Client) -> None:
    answer = server.call("POST", "/reward", REWARD)
    assert answer.status == 422
    assert answer.body["detail"][0]["loc"] == ["body", "decision_id"]


def test_a_reward_without_decision_needs_features(server: Client) -> None:
    answer = server.call("POST", "/reward/egreedy", {"user_id": "u", "tip_id": "a", "reward": 1})
    assert answer.status == 422
    assert answer.body["detail"][0]["loc"] == ["body", "features"]


@pytest.mark.parametrize("path", ["/score/nope", "/reward/nope", "/stats/nope/u", "/nope", "/features", "/stats"])
def test_unknown_policies_and_paths(server: Client, path: str) -> None:
    if path.startswith(("/score", "/reward")):
        answer = server.call("POST", path, SCORE if "score" in path else REWARD)
    else:
        answer = server.call("GET", path)
    assert answer.status in (404, 422)
    assert "Traceback" not in str(answer.body)
