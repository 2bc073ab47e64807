"""The mock gateway as one pure function: request, fault profile, seed and occurrence give the answer.

No clock, no counter and no shared state, so that answers do not depend on how calls interleave.
"""

from __future__ import annotations

import json
import math
import re
from statistics import NormalDist
from typing import Any, NamedTuple

from oo_sim.generator.gateway.wire import estimate
from oo_sim.generator.mock import bodies
from oo_sim.generator.mock.catalogue import CANARY, GATEWAY_FAULTS, REPLY_FAULTS, GatewayFault, cut, dumps
from oo_sim.generator.mock.draws import Draws
from oo_sim.generator.mock.models import embed, reaction, verdict
from oo_sim.generator.mock.profile import Profile, load_profile, profile_names
from oo_sim.generator.mock.tips import read_prompt, write_tips

HANG_MS = 6_000_000.0
"""As long as a LiteLLM waits for a model by default: longer than any client."""

_CANARY = re.compile(r"\bcanary-[0-9a-f]{6,}\b")
_NORMAL = NormalDist()


class MockRequest(NamedTuple):
    """A request; `key` is the bearer key that came with it."""

    method: str
    path: str
    body: bytes = b""
    key: str | None = None


class MockAnswer(NamedTuple):
    """An answer after simulated milliseconds; status 0 is a connection lost. `fault` names what was made wrong."""

    status: int
    headers: dict[str, str]
    body: bytes
    latency_ms: float = 0.0
    fault: str = ""


def answer(
    request: MockRequest, profile: Profile, seed: int, occurrence: int = 0, key: str | None = None
) -> MockAnswer:
    """What the gateway answers the `occurrence`-th time (from 0) to this request. With `key`, it is demanded."""
    path = request.path.partition("?")[0]
    if path != "/" and path.endswith("/") and "//" not in path:
        return MockAnswer(307, {"location": path.rstrip("/")}, b"")
    route = (request.method, path.removeprefix("/v1"))
    if route in _OPEN:
        return _json(200, _OPEN[route])
    if route not in {*_LISTS, *_MODELS}:
        known = {name for _, name in (*_OPEN, *_LISTS, *_MODELS)}
        return (
            _json(405, {"detail": "Method Not Allowed"}) if route[1] in known else _json(404, {"detail": "Not Found"})
        )
    if key is not None and request.key != key:
        return _refused(request.key)
    if route in _LISTS:
        return _json(200, _LISTS[route])
    return _model(route[1], request.body, profile, Draws(seed, request.body, occurrence))


_OPEN: dict[tuple[str, str], object] = {
    ("GET", "/health/liveliness"): "I'm alive!",
    ("GET", "/health/liveness"): "I'm alive!",
    ("GET", "/health/readiness"): {"status": "healthy", "db": "Not connected"},
}
_LISTS: dict[tuple[str, str], object] = {
    ("GET", "/models"): bodies.models(),
    ("GET", "/health"): {
        "healthy_endpoints": [{"model": f"mock/{name}"} for name in bodies.ALIASES],
        "unhealthy_endpoints": [],
        "healthy_count": len(bodies.ALIASES),
        "unhealthy_count": 0,
    },
}
_MODELS = {("POST", "/chat/completions"), ("POST", "/embeddings")}


def _json(status: int, value: object) -> MockAnswer:
    return MockAnswer(status, {"content-type": "application/json"}, bodies.encoded(value))


def _error(status: int, message: str, kind: str | None = None, latency_ms: float = 5.0, fault: str = "") -> MockAnswer:
    headers = {"content-type": "application/json"}
    return MockAnswer(status, headers, bodies.error(status, message, kind), latency_ms, fault)


def _refused(key: str | None) -> MockAnswer:
    if key is None:
        return _error(401, "Authentication Error, No api key passed in.", "auth_error")
    return _error(400, "No connected db.", "no_db_connection")


def _model(path: str, raw: bytes, profile: Profile, draws: Draws) -> MockAnswer:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return _error(400, "Invalid JSON payload", "invalid_request_error")
    model = body.get("model") if isinstance(body, dict) else None
    if isinstance(model, str) and model in profile_names():  # a model of its own behind the same gateway
        return _behind(model, path, body, draws)
    if not isinstance(model, str) or model not in bodies.ALIASES:
        return _error(400, f"{path}: Invalid model name passed in model={model!r:.80}", "invalid_request_error")
    if path == "/embeddings":
        return _embeddings(model, body.get("input"), profile, draws)
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        return _error(400, "messages: expected a list of messages", "invalid_request_error")
    room = body.get("max_tokens")
    return _chat(model, messages, profile, draws, room if type(room) is int and room > 0 else None)


