"""Generate, embed, judge and user through a real LiteLLM that fronts a scripted model, with faults.

LiteLLM is installed into an environment of its own (a minute and 800 MB), or taken from where OO_LITELLM points. The
tests are skipped only where no package registry can be reached.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
import yaml
from calling import running
from installing import pip
from pydantic import SecretStr

from oo_sim.generator import (
    Address,
    Gateway,
    GatewayError,
    GenerationContext,
    GenerationError,
    Options,
    Task,
    TipGenerator,
    Try,
)
from oo_sim.generator.appeal.panel import Shown, ask_panel
from oo_sim.generator.bank import contexts_from_tasks, generate_bank
from oo_sim.generator.embed import embed_bank
from oo_sim.generator.gateway.asking import Asker, beside, spent
from oo_sim.generator.judging import judge_banks, missing
from oo_sim.generator.mock import MockServer, Profile

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]
KEY = "sk-real-litellm-4711"
ALIASES = ("tip-generator", "judge", "user", "embedder")
TASKS = [{"id": "1", "content": "call the dentist"}, {"id": "2", "content": "water the plants"}]


@pytest.fixture(scope="module")
def litellm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `litellm`."""
    given = os.environ.get("OO_LITELLM")
    if given:
        return Path(given)
    home = tmp_path_factory.mktemp("litellm")
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    pip(home / "bin" / "python", "install", "--quiet", "litellm[proxy]", timeout=1200)
    return home / "bin" / "litellm"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def upstream(profile: Profile) -> AbstractContextManager[MockServer]:
    """The scripted model."""
    return running(MockServer(profile))


@pytest.fixture(scope="module")
def front(litellm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, MockServer]]:
    """The gateway's URL, and the model behind it, whose profile may be changed."""
    folder, port = tmp_path_factory.mktemp("front"), free_port()
    with upstream(Profile(version=1)) as server:
        behind = {"api_base": f"{server.url}/v1", "api_key": "x"}
        models = [{"model_name": one, "litellm_params": {"model": f"openai/{one}", **behind}} for one in ALIASES]
        config = {
            "model_list": models,
            "general_settings": {"master_key": KEY},
            "litellm_settings": {"num_retries": 0, "telemetry": False},
            "router_settings": {"num_retries": 0, "allowed_fails": 10**6, "disable_cooldowns": True},
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        command = [str(litellm), "--config", str(folder / "config.yaml"), "--host", "127.0.0.1", "--port", str(port)]
        with (folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
        try:
            _ready(f"http://127.0.0.1:{port}", process, folder / "log.txt")
            yield f"http://127.0.0.1:{port}", server
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            if httpx.get(f"{url}/health/liveliness", trust_env=False, timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise AssertionError(log.read_text()[-2000:])


def client(url: str, key: str = KEY, **options: object) -> TipGenerator:
    """A live client of the gateway."""
    return TipGenerator(Gateway.live(Address(url, SecretStr(key))), None, Options().with_(**options))


def test_all_four_models_answer(front: tuple[str, MockServer], tmp_path: Path) -> None:
    url, server = front
    work = contexts_from_tasks((f"u{at}", TASKS, 9, 0) for at in range(6))
    banks = []
    for name, grounded in (("good", 1.0), ("vague", 0.0)):
        server.profile = Profile.model_validate({"version": 1, "style": {"grounded": grounded}})
        with client(url) as one:
            banks.append(generate_bank(one, work, 2, tmp_path / name, concurrency=3))
    assert [one.status for bank in banks for one in bank.records] == [200] * 12
    assert all(one.tries[-1].usage_reported for bank in banks for one in bank.records)
    with client(url) as one:
        asker = Asker(one, beside(tmp_path / "good"), concurrency=3)
        pairs, replies = judge_banks(asker, banks[0], banks[1])
        assert missing(pairs) == 0
        assert {pair.score for pair in pairs} == {1.0}
        assert spent(replies).usage.prompt_tokens > 0
        likeness, _ = embed_bank(asker, banks[0])
        assert not any(each.failed for each in likeness)
        assert all(each.to_task is not None and each.to_task > 0.25 for each in likeness)
        context = GenerationContext(tasks=tuple(Task.model_validate(task) for task in TASKS), hour_of_day=9)
        texts = ("Call the dentist now: it takes five minutes.", "You lazy idiot.")
        good, bad = ask_panel(asker, [Shown("a nurse", context, text) for text in texts], times=8)
        assert good.missing == bad.missing == 0
        assert good.offset((-1.5, -0.5, 0.5, 1.5)) > bad.offset((-1.5, -0.5, 0.5, 1.5)) + 1


FAULTS = {
    "no_database": "http_",
    "upstream_401": "http_401",
    "upstream_404": "http_404",
    "rate_limit": "http_429",
    "upstream_500": "http_500",
    "upstream_503": "http_503",
    "context_window": "http_400",
    "disconnect": "http_500",
    "timeout": "timeout",
    "empty_choices": "",
    "null_content": "empty",
    "refusal": "refusal",
    "prose_before": "prose",
    "truncated": "",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_model_arrive_in_their_class(fault: str, front: tuple[str, MockServer]) -> None:
    url, server = front
    server.profile = Profile.model_validate(
        {"version": 1, "fault_rate": 1, "recovery": [0], "faults": {fault: 1}, "latency": {"median_ms": 1}}
    )
    work = contexts_from_tasks([("u", TASKS, 9, 0)])
    tries: tuple[Try, ...] = ()
    with client(url, retries=0, call_timeout=4.0) as one:
        try:
            made = one.generate(work[0].context, 2, "u", occurrence=0)
        except GenerationError as error:
            tries, told = error.tries, str(error)
        else:
            tries, told = made.tries, ""
    assert len(tries) == 1
    assert tries[0].failure is not None
    assert tries[0].failure.startswith(FAULTS[fault])
    assert KEY not in told


def test_what_was_refused_for_now_is_asked_again(front: tuple[str, MockServer], tmp_path: Path) -> None:
    url, server = front
    server.profile = Profile.model_validate(
        {"version": 1, "fault_rate": 0.5, "recovery": [1], "faults": {"rate_limit": 1}}
    )
    work = contexts_from_tasks((f"u{at}", TASKS, at, 0) for at in range(8))
    with client(url, gateway_retries=6) as one:
        made = generate_bank(one, work, 2, tmp_path / "a", concurrency=8)
    assert all(one.status == 200 for one in made.records)
    assert any(one.failure == "http_429" for record in made.records for one in record.tries)


def test_a_wrong_key_is_said(front: tuple[str, MockServer]) -> None:
    url, _ = front
    with client(url, key="sk-wrong-key-0001") as one, pytest.raises(GatewayError, match="answered 40"):
        one.generate(GenerationContext(), 1)
