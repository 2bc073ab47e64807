"""What stands in the body of a gateway's answer: completions, embeddings, errors. None of it is trusted."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NamedTuple

from oo_sim.generator.gateway.exchange import Usage

_MAX_TOKENS = 10**12
_MAX_NAME = 200
_MAX_FRAME = 1 << 20  # bytes outside texts: millions of empty lists would take seconds to read
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)  # an open one ends with the body


class WireError(ValueError):
    """The body is not what was asked for."""


class Completion(NamedTuple):
    """A chat completion. `text` is None where the model said nothing; `model` may be empty."""

    text: str | None
    finish_reason: str | None
    model: str
    usage: Usage
    usage_reported: bool
    refused: bool


def read_completion(body: bytes) -> Completion:
    """The first choice of a chat completion. Raises `WireError` when the body is none."""
    if len(body) > _MAX_FRAME and len(_STRING.sub(b"", body)) > _MAX_FRAME:
        raise WireError("the answer is not one completion, so large is what stands around its texts")
    answer = _object(body)
    choices = answer.get("choices")
    if not isinstance(choices, list):
        raise WireError("the answer has no choices")
    choice = choices[0] if choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    usage = _usage(answer.get("usage"))
    return Completion(
        text=_content(message.get("content")),
        finish_reason=_name(choice.get("finish_reason")) or None,
        model=_name(answer.get("model")),
        usage=usage,
        usage_reported=usage != Usage(),
        refused=_refused(message),
    )


def read_embeddings(body: bytes, count: int) -> list[list[float]]:
    """`count` vectors of one length, in the order asked for. Raises `WireError`."""
    data = _object(body).get("data")
    if not isinstance(data, list) or len(data) != count:
        raise WireError(f"the answer does not hold {count} embeddings")
    vectors = [row.get("embedding") if isinstance(row, dict) else None for row in data]
    if not all(isinstance(vector, list) and vector for vector in vectors):
        raise WireError("an embedding is not a list of numbers")
    known = [[_number(value) for value in vector] for vector in vectors if vector]
    if len({len(vector) for vector in known}) > 1:
        raise WireError("the embeddings differ in length")
    return known


def error_message(body: bytes) -> str:
    """What an error's body says, at most 200 characters of it."""
    try:
        error = _object(body).get("error")
    except WireError:
        return " ".join(body[:800].decode("utf-8", "replace").split())[:200]
    text = error.get("message") if isinstance(error, dict) else error
    return " ".join(clean(text).split())[:200] if isinstance(text, str) else "no message"


def clean(text: str) -> str:
    """The text as UTF-8 can hold it: lone surrogates, which JSON can spell, become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def estimate(text: str) -> int:
    """A rough count of tokens where none was reported: one for every four characters."""
    return math.ceil(len(text) / 4)


def _object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise WireError("the answer is not JSON") from None
    if not isinstance(answer, dict):
        raise WireError("the answer is not a JSON object")
    return answer


def _content(content: object) -> str | None:
    if isinstance(content, str):
        return clean(content)
    if isinstance(content, list):  # OpenAI's list of parts
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return clean("".join(text for text in texts if isinstance(text, str)))
    return None


def _refused(message: dict[str, Any]) -> bool:
    """OpenAI has the refusal in the message; LiteLLM moves it to the fields that only some providers know."""
    specific = message.get("provider_specific_fields")
    moved = specific.get("refusal") if isinstance(specific, dict) else None
    return bool(_name(message.get("refusal")) or _name(moved))


def _usage(usage: object) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value <= _MAX_TOKENS else 0


def _name(value: object) -> str:
    return clean(value)[:_MAX_NAME] if isinstance(value, str) else ""


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e100:
        raise WireError("an embedding holds what is not a number")
    return float(value)
