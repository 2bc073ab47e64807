"""Measures a server of its own over loopback: requests per second, latencies, memory. It is driven over keep-alive
connections with plain sockets, so that the client is not what is measured."""

from __future__ import annotations

import json
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

TIMEOUT = 30.0
"""Seconds without any answer after which a drive is given up."""
_HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
_STOPPING = 40.0


class DriveError(Exception):
    """The server answered with an error, hung up, or did not answer."""


class Drive(NamedTuple):
    """What a drive measured; latencies in seconds, in ascending order."""

    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """The latency in milliseconds that this share of requests does not exceed."""
        return 1000 * self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


class _Connection:
    """A socket with at most one request under way."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0.0
        self._received = bytearray()

    def send(self, request: bytes) -> None:
        """Send a request."""
        self.sent = time.perf_counter()
        self.socket.sendall(request)

    def answered(self) -> bool:
        """Read what is there; whether the answer is whole. Raises DriveError unless its status is 200."""
        data = self.socket.recv(1 << 16)
        if not data:
            raise DriveError("the server hung up")
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return False
        fields = bytes(head).lower().split(b"\r\n")
        length = next(int(field[15:]) for field in fields if field.startswith(b"content-length:"))
        if len(body) < length:
            return False
        if b" 200 " not in fields[0] + b" ":
            raise DriveError(f"the server answered {bytes(head[:80])!r}: {bytes(body[:300])!r}")
        self._received.clear()
        return True


def drive(host: str, port: int, requests: Iterator[bytes], connections: int) -> Drive:
    """Send all requests, each connection one after the other. Raises DriveError."""
    opened = [_Connection(host, port) for _ in range(connections)]
    latencies: list[float] = []
    try:
        with selectors.DefaultSelector() as waiting:
            for connection in opened:
                waiting.register(connection.socket, selectors.EVENT_READ, connection)
            start = time.perf_counter()
            under_way = sum(_next(connection, requests) for connection in opened)
            while under_way:
                ready = waiting.select(TIMEOUT)
                if not ready:
                    raise DriveError(f"no answer within {TIMEOUT:g} s")
                for key, _ in ready:
                    connection = key.data
                    if connection.answered():
                        latencies.append(time.perf_counter() - connection.sent)
                        under_way -= not _next(connection, requests)
            return Drive(time.perf_counter() - start, sorted(latencies))
    finally:
        for connection in opened:
            connection.socket.close()


def _next(connection: _Connection, requests: Iterator[bytes]) -> bool:
    request = next(requests, None)
    if request is not None:
        connection.send(request)
    return request is not None


def post(path: str, body: object) -> bytes:
    """A request as bytes."""
    text = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text


def scores(count: int, users: int, candidates: int = 5) -> Iterator[bytes]:
    """Score calls of users in turn, tasks of all sorts."""
    for i in range(count):
        offered = [
            {
                "id": f"task-{k}",
                "content": "write the report",
                "source": "todoist",
                "features": {"is_overdue": k % 2 == 0, "task_age_days": 1.5 * k, "priority": 1 + k % 4},
            }
            for k in range(candidates)
        ]
        context = {"hour_of_day": i % 24, "day_of_week": i % 7}
        yield post("/score", {"user_id": f"user-{i % users}", "candidates": offered, "context": context})


def rewards(count: int, users: int) -> Iterator[bytes]:
    """Contract rewards of users in turn."""
    for i in range(count):
        features = {
            "hour_of_day": i % 24,
            "is_overdue": i % 2 == 0,
            "task_age_days": 1.5 * (i % 9),
            "priority": 1 + i % 4,
        }
        body = {"user_id": f"user-{i % users}", "tip_id": "task-0", "reward": (i % 5 - 2) / 2, "features": features}
        yield post("/reward", body)


class Measured(NamedTuple):
    """What one kind of call came to; latencies in milliseconds."""

    call: str
    requests: int
    per_second: float
    p50: float
    p99: float


@contextmanager
def started(state_dir: Path, *arguments: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A server process on a free port, which answers; it is stopped at the end. `arguments` are more of `serve`."""
    command = [sys.executable, "-m", "oo_sim", "serve", "--port", "0", "--state-dir", str(state_dir), *arguments]
    with (state_dir.parent / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not (match := re.search(r":(\d+) ", said)):
            raise DriveError(f"the server did not start; see {log.name}")
        port = int(match[1])
        drive("127.0.0.1", port, iter([_HEALTH]), 1)  # the port is open before the app is ready: this waits for it
        yield port, process
    finally:
        process.terminate()
        try:
            process.wait(_STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()  # type: ignore[union-attr]


def bench(
    requests: int, connections: int, users: int, workers: int = 1, parent: Path | None = None
) -> tuple[list[Measured], float]:
    """Drive a fresh server with score calls, then with rewards of the same users; and its memory in MB at the end
    (all workers; 0 where the system does not say). Raises DriveError."""
    with tempfile.TemporaryDirectory(dir=parent) as directory:
        state = Path(directory) / "state"
        with started(state, "--workers", str(workers), "--log-level", "warning") as (port, process):
            drive("127.0.0.1", port, scores(50 * connections, users), connections)  # warm up
            measured = [
                _measured("score", drive("127.0.0.1", port, scores(requests, users), connections)),
                _measured("reward", drive("127.0.0.1", port, rewards(requests, users), connections)),
            ]
            return measured, memory(process.pid)


def memory(pid: int) -> float:
    """The resident memory of a process and its children in MB, as Linux reports it; 0 elsewhere."""
    pages = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            if pid in (int(stat.parent.name), int(fields[1])):
                pages += int(fields[21])
        except OSError:
            continue  # it ended meanwhile
    return pages * 4096 / 1e6


def _measured(call: str, driven: Drive) -> Measured:
    return Measured(call, len(driven.latencies), driven.rate, driven.percentile(0.5), driven.percentile(0.99))
