"""The mock gateway as a real HTTP server, for whatever speaks to a LiteLLM gateway over a socket."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.gateway.client import DEADLINE, OCCURRENCE
from oo_sim.generator.gateway.settings import MAX_BYTES
from oo_sim.generator.mock.answer import MockAnswer, MockRequest, answer
from oo_sim.generator.mock.profile import Profile
from oo_sim.generator.mock.transport import Occurrences


class MockServer(ThreadingHTTPServer):
    """Serves `answer` on host and port (0: any free one). `key` is demanded unless None.

    Answers come `pace` times their simulated latency late: 0 at once, 1 as slow as the profile has it. An answer
    that never comes keeps its connection until the client closes it; so does one whose simulated time is beyond the
    deadline that the client names in a header, as it is in process. A request that names its occurrence in a header
    gets the same answer however often it comes; of those that do not, the n-th equal one gets the n-th answer.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        profile: Profile,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        seed: int = 1,
        key: str | None = None,
        pace: float = 0.0,
    ) -> None:
        self.profile, self.seed, self.key, self.pace = profile, seed, key, pace
        self.occurrences = Occurrences()
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise GeneratorInputError(f"cannot listen on {host} port {port}: {error}") from None

    @property
    def url(self) -> str:
        """The base URL."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is not an error here."""


class _Handler(BaseHTTPRequestHandler):
    server: MockServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 600

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *args: object) -> None:
        """Says nothing: requests hold what users wrote."""

    def _serve(self) -> None:
        length = self.headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit() and int(length) <= MAX_BYTES):
            self.close_connection = True
            self._send(MockAnswer(413, {}, b""))
            return
        body = self.rfile.read(int(length))
        scheme, _, key = self.headers.get("authorization", "").partition(" ")
        request = MockRequest(self.command, self.path, body, key if scheme.lower() == "bearer" else None)
        occurrence = self.server.occurrences.of(self.path, body, self.headers.get(OCCURRENCE))
        got = answer(request, self.server.profile, self.server.seed, occurrence, self.server.key)
        deadline = self.headers.get(DEADLINE, "")
        self._late(got, int(deadline[:18]) if deadline.isascii() and deadline.isdigit() else None)

    def _late(self, got: MockAnswer, deadline: int | None) -> None:
        if got.fault == "timeout" or (deadline is not None and got.latency_ms > deadline):
            self.connection.recv(1)  # returns when the client closes, or after this handler's own timeout
            self.close_connection = True
            return
        time.sleep(got.latency_ms / 1000 * self.server.pace)
        if got.status:
            self._send(got)
        else:
            self.close_connection = True

    def _send(self, got: MockAnswer) -> None:
        self.send_response_only(got.status)
        for name, value in {**got.headers, "content-length": str(len(got.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(got.body)
