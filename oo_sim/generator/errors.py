"""The errors of a generation: each carries the status for the caller, and the tries made so far."""

from __future__ import annotations

from typing import NamedTuple


class GeneratorInputError(ValueError):
    """A setting or file that the generator cannot work with; the message says what would be right."""


class Usage(NamedTuple):
    """Token counts as the gateway reported them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Try(NamedTuple):
    """One call of the gateway and what came of it; `failure` is None where the reply gave tips.

    `status` is the HTTP status, 0 where no answer came. The estimates are for counts that were not reported:
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


def summed(tries: tuple[Try, ...]) -> Usage:
    """The reported tokens of all tries together."""
    return Usage(sum(one.usage.prompt_tokens for one in tries), sum(one.usage.completion_tokens for one in tries))


class GenerationError(Exception):
    """No tips came. `status` is what an HTTP caller should answer with; `model` may be the alias."""

    status = 502

    def __init__(self, message: str, tries: tuple[Try, ...] = (), model: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.tries = tries
        self.model = model

    @property
    def usage(self) -> Usage:
        """The reported tokens of all tries together."""
        return summed(self.tries)


class GatewayError(GenerationError):
    """The gateway answered with an error, or with something that is no completion."""


class GatewayUnreachableError(GenerationError):
    """The gateway cannot be reached, hung up, or did not answer in time."""

    status = 503


class NoTipsError(GenerationError):
    """The model gave no valid JSON, retries included; the message holds the last parse error and reply."""
