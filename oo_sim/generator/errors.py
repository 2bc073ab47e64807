"""The errors of a generation: each carries the status for the caller, and the tries made so far."""

from __future__ import annotations

from oo_sim.errors import GeneratorInputError, OoSimError
from oo_sim.generator.gateway.exchange import Try, Usage, summed


class StoppedError(OoSimError):
    """Work that was given up before its end; what was done is kept, and the message says how to go on."""

    exit_code = 1


class GenerationError(OoSimError):
    """No tips came. `status` is what an HTTP caller should answer with; `model` may be the alias."""

    status = 502
    exit_code = 1

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
    """The gateway answered with an error, or with something that is not a completion."""


class GatewayUnreachableError(GenerationError):
    """The gateway cannot be reached, hung up, or did not answer in time."""

    status = 503


class NoTipsError(GenerationError):
    """The model gave no valid JSON, retries included; the message holds the last parse error and reply."""


__all__ = [
    "GatewayError",
    "GatewayUnreachableError",
    "GenerationError",
    "GeneratorInputError",
    "NoTipsError",
    "StoppedError",
]
