"""The contract's dialogue: what is sent, what comes back, which status a failure has; no key leaks."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback

import httpx
import pytest
from pydantic import SecretStr

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.conversation import Generation
from oo_sim.generator.errors import (
    GatewayError,
    GatewayUnreachableError,
    GenerationError,
    NoTipsError,
)
from oo_sim.generator.gateway.client import AsyncTipGenerator, TipGenerator
from oo_sim.generator.gateway.exchange import Usage
from oo_sim.generator.gateway.settings import Address, Options

from .conftest import ADDRESS, CONTEXT, KEY, TIPS, Script, completion


def generate(script: Script, mode: str = "sync", options: Options | None = None, n: int = 1) -> Generation:
    """One generation by either client."""

    async def by_loop() -> Generation:
        async with AsyncTipGenerator(script.gateway, options=options) as client:
            return await client.generate(CONTEXT, n)

    if mode == "async":
        return asyncio.run(by_loop())
    with TipGenerator(script.gateway, options=options) as client:
        return client.generate(CONTEXT, n)


def failure(script: Script, mode: str = "sync", options: Options | None = None) -> GenerationError:
    """The error that one generation ends with."""
    with pytest.raises(GenerationError) as caught:
        generate(script, mode, options)
    return caught.value


BOTH = pytest.mark.parametrize("mode", ["sync", "async"])


@BOTH
def test_one_good_reply(mode: str) -> None:
    script = Script(TIPS)
    got = generate(script, mode)
    assert [(tip.id, tip.content) for tip in got.candidates] == [("a", "Water the ferns.")]
    assert (got.model, got.prompt_tokens, got.completion_tokens, len(got.tries)) == (
        "tip-generator",
        50,
        10,
        1,
    )
    request, body = script.requests[0], script.body(0)
    assert str(request.url) == "http://gateway.test/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert sorted(body) == ["messages", "model", "temperature"]
    assert (body["model"], body["temperature"]) == ("tip-generator", 0.7)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


@BOTH
def test_malformed_replies_are_fed_back_and_tokens_summed(mode: str) -> None:
    script = Script("Sure!", completion(None, (7, 0)), completion(TIPS, (60, 12)))
    got = generate(script, mode)
    assert (got.prompt_tokens, got.completion_tokens) == (117, 22)
    assert [one.failure for one in got.tries] == ["no_json", "empty", None]
    roles = [message["role"] for message in script.body(2)["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    assert [message["content"] for message in script.body(2)["messages"][2::2]] == ["Sure!", ""]


@BOTH
def test_three_malformed_replies_are_a_502_with_the_parse_error_and_the_reply(mode: str) -> None:
    error = failure(Script("Sure!", "Sure!!", "No. " * 100), mode)
    assert isinstance(error, NoTipsError)
    assert (error.status, error.usage, len(error.tries)) == (502, Usage(150, 30), 3)
    assert error.tries[-1].message in str(error)
    assert str(error).endswith(("No. " * 100)[:200])


HTTP_ERRORS = [400, 401, 403, 404, 408, 429, 500, 502, 503, 504, 301, 307, 204, 100]


@BOTH
@pytest.mark.parametrize("status", HTTP_ERRORS)
def test_every_other_status_is_a_502_and_not_tried_again(status: int, mode: str) -> None:
    body = {"error": {"message": "No way.", "type": "x", "param": None, "code": str(status)}}
    script = Script("Sure!", httpx.Response(status, json=body, headers={"location": "http://else.test/"}))
    error = failure(script, mode)
    assert isinstance(error, GatewayError)
    assert (error.status, error.usage, len(error.tries), len(script.requests)) == (502, Usage(50, 10), 2, 2)
    assert error.tries[1].failure == f"http_{status}"
    assert f"answered {status}: No way." in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>hello</html>"),
        httpx.Response(200, content=b""),
        httpx.Response(200, content=b"[" * 100_000),
        httpx.Response(200, content=b'"\\' * 2_000_000),
        httpx.Response(200, content=b'{"choices": [' + b"[]," * 1_000_000 + b"[]]}"),
        httpx.Response(200, content=b"\xff\xfe\x00"),
        {"object": "list"},
        {"choices": None},
        httpx.Response(200, json=[1]),
    ],
)
def test_what_is_no_completion_is_a_502(answer: object) -> None:
    error = failure(Script("Sure!", answer))
    assert (type(error), error.tries[1].failure) == (GatewayError, "no_completion")
    assert error.usage == Usage(50, 10)


@pytest.mark.parametrize(
    ("answer", "cls"),
    [
        (completion(None), "empty"),
        (completion(""), "empty"),
        (completion(None, tool_calls=[{"id": "x"}]), "empty"),
        (completion(None, refusal="I will not."), "refusal"),
        (completion(None, provider_specific_fields={"refusal": "No."}), "refusal"),
        (completion(None, provider_specific_fields={"refusal": None}), "empty"),
        ({"choices": [], "usage": None}, "empty"),
        ({"choices": [None]}, "empty"),
        ({"choices": [{"message": 5}]}, "empty"),
        (completion(TIPS[:20]), "truncated"),
        (completion(12), "empty"),
    ],
)
def test_a_completion_without_tips_is_tried_again(answer: object, cls: str) -> None:
    got = generate(Script(answer, TIPS))
    assert got.tries[0].failure == cls


def test_parts_and_odd_usage() -> None:
    parts = [{"type": "text", "text": TIPS[:10]}, {"type": "image"}, {"type": "text", "text": TIPS[10:]}]
    for usage in (None, {}, {"prompt_tokens": -1, "completion_tokens": "7"}, {"prompt_tokens": True}, [1]):
        got = generate(Script({**completion(parts), "usage": usage}))
        assert (got.prompt_tokens, got.completion_tokens) == (0, 0)
        assert not got.tries[0].usage_reported
        assert got.tries[0].estimate.completion_tokens == len(TIPS) // 4 == 11


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError("refused"), "unreachable"),
        (httpx.RemoteProtocolError("hung up"), "unreachable"),
        (httpx.ReadError("reset"), "unreachable"),
        (httpx.ConnectTimeout("slow"), "timeout"),
        (httpx.ReadTimeout("slow"), "timeout"),
    ],
)
@BOTH
def test_no_answer_is_a_503(error: Exception, kind: str, mode: str) -> None:
    caught = failure(Script("Sure!", error), mode)
    assert isinstance(caught, GatewayUnreachableError)
    assert (caught.status, caught.usage, caught.tries[1].failure) == (503, Usage(50, 10), kind)
    assert caught.tries[1].status == 0


def test_the_whole_generation_has_a_deadline() -> None:
    def slow(content: str, ms: float) -> httpx.Response:
        return httpx.Response(200, json=completion(content), extensions={"latency_ms": ms})

    script = Script(slow("Sure!", 25_000), slow("Sure!", 20_000))
    error = failure(script, options=Options(total_timeout=40))
    assert (error.status, len(error.tries), len(script.requests)) == (503, 2, 2)
    assert [request.extensions["timeout"]["read"] for request in script.requests] == [30, 15]


@pytest.mark.parametrize("n", [0, 65, -1])
def test_a_senseless_n_costs_no_call(n: int) -> None:
    script = Script(TIPS)
    with pytest.raises(ValueError, match="from 1 to 64"):
        generate(script, n=n)
    assert not script.requests


def test_long_replies_go_back_shortened_and_are_kept_just_too_long() -> None:
    script = Script("x" * 12_000_000, TIPS)
    got = generate(script)
    assert got.tries[0].failure == "too_long"
    assert "12000000 characters" in got.tries[0].message
    assert len(got.tries[0].reply or "") == (1 << 18) + 1
    assert len(script.body(1)["messages"][2]["content"]) == 8000


def test_lone_surrogates_of_the_gateway_do_no_harm() -> None:
    body = b'{"model": "m\\ud800", "choices": [{"message": {"content": "\\ud800 no"}}]}'
    got = generate(Script(httpx.Response(200, content=body), TIPS))
    assert got.tries[0].reply == "? no"


def test_the_key_shows_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = httpx.Response(401, json={"error": {"message": f"Received API Key = {KEY}"}})
    for script in (
        Script(echo),
        Script(f"Sure, {KEY}", KEY, f"[{KEY}"),
        Script(httpx.ConnectError(f"failed {KEY}")),
    ):
        error = failure(script)
        client = TipGenerator(script.gateway)
        shown = [*traceback.format_exception(error), repr(error.tries), str(error), repr(error.__context__)]
        shown += [
            repr(client),
            repr(client.gateway),
            str(ADDRESS),
            repr(client.__dict__),
            repr(script.requests),
        ]
        assert KEY not in "".join(shown) + caplog.text
        assert "***" in str(error)
        client.close()


def test_keys_are_redacted_as_json_writes_them_and_short_ones_left_alone() -> None:
    odd = Address("http://x", SecretStr('sk-"quoted"\\'))
    assert odd.redact(json.dumps({"m": 'key sk-"quoted"\\!'}).encode()) == b'{"m": "key ***!"}'
    assert Address("http://x", SecretStr("a")).redact(b"a tip about a fern") == b"a tip about a fern"
    assert ADDRESS.redact(b"Incorrect key: sk-proj-12345678901234567890.") == b"Incorrect key: ***."
    assert ADDRESS.redact(b"key: \\u0073k-proj-1234567890123456789\\u0030.") == b"key: ***."
    for _ in range(3):
        text = "".join(f"\\u{ord(char):04x}" if at % 3 else char for at, char in enumerate(KEY))
        for depth in range(4):
            echoed = b"my key is [" + text.encode() + b"] there"
            assert ADDRESS.redact(echoed) == b"my key is [***] there", depth
            text = json.dumps(text)[1:-1]
    assert ADDRESS.redact(b"Read the sk-learn-documentation-pages") == b"Read the sk-learn-documentation-pages"


@pytest.mark.usefixtures("no_environment")
def test_the_environment_names_gateway_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    default = Address.from_env()
    assert (default.url, default.key.get_secret_value()) == ("http://localhost:4000", "sk-oo-dev")
    monkeypatch.setenv("LITELLM_URL", "https://llm.example//v1/ ")
    monkeypatch.setenv("LITELLM_MASTER_KEY", KEY)
    assert Address.from_env() == Address("https://llm.example/v1", SecretStr(KEY))
    assert Address.from_env("http://[::1]:4000/chat/completions/").url == "http://[::1]:4000"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"http://me:{KEY}@host", "user name or password"),
        (f"http://{KEY}@host", "user name or password"),
        (f"http://host/?key={KEY}", "query"),
        (f"http://host/#{KEY}", "fragment"),
        (f"ftp://host/{KEY}", "http://"),
        (f"host:4000/{KEY}", "http://"),
        (f"http://host:{KEY}", "not a URL"),
        ("http://", "host"),
        (f"http://a\x00{KEY}", "not a URL"),
    ],
)
def test_other_urls_are_refused_and_not_shown(url: str, says: str) -> None:
    with pytest.raises(GeneratorInputError, match=says) as caught:
        Address.from_env(environ={"LITELLM_URL": url})
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_key_that_no_header_can_hold_is_refused() -> None:
    for key in ("a b", "schl\u00fcssel", "a\nb"):
        with pytest.raises(GeneratorInputError, match="printable ASCII") as caught:
            Address.from_env(environ={"LITELLM_MASTER_KEY": key})
        assert key not in str(caught.value)
