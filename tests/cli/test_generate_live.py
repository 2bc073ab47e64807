"""`oo-sim generate` at a live gateway that is busy: what it asks, what it says, and what it asks again."""

from __future__ import annotations

import json
import re
from collections.abc import Container
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from oo_sim.cli.generate import app


def call(*arguments: object) -> Result:
    """The command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


ALONE = ("--concurrency", 1)  # so that never five fail in a row


class Refuses:
    """A live gateway in process: 429 to the first call for some contexts; it keeps what it was asked."""

    def __init__(self, refused: Container[int]) -> None:
        self.refused = refused
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        found = re.search(rb"Task number (\d+)", request.content)
        number = int(found[1]) if found else -1
        known = any(b"Task number %d\\" % number in each.content for each in self.asked)
        self.asked.append(request)
        if number in self.refused and not known:
            return httpx.Response(429, json={"error": {"message": "slow down"}})
        message = {"role": "assistant", "content": '[{"id": "a", "content": "Go."}]'}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        return httpx.Response(200, json={"model": "m", "choices": choices, "usage": {"prompt_tokens": 9}})


def live(refused: Container[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int = 40) -> Refuses:
    """Such a gateway in the place of the network, and n contexts in `many.jsonl`; pauses take no time."""
    lines = [
        {"user_id": f"u{at % 8}", "tasks": [{"content": f"Task number {at}"}], "hour_of_day": 9} for at in range(n)
    ]
    (tmp_path / "many.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    script = Refuses(refused)
    monkeypatch.setattr("oo_sim.generator.gateway.client.LiveTransport", lambda _: httpx.MockTransport(script))
    monkeypatch.setattr("oo_sim.generator.gateway.client.sleep", lambda _: None)
    return script


def test_30_of_40_contexts_refused_end_with_1_and_exactly_those_are_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = live({at for at in range(40) if at % 4}, tmp_path, monkeypatch)
    command = ("generate", tmp_path / "many.jsonl", "--gateway", "http://x", "--n", 1, "--gateway-retries", 0, *ALONE)
    first = call(*command, "--out", tmp_path / "t")
    assert first.exit_code == 1
    assert "10 of 40 contexts were answered, 30 were not, the first with: the gateway answered 429" in first.stderr
    assert "--retry-failed" in first.stderr
    assert len(script.asked) == 40
    second = call(*command, "--out", tmp_path / "t", "--retry-failed")
    assert second.exit_code == 0, second.output
    assert len(script.asked) == 70
    numbers = sorted(int(re.findall(rb"Task number (\d+)", one.content)[0]) for one in script.asked[40:])
    assert numbers == [at for at in range(40) if at % 4]
    assert call(*command, "--out", tmp_path / "t", "--retry-failed").exit_code == 0
    assert len(script.asked) == 70


def test_what_is_asked_for_reaches_the_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = live((), tmp_path, monkeypatch, 3)
    waited: list[float] = []
    monkeypatch.setattr("oo_sim.generator.gateway.client.sleep", waited.append)
    wishes = ("--model", "small", "--temperature", 0.25, "--max-tokens", 77, "--timeout", 4, "--rpm", 30)
    command = ("generate", tmp_path / "many.jsonl", "--gateway", "http://x", "--n", 1, "--concurrency", 1)
    assert call(*command, "--out", tmp_path / "t", *wishes).exit_code == 0
    body = json.loads(script.asked[0].content)
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("small", 0.25, 77)
    assert {one.extensions["timeout"]["read"] for one in script.asked} == {4.0}
    assert [round(seconds) for seconds in waited] == [0, 2, 4]
    other = call(*command, "--out", tmp_path / "t", "--model", "large")
    assert other.exit_code == 2
    assert "model is 'small' there and 'large' here" in other.stderr
