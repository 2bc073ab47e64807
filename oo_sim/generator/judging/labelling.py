"""A page of this machine on which a person says which of two sets of tips is better: blind, and by the keyboard."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.bank.files import Bank
from oo_sim.generator.judging.labels import Label, check_writable, read_labels, write_labels
from oo_sim.generator.judging.pairs import check_same_contexts

STEPS = (1.0, 0.75, 0.5, 0.25, 0.0)
"""What the five answers are worth for whoever stands on the left: clearly left, rather left, neither, ..."""
_LARGEST = 10_000


class Question(NamedTuple):
    """A pair as it is shown. `turned`: the second bank stands on the left, which the page does not know."""

    position: int
    user_id: str
    hour: int
    tasks: tuple[str, ...]
    left: tuple[str, ...]
    right: tuple[str, ...]
    turned: bool


def questions(ours: Bank, theirs: Bank, count: int | None = None, seed: int = 1) -> list[Question]:
    """The pairs of which both sides have tips, in an order and with sides that a hash of seed and context gives.

    Raises `GeneratorInputError` when the banks' contexts differ, or there is no such pair.
    """
    check_same_contexts(ours, theirs)
    made = []
    for mine, other in zip(ours.records, theirs.records, strict=True):
        if not (mine.tips and other.tips):
            continue
        digest = hashlib.blake2b(f"{seed} {mine.position}".encode(), digest_size=8).digest()
        context = mine.parsed_context
        sides = [tuple(tip.content for tip in one.tips) for one in (mine, other)]
        turned = bool(digest[0] & 1)
        left, right = reversed(sides) if turned else sides
        tasks = tuple(task.content for task in context.tasks)
        question = Question(mine.position, mine.user_id, context.hour_of_day, tasks, left, right, turned)
        made.append((digest[1:], question))
    if not made:
        raise GeneratorInputError("no context has tips in both banks, so there is nothing to label")
    return [question for _, question in sorted(made, key=lambda item: item[0])[:count]]


class LabelServer(ThreadingHTTPServer):
    """Serves the page on loopback and writes each answer to `out` at once. What `out` has already is not asked again.

    Raises `GeneratorInputError` where it cannot listen, read or write.
    """

    daemon_threads = True

    def __init__(self, asked: Sequence[Question], out: Path, rater: str = "", port: int = 0) -> None:
        self.asked, self.out, self.rater = list(asked), out, rater
        self.labels: list[Label] = read_labels(out) if out.exists() else []
        if not self.labels:
            check_writable(out)
        self.token = secrets.token_urlsafe(16)
        self.lock = threading.Lock()
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            raise GeneratorInputError(f"cannot listen on 127.0.0.1 port {port}: {error}") from None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def page(self) -> bytes:
        """The page with all that it shows, and nothing of which bank stands where."""
        done = {label.position for label in self.labels if label.rater == self.rater}
        pairs = [
            {"at": at, "hour": one.hour, "tasks": one.tasks, "left": one.left, "right": one.right}
            for at, one in enumerate(self.asked)
            if one.position not in done
        ]
        shown = {"token": self.token, "done": len(self.asked) - len(pairs), "pairs": pairs}
        data = json.dumps(shown).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        text = files("oo_sim.generator.judging").joinpath("label.html").read_text("utf-8")
        return text.replace("/*DATA*/null", data).encode()

    def keep(self, at: object, step: object) -> bool:
        """Keeps the answer to the question at a place; the last answer to a question counts. False: it is not one."""
        if type(at) is not int or type(step) is not int or not (0 <= at < len(self.asked) and 0 <= step < len(STEPS)):
            return False
        one = self.asked[at]
        value = 1.0 - STEPS[step] if one.turned else STEPS[step]
        with self.lock:
            others = [old for old in self.labels if (old.position, old.rater) != (one.position, self.rater)]
            self.labels = [*others, Label(one.position, one.user_id, value, self.rater)]
            write_labels(self.out, self.labels)
        return True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up is not an error here."""


class _Handler(BaseHTTPRequestHandler):
    server: LabelServer
    timeout = 60

    def do_GET(self) -> None:
        if not self._is_ours() or self.path not in ("/", "/favicon.ico"):
            self._send(404, b"not found", "text/plain")
        elif self.path == "/favicon.ico":
            self._send(204, b"", "text/plain")
        else:
            self._send(200, self.server.page(), "text/html; charset=utf-8")

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        token = self.headers.get("x-token", "")
        if not self._is_ours() or not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self._send(403, b"{}", "application/json")
            return
        if not (length.isascii() and length.isdigit() and int(length) <= _LARGEST):
            self._send(413, b"{}", "application/json")
            return
        try:
            value = json.loads(self.rfile.read(int(length)))
            kept = isinstance(value, dict) and self.server.keep(value.get("at"), value.get("step"))
        except (ValueError, RecursionError):
            kept = False
        except GeneratorInputError as error:
            self._send(507, json.dumps({"error": str(error)}).encode(), "application/json")
            return
        self._send(200 if kept else 422, b"{}", "application/json")

    def log_message(self, *args: object) -> None:
        """Says nothing: requests hold what users wrote."""

    def _is_ours(self) -> bool:
        """Whether the browser means this page: other names for this address are those of foreign pages."""
        port = self.server.server_address[1]
        return self.headers.get("host") in (f"127.0.0.1:{port}", f"localhost:{port}")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response_only(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.send_header(
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
        )
        self.end_headers()
        self.wfile.write(body)
