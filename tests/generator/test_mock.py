"""The mock gateway: deterministic, shaped like a LiteLLM, able to do whatever a real one was seen to do."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.appeal.keywords import about, contradicts
from oo_sim.generator.bank import Bank, contexts_from_tasks, generate_bank
from oo_sim.generator.context import GenerationContext, Task
from oo_sim.generator.errors import GenerationError
from oo_sim.generator.gateway.client import Gateway, TipGenerator
from oo_sim.generator.gateway.settings import Address, Options
from oo_sim.generator.mock import (
    MockAnswer,
    MockRequest,
    MockServer,
    Profile,
    answer,
    load_profile,
    mock_gateway,
    parse_profile,
    profile_names,
)
from oo_sim.generator.mock.catalogue import GATEWAY_FAULTS, REPLY_FAULTS
from oo_sim.generator.parser import MalformedError, parse
from oo_sim.generator.prompt import default_prompt

TASKS = ("Water the ferns", "Open the tax letter", "Call Ada about the roof")
CONTEXT = GenerationContext(
    tasks=tuple(Task(id=str(at), content=text) for at, text in enumerate(TASKS)), hour_of_day=20
)
PERFECT = load_profile("perfect")


def chat(messages: object, model: str = "tip-generator", key: str | None = None) -> MockRequest:
    """A chat completion request."""
    body = json.dumps({"model": model, "messages": messages}).encode()
    return MockRequest("POST", "/chat/completions", body, key)


ASK = chat(default_prompt().messages(CONTEXT, 3))


def only(fault: str) -> Profile:
    """A profile in which the first try always goes wrong in this way, and each later one right."""
    return Profile(version=1, fault_rate=1, faults={fault: 1})


def text(got: MockAnswer) -> Any:
    """The content of the completion."""
    return json.loads(got.body)["choices"][0]["message"]["content"]


def test_the_same_address_gives_the_same_answer_and_others_differ() -> None:
    profile = load_profile("typical_small_model")
    answers = {(seed, at): answer(ASK, profile, seed, at) for seed in (1, 2) for at in range(20)}
    for (seed, at), got in reversed(answers.items()):
        assert answer(ASK, profile, seed, at) == got
    assert len({got.body for got in answers.values()}) == 40


def test_a_completion_looks_like_litellms() -> None:
    got = answer(ASK, PERFECT, 1)
    body = json.loads(got.body)
    assert set(body) == {"id", "created", "model", "object", "choices", "usage"}
    assert (body["model"], body["object"]) == ("tip-generator", "chat.completion")
    assert set(body["choices"][0]["message"]) == {"content", "role", "provider_specific_fields"}
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"] > 0
    assert {"x-litellm-call-id", "x-litellm-model-group", "x-litellm-attempted-retries"} <= set(got.headers)
    assert "x-litellm-model-api-base" not in got.headers


def test_tips_are_about_the_tasks_and_fit_the_hour() -> None:
    for occurrence in range(50):
        tips = parse(text(answer(ASK, PERFECT, 1, occurrence)), 3).tips
        assert len(tips) == 3
        assert all(about(tip.content, TASKS) is not None for tip in tips)
        assert not any(contradicts(tip.content, 20, TASKS) for tip in tips)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(), max_size=6), st.integers(1, 64), st.integers(0, 2**32))
def test_any_tasks_get_the_number_of_tips_asked_for(contents: list[str], n: int, seed: int) -> None:
    context = GenerationContext(tasks=tuple(Task(id="x", content=content) for content in contents))
    with TipGenerator(mock_gateway(PERFECT, seed)) as client:
        got = client.generate(context, n)
    assert (len(got.candidates), len(got.tries)) == (n, 1)


REPAIRED = {
    "fence_unclosed": "repair",
    "fence_prose": "repair",
    "prose_before": "repair",
    "prose_after": "repair",
    "prose_brackets": "repair",
    "think": "repair",
    "byte_order_mark": "repair",
    "wrapper": "repair",
    "keyed": "repair",
    "json_lines": "repair",
    "trailing_comma": "repair",
    "missing_comma": "repair",
    "comment": "repair",
    "python_literals": "repair",
    "same_tip": "accept faithfully",
    "duplicate_keys": "accept faithfully",
}
FINE = {"fence", "missing_ids", "same_ids", "no_rationale", "too_many", "too_few", "canary"}


@pytest.mark.parametrize("fault", REPLY_FAULTS)
def test_the_catalogue_of_replies_does_what_it_says(fault: str) -> None:
    reply = text(answer(ASK, only(fault), 1))
    taken = []
    for policy in ("faithful", "lenient"):
        try:
            parse(reply, 3, policy)
            taken.append(True)
        except MalformedError:
            taken.append(False)
    wanted = (
        [True, True] if fault in FINE else [REPAIRED.get(fault) == "accept faithfully", REPAIRED.get(fault) == "repair"]
    )
    assert taken == wanted


STATUSES = {
    "no_database": (502, "http_400"),
    "unauthorised": (502, "http_401"),
    "plain_500": (502, "http_500"),
    "context_window": (502, "http_400"),
    "content_filter": (502, "http_400"),
    "upstream_401": (502, "http_401"),
    "upstream_404": (502, "http_404"),
    "upstream_timeout": (502, "http_408"),
    "rate_limit": (502, "http_429"),
    "upstream_500": (502, "http_500"),
    "upstream_503": (502, "http_503"),
    "disconnect": (503, "unreachable"),
    "timeout": (503, "timeout"),
    "empty_choices": (0, "empty"),
    "null_content": (0, "empty"),
    "tool_calls": (0, "empty"),
    "refusal": (0, "refusal"),
    "length": (0, "truncated"),
    "reasoning": (0, None),
    "zero_usage": (0, None),
    "fallback": (0, None),
}


@pytest.mark.parametrize("fault", GATEWAY_FAULTS)
def test_the_catalogue_of_gateway_faults_has_the_contracts_status(fault: str) -> None:
    status, failure = STATUSES[fault]
    with TipGenerator(mock_gateway(only(fault))) as client:
        try:
            got = client.generate(CONTEXT)
        except GenerationError as error:
            assert (error.status, error.tries[-1].failure) == (status, failure)  # noqa: PT017
            assert len(error.tries) == 1  # noqa: PT017
            return
    assert status == 0
    assert [one.failure for one in got.tries] == ([failure, None] if failure else [None])
    assert got.tries[0].usage_reported == (fault != "zero_usage")
    assert got.model == ("mock/fallback" if fault == "fallback" else "tip-generator")


def test_fault_rate_and_recovery_are_probabilities() -> None:
    """Shares of 1,000 draws lie within 0.06 of 0.35 and 0.7: 4 standard deviations, wrong once in 15,000 runs."""
    profile = load_profile("typical_small_model")
    first = Counter(bool(answer(ASK, profile, 1, at).fault) for at in range(1000))
    again = chat([*default_prompt().messages(CONTEXT, 3), *default_prompt().again("no", 3)])
    second = Counter(bool(answer(again, profile, 1, at).fault) for at in range(1000))
    assert abs(first[True] / 1000 - 0.35) < 0.06
    assert abs(second[False] / 1000 - 0.70) < 0.06


def test_simulated_latency_follows_the_profile() -> None:
    assert {answer(ASK, only("rate_limit"), 1, at).latency_ms > 8000 for at in range(20)} == {True}
    profile = Profile.model_validate({"version": 1, "latency": {"median_ms": 1000, "sigma": 0.5}})
    slower = sum(answer(ASK, profile, 1, at).latency_ms > 1000 for at in range(400))
    assert abs(slower - 200) < 45  # 4.5 standard deviations
    client = TipGenerator(mock_gateway(profile), options=Options(call_timeout=0.5))
    with client, pytest.raises(GenerationError) as caught:
        client.generate(CONTEXT)
    assert (caught.value.status, caught.value.tries[0].latency_ms) == (503, 500)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/health/liveliness", 200),
        ("GET", "/health/readiness", 200),
        ("GET", "/v1/models", 200),
        ("GET", "/models", 200),
        ("GET", "/", 404),
        ("GET", "/chat/completions", 405),
        ("POST", "//chat/completions", 404),
        ("POST", "/chat/completions/", 307),
        ("POST", "/chat/completions", 400),
        ("POST", "/v1/embeddings", 400),
        ("PUT", "/models", 405),
    ],
)
def test_routes(method: str, path: str, status: int) -> None:
    assert answer(MockRequest(method, path), PERFECT, 1).status == status


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/chat/completions", b"{", 400),
        ("/chat/completions", b"[" * 100_000, 400),
        ("/chat/completions", b'"x"', 400),
        ("/chat/completions", b'{"model": "gpt"}', 400),
        ("/chat/completions", b'{"model": "judge"}', 400),
        ("/chat/completions", b'{"model": "judge", "messages": [5]}', 400),
        ("/chat/completions", b'{"model": "tip-generator", "messages": []}', 200),
        ("/chat/completions", b'{"model": "tip-generator", "messages": [{"role": "user", "content": 5}]}', 200),
        ("/embeddings", b'{"model": "embedder", "input": []}', 400),
        ("/embeddings", b'{"model": "embedder", "input": [5]}', 400),
        ("/embeddings", b'{"model": "embedder", "input": "x"}', 200),
        ("/embeddings", b'{"model": "embedder", "input": ["x", ""]}', 200),
    ],
)
def test_bodies(path: str, body: bytes, status: int) -> None:
    got = answer(MockRequest("POST", path, body), PERFECT, 1)
    assert got.status == status
    if status == 400:
        error = json.loads(got.body)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["code"] == "400"


def test_a_key_is_demanded_where_one_is_set() -> None:
    for key, status in ((None, 401), ("wrong", 400), ("right", 200)):
        assert answer(ASK._replace(key=key), PERFECT, 1, key="right").status == status
    assert answer(MockRequest("GET", "/health/readiness"), PERFECT, 1, key="right").status == 200


def test_four_profiles_ship() -> None:
    assert profile_names() == ["flaky_gateway", "hostile", "perfect", "typical_small_model"]
    assert set(load_profile("hostile").faults) == {*REPLY_FAULTS, *GATEWAY_FAULTS}


@pytest.mark.parametrize(
    ("yaml", "says"),
    [
        ("version: 2", "version"),
        ("version: 1\nfault_rate: 2", "fault_rate"),
        ("version: 1\nfault_rate: .nan", "fault_rate"),
        ("version: 1\nfault_rate: 0.5", "weights are required"),
        ("version: 1\nfaults: {fance: 1}", "faults: there is no fault 'fance'"),
        ("version: 1\nrecovery: []", "recovery"),
        ("version: 1\nlatency: {sigma: -1}", "latency.sigma"),
        ("version: 1\nspeed: 3", "speed"),
        ("version: [", "not YAML"),
        ("", "the file"),
        ("- 1", "the file"),
    ],
)
def test_broken_profiles_are_refused(yaml: str, says: str) -> None:
    with pytest.raises(GeneratorInputError, match=says):
        parse_profile("mine", yaml)


def test_unknown_profiles_are_refused() -> None:
    for name, says in (("nope", "perfect"), ("/none/x.yaml", "cannot be read")):
        with pytest.raises(GeneratorInputError, match=says):
            load_profile(name)


def test_the_server_says_what_the_function_says() -> None:
    profile = load_profile("typical_small_model")
    with MockServer(profile, seed=3, key="right") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with httpx.Client(base_url=server.url, trust_env=False, headers={"Authorization": "Bearer right"}) as http:
                for occurrence in range(4):
                    got = http.post("/chat/completions", content=ASK.body)
                    assert got.content == answer(ASK, profile, 3, occurrence).body
                assert http.get("/models").json()["object"] == "list"
                assert (
                    http.post("/chat/completions", content=ASK.body, headers={"Authorization": ""}).status_code == 401
                )
            with socket.create_connection(server.server_address[:2]) as raw:  # type: ignore[arg-type]
                raw.sendall(b"POST /x HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")
                assert b" 413 " in raw.recv(100)
            for fault in ("disconnect", "timeout"):
                server.profile = only(fault)
                with pytest.raises((httpx.RemoteProtocolError, httpx.ReadTimeout)):
                    httpx.post(
                        f"{server.url}/chat/completions",
                        content=ASK.body,
                        timeout=0.3,
                        trust_env=False,
                        headers={"Authorization": "Bearer right"},
                    )
        finally:
            server.shutdown()
            thread.join()


def test_a_port_in_use_is_a_clear_error() -> None:
    with MockServer(PERFECT) as server, pytest.raises(GeneratorInputError, match="cannot listen"):
        MockServer(PERFECT, port=server.server_address[1])
    with pytest.raises(GeneratorInputError, match="cannot listen"):
        MockServer(PERFECT, port=70_000)


def test_the_same_bank_over_http_as_in_process(tmp_path: Path) -> None:
    """Also where answers would come after the client's deadline: their time is simulated on both sides."""
    faults = {"fence": 3, "empty_text": 3, "truncated": 2, "upstream_500": 1, "disconnect": 1, "missing_ids": 1}
    profile = Profile.model_validate(
        {
            "version": 1,
            "fault_rate": 0.5,
            "recovery": [0.6],
            "faults": faults,
            "latency": {"median_ms": 2250, "sigma": 0.5},
        }
    )
    tasks = [{"id": str(at), "content": text} for at, text in enumerate(TASKS)]
    work = contexts_from_tasks((f"user-{at % 7}", tasks, at % 5, 0) for at in range(48))
    options = Options(call_timeout=5.0)  # for a hung one is waited; two are too few where the machine is busy
    with TipGenerator(mock_gateway(profile, 5), None, options) as client:
        here = generate_bank(client, work, 3, tmp_path / "here")
    with MockServer(profile, seed=5) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with TipGenerator(Gateway.live(Address(server.url)), None, options) as client:
                there = generate_bank(client, work, 3, tmp_path / "there", concurrency=16)
        finally:
            server.shutdown()
            thread.join()

    def told(bank: Bank) -> list[object]:
        return [
            (one.tips, one.status, one.failure, [(each.failure, each.reply, each.usage) for each in one.tries])
            for one in bank.records
        ]

    assert told(here) == told(there)
    assert {"timeout", "unreachable", None} <= {one.failure for one in here.records}
