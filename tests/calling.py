"""A call of the command line in this process, a disk that is full, and a server beside the test."""

from __future__ import annotations

import resource
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseServer
from typing import NamedTuple, TypeAlias, TypeVar

import pytest

from oo_sim.cli import main

Server = TypeVar("Server", bound=BaseServer)


class Answer(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


Call: TypeAlias = Callable[..., Answer]


def caller(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], directory: Path) -> Call:
    """Calls the command line in a directory, where private modules are found for the length of the test."""
    monkeypatch.chdir(directory)
    monkeypatch.setattr(sys, "path", sys.path[:])

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["oo-sim", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        assert isinstance(end.value.code, int)
        return Answer(end.value.code, *capsys.readouterr())

    return run


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file of this process can be larger than so many bytes: what is beyond is refused as on a full disk. Python,
    which would leave its own compiled modules cut off behind, writes none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writes_none, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_none
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server, serving on a thread of its own."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
