"""The catalogue of what goes wrong: replies as small models malform them, and answers as gateways fail.

A reply fault turns the items of a good answer into the text of a bad (or merely untidy) one. A gateway fault
replaces the answer around the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from oo_sim.generator.mock.draws import Draws

Items = list[dict[str, Any]]
ReplyFault = Callable[[Items, Draws], str]

CANARY = "<canary>"
"""Stands for the canary of the prompt that a reply leaks; whoever knows the prompt puts it in."""


def dumps(value: object) -> str:
    """JSON as models write it."""
    return json.dumps(value, ensure_ascii=False)


def cut(text: str, draws: Draws) -> str:
    """The text, cut off somewhere behind its first characters."""
    return text[: 2 + draws.below("cut", max(len(text) - 3, 1))]


def _one(items: Items, change: dict[str, Any], draws: Draws) -> str:
    at = draws.below("item", len(items))
    return dumps([{**item, **change} if index == at else item for index, item in enumerate(items)])


def _without(items: Items, key: str) -> str:
    return dumps([{name: value for name, value in item.items() if name != key} for item in items])


def _renamed(items: Items) -> str:
    return dumps([{"id": item["id"], "tip": item["content"], "why": item["rationale"]} for item in items])


REPLY_FAULTS: dict[str, ReplyFault] = {
    # what surrounds the array
    "fence": lambda items, _: f"```json\n{dumps(items)}\n```",
    "fence_unclosed": lambda items, _: f"```json\n{dumps(items)}",
    "fence_prose": lambda items, _: f"Here you go:\n```json\n{dumps(items)}\n```\nHope this helps!",
    "prose_before": lambda items, _: f"Sure! Here are your tips:\n\n{dumps(items)}",
    "prose_after": lambda items, _: f"{dumps(items)}\n\nLet me know if you want more.",
    "prose_brackets": lambda items, _: f"From your list [see above] I chose:\n{dumps(items)}",
    "think": lambda items, _: f"<think>\nWhat is urgent? Maybe [the first].\n</think>\n{dumps(items)}",
    "think_unclosed": lambda items, _: f"<think>\nWhat is urgent? {dumps(items)[:40]}",
    "byte_order_mark": lambda items, _: f"\ufeff{dumps(items)}",
    "two_arrays": lambda items, _: f"Draft: []\nFinal: {dumps(items)}",
    # another shape
    "wrapper": lambda items, _: dumps({"tips": items}),
    "keyed": lambda items, _: dumps({item["id"]: {"content": item["content"]} for item in items}),
    "json_lines": lambda items, _: "\n".join(map(dumps, items)),
    "single_object": lambda items, _: dumps(items[0]),
    "plain_strings": lambda items, _: dumps([item["content"] for item in items]),
    "markdown_list": lambda items, _: "\n".join(f"- **{item['content']}**" for item in items),
    "empty_array": lambda items, _: "[]",
    # syntax
    "trailing_comma": lambda items, _: f"{dumps(items)[:-1]},]",
    "missing_comma": lambda items, _: f"[{' '.join(map(dumps, items))}]",
    "comment": lambda items, _: f"[ // tips\n{dumps(items)[1:]}",
    "python_literals": lambda items, _: repr([{**item, "done": False} for item in items]),
    "unquoted_keys": lambda items, _: dumps(items).replace('"content":', "content:"),
    "curly_quotes": lambda items, _: dumps(items).replace('"', "\u201d"),
    "bad_escape": lambda items, _: dumps(items).replace('"content": "', r'"content": "\x'),
    "ellipsis": lambda items, _: f"{dumps(items)[:-1]}, ...]",
    "truncated": lambda items, draws: cut(dumps(items), draws),
    "missing_bracket": lambda items, _: dumps(items)[:-1],
    "nan": lambda items, draws: _one(items, {"score": float("nan")}, draws),
    "duplicate_keys": lambda items, _: dumps(items).replace('"content": ', '"content": "?", "content": '),
    "long_number": lambda items, _: dumps(items).replace('"id": "', f'"score": {"9" * 5000}, "id": "'),
    # items
    "missing_ids": lambda items, _: _without(items, "id"),
    "same_ids": lambda items, _: dumps([{**item, "id": "tip"} for item in items]),
    "no_rationale": lambda items, _: _without(items, "rationale"),
    "missing_content": lambda items, _: _without(items, "content"),
    "null_item_content": lambda items, draws: _one(items, {"content": None}, draws),
    "blank_content": lambda items, draws: _one(items, {"content": " "}, draws),
    "other_keys": lambda items, _: _renamed(items),
    "null_item": lambda items, _: dumps([*items, None]),
    "same_tip": lambda items, _: dumps([{**item, "content": items[0]["content"]} for item in items]),
    "too_many": lambda items, _: dumps([*items, *items[:1]]),
    "too_few": lambda items, _: dumps(items[:1]),
    # nothing, and hostility
    "refusal_text": lambda items, _: "I'm sorry, but I can't help with that.",
    "empty_text": lambda items, _: "",
    "canary": lambda items, draws: _one(items, {"content": CANARY}, draws),
    "lone_surrogate": lambda items, _: dumps(items).replace('"content": "', r'"content": "\ud83d '),
    "deep_nesting": lambda items, _: "[" * 100_000,
    "huge": lambda items, _: "[" * 12_000_000,
}


class GatewayFault(NamedTuple):
    """How the answer around the text fails. Status 0: the connection is lost; `hangs`: no answer ever comes.

    `changes` replaces fields of a good completion: of its message, its choice (`finish_reason`), or itself.
    """

    status: int = 200
    message: str = ""
    type: str | None = None
    changes: dict[str, Any] = {}  # noqa: RUF012 -- a default that nobody changes
    hangs: bool = False
    retried: bool = False  # the gateway has tried it thrice itself, with pauses
    plain: bool = False  # the error's body is bare text


GATEWAY_FAULTS: dict[str, GatewayFault] = {
    "no_database": GatewayFault(400, "No connected db.", "no_db_connection"),
    "unauthorised": GatewayFault(401, "Authentication Error, Invalid proxy server token passed.", "auth_error"),
    "plain_500": GatewayFault(500, "Internal Server Error", plain=True),
    "context_window": GatewayFault(400, "litellm.ContextWindowExceededError: prompt is too long"),
    "content_filter": GatewayFault(400, "litellm.ContentPolicyViolationError: filtered"),
    "upstream_401": GatewayFault(401, "litellm.AuthenticationError: upstream key is invalid"),
    "upstream_404": GatewayFault(404, "litellm.NotFoundError: no such model"),
    "upstream_timeout": GatewayFault(408, "litellm.Timeout: Request timed out."),
    "rate_limit": GatewayFault(429, "litellm.RateLimitError: too many requests", "throttling_error", retried=True),
    "upstream_500": GatewayFault(500, "litellm.InternalServerError: upstream failed", retried=True),
    "upstream_503": GatewayFault(503, "litellm.ServiceUnavailableError: overloaded", retried=True),
    "disconnect": GatewayFault(0),
    "timeout": GatewayFault(hangs=True),
    "empty_choices": GatewayFault(changes={"choices": []}),
    "null_content": GatewayFault(changes={"content": None}),
    "tool_calls": GatewayFault(
        changes={
            "content": None,
            "finish_reason": "tool_calls",
            "tool_calls": [{"id": "call-1", "type": "function", "function": {"name": "tips", "arguments": "{}"}}],
        }
    ),
    "refusal": GatewayFault(
        changes={"content": None, "provider_specific_fields": {"refusal": "I cannot help with that."}}
    ),
    "length": GatewayFault(changes={"finish_reason": "length"}),
    "reasoning": GatewayFault(changes={"reasoning_content": "What is urgent?"}),
    "zero_usage": GatewayFault(changes={"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}),
    "fallback": GatewayFault(changes={"model": "mock/fallback"}),
}
