"""One row of a tip bank: a context, what came of it, and every try."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from oo_sim.generator.context import GenerationContext
from oo_sim.generator.conversation import Generation
from oo_sim.generator.errors import GatewayUnreachableError, GenerationError
from oo_sim.generator.gateway.exchange import Try, Usage, summed
from oo_sim.generator.parser import Tip

OK = 200
UNREACHABLE = 503


class Work(NamedTuple):
    """One generation to make: `occurrence` counts equal contexts before it, so that equal prompts differ."""

    position: int
    user_id: str
    context: GenerationContext
    occurrence: int = 0


class Record(NamedTuple):
    """What came of one context. `status` is 200, or the error's; `failure` is the class of the last try's failure."""

    position: int
    user_id: str
    context: str
    n: int
    status: int
    failure: str | None
    message: str
    prompt_version: str
    llm_model: str
    flags: tuple[str, ...]
    tips: tuple[Tip, ...]
    tries: tuple[Try, ...]

    @property
    def is_answered(self) -> bool:
        """Whether the model answered in the end, be it with something that is not a list of tips."""
        return self.status == OK or (bool(self.tries) and is_answered(self.tries[-1]) and self.status != UNREACHABLE)

    @property
    def usage(self) -> Usage:
        """The reported tokens of all tries."""
        return summed(self.tries)

    @property
    def parsed_context(self) -> GenerationContext:
        """The context again, as a model."""
        return GenerationContext.model_validate_json(self.context)


class BankInfo(NamedTuple):
    """What a whole bank was made with; two runs with the same info make the same bank (live gateways aside)."""

    prompt_version: str
    canary: str
    gateway: str
    latency: str
    seed: int
    n: int
    parser: str
    salvage: bool
    retries: int
    model: str
    temperature: float
    call_timeout: float
    total_timeout: float
    contexts: str
    max_tokens: int | None = None
    gateway_retries: int = 0


def is_answered(one: Try) -> bool:
    """Whether a completion came, however malformed."""
    unanswered = ("http_", "timeout", "unreachable", "no_completion", "too_large", "undecodable")
    return one.failure is None or not one.failure.startswith(unanswered)


def context_text(context: GenerationContext) -> str:
    """The context as ASCII JSON; equal contexts give equal texts."""
    return json.dumps(context.model_dump(), sort_keys=True, default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def succeeded(work: Work, n: int, got: Generation) -> Record:
    """The record of a generation."""
    return Record(
        work.position,
        work.user_id,
        context_text(work.context),
        n,
        OK,
        None,
        "",
        got.prompt_version,
        got.model,
        got.flags,
        got.candidates,
        got.tries,
    )


def failed(work: Work, n: int, prompt_version: str, error: GenerationError) -> Record:
    """The record of a generation that gave no tips."""
    return Record(
        work.position,
        work.user_id,
        context_text(work.context),
        n,
        error.status,
        _failure(error),
        error.message,
        prompt_version,
        error.model,
        (),
        (),
        error.tries,
    )


def as_row(record: Record) -> dict[str, Any]:
    """The record as plain values."""
    tries = [
        {**one._asdict(), "usage": one.usage._asdict(), "estimate": one.estimate._asdict()} for one in record.tries
    ]
    return {**record._asdict(), "tips": [tip._asdict() for tip in record.tips], "tries": tries}


def from_row(row: Mapping[str, Any]) -> Record:
    """The record of plain values. Raises KeyError, TypeError or ValueError when they are none."""
    tries = tuple(
        Try(
            **{
                **one,
                "usage": Usage(**one["usage"]),
                "estimate": Usage(**one["estimate"]),
                "flags": tuple(one["flags"]),
            }
        )
        for one in row["tries"]
    )
    tips = tuple(Tip(**tip) for tip in row["tips"])
    return Record(**{**row, "flags": tuple(row["flags"]), "tips": tips, "tries": tries})


def _failure(error: GenerationError) -> str | None:
    """The class of the last try's failure; a generation that ran out of time ends behind an answered one."""
    last = error.tries[-1]
    return "timeout" if isinstance(error, GatewayUnreachableError) and last.status else last.failure
