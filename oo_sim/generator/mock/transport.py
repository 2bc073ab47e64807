"""The mock gateway in process, as an httpx transport: no socket, no clock, no waiting."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from pathlib import Path

import httpx

from oo_sim.generator.gateway.client import OCCURRENCE, Gateway, LostError
from oo_sim.generator.gateway.settings import Address
from oo_sim.generator.mock.answer import MockAnswer, MockRequest, answer
from oo_sim.generator.mock.profile import Profile, load_profile


class Occurrences:
    """How often each request came before, for requests that do not say it in a header themselves."""

    def __init__(self) -> None:
        self._seen: Counter[bytes] = Counter()
        self._lock = threading.Lock()

    def of(self, path: str, body: bytes, header: str | None) -> int:
        """The occurrence of this request, counted from 0."""
        if header is not None and header.isascii() and header.isdigit():
            return int(header[:18])
        digest = hashlib.blake2b(path.encode("utf-8", "replace") + b"\0" + body, digest_size=16).digest()
        with self._lock:
            self._seen[digest] += 1
            return self._seen[digest] - 1


class MockTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers by `answer`; an answer that would come after the client's deadline is a timeout at once."""

    def __init__(self, profile: Profile, seed: int = 1) -> None:
        self._profile = profile
        self._seed = seed
        self._occurrences = Occurrences()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, with its simulated latency as an extension."""
        path, body = request.url.path, request.read()
        occurrence = self._occurrences.of(path, body, request.headers.get(OCCURRENCE))
        return response(answer(MockRequest(request.method, path, body), self._profile, self._seed, occurrence), request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As `handle_request`."""
        return self.handle_request(request)


def response(got: MockAnswer, request: httpx.Request) -> httpx.Response:
    """The answer as httpx has it. Raises `httpx.TransportError` where none would come."""
    deadline = request.extensions.get("timeout", {}).get("read")
    if deadline is not None and got.latency_ms > deadline * 1000:
        raise httpx.ReadTimeout("simulated", request=request)
    if not got.status:
        raise LostError("the connection was lost", got.latency_ms)
    return httpx.Response(got.status, headers=got.headers, content=got.body, extensions={"latency_ms": got.latency_ms})


def mock_gateway(profile: str | Profile = "perfect", seed: int = 1) -> Gateway:
    """A gateway in process, by the name, file or value of its fault profile."""
    known = load_profile(profile) if isinstance(profile, str) else profile
    name = Path(profile).stem if isinstance(profile, str) else "profile"
    digest = hashlib.blake2b(known.model_dump_json().encode(), digest_size=6).hexdigest()
    return Gateway(f"mock:{name}@{digest}", Address("http://mock.invalid"), MockTransport(known, seed), "simulated")
