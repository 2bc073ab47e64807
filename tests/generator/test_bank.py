"""Banks repeat to the byte, at any concurrency and after a kill; no socket is used; rescoring asks nobody."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.bank import (
    Bank,
    Limits,
    Record,
    contexts_from_tasks,
    generate_bank,
    read_bank,
    read_contexts,
    rescore,
    write_bank,
)
from oo_sim.generator.bank.batch import _asked
from oo_sim.generator.bank.files import _SCHEMAS, SCHEMA
from oo_sim.generator.bank.record import as_row, succeeded
from oo_sim.generator.context import GenerationContext, Task
from oo_sim.generator.errors import StoppedError
from oo_sim.generator.gateway.cassette import RecorderTransport, cassette_gateway
from oo_sim.generator.gateway.client import Gateway, TipGenerator
from oo_sim.generator.gateway.exchange import MAX_WAIT, Answer, Call, again
from oo_sim.generator.gateway.settings import Options
from oo_sim.generator.mock import Profile, mock_gateway
from oo_sim.generator.prompt import default_prompt

from .conftest import ADDRESS, CONTEXT, TIPS, Script, completion

TITLES = ("Water the ferns", "Open the tax letter", "Call Ada about the roof")


def users(n: int) -> list[Any]:
    """Plain task lists of n users; every third context is the same as an earlier one."""
    tasks = [{"id": str(at), "content": title} for at, title in enumerate(TITLES)]
    return [(f"user-{at % 5}", tasks if at % 3 == 0 else tasks[at % 3 :], at % 3 * 7 + 4, 2) for at in range(n)]


def bank(out: Path, gateway: Gateway, n: int = 40, concurrency: int = 1, **options: Any) -> Bank:
    """A bank of n contexts."""
    with TipGenerator(gateway, options=replace(Options(), **options)) as client:
        return generate_bank(client, contexts_from_tasks(users(n)), 3, out, concurrency=concurrency)


@pytest.mark.parametrize("profile", ["typical_small_model", "flaky_gateway", "hostile"])
def test_mock_banks_are_the_same_bytes_at_any_concurrency(tmp_path: Path, profile: str) -> None:
    made = []
    for name, concurrency in (("a", 1), ("b", 1), ("c", 16)):
        bank(tmp_path / name, mock_gateway(profile), concurrency=concurrency)
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1] == made[2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_equal_contexts_get_different_tips(tmp_path: Path) -> None:
    records = bank(tmp_path / "a", mock_gateway("perfect")).records
    same = [record for record in records if record.context == records[0].context]
    assert len(same) > 5
    assert len({record.tips for record in same}) > len(same) / 2


def test_a_bank_is_read_back_as_it_was_made(tmp_path: Path) -> None:
    made = bank(tmp_path / "a", mock_gateway("hostile"))
    assert read_bank(tmp_path / "a") == made
    assert pq.read_schema(tmp_path / "a").equals(SCHEMA)


class Stopper(httpx.BaseTransport):
    """Passes calls on until it has passed `limit`, then interrupts."""

    def __init__(self, inner: Any, limit: int) -> None:
        self.inner, self.left = inner, limit

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The inner answer, or Ctrl-C."""
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        got: httpx.Response = self.inner.handle_request(request)
        return got


