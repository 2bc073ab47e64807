"""One exchange with the gateway: what is asked, what comes back, and what a generation keeps of it."""

from __future__ import annotations

import json
from typing import NamedTuple


class Call(NamedTuple):
    """A request to make: path, JSON body, and the seconds that the whole exchange may take."""

    path: str
    body: bytes
    timeout: float


class Answer(NamedTuple):
    """What came of a call. `status` is 0 where no answer came; `failure` then says why, as does `body`.

    `retry_after` are the seconds after which the other side wants to be asked again; `replayed`: out of a cassette.
    """

    status: int
    body: bytes
    latency_ms: float
    failure: str | None = None
    retry_after: float | None = None
    replayed: bool = False


class Usage(NamedTuple):
    """Token counts as the gateway reported them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Try(NamedTuple):
    """One call of the gateway and what came of it; `failure` is None where the reply gave tips.

    `status` is the HTTP status, 0 where no answer came; `replayed`: out of a cassette,
    not asked now. The estimates are for counts that were not reported:
    a token for every four characters, of answered calls only.
    """

    attempt: int
    status: int
    latency_ms: float
    failure: str | None = None
    message: str = ""
    reply: str | None = None
    finish_reason: str | None = None
    usage: Usage = Usage()
    usage_reported: bool = False
    estimate: Usage = Usage()
    flags: tuple[str, ...] = ()
    replayed: bool = False


def summed(tries: tuple[Try, ...]) -> Usage:
    """The reported tokens of all tries together."""
    return Usage(sum(one.usage.prompt_tokens for one in tries), sum(one.usage.completion_tokens for one in tries))


def json_body(value: object) -> bytes:
    """Compact JSON in UTF-8; the same value gives the same bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
