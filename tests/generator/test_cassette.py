"""Cassettes replay exactly what was recorded, fail loudly on what was not, and hold no secrets."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.context import GenerationContext, Task
from oo_sim.generator.errors import GenerationError
from oo_sim.generator.gateway.cassette import CassetteMissError, RecorderTransport, cassette_gateway, read_cassette
from oo_sim.generator.gateway.client import Gateway, TipGenerator
from oo_sim.generator.gateway.live import UnusableAnswerError
from oo_sim.generator.gateway.settings import Options

from .conftest import ADDRESS, CONTEXT, KEY, TIPS, Script, completion

HEADERS = {
    "x-litellm-model-api-base": "http://10.0.0.1:11434",
    "x-litellm-model-group": "tip-generator",
    "set-cookie": "session=abc",
    "authorization": KEY,
}


def recording(script: Script, path: Path) -> Gateway:
    """The script's gateway, recorded."""
    return script.gateway._replace(transport=RecorderTransport(httpx.MockTransport(script), path, ADDRESS))


def outcomes(gateway: Gateway, contexts: list[GenerationContext]) -> list[object]:
    """What comes of one generation for each context, latencies left out."""
    found: list[object] = []
    with TipGenerator(gateway) as client:
        for context in contexts:
            try:
                got = client.generate(context, 1)
                found.append(
                    (got.candidates, got.model, [one._replace(latency_ms=0, replayed=False) for one in got.tries])
                )
            except GenerationError as error:
                tries = [one._replace(latency_ms=0, message="", replayed=False) for one in error.tries]
                found.append((error.status, tries))
    return found


OTHER = GenerationContext(tasks=(Task(id="1", content=f"Mail {KEY} \u2028 to \u00c5sa"),))
SCRIPT = (
    httpx.Response(200, json=completion("Sure!"), headers=HEADERS),
    TIPS,
    httpx.Response(401, json={"error": {"message": f"key {KEY}"}}, headers=HEADERS),
    httpx.ConnectError("refused"),
    httpx.ReadTimeout("slow"),
    UnusableAnswerError(200, "too_large", "the answer is larger than 5 bytes"),
    httpx.Response(200, content=b"\xff\xfe"),
)
CONTEXTS = [CONTEXT, CONTEXT, OTHER, OTHER, CONTEXT, OTHER]


def test_a_replay_gives_what_the_recording_gave(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    made = outcomes(recording(Script(*SCRIPT), path), CONTEXTS)
    assert outcomes(cassette_gateway(path, failures=True), CONTEXTS) == made
    assert outcomes(cassette_gateway(path, failures=True), CONTEXTS) == made


def test_failures_are_not_replayed_unless_asked_for(tmp_path: Path) -> None:
    """What was asked again and answered stands for the failure; a failure alone is a miss that says what to do."""
    path = tmp_path / "tape.jsonl"
    busy = httpx.Response(429, json={"error": {"message": "slow down"}})
    options = Options(gateway_retries=1)
    with TipGenerator(recording(Script(busy, TIPS), path)._replace(latency="simulated"), None, options) as client:
        made = client.generate(CONTEXT, 1, occurrence=0)
    assert [one.failure for one in made.tries] == ["http_429", None]
    with TipGenerator(cassette_gateway(path), None, options) as client:
        (only,) = client.generate(CONTEXT, 1, occurrence=0).tries
    assert (only.failure, only.replayed) == (None, True)
    with TipGenerator(cassette_gateway(path, failures=True), None, options) as client:
        assert [one.failure for one in client.generate(CONTEXT, 1, occurrence=0).tries] == ["http_429", None]
    outcomes(recording(Script(busy), tmp_path / "lost.jsonl"), [CONTEXT])
    with pytest.raises(CassetteMissError, match="--replay-failures"):
        outcomes(cassette_gateway(tmp_path / "lost.jsonl"), [CONTEXT])
    again = Script(TIPS)
    recorder = recording(again, tmp_path / "lost.jsonl")
    assert outcomes(recorder, [CONTEXT])[0] is not None
    assert len(again.requests) == 1
    assert outcomes(cassette_gateway(tmp_path / "lost.jsonl"), [CONTEXT])[0] is not None


def test_no_secrets_and_few_headers_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    outcomes(recording(Script(*SCRIPT), path), CONTEXTS)
    text = path.read_text()
    for secret in (KEY, "10.0.0.1", "session", "Bearer", "authorization"):
        assert secret not in text
    assert json.loads(text.splitlines()[0])["headers"] == {
        "content-type": "application/json",
        "x-litellm-model-group": "tip-generator",
    }


def test_an_interrupted_recording_goes_on_without_paying_twice(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    made = outcomes(recording(Script(*SCRIPT), path), CONTEXTS)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + lines[3][:40])
    assert len(read_cassette(path)) == 3
    rest = Script(*SCRIPT[2:])  # the third is a failure, and asked about again
    assert outcomes(recording(rest, path), CONTEXTS) == made
    assert len(rest.requests) == 5
    keys = [json.loads(line)["key"] for line in lines]
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == [*keys[:3], *keys[2:]]


def test_a_miss_fails_loudly(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    outcomes(recording(Script(TIPS), path), [CONTEXT])
    with pytest.raises(CassetteMissError, match="occurrence 1: it holds occurrences"):
        outcomes(cassette_gateway(path), [CONTEXT, CONTEXT])
    with pytest.raises(CassetteMissError, match="have changed since"):
        outcomes(cassette_gateway(path), [OTHER])


def test_an_empty_cassette_misses_everything(tmp_path: Path) -> None:
    (tmp_path / "tape.jsonl").write_text("")
    with pytest.raises(CassetteMissError):
        outcomes(cassette_gateway(tmp_path / "tape.jsonl"), [CONTEXT])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"{}\n", "line 1 is not a recorded exchange"),
        (b"5\n", "line 1 is not a recorded exchange"),
        (b"[" * 100_000 + b"\n", "line 1 is not a recorded exchange"),
        (b"\xff\n", "UTF-8"),
    ],
)
def test_broken_cassettes_are_refused(tmp_path: Path, text: bytes, says: str) -> None:
    (tmp_path / "tape.jsonl").write_bytes(text)
    with pytest.raises(GeneratorInputError, match=says):
        cassette_gateway(tmp_path / "tape.jsonl")


def test_a_wrong_type_and_a_repeated_request_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    outcomes(recording(Script(TIPS), path), [CONTEXT])
    line = path.read_text()
    path.write_text(line + line)
    with pytest.raises(GeneratorInputError, match="line 2 records a request that came before"):
        read_cassette(path)
    path.write_text(json.dumps({**json.loads(line), "status": "200"}) + "\n")
    with pytest.raises(GeneratorInputError, match="wrong type"):
        read_cassette(path)


def test_cassettes_that_cannot_be_opened_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GeneratorInputError, match="cannot be read"):
        cassette_gateway(tmp_path / "none.jsonl")
    with pytest.raises(GeneratorInputError, match="cannot be written"):
        RecorderTransport(httpx.MockTransport(Script()), tmp_path / "none" / "tape.jsonl", ADDRESS)
