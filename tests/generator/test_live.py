"""The live transport on a real socket: deadlines, byte caps, hang-ups; sync, async and inside a loop."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from oo_sim.generator.conversation import Generation
from oo_sim.generator.errors import GenerationError
from oo_sim.generator.gateway.client import AsyncTipGenerator, Gateway, TipGenerator
from oo_sim.generator.gateway.live import LiveTransport
from oo_sim.generator.gateway.settings import Address, Options

from .conftest import CONTEXT, KEY, TIPS, completion, read_request, serve

GOOD = json.dumps(completion(TIPS)).encode()
QUICK = Options(call_timeout=0.4, total_timeout=0.8)


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def says(data: bytes) -> Callable[[socket.socket], None]:
    """A server that reads a request, says `data` and closes."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(data)

    return handle


def drips(head: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    """A server that says `head` and then drips for ever."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head)
        while True:
            connection.sendall(drop)
            time.sleep(0.05)

    return handle


def gateway(url: str, max_bytes: int = 1 << 20) -> Gateway:
    """A live gateway with a small cap."""
    return Gateway("live", Address(url, SecretStr(KEY)), LiveTransport(max_bytes=max_bytes))


def generate(url: str, mode: str) -> Generation:
    """One generation with short deadlines."""

    async def by_loop() -> Generation:
        async with AsyncTipGenerator(gateway(url), options=QUICK) as client:
            return await client.generate(CONTEXT, 1)

    if mode == "async":
        return asyncio.run(by_loop())
    with TipGenerator(gateway(url), options=QUICK) as client:
        return client.generate(CONTEXT, 1)


BOTH = pytest.mark.parametrize("mode", ["sync", "async"])
BOMB = gzip.compress(b'{"choices": "' + b"a" * 50_000_000)


@BOTH
@pytest.mark.parametrize("data", [http(GOOD), http(gzip.compress(GOOD), "Content-Encoding: gzip")])
def test_a_good_answer(data: bytes, mode: str) -> None:
    with serve(says(data)) as url:
        got = generate(url, mode)
    assert got.candidates[0].content == "Water the ferns."
    assert 0 < got.tries[0].latency_ms < 400


CASES: dict[str, tuple[Callable[[socket.socket], None], int, str]] = {
    "dripping body": (drips(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "), 503, "timeout"),
    "dripping head": (drips(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), 503, "timeout"),
    "silence": (drips(b"", b""), 503, "timeout"),
    "endless body": (
        drips(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"a" * 600_000),
        502,
        "too_large",
    ),
    "gzip bomb": (says(http(BOMB, "Content-Encoding: gzip")), 502, "too_large"),
    "broken gzip": (says(http(b"no gzip", "Content-Encoding: gzip")), 502, "undecodable"),
    "cut gzip": (says(http(gzip.compress(GOOD)[:-20], "Content-Encoding: gzip")), 502, "no_completion"),
    "other encoding": (says(http(GOOD, "Content-Encoding: br")), 502, "undecodable"),
    "hang-up at once": (lambda connection: None, 503, "unreachable"),
    "hang-up in the body": (says(http(GOOD)[:-5]), 503, "unreachable"),
    "no HTTP": (says(b"hello\r\n\r\n"), 503, "unreachable"),
    "redirect": (says(http(b"", "Location: http://127.0.0.1:1/", status="307 X")), 502, "http_307"),
}


@BOTH
@pytest.mark.parametrize("name", CASES)
def test_bad_answers_have_their_status_in_time(name: str, mode: str) -> None:
    handle, status, failure = CASES[name]
    start = time.monotonic()
    with serve(handle) as url, pytest.raises(GenerationError) as caught:
        generate(url, mode)
    assert (caught.value.status, caught.value.tries[-1].failure) == (status, failure)
    assert time.monotonic() - start < 3
    assert KEY not in str(caught.value)


@BOTH
def test_nobody_listens(mode: str) -> None:
    with serve(lambda connection: None) as url:
        closed = url
    with pytest.raises(GenerationError) as caught:
        generate(closed, mode)
    assert (caught.value.status, caught.value.tries[0].failure) == (503, "unreachable")
    assert closed in str(caught.value)


def test_environment_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serve(says(http(GOOD))) as url:
        assert generate(url, "sync").candidates


def test_the_sync_client_works_where_a_loop_runs() -> None:
    async def notebook(url: str) -> Generation:
        return generate(url, "sync")

    with serve(says(http(GOOD))) as url:
        assert asyncio.run(notebook(url)).candidates


def test_one_sync_client_serves_many_threads_and_leaves_none_behind() -> None:
    before = threading.active_count()
    with serve(says(http(GOOD))) as url, TipGenerator(gateway(url)) as client:
        threads = [threading.Thread(target=client.generate, args=(CONTEXT, 1)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.generate(CONTEXT, 1).candidates
    time.sleep(0.1)
    assert threading.active_count() <= before