def _chat(model: str, messages: list[dict[str, Any]], profile: Profile, draws: Draws, room: int | None) -> MockAnswer:
    attempt = 1 + sum(one.get("role") == "assistant" for one in messages)
    faulty = draws.chance("fault", profile.fault_probability(attempt))
    name = draws.weighted("which", profile.faults) if faulty else ""
    fault = GATEWAY_FAULTS.get(name, GatewayFault())
    if fault.status != 200 or fault.hangs:
        return _failed(name, fault, profile, draws)
    if model == "judge":
        text = verdict(messages, profile.judge, draws)
    elif model == "user":
        text = reaction(messages, profile.user, draws)
    else:
        text = _reply(name, messages, profile, draws)
    if room is not None:  # what a model had no room for is cut, and what it had room for is not
        name, fault = ("", GatewayFault()) if name in _CUT else (name, fault)
        whole = _reply(name, messages, profile, draws) if model not in _OTHERS else text
        text, name = (whole[: 4 * room], "truncated") if estimate(whole) > room else (whole, name)
    tokens = (sum(estimate(str(one.get("content") or "")) for one in messages), estimate(text))
    latency = _latency(profile, draws, tokens[1])
    changes = {"finish_reason": "length"} if name == "truncated" else fault.changes
    body = bodies.completion(draws.hex, model, text, tokens, changes)
    headers = bodies.headers(draws.hex, model, latency, fallbacks=int(name == "fallback"))
    return MockAnswer(200, headers, bodies.encoded(body), latency, name)


def _behind(model: str, path: str, body: dict[str, Any], draws: Draws) -> MockAnswer:
    """The answer of the model that errs as the profile of its name says."""
    messages = body.get("messages")
    if path != "/chat/completions" or not isinstance(messages, list):
        return _error(400, "messages: expected a list of messages", "invalid_request_error")
    return _chat(model, messages, load_profile(model), draws, None)


_CUT = ("length", "truncated")
_OTHERS = ("judge", "user")


def _reply(fault: str, messages: list[dict[str, Any]], profile: Profile, draws: Draws) -> str:
    items = write_tips(read_prompt(messages), profile.style, draws)
    if fault == "canary":
        leak = _CANARY.search(str(messages[:1]))
        return REPLY_FAULTS[fault](items, draws).replace(CANARY, leak[0] if leak else "nothing")
    text = REPLY_FAULTS[fault](items, draws) if fault in REPLY_FAULTS else dumps(items)
    return cut(text, draws) if fault == "length" else text


def _failed(name: str, fault: GatewayFault, profile: Profile, draws: Draws) -> MockAnswer:
    if fault.hangs:
        return MockAnswer(200, {}, b"", HANG_MS, name)
    latency = _latency(profile, draws, 0)
    if fault.retried:  # it waits 4 to 8 seconds before each of its own two retries
        latency += round(4000 * (2 + draws.uniform("wait 1") + draws.uniform("wait 2")))
    if fault.plain:
        return MockAnswer(fault.status, {"content-type": "text/plain"}, fault.message.encode(), latency, name)
    return _error(fault.status, fault.message, fault.type, latency, name)


def _embeddings(model: str, texts: object, profile: Profile, draws: Draws) -> MockAnswer:
    listed = [texts] if isinstance(texts, str) else texts
    if not isinstance(listed, list) or not listed or not all(isinstance(text, str) for text in listed):
        return _error(400, "input: expected a text or a list of texts", "invalid_request_error")
    name = draws.weighted("which", profile.faults) if draws.chance("fault", profile.fault_rate) else ""
    fault = GATEWAY_FAULTS.get(name, GatewayFault())
    if fault.status != 200 or fault.hangs:
        return _failed(name, fault, profile, draws)
    latency = _latency(profile, draws, 0)
    tokens = sum(map(estimate, listed))
    body = bodies.embeddings(model, [embed(text) for text in listed], tokens)
    return MockAnswer(200, bodies.headers(draws.hex, model, latency), bodies.encoded(body), latency)


def _latency(profile: Profile, draws: Draws, tokens: int) -> float:
    """Whole milliseconds: a log-normal first token, then a steady stream."""
    pace = profile.latency
    z = _NORMAL.inv_cdf(min(max(draws.uniform("latency"), 1e-12), 1 - 1e-12)) if pace.sigma else 0.0
    return min(float(round(pace.median_ms * math.exp(pace.sigma * z) + pace.token_ms * tokens)), HANG_MS)