@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_stopped_run_goes_on_and_gives_the_same_bytes(tmp_path: Path, concurrency: int) -> None:
    bank(tmp_path / "whole", mock_gateway("typical_small_model"))
    gateway, out = mock_gateway("typical_small_model"), tmp_path / "again"
    for limit in (7, 20):
        stopper: Any = Stopper(gateway.transport, limit)
        with pytest.raises(KeyboardInterrupt):
            bank(out, gateway._replace(transport=stopper), concurrency=concurrency)
        assert not out.exists()
        journal = tmp_path / "again.partial"
        journal.write_bytes(journal.read_bytes() + b'{"position": 3, "half a li')
    bank(out, gateway, concurrency=concurrency)
    assert out.read_bytes() == (tmp_path / "whole").read_bytes()
    assert not (tmp_path / "again.partial").exists()


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from generator.test_bank import bank
from oo_sim.generator.mock import Profile, mock_gateway
from oo_sim.generator.prompt import default_prompt
bank(Path(sys.argv[1]), mock_gateway("typical_small_model"), n=400, concurrency=4)
"""


def test_a_killed_process_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    out, journal = tmp_path / "a", tmp_path / "a.partial"
    tests = str(Path(__file__).parents[1])
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(out), tests])
    while not journal.exists() or journal.stat().st_size < 20_000:
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    for path in (out, tmp_path / "b"):
        bank(path, mock_gateway("typical_small_model"), n=400)
    assert out.read_bytes() == (tmp_path / "b").read_bytes()


def test_a_journal_cut_in_its_first_line_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "a.partial").write_bytes(b'{"prompt_version": "ti')
    made = bank(tmp_path / "a", mock_gateway("perfect"))
    assert bank(tmp_path / "b", mock_gateway("perfect")) == made


def test_a_journal_begun_again_can_be_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "a.partial").write_bytes(b'{"prompt_version": "ti')
    gateway = mock_gateway("perfect")
    stopper: Any = Stopper(gateway.transport, 5)
    with pytest.raises(KeyboardInterrupt):
        bank(tmp_path / "a", gateway._replace(transport=stopper))
    assert bank(tmp_path / "a", gateway) == bank(tmp_path / "b", gateway)


def test_a_complete_bank_is_not_made_again_and_others_are_not_overwritten(tmp_path: Path) -> None:
    made = bank(tmp_path / "a", mock_gateway("perfect"))
    silent: Any = Stopper(None, 0)
    assert bank(tmp_path / "a", mock_gateway("perfect")._replace(transport=silent)) == made
    with pytest.raises(GeneratorInputError, match=r"gateway is 'mock:perfect@.*choose another --out"):
        bank(tmp_path / "a", mock_gateway("hostile"))
    with pytest.raises(GeneratorInputError, match="parser is 'faithful' there and 'lenient' here"):
        bank(tmp_path / "a", mock_gateway("perfect"), parser="lenient")
    with pytest.raises(GeneratorInputError, match="contexts is"):
        bank(tmp_path / "a", mock_gateway("perfect"), n=41)


def test_a_journal_of_another_run_is_refused(tmp_path: Path) -> None:
    gateway = mock_gateway("perfect")
    stopper: Any = Stopper(gateway.transport, 5)
    with pytest.raises(KeyboardInterrupt):
        bank(tmp_path / "a", gateway._replace(transport=stopper))
    with pytest.raises(GeneratorInputError, match="retries is 2 there and 1 here"):
        bank(tmp_path / "a", gateway, retries=1)
    journal = tmp_path / "a.partial"
    journal.write_bytes(journal.read_bytes() + b"5\n")
    with pytest.raises(GeneratorInputError, match="is not a record; remove the file"):
        bank(tmp_path / "a", gateway)


def test_no_socket_is_made_by_mock_and_cassette(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(*[completion(TIPS)] * 40)
    recorder = script.gateway._replace(
        transport=RecorderTransport(script.gateway.transport, tmp_path / "tape", ADDRESS)
    )
    bank(tmp_path / "recorded", recorder)

    def blocked(*args: object, **kwargs: object) -> NoReturn:
        raise AssertionError("a socket was made")

    for name in ("socket", "socketpair", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, blocked)
    bank(tmp_path / "mock", mock_gateway("flaky_gateway"), concurrency=8)
    for name, concurrency in (("one", 1), ("sixteen", 16)):
        bank(tmp_path / name, cassette_gateway(tmp_path / "tape"), concurrency=concurrency)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "sixteen").read_bytes()
    recorded, played = read_bank(tmp_path / "recorded"), read_bank(tmp_path / "one")
    assert [record.tips for record in recorded.records] == [record.tips for record in played.records]
    assert played.info.latency == "recorded"


def test_five_hundred_generations_a_second(tmp_path: Path) -> None:
    """Processor time of this process, bank and journal included; alone it is under 1.5 ms each."""
    bank(tmp_path / "imports what it needs", mock_gateway("perfect"), n=2)
    start = time.process_time()
    bank(tmp_path / "a", mock_gateway("perfect"), n=500)
    assert time.process_time() - start < 1.0


def by_failure(records: tuple[Record, ...]) -> list[tuple[int, str | None, int]]:
    """Status, failure and number of tries of each record."""
    return [(record.status, record.failure, len(record.tries)) for record in records]


def test_rescoring_with_the_same_settings_changes_nothing(tmp_path: Path) -> None:
    for profile, parser in (("hostile", "faithful"), ("hostile", "lenient"), ("typical_small_model", "faithful")):
        made = bank(tmp_path / f"{profile} {parser}", mock_gateway(profile), parser=parser)
        again = rescore(made, parser=parser)  # type: ignore[arg-type]
        assert by_failure(again.records) == by_failure(made.records)
        assert [record.tips for record in again.records] == [record.tips for record in made.records]
        assert [record.usage for record in again.records] == [record.usage for record in made.records]


def test_rescoring_with_fewer_retries_is_a_run_with_fewer_retries(tmp_path: Path) -> None:
    made = bank(tmp_path / "two", mock_gateway("typical_small_model"))
    for retries in (0, 1):
        direct = bank(tmp_path / f"{retries}", mock_gateway("typical_small_model"), retries=retries)
        again = rescore(made, parser="faithful", retries=retries)
        assert by_failure(again.records) == by_failure(direct.records)
        assert [record.usage for record in again.records] == [record.usage for record in direct.records]


def test_rescoring_leniently_drops_tries_that_were_not_needed(tmp_path: Path) -> None:
    script = Script(f"Sure: {TIPS}", TIPS, "no", "no", f"So: {TIPS}")
    faithful = bank(tmp_path / "a", script.gateway, n=2)
    assert by_failure(faithful.records) == [(200, None, 2), (502, "prose", 3)]
    lenient = rescore(faithful, parser="lenient")
    assert by_failure(lenient.records) == [(200, None, 1), (200, None, 3)]
    assert lenient.info.parser == "lenient"


def test_what_was_not_recorded_is_not_made_up(tmp_path: Path) -> None:
    lenient = bank(tmp_path / "a", Script(f"Sure: {TIPS}").gateway, n=1, parser="lenient")
    assert by_failure(rescore(lenient, parser="faithful").records) == [(502, "not_recorded", 1)]
    assert by_failure(rescore(lenient, parser="faithful", retries=0).records) == [(502, "prose", 1)]
    failed = bank(tmp_path / "b", Script("no").gateway, n=1, retries=0)
    assert by_failure(rescore(failed, parser="faithful", retries=2).records) == [(502, "not_recorded", 1)]
    lost = bank(tmp_path / "c", Script("no", httpx.ReadTimeout("slow")).gateway, n=1)
    assert by_failure(rescore(lost, parser="faithful").records) == [(503, "timeout", 2)]
    assert by_failure(rescore(lost, parser="faithful", retries=0).records) == [(502, "no_json", 1)]


def test_rescored_banks_can_be_written(tmp_path: Path) -> None:
    again = rescore(bank(tmp_path / "a", mock_gateway("hostile")), parser="lenient", salvage=True)
    write_bank(tmp_path / "b", again)
    assert read_bank(tmp_path / "b") == again


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all" * 100])
def test_what_is_no_bank_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(GeneratorInputError, match="is not a readable Parquet file"):
        read_bank(tmp_path / "a")
    with pytest.raises(GeneratorInputError, match="does not exist"):
        read_bank(tmp_path / "none")


def test_a_bank_without_its_metadata_is_refused(tmp_path: Path) -> None:
    bank(tmp_path / "a", mock_gateway("perfect"), n=2)
    table = pq.read_table(tmp_path / "a")
    pq.write_table(table.replace_schema_metadata(None), tmp_path / "b")
    pq.write_table(table.select(["position"]), tmp_path / "c")
    for name, says in (("b", "metadata are missing"), ("c", "its columns are different")):
        with pytest.raises(GeneratorInputError, match=says):
            read_bank(tmp_path / name)


def line(**fields: Any) -> str:
    """A line of a contexts file."""
    return json.dumps({"user_id": "ada", "tasks": [{"id": "1", "content": "Go"}], **fields})


def test_contexts_are_read(tmp_path: Path) -> None:
    flat = line(hour_of_day=8, day_of_week=6, extra={"mood": [1, None]})
    nested = json.dumps({"user_id": "bob", "context": {"tasks": [], "hour_of_day": 8}})
    at = line(
        now="2026-01-31T23:30:00+02:00",
        tasks=[{"id": 1, "content": "a"}, {"id": 2, "content": "b", "due_date": "2026-01-30"}],
    )
    (tmp_path / "c.jsonl").write_text(f"\ufeff{flat}\n\n{nested}\r\n{at}\n{flat}\n")
    work = read_contexts(tmp_path / "c.jsonl")
    assert [(one.position, one.user_id, one.occurrence) for one in work] == [
        (0, "ada", 0),
        (1, "bob", 0),
        (2, "ada", 0),
        (3, "ada", 1),
    ]
    assert (work[2].context.hour_of_day, work[2].context.day_of_week) == (23, 5)
    assert [task.id for task in work[2].context.tasks] == ["2", "1"]
    assert len(read_contexts(tmp_path / "c.jsonl", 2)) == 2


def test_contexts_without_now_know_what_is_overdue_when_they_are_read(tmp_path: Path) -> None:
    tasks = [{"content": "Old", "due_date": "2020-01-01"}, {"content": "Later", "due_date": "2026-05-01"}]
    (tmp_path / "c.jsonl").write_text(json.dumps({"tasks": tasks}))
    for read_at, overdue in ((datetime(2026, 4, 1), [True, False]), (datetime(2026, 6, 1), [True, True])):
        (work,) = read_contexts(tmp_path / "c.jsonl", read_at=read_at)
        assert [task.is_overdue for task in work.context.tasks] == overdue
    prompt = default_prompt().messages(read_contexts(tmp_path / "c.jsonl")[0].context, 3)[1]["content"]
    assert "1 of them overdue" in prompt or "2 of them overdue" in prompt


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no contexts"),
        ("{", "line 1: is not JSON"),
        ("[" * 100_000, "line 1: is not JSON"),
        ("5", "line 1: the line"),
        (line(extra={"x": float("nan")}), "NaN is not JSON"),
        (line(hour_of_day=24), "line 1: hour_of_day"),
        (line(tasks=[{"id": "1"}]), "line 1: tasks.0.content"),
        (line(tasks=[{"id": "1", "content": "a", "due_date": "soon"}]), "tasks.0.due_date"),
        (line(now="2026-01-31T23:30:00", hour_of_day=2), "leave hour_of_day"),
        (line() + "\n" + line(mood=1), "line 2: mood"),
    ],
)
def test_broken_contexts_are_refused_with_line_and_field(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "c.jsonl").write_text(text)
    with pytest.raises(GeneratorInputError, match=says):
        read_contexts(tmp_path / "c.jsonl")


class Busy:
    """A gateway that refuses the first call for each of the contexts before `until`, and keeps count."""

    def __init__(self, until: int, status: int = 429, times: int = 1, headers: dict[str, str] | None = None) -> None:
        self.until, self.status, self.times, self.headers = until, status, times, headers or {}
        self.calls: Counter[int] = Counter()
        self.seen: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request.headers["x-oo-occurrence"])
        number = int(re.findall(r"Task number (\d+)", request.content.decode())[0])
        self.calls[number] += 1
        if number < self.until and self.calls[number] <= self.times:
            return httpx.Response(self.status, json={"error": {"message": "slow down"}}, headers=self.headers)
        return httpx.Response(200, json=completion(TIPS))

    def bank(
        self, out: Path, n: int = 40, latency: str = "simulated", limits: Limits | None = None, **options: Any
    ) -> Bank:
        """A bank of n contexts, each with a task of its own."""
        work = contexts_from_tasks((f"u{at % 7}", [{"content": f"Task number {at}"}], 9, 0) for at in range(n))
        gateway = Gateway("script", ADDRESS, httpx.MockTransport(self), latency)
        retry = options.pop("retry_failed", False)
        with TipGenerator(gateway, options=replace(Options(), **options)) as client:
            return generate_bank(client, work, 1, out, retry_failed=retry, limits=limits)


def test_retry_failed_asks_again_just_what_failed(tmp_path: Path) -> None:
    busy, patient = Busy(30), Limits(failures=100)
    first = busy.bank(tmp_path / "a", limits=patient)
    assert Counter(one.status for one in first.records) == {502: 30, 200: 10}
    assert not any(one.is_answered for one in first.records[:30])
    assert busy.bank(tmp_path / "a", limits=patient) == first
    assert len(busy.seen) == 40
    second = busy.bank(tmp_path / "a", limits=patient, retry_failed=True)
    assert len(busy.seen) == 70
    assert {one.status for one in second.records} == {200}
    assert second.records[30:] == first.records[30:]
    assert [one.failure for one in second.records[0].tries] == ["http_429", None]
    assert read_bank(tmp_path / "a") == second
    assert len(set(busy.seen)) == 2  # what is asked again is another request than what was refused
    assert busy.bank(tmp_path / "a", limits=patient, retry_failed=True) == second
    assert len(busy.seen) == 70


def test_a_retry_that_is_stopped_goes_on(tmp_path: Path) -> None:
    busy, patient = Busy(30, times=2), Limits(failures=100)
    busy.bank(tmp_path / "a", limits=patient)
    busy.times, tokens = 1, Limits(100, tokens=10 * 60)
    with pytest.raises(StoppedError, match="600 tokens of the 600 allowed"):
        busy.bank(tmp_path / "a", limits=tokens, retry_failed=True)
    asked = len(busy.seen)
    made = busy.bank(tmp_path / "a", limits=patient, retry_failed=True)
    assert len(busy.seen) in (70, 71)  # one may have been under way when it was stopped
    assert asked < 60
    assert {one.status for one in made.records} == {200}


def test_tokens_of_what_was_not_answered_in_the_end_are_used_too(tmp_path: Path) -> None:
    """Three times 60 tokens for nonsense and then a refusal, and 60 for tips: 240 of 200."""
    script = Script(*["no tips", httpx.Response(429)] * 3, *[TIPS] * 9)
    work = contexts_from_tasks((f"u{at}", [{"content": f"Task number {at}"}], 9, 0) for at in range(12))
    with (
        TipGenerator(script.gateway._replace(latency="simulated")) as client,
        pytest.raises(StoppedError, match="240 tokens of the 200 allowed"),
    ):
        generate_bank(client, work, 1, tmp_path / "a", limits=Limits(tokens=200))


def test_a_batch_asks_again_what_was_refused_for_now_and_keeps_every_try(tmp_path: Path) -> None:
    busy = Busy(30, status=503)
    made = busy.bank(tmp_path / "a", gateway_retries=2)
    assert {one.status for one in made.records} == {200}
    assert [(one.attempt, one.failure) for one in made.records[0].tries] == [(1, "http_503"), (1, None)]
    assert rescore(made, parser="lenient", retries=0).records[0].status == 200
    lost = Busy(30, status=401)
    with pytest.raises(StoppedError, match="for 3 contexts in a row, the last time with: the gateway answered 401"):
        lost.bank(tmp_path / "b", n=3, gateway_retries=2)
    assert len(lost.seen) == 3  # a wrong key stays wrong
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]  # and nothing is left that would look like a bank


def test_pauses_grow_with_jitter_and_honour_what_the_other_side_says() -> None:
    call, refused = Call("/x", b"{}", 1.0), Answer(429, b"", 0.0)
    waits = []
    for _ in range(8):
        call = again(call, refused)
        waits.append(call.wait)
    assert call.again == 8
    for at, seconds in enumerate(waits):
        assert min(0.5 * 2**at, MAX_WAIT) <= seconds <= min(1.5 * 2**at, MAX_WAIT)
    assert again(Call("/x", b"{}", 1.0), refused).wait == waits[0]
    assert len({again(Call("/x", b"%d" % at, 1.0), refused).wait for at in range(50)}) > 45
    assert again(Call("/x", b"{}", 1.0), refused._replace(retry_after=7.0)).wait == 7.0
    assert again(Call("/x", b"{}", 1.0), refused._replace(retry_after=1e9)).wait == MAX_WAIT


@pytest.mark.parametrize("header", ["retry-after", "llm_provider-retry-after"])
def test_a_live_batch_waits_as_long_as_it_is_told(header: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("oo_sim.generator.gateway.client.sleep", waited.append)
    for value, at_least in (("3.5", 3.5), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.5), ("-3", 0.5)):
        waited.clear()
        Busy(1, headers={header: value}).bank(tmp_path / value, n=1, latency="measured", gateway_retries=1)
        assert len(waited) == 2
        assert waited[0] == 0.0
        assert at_least <= waited[1] <= max(at_least, 1.5)


def test_the_rate_of_calls_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("oo_sim.generator.gateway.client.sleep", waited.append)
    gateway = Gateway("script", ADDRESS, httpx.MockTransport(Busy(0)))
    with TipGenerator(gateway, rpm=60) as client:
        for at in range(4):
            client.generate(GenerationContext(tasks=(Task(content=f"Task number {at}"),)), 1, occurrence=0)
    assert [round(seconds) for seconds in waited] == [0, 1, 2, 3]


def test_an_outage_stops_the_batch_and_none_of_it_is_held_against_the_contexts(tmp_path: Path) -> None:
    busy = Busy(40, times=10**6)
    busy.until = 0
    busy.bank(tmp_path / "all", n=12)
    down = Busy(40, status=500, times=10**6)
    with pytest.raises(StoppedError, match=r"failed for 5 contexts in a row.*slow down.*0 of 40.*same command again"):
        down.bank(tmp_path / "a")
    assert len(down.seen) in (5, 6)  # one more may have been under way
    assert not (tmp_path / "a").exists()
    some = Busy(40, status=500, times=10**6)
    some.until = 0
    flaky = some.__call__

    def breaks(request: httpx.Request) -> httpx.Response:
        some.until = 40 if len(some.seen) >= 20 else 0
        return flaky(request)

    some_gateway = Gateway("script", ADDRESS, httpx.MockTransport(breaks), "simulated")
    work = contexts_from_tasks((f"u{at % 7}", [{"content": f"Task number {at}"}], 9, 0) for at in range(40))
    with TipGenerator(some_gateway) as client, pytest.raises(StoppedError, match=r"2[01] of 40 contexts are done"):
        generate_bank(client, work, 1, tmp_path / "a")
    healthy = Busy(0)
    made = healthy.bank(tmp_path / "a")
    assert len(healthy.seen) in (19, 20)  # one more may have been done before
    assert [len(one.tries) for one in made.records] == [1] * 40


class Instant(Executor):
    """Has done everything at once, so that all that is waited for comes together."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **options))
        return future


