"""Cassettes: the exchanges with a live gateway as JSON lines, recorded once and replayed exactly.

A line holds a request's address (a hash of path and body, and its occurrence), the request, and the answer or the
way it failed. Only headers on an allowlist are kept, and the bearer key is redacted, so a cassette holds no secrets
but those that users wrote into their tasks.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import IO, Any, NamedTuple

import httpx

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.conversation import HTTP_OK
from oo_sim.generator.gateway.client import AGAIN, OCCURRENCE, AnyTransport, Gateway, LostError
from oo_sim.generator.gateway.live import LiveTransport, UnusableAnswerError
from oo_sim.generator.gateway.settings import Address
from oo_sim.generator.mock.transport import Occurrences
from oo_sim.generator.texts import read_text

FORMAT = 1
KEPT_HEADERS = (
    "content-type",
    "llm_provider-retry-after",
    "retry-after",
    "x-litellm-attempted-fallbacks",
    "x-litellm-attempted-retries",
    "x-litellm-model-group",
    "x-litellm-overhead-duration-ms",
    "x-litellm-response-duration-ms",
)


class CassetteMissError(GeneratorInputError):
    """A replay was asked for a request that was never recorded."""


class Take(NamedTuple):
    """One recorded exchange. `failure` is timeout, unreachable, or the failure of an unusable answer."""

    key: str
    occurrence: int
    path: str
    request: str
    status: int
    headers: dict[str, str]
    body: str
    latency_ms: float
    failure: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether an answer came, and not an error."""
        return self.failure is None and self.status == HTTP_OK


def request_key(path: str, body: bytes) -> str:
    """The address of a request, whatever its occurrence."""
    return hashlib.blake2b(path.encode() + b"\0" + body, digest_size=12).hexdigest()


def read_cassette(path: Path) -> dict[tuple[str, int], Take]:
    """All takes by address. A last line cut off by a crash is left out. Raises `GeneratorInputError`."""
    text = read_text(path, "cassette")
    takes: dict[tuple[str, int], Take] = {}
    for number, line in enumerate(text.split("\n")[:-1], 1):
        take = _take(path, number, line)
        before = takes.get((take.key, take.occurrence))
        if before is not None and before.is_good:
            raise GeneratorInputError(f"cassette {path}: line {number} records a request that came before")
        takes[take.key, take.occurrence] = take
    return takes


class PlayerTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Replays a cassette; what it does not hold is a `CassetteMissError`.

    A failure is replayed only where `failures`; else the answer that came when the same was asked again stands for it.
    """

    def __init__(self, path: Path, failures: bool = False) -> None:
        self._path = path
        self._failures = failures
        self._takes = read_cassette(path)
        self._occurrences = Occurrences()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The recorded answer, or the recorded failure."""
        path, body, occurrence = _address(request, self._occurrences)
        take = self._take(request_key(path, body), occurrence)
        if take is None:
            raise CassetteMissError(self._missing(path, body, occurrence))
        return replayed(take, request, from_tape=True)

    def _take(self, key: str, occurrence: int) -> Take | None:
        take = self._takes.get((key, occurrence))
        if self._failures or (take is not None and take.is_good):
            return take
        later = (at for known, at in self._takes if known == key and at > occurrence and not (at - occurrence) % AGAIN)
        return next((self._takes[key, at] for at in sorted(later) if self._takes[key, at].is_good), None)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As `handle_request`."""
        return self.handle_request(request)

    def _missing(self, path: str, body: bytes, occurrence: int) -> str:
        key = request_key(path, body)
        if (key, occurrence) in self._takes:
            return (
                f"cassette {self._path}: holds only a failure as the answer to request {key}, occurrence {occurrence}; "
                "replay failures too with --replay-failures, or ask again with --gateway live --record and --continue"
            )
        others = sorted(at for known, at in self._takes if known == key)
        why = f"it holds occurrences {others} of it" if others else "contexts, prompt or options have changed since"
        return f"cassette {self._path}: holds no answer to request {key}, occurrence {occurrence}: {why}"


class RecorderTransport(httpx.BaseTransport):
    """Passes requests on to `inner` and records what comes of them; the answers that the cassette holds it replays.

    So a recording that was interrupted goes on where it stopped; failures are asked about again. `counts` are the
    requests replayed and made. For sync clients.
    """

    def __init__(self, inner: AnyTransport, path: Path, address: Address) -> None:
        self._inner, self._path = inner, path
        self._address = address
        self._takes = read_cassette(path) if path.exists() else {}
        self._occurrences = Occurrences()
        self._lock = threading.Lock()
        self._file = _opened(path)
        self.counts: Counter[str] = Counter()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, recorded before it is handed on."""
        path, body, occurrence = _address(request, self._occurrences)
        take = self._takes.get((request_key(path, body), occurrence))
        if take is not None and take.is_good:
            with self._lock:
                self.counts["replayed"] += 1
            return replayed(take, request, from_tape=True)
        take = self._made(request, path, body, occurrence)
        line = json.dumps(take._asdict(), ensure_ascii=False)
        with self._lock:
            self.counts["made"] += 1
            try:
                self._file.write(f"{line}\n".encode())
                self._file.flush()
            except OSError as error:
                raise GeneratorInputError(f"cassette {self._path}: cannot be written: {error.strerror}") from None
        return replayed(take, request)

    def close(self) -> None:
        """Closes the cassette and the inner transport."""
        self._file.close()
        self._inner.close()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Refused: recording writes files."""
        raise RuntimeError("recording is for sync clients")

    async def aclose(self) -> None:
        """As `close`."""
        self.close()

    def _made(self, request: httpx.Request, path: str, body: bytes, occurrence: int) -> Take:
        start = perf_counter()
        status, headers, text, failure = 0, {}, "", None
        try:
            got = self._inner.handle_request(request)
            status = got.status_code
            headers = {name: got.headers[name] for name in KEPT_HEADERS if name in got.headers}
            text = self._redacted(got.content.decode("utf-8", "replace"))
        except httpx.TimeoutException:
            failure = "timeout"
        except httpx.TransportError as error:
            failure, text = "unreachable", self._redacted(str(error) or type(error).__name__)
        except UnusableAnswerError as error:
            status, failure, text = error.status, error.failure, str(error)
        latency = round((perf_counter() - start) * 1000, 3)
        asked = self._redacted(body.decode("utf-8", "replace"))
        return Take(request_key(path, body), occurrence, path, asked, status, headers, text, latency, failure)

    def _redacted(self, text: str) -> str:
        return self._address.redact(text.encode("utf-8", "replace")).decode()


def replayed(take: Take, request: httpx.Request, *, from_tape: bool = False) -> httpx.Response:
    """The take as httpx has it. Raises what was raised when it was recorded."""
    if take.failure == "timeout":
        raise httpx.ReadTimeout("recorded", request=request)
    if take.failure == "unreachable":
        raise LostError(take.body, take.latency_ms)
    if take.failure is not None:
        raise UnusableAnswerError(take.status, take.failure, take.body)
    extensions = {"latency_ms": take.latency_ms, "replayed": from_tape}
    return httpx.Response(take.status, headers=take.headers, content=take.body.encode(), extensions=extensions)


def cassette_gateway(path: Path, failures: bool = False) -> Gateway:
    """A gateway that replays a cassette."""
    return Gateway("cassette", Address("http://cassette.invalid"), PlayerTransport(path, failures), "recorded")


def recording_gateway(path: Path, address: Address, connections: int = 16) -> Gateway:
    """A live gateway whose exchanges are recorded."""
    recorder = RecorderTransport(LiveTransport(connections), path, address)
    return Gateway("live", address, recorder, "measured")


def _address(request: httpx.Request, occurrences: Occurrences) -> tuple[str, bytes, int]:
    """Path, body and occurrence of a request; the path without whatever stands before the API's own."""
    path = "/" + "/".join(request.url.path.split("/")[-2:] if "chat" in request.url.path else ["embeddings"])
    body = request.read()
    return path, body, occurrences.of(path, body, request.headers.get(OCCURRENCE))


def _opened(path: Path) -> IO[bytes]:
    """The cassette, to be written on; half a line that a crash left behind is cut off."""
    try:
        file = path.open("ab+")
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
    except OSError as error:
        raise GeneratorInputError(f"cassette {path}: cannot be written: {error.strerror}") from None
    return file


def _take(path: Path, number: int, line: str) -> Take:
    try:
        take = Take(**json.loads(line))
    except (ValueError, TypeError, RecursionError):
        raise GeneratorInputError(f"cassette {path}: line {number} is not a recorded exchange") from None
    if not all(isinstance(value, kind) for value, kind in zip(take, _KINDS, strict=True)):
        raise GeneratorInputError(f"cassette {path}: line {number} holds a field of the wrong type")
    return take


_KINDS: tuple[Any, ...] = (str, int, str, str, int, dict, str, int | float, str | None)
