"""A batch whose gateway refuses, is busy or down: what is asked again, how long it waits, and when it stops."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from oo_sim.generator.bank import (
    Bank,
    Limits,
    contexts_from_tasks,
    generate_bank,
    read_bank,
    rescore,
)
from oo_sim.generator.bank.batch import _asked
from oo_sim.generator.bank.record import succeeded
from oo_sim.generator.context import GenerationContext, Task
from oo_sim.generator.errors import StoppedError
from oo_sim.generator.gateway.client import Gateway, TipGenerator
from oo_sim.generator.gateway.exchange import MAX_WAIT, Answer, Call, again
from oo_sim.generator.gateway.settings import Options
from oo_sim.generator.mock import Profile, mock_gateway

from .banks import bank
from .conftest import ADDRESS, CONTEXT, TIPS, Script, completion


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
