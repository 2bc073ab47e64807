"""Questions to the other models behind the gateway (judge, embedder, user): asked once, kept beside the bank.

What was answered stands in a file of JSON lines, each under a hash of the request and of the gateway that answered it.
So a run that was stopped goes on, the same question is never paid for twice, and numbers come again with the gateway
off. What failed is not kept: it is missing now, and asked again the next time.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.conversation import HTTP_OK
from oo_sim.generator.gateway.client import TipGenerator
from oo_sim.generator.gateway.exchange import Answer, Call, Usage, again
from oo_sim.generator.gateway.wire import WireError, read_completion, read_embeddings

CHAT, EMBEDDINGS = "/chat/completions", "/embeddings"
NOT_ASKED = "not_asked"
"""The failure of a question that was not put, since the gateway had failed for too many in a row."""
Progress = Callable[[int, int], None]


class Question(NamedTuple):
    """One request. `texts` is how many embeddings it asks for, 0 for a chat; equal questions differ by `occurrence`."""

    body: bytes
    texts: int = 0
    occurrence: int = 0

    @property
    def path(self) -> str:
        """Where it goes."""
        return EMBEDDINGS if self.texts else CHAT


class Reply(NamedTuple):
    """What was answered: a text or vectors; or, with a `failure`, nothing."""

    text: str | None = None
    vectors: tuple[tuple[float, ...], ...] = ()
    model: str = ""
    usage: Usage = Usage()
    failure: str | None = None
    kept: bool = False


class Spent(NamedTuple):
    """How many questions were asked now, found kept, and left without an answer; and the tokens of those asked now."""

    asked: int
    kept: int
    missing: int
    usage: Usage


def spent(replies: Sequence[Reply]) -> Spent:
    """The account of some replies."""
    now = [one for one in replies if one.failure is None and not one.kept]
    tokens = Usage(sum(one.usage.prompt_tokens for one in now), sum(one.usage.completion_tokens for one in now))
    return Spent(len(now), sum(one.kept for one in replies), sum(one.failure is not None for one in replies), tokens)


def beside(bank: Path) -> Path:
    """Where the answers to questions about a bank are kept."""
    return bank.with_name(f"{bank.name}.asked.jsonl")


class Asker:
    """Asks through a client, several questions at once; after `failures` without an answer in a row, no more.

    Raises `GeneratorInputError` when the file of what was answered cannot be read or written.
    """

    def __init__(
        self, client: TipGenerator, kept: Path | None = None, *, concurrency: int = 1, failures: int = 5
    ) -> None:
        self._client, self._path = client, kept
        self._concurrency, self._failures = concurrency, failures
        self._known = _read(kept) if kept is not None else {}
        self._lock = threading.Lock()

    def ask(self, questions: Sequence[Question], progress: Progress | None = None) -> list[Reply]:
        """The replies, in order; equal questions of one occurrence are asked once."""
        keys = [self._key(one) for one in questions]
        fresh = {key: one for key, one in zip(keys, questions, strict=True) if key not in self._known}
        found: dict[str, Reply] = {}
        with _opened(self._path) as file:
            for key, reply in self._asked(list(fresh.items())):
                found[key] = reply
                if reply.failure is None:
                    self._keep(file, _line(key, reply))
                    self._known[key] = reply._replace(kept=True)
                if progress is not None:
                    progress(len(found), len(fresh))
        nothing = Reply(failure=NOT_ASKED)
        return [found.pop(key) if key in found else self._known.get(key, nothing) for key in keys]

    def unknown(self, questions: Sequence[Question]) -> int:
        """How many of the questions would be put to the gateway, as their answers are not kept."""
        return len({self._key(one) for one in questions} - self._known.keys())

    def _keep(self, file: IO[bytes] | _Nowhere, line: bytes) -> None:
        try:
            file.write(line)
            file.flush()
        except OSError as error:
            raise GeneratorInputError(f"{self._path}: cannot be written: {error.strerror}") from None

    def _key(self, question: Question) -> str:
        label = self._client.gateway.label
        address = f"{label}\0{question.path}\0{question.occurrence}\0".encode()
        return hashlib.blake2b(address + question.body, digest_size=16).hexdigest()

    def _asked(self, todo: Sequence[tuple[str, Question]]) -> Iterator[tuple[str, Reply]]:
        left, lost = list(reversed(todo)), 0
        waiting: dict[Future[Reply], str] = {}
        pool = ThreadPoolExecutor(self._concurrency)
        try:
            while waiting or (left and lost < self._failures + self._concurrency - 1):
                while left and len(waiting) < 2 * self._concurrency and lost < self._failures:
                    key, question = left.pop()
                    waiting[pool.submit(partial(self._one, question))] = key
                if not waiting:
                    break
                done = wait(waiting, return_when=FIRST_COMPLETED).done
                for future in [one for one in waiting if one in done]:  # in the order asked: a row of failures is one
                    reply = future.result()
                    lost = lost + 1 if reply.failure is not None else 0
                    yield waiting.pop(future), reply
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _one(self, question: Question) -> Reply:
        options = self._client.options
        call = Call(question.path, question.body, options.call_timeout)
        while True:
            answer = self._client.exchange(call, question.occurrence)
            if not answer.is_transient or call.again >= options.gateway_retries:
                return _reply(question, answer)
            call = again(call, answer)


def _reply(question: Question, answer: Answer) -> Reply:
    if answer.failure is not None or answer.status != HTTP_OK:
        return Reply(failure=answer.failure or f"http_{answer.status}")
    try:
        if question.texts:
            vectors = read_embeddings(answer.body, question.texts)
            return Reply(vectors=tuple(map(tuple, vectors)), usage=_tokens(answer.body))
        got = read_completion(answer.body)
    except WireError:
        return Reply(failure="no_completion")
    return Reply(got.text or "", model=got.model, usage=got.usage)


def _tokens(body: bytes) -> Usage:
    usage = json.loads(body).get("usage")
    count = usage.get("prompt_tokens") if isinstance(usage, dict) else 0
    return Usage(count if type(count) is int and 0 <= count <= 10**12 else 0)


def _line(key: str, reply: Reply) -> bytes:
    value: dict[str, Any] = {"key": key, "model": reply.model, "usage": list(reply.usage)}
    value |= {"vectors": reply.vectors} if reply.vectors else {"text": reply.text}
    return json.dumps(value).encode() + b"\n"


class _Nowhere:
    """A file for those who keep nothing."""

    def __enter__(self) -> _Nowhere:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to close."""

    def write(self, line: bytes) -> None:
        """Forgets the line."""

    def flush(self) -> None:
        """Has nothing to write."""


def _opened(path: Path | None) -> IO[bytes] | _Nowhere:
    """The file to add to; half a line that a kill left behind is cut off."""
    if path is None:
        return _Nowhere()
    try:
        file = path.open("ab+")
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
    except OSError as error:
        raise GeneratorInputError(f"{path}: cannot be written: {error.strerror}") from None
    return file


def _read(path: Path) -> dict[str, Reply]:
    try:
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    except OSError as error:
        raise GeneratorInputError(f"{path}: cannot be read: {error.strerror}") from None
    known: dict[str, Reply] = {}
    for number, line in enumerate(lines, 1):
        try:
            value = json.loads(line)
            vectors = tuple(tuple(float(x) for x in vector) for vector in value.get("vectors", ()))
            text = None if vectors else str(value["text"])
            known[value["key"]] = Reply(text, vectors, value["model"], Usage(*value["usage"]), kept=True)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise GeneratorInputError(f"{path}: line {number} is not a kept answer; remove the file") from None
    return known
