"""Drives a server over keep-alive connections with plain sockets, so that the client is not what is measured."""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

TIMEOUT = 30.0
"""Seconds without any answer after which a drive is given up."""


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
    """Send requests, each connection one after the other, until there are no more. Raises DriveError."""
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
