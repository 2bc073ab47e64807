"""One exchange with the gateway: what is asked, what comes back, and what a generation keeps of it."""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple


class Call(NamedTuple):
    """A request to make: path, JSON body, and the seconds that the whole exchange may take.

    A call that is made `again`, for the so many-th time, waits so many seconds first.
    """

    path: str
    body: bytes
    timeout: float
    again: int = 0
    wait: float = 0.0


class Answer(NamedTuple):
    """What came of a call. `status` is 0 where no answer came; `failure` then says why, as does `body`.

    `retry_after` are the seconds after which the other side asks to be called again; `replayed`: out of a cassette.
    """

    status: int
    body: bytes
    latency_ms: float
    failure: str | None = None
    retry_after: float | None = None
    replayed: bool = False

    @property
    def is_transient(self) -> bool:
        """Whether there is no answer now, and may well be one in a while."""
        return self.failure in ("timeout", "unreachable") or self.status in TRANSIENT


TRANSIENT = (408, 429, 500, 502, 503, 504)
"""The statuses with which a gateway says that it could not, this time."""
MAX_WAIT = 60.0
"""The most seconds between two calls."""


def again(call: Call, answer: Answer) -> Call:
    """The call once more: after what the other side says, or 1, 2, 4, ... seconds, and half as much more or less.

    The jitter keeps clients apart that were refused together; it is a hash of the call, so that runs repeat.
    """
    digest = hashlib.blake2b(call.body, digest_size=2, key=b"%d" % call.again).digest()
    jitter = 0.5 + int.from_bytes(digest, "little") / 65536
    seconds = max(answer.retry_after or 0.0, 2.0**call.again * jitter)
    return call._replace(again=call.again + 1, wait=min(seconds, MAX_WAIT))


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
