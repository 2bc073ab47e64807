"""The transport to a real gateway: one whole exchange within a deadline and a number of decoded bytes.

httpx bounds each read, not the call, and decodes gzip without a bound; so a dripping or a swelling answer is
cut here. The sync side runs the same coroutine on a loop in a thread of its own: only a coroutine can be cut.
"""

from __future__ import annotations

import asyncio
import threading
import zlib
from collections.abc import Coroutine
from typing import Any, TypeVar

import httpx

from oo_sim.generator.gateway.settings import MAX_BYTES

T = TypeVar("T")


class UnusableAnswerError(Exception):
    """An answer came that cannot be read: too large, or not decodable."""

    def __init__(self, status: int, failure: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.failure = failure


class _Loop:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="oo-sim-gateway", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result; an interrupt here cancels it there."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """Ends the loop and its thread."""
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    """Ends the exchanges that are under way, or the threads that wait for them would wait for ever. One that is cut
    while it connects may have started a task of its own meanwhile, so that this goes on until none is left."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class LiveTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Bounds time and bytes of each exchange; the request's read timeout is the deadline of all of it.

    An instance serves one client, sync or async.
    """

    def __init__(self, connections: int = 16, max_bytes: int = MAX_BYTES) -> None:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._inner = httpx.AsyncHTTPTransport(trust_env=False, limits=limits)
        self._max_bytes = max_bytes
        self._loop: _Loop | None = None
        self._lock = threading.Lock()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The whole answer. Raises `httpx.TransportError` or `UnusableAnswerError`."""
        seconds = request.extensions["timeout"]["read"]
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(request)
        except TimeoutError:
            raise httpx.ReadTimeout(f"no whole answer within {seconds:g} s", request=request) from None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """As `handle_async_request`, from any thread, whether or not it runs a loop of its own."""
        with self._lock:
            self._loop = self._loop or _Loop()
        return self._loop.run(self.handle_async_request(request))

    async def aclose(self) -> None:
        """Closes the connections of an async client."""
        await self._inner.aclose()

    def close(self) -> None:
        """Closes the connections of a sync client, and its thread."""
        if self._loop is not None:
            self._loop.run(self._inner.aclose())
            self._loop.stop()
            self._loop = None

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        try:
            body = await self._body(response)
        finally:
            await response.aclose()
        headers = [
            (name, value)
            for name, value in response.headers.multi_items()
            if name not in ("content-encoding", "content-length", "transfer-encoding")
        ]
        return httpx.Response(response.status_code, headers=headers, content=body)

    async def _body(self, response: httpx.Response) -> bytes:
        decode = _decoder(response)
        body = bytearray()
        async for chunk in response.aiter_raw():
            try:
                body += decode(chunk, self._max_bytes + 1 - len(body))
            except zlib.error:
                raise UnusableAnswerError(response.status_code, "undecodable", "the answer's gzip is broken") from None
            if len(body) > self._max_bytes:
                raise UnusableAnswerError(
                    response.status_code, "too_large", f"the answer is larger than {self._max_bytes} bytes"
                )
        return bytes(body)


def _decoder(response: httpx.Response) -> Any:
    """A function (chunk, most bytes to give) -> decoded bytes. Of encodings, gzip alone is taken."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        return lambda chunk, most: chunk[:most]
    if encoding in ("gzip", "x-gzip"):
        return zlib.decompressobj(wbits=31).decompress
    raise UnusableAnswerError(response.status_code, "undecodable", "the answer has an encoding that was not asked for")
