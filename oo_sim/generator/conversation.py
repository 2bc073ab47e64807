"""The contract's dialogue with the gateway, free of I/O: it yields calls, is sent answers, and returns tips.

The sync and the async client both drive this one generator.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, TypeAlias

from oo_sim.generator.context import GenerationContext
from oo_sim.generator.errors import (
    GatewayError,
    GatewayUnreachableError,
    GenerationError,
    NoTipsError,
)
from oo_sim.generator.gateway.exchange import Answer, Call, Try, Usage, again, json_body, summed
from oo_sim.generator.gateway.settings import Options
from oo_sim.generator.gateway.wire import Completion, WireError, error_message, estimate, read_completion
from oo_sim.generator.parser import MAX_CHARS, MAX_TIPS, MalformedError, Parsed, Tip, parse
from oo_sim.generator.prompt import Message, Prompt, capped

HTTP_OK = 200
LEAST_ROOM = 256
"""Tokens that a reply is taken to have used at least before it was cut off."""
MAX_ECHO = 8000
"""The most characters of a malformed reply that go back to the model."""


class Generation(NamedTuple):
    """Tips for one context. Token counts are sums over all tries, as reported."""

    candidates: tuple[Tip, ...]
    model: str
    prompt_tokens: int
    completion_tokens: int
    prompt_version: str
    tries: tuple[Try, ...]
    flags: tuple[str, ...]
    user_id: str | None = None


Dialogue: TypeAlias = Generator[Call, Answer, Generation]


def conversation(
    prompt: Prompt, context: GenerationContext, n: int, options: Options, user_id: str | None = None
) -> Dialogue:
    """Asks until a reply parses, at most `retries` times more. Raises `GenerationError` with all tries.

    A reply that was cut off for its length is asked for once with more room, and then as any other that is malformed.
    """
    if not 1 <= n <= MAX_TIPS:
        raise ValueError(f"n: {n} tips asked for; expected a whole number from 1 to {MAX_TIPS}")
    messages = prompt.messages(context, n)
    taken = task_ids(context)
    tries: tuple[Try, ...] = ()
    model, room = options.model, options.max_tokens
    for attempt in range(1, options.retries + 2):
        call = _call(messages, options, room, tries, model)
        while True:
            answer = yield call
            if not answer.is_transient or call.again >= options.gateway_retries:
                break
            tries = (*tries, _unanswered(attempt, answer))
            call = again(call, answer)
        try:
            completion = _completion(answer)
        except _EndedError as end:
            last = _unanswered(attempt, answer)._replace(failure=end.failure, message=end.message)
            raise end.kind(end.message, (*tries, last), model) from None
        model = completion.model or model
        one = _try(completion, answer, attempt, messages)
        try:
            parsed = read_reply(completion.text, completion.refused, n, options, taken)
        except MalformedError as error:
            tries = (*tries, one._replace(failure=error.cls, message=error.message))
            if completion.finish_reason == "length" and room == options.max_tokens:
                room = _more_room(options, one)  # the same again would be cut off again
            else:
                messages = [*messages, *prompt.again(capped(completion.text or "", MAX_ECHO), n)]
            continue
        tries = (*tries, one._replace(flags=parsed.flags))
        return Generation(parsed.tips, model, *summed(tries), prompt.version, tries, parsed.flags, user_id)
    start = (tries[-1].reply or "")[:200]
    raise NoTipsError(
        f"no valid JSON after {len(tries)} tries: {tries[-1].message}; the reply begins: {start}",
        tries,
        model,
    )


def task_ids(context: GenerationContext) -> frozenset[str]:
    """The ids that no tip may bear, since the tasks beside it do."""
    return frozenset(task.id for task in context.tasks if task.id)


def read_reply(reply: str | None, refused: bool, n: int, options: Options, taken: frozenset[str]) -> Parsed:
    """The tips of a reply under the options' parser; a refusal that the gateway reports has its own class."""
    try:
        return parse(reply, n, options.parser, salvage=options.salvage, taken=taken)
    except MalformedError as error:
        if refused and error.cls == "empty":
            raise MalformedError("refusal", "the model refused") from None
        raise


class _EndedError(Exception):
    """An answer that ends the generation."""

    def __init__(self, kind: type[GenerationError], failure: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.failure = failure
        self.message = message


def _call(messages: list[Message], options: Options, room: int | None, tries: tuple[Try, ...], model: str) -> Call:
    left = options.total_timeout - sum(one.latency_ms for one in tries if one.status == HTTP_OK) / 1000
    if left <= 0:
        raise GatewayUnreachableError(
            f"the generation's {options.total_timeout:g} s are used up after {len(tries)} tries", tries, model
        )
    body = {"model": options.model, "messages": messages, "temperature": options.temperature}
    body |= {} if room is None else {"max_tokens": room}
    return Call("/chat/completions", json_body(body), min(options.call_timeout, left))


def _more_room(options: Options, cut: Try) -> int:
    """Tokens for a reply that was cut off: four times what it had, or what it used where it had no bound of its own."""
    used = cut.usage.completion_tokens or cut.estimate.completion_tokens
    return 4 * (options.max_tokens or max(used, LEAST_ROOM))


def _unanswered(attempt: int, answer: Answer) -> Try:
    """The try that an answer without a completion makes."""
    failure = answer.failure or f"http_{answer.status}"
    message = answer.body.decode("utf-8", "replace") if answer.failure else error_message(answer.body)
    return Try(attempt, answer.status, answer.latency_ms, failure, message, replayed=answer.replayed)


def _completion(answer: Answer) -> Completion:
    if answer.failure is not None:
        kind = GatewayError if answer.status else GatewayUnreachableError
        raise _EndedError(kind, answer.failure, answer.body.decode("utf-8", "replace"))
    if answer.status != HTTP_OK:
        message = f"the gateway answered {answer.status}: {error_message(answer.body)}"
        raise _EndedError(GatewayError, f"http_{answer.status}", message)
    try:
        return read_completion(answer.body)
    except WireError as error:
        message = f"the gateway answered 200, but {error}"
        raise _EndedError(GatewayError, "no_completion", message) from None


def _try(completion: Completion, answer: Answer, attempt: int, messages: list[Message]) -> Try:
    estimated = Usage(sum(estimate(message["content"]) for message in messages), estimate(completion.text or ""))
    return Try(
        attempt,
        answer.status,
        answer.latency_ms,
        reply=_kept(completion.text),
        finish_reason=completion.finish_reason,
        usage=completion.usage,
        usage_reported=completion.usage_reported,
        estimate=Usage() if completion.usage_reported else estimated,
        replayed=answer.replayed,
    )


def _kept(text: str | None) -> str | None:
    """The reply as it is kept: what is too long to be read is kept too long, and no longer."""
    stripped = (text or "").strip()
    return text if len(stripped) <= MAX_CHARS else stripped[: MAX_CHARS + 1]
