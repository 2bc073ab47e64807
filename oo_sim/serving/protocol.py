"""The HTTP protocol: uvicorn's, but an answer leaves in one system call, and no connection holds memory or a place for
as long as its client likes."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

IDLE = 30
"""Seconds that a connection may stay open without a request."""
_PIECE = 8192  # bytes parsed at once: a request is at least 18, and each takes some kilobytes while it waits


class Limits(NamedTuple):
    """What a client may take: seconds for the head of a request, for the whole of it, and without reading an answer;
    bytes of the head, and of the whole (far above what the app takes, so that it is the app that refuses a body)."""

    head: float = 10.0
    request: float = 30.0
    unread: float = 30.0
    head_bytes: int = 65_536
    request_bytes: int = 16_000_000


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol on a corked transport, with limits.

    Requests that a client sends without waiting for answers (pipelining) are parsed only as the ones before them are
    answered; until then the rest stays in the client's own buffers.
    """

    limits = Limits()

    def connection_made(self, transport: Any) -> None:
        """A connection begins."""
        super().connection_made(_Corked(transport))  # type: ignore[arg-type]
        self.flow = _Flow(self)
        self._unparsed = bytearray()
        self._begun: float | None = None  # since when a request is being received
        self._taken, self._in_head = 0, True  # its bytes so far, and whether they are its head
        self._unread: float | None = None  # since when the client has not read
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        self._watch = self.loop.call_later(min(self.limits[:3]) / 4, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection ends."""
        self._watch.cancel()
        self._unparsed.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._begun is None:
            self._begun = self.loop.time()
        if len(data) <= _PIECE and not self._unparsed and not self.flow.read_paused:
            self._parse(data)
        else:
            self._unparsed += data
            self.parse_more()

    def parse_more(self) -> None:
        """Parse what was received, until something has to wait."""
        while self._unparsed and not self.flow.read_paused and not self.transport.is_closing():
            piece = bytes(self._unparsed[:_PIECE])
            del self._unparsed[:_PIECE]
            self._parse(piece)

    def _parse(self, data: bytes) -> None:
        self._taken += len(data)
        super().data_received(data)
        if self._in_head and self._taken > self.limits.head_bytes:
            self._refuse(431, f"the head of the request is larger than {self.limits.head_bytes} bytes")
        elif self._taken > self.limits.request_bytes:
            self._refuse(413, f"the request is larger than {self.limits.request_bytes} bytes")

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._begun is None:  # behind another one, in the same bytes
            self._begun = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A request's head is complete."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is complete."""
        self._begun, self._taken, self._in_head = None, 0, True
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client does not read its answers."""
        self._unread = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client has read."""
        self._unread = None
        super().resume_writing()

    def _look(self) -> None:
        """End the connection where the client takes too long."""
        now, limits = self.loop.time(), self.limits
        self._watch = self.loop.call_later(min(limits[:3]) / 4, self._look)
        if self.transport.is_closing() and self._unread is None:
            self._unread = now  # it ends when the client has read what is left
        if self._unread is not None and now - self._unread > limits.unread:
            self.transport.abort()
        elif self._begun is not None and self.flow.read_paused:
            self._begun = now  # it is the server that makes the client wait
        elif self._begun is not None:
            allowed = limits.head if self._in_head else limits.request
            if now - self._begun > allowed:
                self._refuse(408, f"the request was not complete within {allowed:g} s")

    def _refuse(self, status: int, why: str) -> None:
        """Answer, where no answer has begun, and close."""
        waiting = self.cycle is None or self.cycle.response_complete or not self.cycle.response_started
        if waiting and not self.transport.is_closing():
            body = json.dumps({"detail": why, "request_id": None}).encode()
            head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
            self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()


class _Flow(FlowControl):
    """Flow control that does not read on while requests are waiting."""

    def __init__(self, protocol: BoundedProtocol) -> None:
        super().__init__(protocol.transport)
        self._protocol = protocol

    def resume_reading(self) -> None:
        """Read on, unless requests that were received wait for their turn."""
        if self.read_paused and not self._protocol.pipeline:
            super().resume_reading()
            self._protocol.parse_more()


class _Corked:
    """A transport that sends, once a turn of the event loop, what was written in it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send with the rest of this turn."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)

    def close(self) -> None:
        """Send what is held, then close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            data = b"".join(self._held)
            self._held.clear()
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
