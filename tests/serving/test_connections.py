"""No connection holds a place or memory for as long as its client likes."""

from __future__ import annotations

import json
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oo_sim.serving.protocol import BoundedProtocol, Limits

from .conftest import Client, serving, task

HEAD = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
SCORE = json.dumps({"user_id": "u", "candidates": [task("a")]}).encode()
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(SCORE), SCORE)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server with the limits of a hurried one."""
    patch = pytest.MonkeyPatch()
    patch.setattr(BoundedProtocol, "limits", Limits(head=0.4, request=1.2, unread=0.8))
    with patch.context(), serving(tmp_path_factory.mktemp("connections") / "state", seed=1) as client:
        yield client.port
    patch.undo()


def _connected(port: int) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", port), timeout=10)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def _all(peer: socket.socket) -> bytes:
    """What comes until the server hangs up."""
    received = b""
    try:
        while data := peer.recv(65_536):
            received += data
    except ConnectionError:
        pass
    return received


def _drip(peer: socket.socket, text: bytes, pause: float = 0.05) -> tuple[bytes, float]:
    """Send byte after byte until the server answers; the answer, and the seconds until it came."""
    start = time.monotonic()
    peer.settimeout(pause)
    for i in range(len(text)):
        try:
            peer.sendall(text[i : i + 1])
            if answer := peer.recv(65_536):
                peer.settimeout(10)
                return answer + _all(peer), time.monotonic() - start
            break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    raise AssertionError("the server hung up without an answer")


@pytest.mark.parametrize(
    ("sent", "dripped", "seconds"),
    [
        (b"", b"\r\n" * 200, 0.4),  # blank lines before a request are no request
        (b"", HEAD * 4, 0.4),
        (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGE", b"T /health HTTP/1.1\r\nX-Long: " + b"x" * 200, 0.4),
        (HEAD + b"Content-Length: 900\r\n\r\n", b" " * 400, 1.2),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 100, 1.2),
    ],
    ids=["blank lines", "head", "second head", "body", "chunks"],
)
def test_a_dripping_request_is_ended(port: int, sent: bytes, dripped: bytes, seconds: float) -> None:
    with _connected(port) as peer:
        peer.sendall(sent)
        if sent.startswith(b"GET"):
            assert peer.recv(65_536).startswith(b"HTTP/1.1 200 OK")
        answer, took = _drip(peer, dripped)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert (
        json.loads(answer.partition(b"\r\n\r\n")[2])["detail"] == f"the request was not complete within {seconds:g} s"
    )
    assert 0.8 * seconds <= took < seconds + 3


def test_a_silent_connection_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its first request as after the last."""
    with serving(tmp_path / "state", seed=1, idle=1) as client:
        client.get("/health")
        with _connected(client.port) as never, _connected(client._connection.port) as once:
            once.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            start = time.monotonic()
            assert _all(never) == b""
            assert _all(once).startswith(b"HTTP/1.1 200 OK")
            assert time.monotonic() - start < 5


@pytest.mark.parametrize("head", [HEAD, b"POST /" + b"x" * 60_000 + b" HTTP/1.1\r\n"])
def test_a_head_without_end_is_cut_off(port: int, head: bytes) -> None:
    with _connected(port) as peer:
        peer.sendall(head)
        answer = b""
        try:
            for i in range(2000):
                peer.sendall(b"X-%d: %s\r\n" % (i, b"y" * 100))
        except ConnectionError:
            pass
        answer = _all(peer)
    assert answer.startswith(b"HTTP/1.1 431 ") or answer == b""  # a reset connection may lose it


def test_trailers_without_end_are_cut_off(port: int) -> None:
    sent = 0
    with _connected(port) as peer:
        peer.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n \r\n0\r\n")
        try:
            while sent < 200_000_000:
                peer.sendall(b"X-Trailer: %s\r\n" % (b"y" * 10_000) * 20)
                sent += 200_000
        except ConnectionError:
            pass
    assert sent < 100_000_000


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("before", [b"", WHOLE], ids=["get", "post"])
def test_pipelining_without_reading_holds_no_memory(port: int, before: bytes) -> None:
    """The client may send as much as the server's and its own buffers take; then it waits, and is dropped."""
    peak, sent = _peak(), 0
    many = (before + b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n") * 1000
    with _connected(port) as peer:
        peer.settimeout(0.2)
        start = time.monotonic()
        try:
            while time.monotonic() - start < 30:
                try:
                    sent += peer.send(many)
                except TimeoutError:
                    continue
        except ConnectionError:
            pass
        assert time.monotonic() - start < 30  # it was dropped for not reading
    assert sent > 100_000
    assert _peak() - peak < 60_000_000


def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    """More than are parsed at once, bodies of all sizes up to where reading pauses, in pieces of all sizes."""
    bodies = [
        json.dumps({"user_id": f"p{i}", "candidates": [task("a")], "pad": "x" * (i * 997 % 90_000)}).encode()
        for i in range(120)
    ]
    sent = b"".join(HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies)
    with _connected(port) as peer:
        peer.setblocking(False)
        received, at, size = b"", 0, 1
        start = time.monotonic()
        while received.count(b"HTTP/1.1 ") < len(bodies) or not received.endswith(b"}"):
            assert time.monotonic() - start < 60
            try:
                at += peer.send(sent[at : at + size]) if at < len(sent) else 0
                size = size * 3 % 200_003
            except BlockingIOError:
                pass
            try:
                received += peer.recv(1 << 20)
            except BlockingIOError:
                time.sleep(0.001)
    assert received.count(b"HTTP/1.1 200 OK") == len(bodies)
    found = [json.loads(part.partition(b"\r\n\r\n")[2]) for part in received.split(b"HTTP/1.1 200 OK")[1:]]
    assert [one["decision_id"] for one in found] == [f"linucb/0/0/p{i}" for i in range(len(bodies))]


def test_a_client_that_leaves_in_the_middle_is_no_failure(port: int, caplog: pytest.LogCaptureFixture) -> None:
    with _connected(port) as peer:
        peer.sendall(HEAD + b"Content-Length: 900\r\n\r\n{")
        time.sleep(0.1)
    client = Client(port)
    try:
        deadline = time.monotonic() + 5
        while 'route="/score",status="499"' not in client.call("GET", "/metrics").body:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        client.close()
    assert "request failed" not in [record.getMessage() for record in caplog.records]
