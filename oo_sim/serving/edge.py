"""What surrounds every request: a limit on its body, an id, a line in the log, its metrics, and an answer to
whatever goes wrong, which never holds a stack trace."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from itertools import count
from typing import Any, TypeAlias

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.requests import ClientDisconnect
from starlette.responses import Response

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Upper bounds of the latency buckets in seconds."""
MAX_BODY = 1_000_000
"""The most bytes of a body that are taken."""
_DRAINED, _PATIENCE = 8 * MAX_BODY, 2.0  # bytes and seconds for which a refused body is read on, to no use
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being answered."""
log = logging.getLogger("oo_sim.serving")
_GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PROCESS, _SERIAL = uuid.uuid4().hex[:12], count()
_METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LEFT = 499  # the client left before its request was complete; nginx's number, in metrics and log alone


class Metrics:
    """Counters and latencies of one worker process, for Prometheus; `decisions` and `rewards` by policy."""

    def __init__(self, policies: Iterable[str]) -> None:
        self._registry = registry = CollectorRegistry()
        decisions = Counter("oo_sim_decisions", "Decisions made.", ["policy"], registry=registry)
        rewards = Counter("oo_sim_rewards", "Rewards learned.", ["policy"], registry=registry)
        self.decisions = {policy: decisions.labels(policy) for policy in policies}
        self.rewards = {policy: rewards.labels(policy) for policy in policies}
        self.resets = Counter("oo_sim_resets", "Users reset.", registry=registry)
        self._requests = Counter(
            "oo_sim_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "oo_sim_request_seconds", "Time to answer a request.", ["route"], buckets=BUCKETS, registry=registry
        )
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}  # as looking labels up is slow

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request; `route` is the path's template, of which there are few."""
        key = method, route, status
        if key not in self._known:
            self._known[key] = self._requests.labels(method, route, status), self._seconds.labels(route)
        counter, histogram = self._known[key]
        counter.inc()
        histogram.observe(seconds)

    def reply(self) -> Response:
        """All metrics as Prometheus reads them."""
        return Response(generate_latest(self._registry), headers={"content-type": CONTENT_TYPE_LATEST})


class TooLargeError(Exception):
    """A body is larger than `MAX_BODY`."""


class Edge:
    """The outermost layer of the app."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; what is not HTTP goes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        request_id.set(exchange.id)
        start = time.perf_counter()
        try:
            if exchange.declared > MAX_BODY:
                raise TooLargeError
            if exchange.foreign:
                await exchange.fail(403, "a web page of another origin may not call this server")
            else:
                await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            exchange.status = _LEFT
        except TooLargeError:
            await exchange.drain()
            await exchange.fail(413, f"the body is larger than {MAX_BODY} bytes")
        except Exception:
            log.exception("request failed")
            await exchange.fail(500, "internal error")
        self._note(scope, exchange, time.perf_counter() - start)

    def _note(self, scope: Scope, exchange: _Exchange, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.request(method, route, exchange.status, seconds)
        if log.isEnabledFor(logging.INFO):
            fields = {
                "method": method,
                "route": route,
                "status": exchange.status,
                "ms": round(seconds * 1000, 3),
            }
            log.info("request", extra=fields)


class _Exchange:
    """One request and its answer, watched as they pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        self.id = given.decode() if _GIVEN_ID.fullmatch(given) else f"{_PROCESS}-{next(_SERIAL):x}"
        length = headers.get(b"content-length", b"0")
        self.declared = int(length) if length.isdigit() and len(length) < 20 else 0
        origin = headers.get(b"origin")  # browsers name it, and pages cannot forge it
        self.foreign = (
            origin is not None
            and scope["method"] not in _SAFE
            and origin.lower().partition(b"://")[2] != headers.get(b"host", b"").lower()
        )
        self.status = 0
        self._receive, self._send, self._read = receive, send, 0
        self._more = b"expect" not in headers  # who asks whether to send a body has sent none yet

    async def receive(self) -> Message:
        """The next part of the body. Raises TooLargeError."""
        message = await self._receive()
        self._read += len(message.get("body", b""))
        self._more = bool(message.get("more_body", False))
        if self._read > MAX_BODY:
            raise TooLargeError
        return message

    async def drain(self) -> None:
        """Read on for a while: a client that is cut off in the middle of sending may never see the answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while self._more and self._read <= _DRAINED:
                    with suppress(TooLargeError):
                        await self.receive()

    async def send(self, message: Message) -> None:
        """Send a part of the answer, with the request's id in its headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", self.id.encode())]
        await self._send(message)

    async def fail(self, status: int, what: str) -> None:
        """Answer with an error, where no answer has begun."""
        if self.status:
            return
        body = json.dumps({"detail": what, "request_id": self.id}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if status == 413:
            headers.append((b"connection", b"close"))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


class JsonLines(logging.Formatter):
    """Log records as JSON, one a line; what was given as `extra` stands beside the message."""

    _PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields = {key: value for key, value in vars(record).items() if key not in self._PLAIN}
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "ts": f"{when}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "request_id": request_id.get(),
            **fields,
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
