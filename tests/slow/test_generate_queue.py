"""`/generate` under 64 callers at once, at full scale: a server, a client, and a model that takes 12 seconds."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from pydantic import SecretStr

from oo_sim.generator import Address, AsyncTipGenerator, Gateway
from oo_sim.generator.mock import MockServer, Profile
from oo_sim.serving import create_app
from oo_sim.serving.protocol import BoundedProtocol

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
CALLERS, SECONDS, AT_ONCE = 64, 12, 16


def test_nobody_is_refused_and_scoring_goes_on(tmp_path: Path) -> None:
    """16 at once, 12 s each: the last of 64 waits 36 s for its turn, longer than the client's 30 s for one call."""
    profile = Profile.model_validate({"version": 1, "latency": {"median_ms": 1000 * SECONDS}})
    with MockServer(profile, pace=1) as model:
        thread = threading.Thread(target=model.serve_forever)
        thread.start()
        try:
            found, took, scored = _asked(tmp_path, AsyncTipGenerator(Gateway.live(Address(model.url, SecretStr("k")))))
        finally:
            model.shutdown()
            thread.join()
    assert Counter(found) == {200: CALLERS}
    assert CALLERS / AT_ONCE * SECONDS <= took < CALLERS / AT_ONCE * SECONDS + 30
    assert max(scored) < 5  # of a busy machine; a score takes a millisecond


def _asked(state: Path, generator: AsyncTipGenerator) -> tuple[list[int], float, list[float]]:
    """The statuses of all callers, how long all took, and the seconds that scoring took meanwhile."""
    with serving(state, generator) as url, httpx.Client(base_url=url, timeout=120, trust_env=False) as http:
        start, scored = time.monotonic(), list[float]()
        with ThreadPoolExecutor(CALLERS) as pool:
            calls = [pool.submit(_generate, url, at) for at in range(CALLERS)]
            while not all(call.done() for call in calls):
                began = time.monotonic()
                body = {"user_id": "u", "candidates": [{"id": "a", "content": "walk", "source": "todoist"}]}
                assert http.post("/score", json=body).status_code == 200
                scored.append(time.monotonic() - began)
                time.sleep(0.5)
        return [call.result() for call in calls], time.monotonic() - start, scored


@contextmanager
def serving(state: Path, generator: AsyncTipGenerator) -> Iterator[str]:
    """A server's URL."""
    app = create_app(state, seed=1, generator=generator)
    server = uvicorn.Server(uvicorn.Config(app, http=BoundedProtocol, ws="none", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(60)


def _generate(url: str, at: int) -> int:
    context = {"tasks": [{"content": f"task {at}"}], "hour_of_day": 9}
    body = {"user_id": f"u{at}", "context": context, "n": 2}
    return httpx.post(f"{url}/generate", json=body, timeout=120, trust_env=False).status_code