def test_what_comes_together_comes_in_order_so_that_a_row_of_failures_is_one() -> None:
    """Three of four failed, never more than three in a row; a set's order made eight in a row of them: an outage."""
    work = contexts_from_tasks((f"u{at}", [{"content": f"Task number {at}"}], 9, 0) for at in range(100))
    busy = Gateway("script", ADDRESS, httpx.MockTransport(Busy(0)), "simulated")
    with Instant() as pool, TipGenerator(busy) as client:
        came = list(
            _asked(pool, lambda one: succeeded(one, 1, client.generate(one.context, 1, occurrence=0)), work, 16)
        )
    assert [record.position for record, _ in came] == list(range(100))


def test_a_model_that_writes_nonsense_is_no_outage(tmp_path: Path) -> None:
    profile = Profile.model_validate({"version": 1, "fault_rate": 1, "recovery": [0], "faults": {"empty_text": 1}})
    made = bank(tmp_path / "a", mock_gateway(profile), 20)
    assert all(one.status == 502 and one.is_answered for one in made.records)


def test_a_reply_that_was_cut_off_is_asked_for_once_with_more_room(tmp_path: Path) -> None:
    cut = completion(TIPS[:20], (50, 100))
    cut["choices"][0]["finish_reason"] = "length"
    script = Script(cut, cut, TIPS)
    with TipGenerator(script.gateway) as client:
        got = client.generate(CONTEXT, 1)
    assert [script.body(at).get("max_tokens") for at in range(3)] == [None, 1024, 1024]
    assert [len(script.body(at)["messages"]) for at in range(3)] == [2, 2, 4]
    assert [one.finish_reason for one in got.tries] == ["length", "length", "stop"]
    script = Script(cut, TIPS)
    with TipGenerator(script.gateway, options=Options(max_tokens=300)) as client:
        client.generate(CONTEXT, 1)
    assert [script.body(at)["max_tokens"] for at in range(2)] == [300, 1200]


def test_banks_of_the_first_format_are_read(tmp_path: Path) -> None:
    made = bank(tmp_path / "a", mock_gateway("perfect"), 4)
    table = pq.read_table(tmp_path / "a")
    old = [as_row(one) for one in made.records]
    for row in old:
        row["tips"] = [{k: v for k, v in tip.items() if k != "given_id"} for tip in row["tips"]]
        row["tries"] = [{k: v for k, v in one.items() if k != "replayed"} for one in row["tries"]]
    info = json.loads(table.schema.metadata[b"oo_sim.tips"]) | {"format": 1}
    for later in ("max_tokens", "gateway_retries"):
        del info[later]
    schema = _SCHEMAS[1].with_metadata({b"oo_sim.tips": json.dumps(info).encode()})
    pq.write_table(pa.Table.from_pylist(old, schema), tmp_path / "old")
    assert read_bank(tmp_path / "old") == made
