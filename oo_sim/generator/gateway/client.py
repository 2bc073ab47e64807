"""The client, sync and async: it drives one conversation and turns failures into answers.

It speaks to an httpx transport itself. What `httpx.Client` would add is what must not be here: cookies, redirects,
proxies from the environment, and a log line with the whole URL.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, perf_counter, sleep
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import httpx

from oo_sim.generator.context import GenerationContext
from oo_sim.generator.conversation import Dialogue, Generation, conversation
from oo_sim.generator.gateway.exchange import Answer, Call
from oo_sim.generator.gateway.live import LiveTransport, UnusableAnswerError
from oo_sim.generator.gateway.settings import Address, Options
from oo_sim.generator.prompt import Prompt, default_prompt

OCCURRENCE = "x-oo-occurrence"
"""The request header that tells equal requests apart, for gateways that answer repeatably."""
AGAIN = 1 << 20
"""What a call that is made again adds to its occurrence, so that it is a request of its own."""
DEADLINE = "x-oo-deadline-ms"
"""The request header that says for how long the client waits, for gateways whose time is simulated."""


PATHS = ("/chat/completions", "/embeddings")


class AnyTransport(Protocol):
    """A transport for sync and async clients alike."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to a sync client."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to an async client."""

    def close(self) -> None:
        """Frees what it holds."""

    async def aclose(self) -> None:
        """Frees what it holds."""


class LostError(httpx.TransportError):
    """A connection that a transport without a network pretends to have lost."""

    def __init__(self, message: str, latency_ms: float) -> None:
        super().__init__(message)
        self.latency_ms = latency_ms


class Gateway(NamedTuple):
    """A gateway to talk to. `latency` says what its latencies are: measured, simulated or recorded."""

    label: str
    address: Address
    transport: AnyTransport
    latency: str = "measured"

    @classmethod
    def live(cls, address: Address | None = None, connections: int = 16) -> Gateway:
        """A LiteLLM gateway, by default the one that the environment names."""
        return cls("live", address or Address.from_env(), LiveTransport(connections))


class _Base:
    def __init__(self, gateway: Gateway, prompt: Prompt | None = None, options: Options | None = None) -> None:
        self.gateway = gateway
        self.prompt = prompt or default_prompt()
        self.options = options or Options()
        self._urls = {path: httpx.URL(gateway.address.url + path) for path in PATHS}

    def _dialogue(self, context: GenerationContext, n: int, user_id: str | None) -> Dialogue:
        return conversation(self.prompt, context, n, self.options, user_id)

    def _request(self, call: Call, occurrence: int | None) -> httpx.Request:
        headers = {
            "Authorization": f"Bearer {self.gateway.address.key.get_secret_value()}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "oo-sim",
        }
        if occurrence is not None:
            headers[OCCURRENCE] = str(occurrence + AGAIN * call.again)
            headers[DEADLINE] = str(int(call.timeout * 1000))
        extensions = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), call.timeout)}
        return httpx.Request("POST", self._urls[call.path], headers=headers, content=call.body, extensions=extensions)

    def _answer(self, response: httpx.Response, watch: _Watch) -> Answer:
        body = self.gateway.address.redact(response.content)
        latency = response.extensions.get("latency_ms", watch.ms)
        seconds, replayed = _retry_after(response.headers), bool(response.extensions.get("replayed"))
        return Answer(response.status_code, body, latency, retry_after=seconds, replayed=replayed)


class TipGenerator(_Base):
    """The sync client; safe to use from several threads, and where a loop is running. `rpm`: calls a minute at most."""

    def __init__(
        self,
        gateway: Gateway,
        prompt: Prompt | None = None,
        options: Options | None = None,
        rpm: float | None = None,
    ) -> None:
        super().__init__(gateway, prompt, options)
        self._pace = _Pace(rpm)

    def generate(
        self,
        context: GenerationContext,
        n: int = 3,
        user_id: str | None = None,
        *,
        occurrence: int | None = None,
    ) -> Generation:
        """At most `n` tips for the context. Raises `GenerationError`; ValueError unless n is 1 to 64."""
        dialogue = self._dialogue(context, n, user_id)
        call = next(dialogue)
        while True:
            answer = self.exchange(call, occurrence)
            try:
                call = dialogue.send(answer)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]

    def exchange(self, call: Call, occurrence: int | None = None) -> Answer:
        """The answer to one call, or why there is none; it never raises for what the other side does."""
        if self.gateway.latency == "measured":
            sleep(max(call.wait, self._pace.turn()))
        with _watched(call, self.gateway) as watch:
            response = self.gateway.transport.handle_request(self._request(call, occurrence))
            response.read()
            watch.answer = self._answer(response, watch)
        return watch.answer

    def close(self) -> None:
        """Closes the connections."""
        self.gateway.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncTipGenerator(_Base):
    """The async client; bound to the event loop that it is first used in."""

    async def generate(
        self,
        context: GenerationContext,
        n: int = 3,
        user_id: str | None = None,
        *,
        occurrence: int | None = None,
    ) -> Generation:
        """As `TipGenerator.generate`."""
        dialogue = self._dialogue(context, n, user_id)
        call = next(dialogue)
        while True:
            answer = await self.exchange(call, occurrence)
            try:
                call = dialogue.send(answer)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]

    async def exchange(self, call: Call, occurrence: int | None = None) -> Answer:
        """As `TipGenerator.exchange`."""
        with _watched(call, self.gateway) as watch:
            response = await self.gateway.transport.handle_async_request(self._request(call, occurrence))
            await response.aread()
            watch.answer = self._answer(response, watch)
        return watch.answer

    async def aclose(self) -> None:
        """Closes the connections."""
        await self.gateway.transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class _Pace:
    """Turns that are evenly spaced, whoever takes them."""

    def __init__(self, rpm: float | None) -> None:
        self._gap = 60.0 / rpm if rpm else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def turn(self) -> float:
        """The seconds to wait from now until one's turn."""
        if not self._gap:
            return 0.0
        with self._lock:
            now = monotonic()
            mine = max(now, self._next)
            self._next = mine + self._gap
        return mine - now


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds, as the gateway or, behind a LiteLLM, the provider gives them; of dates, which need a clock, None."""
    for name in ("retry-after", "llm_provider-retry-after"):
        try:
            seconds = float(headers.get(name, ""))
        except ValueError:
            continue
        if 0 <= seconds < math.inf:
            return seconds
    return None


class _Watch:
    """Measures a call and holds its answer."""

    def __init__(self) -> None:
        self._start = perf_counter()
        self.answer = Answer(0, b"", 0.0)

    @property
    def ms(self) -> float:
        """Milliseconds since the call began."""
        return round((perf_counter() - self._start) * 1000, 3)


@contextmanager
def _watched(call: Call, gateway: Gateway) -> Iterator[_Watch]:
    """Turns what can go wrong between the two sides into an answer without a body to read."""
    watch = _Watch()
    try:
        yield watch
    except httpx.TimeoutException:
        text = f"the gateway at {gateway.address.url} gave no whole answer within {call.timeout:g} s"
        watch.answer = Answer(0, text.encode(), call.timeout * 1000, "timeout")
    except httpx.TransportError as error:
        text = f"the gateway at {gateway.address.url} cannot be reached: {error or type(error).__name__}"
        latency = error.latency_ms if isinstance(error, LostError) else watch.ms
        watch.answer = Answer(0, gateway.address.redact(text.encode()), latency, "unreachable")
    except UnusableAnswerError as error:
        watch.answer = Answer(error.status, str(error).encode(), watch.ms, error.failure)
