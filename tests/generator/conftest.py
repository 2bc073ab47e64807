"""Scripted gateways: in process, and on a real socket of the loopback interface."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from oo_sim.generator.context import GenerationContext, Task
from oo_sim.generator.gateway.client import Gateway
from oo_sim.generator.gateway.settings import Address

KEY = "sk-very-secret-4711"
ADDRESS = Address("http://gateway.test", SecretStr(KEY))
TIPS = '[{"id": "a", "content": "Water the ferns."}]'
CONTEXT = GenerationContext(tasks=(Task(id="1", content="Water the ferns"),))


def completion(content: object, usage: tuple[int, int] = (50, 10), **message: Any) -> dict[str, Any]:
    """A chat completion as LiteLLM writes it."""
    return {
        "id": "chatcmpl-1",
        "model": "tip-generator",
        "object": "chat.completion",
        "choices": [
            {
                "finish_reason": "stop",
                "index": 0,
                "message": {"content": content, "role": "assistant", **message},
            }
        ],
        "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)},
    }


class Script:
    """A gateway in process that gives scripted answers one after another, and keeps the requests."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, json=completion(answer) if isinstance(answer, str | None) else answer)

    @property
    def gateway(self) -> Gateway:
        """The gateway that plays the script."""
        return Gateway("script", ADDRESS, httpx.MockTransport(self))

    def body(self, index: int) -> Any:
        """The JSON body of a request."""
        return json.loads(self.requests[index].content)


@contextmanager
def serve(handle: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server on loopback that hands each connection to `handle` in a thread; yields its base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def one(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            try:
                handle(connection)
            except OSError:
                stop.is_set()  # the client hung up, as it should

    def accept() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def read_request(connection: socket.socket) -> bytes:
    """The whole request, head and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without gateway settings."""
    monkeypatch.delenv("LITELLM_URL", raising=False)
    monkeypatch.delenv("LITELLM_MASTER_KEY", raising=False)
