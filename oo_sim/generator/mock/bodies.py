"""Bodies and headers in the shape of a LiteLLM gateway's, 1.106.2."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]

ALIASES = ("tip-generator", "embedder", "judge", "user")
CREATED = 1_767_225_600
"""The moment that all answers bear, 2026-01-01T00:00:00Z: a clock would make no two runs alike."""


def encoded(value: object) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def error(status: int, message: str, kind: str | None = None, param: str | None = None) -> bytes:
    """An error's body; its `code` is a string."""
    return encoded({"error": {"message": message, "type": kind, "param": param, "code": str(status)}})


def usage(prompt: int, completion: int) -> Json:
    """Token counts."""
    return {"completion_tokens": completion, "prompt_tokens": prompt, "total_tokens": prompt + completion}


def completion(name: str, model: str, text: str, tokens: tuple[int, int], changes: Json) -> Json:
    """A chat completion. `changes` replace or add fields of it, of its choice or of its message."""
    message: Json = {"content": text, "role": "assistant", "provider_specific_fields": {"refusal": None}}
    choice: Json = {"finish_reason": "stop", "index": 0, "message": message, "provider_specific_fields": {}}
    body: Json = {
        "id": f"chatcmpl-{name}",
        "created": CREATED,
        "model": model,
        "object": "chat.completion",
        "choices": [choice],
        "usage": usage(*tokens),
    }
    for key, value in changes.items():
        (body if key in body else choice if key == "finish_reason" else message)[key] = value
    return body


def embeddings(model: str, vectors: list[list[float]], tokens: int) -> Json:
    """A list of embeddings."""
    details = {"completion_tokens_details": None, "prompt_tokens_details": None}
    data = [{"embedding": vector, "index": at, "object": "embedding"} for at, vector in enumerate(vectors)]
    return {"model": model, "data": data, "object": "list", "usage": {**usage(tokens, 0), **details}}


def models() -> Json:
    """The list of models."""
    data = [{"id": name, "object": "model", "created": CREATED, "owned_by": "openai"} for name in ALIASES]
    return {"data": data, "object": "list"}


def headers(name: str, model: str, latency_ms: float, fallbacks: int = 0) -> dict[str, str]:
    """The headers of an answered call, without the upstream's address."""
    return {
        "content-type": "application/json",
        "x-litellm-call-id": f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[:12]}",
        "x-litellm-model-group": model,
        "x-litellm-version": "1.106.2",
        "x-litellm-attempted-retries": "0",
        "x-litellm-attempted-fallbacks": str(fallbacks),
        "x-litellm-response-duration-ms": f"{latency_ms:.3f}",
        "x-litellm-overhead-duration-ms": "1.0",
        "x-litellm-key-spend": "0.0",
    }
