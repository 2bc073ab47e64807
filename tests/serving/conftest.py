"""A server on the loopback, in a thread of the test's own process, and a client that speaks plain HTTP to it."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPMessage
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn

from oo_sim.generator import Generation, GenerationContext, GenerationError, Tip
from oo_sim.serving import create_app
from oo_sim.serving.protocol import BoundedProtocol
from oo_sim.serving.server import _listen


class Answer(NamedTuple):
    """Status, JSON (or text) and headers of an answer."""

    status: int
    body: Any
    headers: HTTPMessage


class Client:
    """One keep-alive connection; may be used by one thread."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def call(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a body (bytes as they are, anything else as JSON) and read the answer."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            self._connection.request(method, path, data, dict(headers or {}))
            response = self._connection.getresponse()
        except BaseException:
            self._connection.close()  # the next call opens it again
            raise
        text = response.read().decode(errors="replace")
        is_json = response.headers.get("content-type", "").startswith("application/json")
        return Answer(response.status, json.loads(text) if is_json else text, response.headers)

    def get(self, path: str) -> Any:
        """The JSON of a GET that must succeed."""
        answer = self.call("GET", path)
        assert answer.status == 200, answer
        return answer.body

    def post(self, path: str, body: object = None) -> Any:
        """The JSON of a POST that must succeed."""
        answer = self.call("POST", path, body)
        assert answer.status == 200, answer
        return answer.body

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def serving(state: Path, idle: int = 120, **settings: Any) -> Iterator[Client]:
    """An app on a free port, and a client of it; `idle` is how long a connection may be silent."""
    settings.setdefault("generator", NoGateway())
    listening = _listen("127.0.0.1", 0)
    app = create_app(state, **settings)
    server = uvicorn.Server(
        uvicorn.Config(app, http=BoundedProtocol, ws="none", log_config=None, timeout_keep_alive=idle)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    client = Client(listening.getsockname()[1])
    try:
        deadline = time.monotonic() + 30
        while not server.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        yield client
    finally:
        client.close()
        server.should_exit = True
        thread.join(30)
        listening.close()


Serve = Callable[..., Any]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A client of a fresh server."""
    with serving(tmp_path / "state", seed=1) as found:
        yield found


class NoGateway:
    """A generator whose gateway is never there."""

    async def generate(self, context: GenerationContext, n: int = 3, user_id: str | None = None) -> Generation:
        """Fail as the real one does."""
        raise UnreachableError("the gateway cannot be reached")

    async def aclose(self) -> None:
        """Nothing to free."""


class UnreachableError(GenerationError):
    """503, as when the gateway cannot be reached."""

    status = 503


class Writes(NoGateway):
    """A generator that writes the tips it is given."""

    def __init__(self, *tips: Tip) -> None:
        self.tips, self.contexts = tips, list[GenerationContext]()

    async def generate(self, context: GenerationContext, n: int = 3, user_id: str | None = None) -> Generation:
        """The tips, at most n."""
        self.contexts.append(context)
        return Generation(self.tips[:n], "model-1", 10, 5, "v1", (), (), user_id)


def task(name: str, **features: object) -> dict[str, object]:
    """A candidate."""
    return {"id": name, "content": f"do {name}", "source": "todoist", "features": features}
