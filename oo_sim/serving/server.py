"""Runs the app on uvicorn, in one worker process or several on the same file."""

from __future__ import annotations

import gc
import logging
import logging.config
import multiprocessing
import os
import signal
import socket
import threading
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

import uvicorn

from oo_sim.errors import ServingError
from oo_sim.serving.app import DEADLINE, create_app
from oo_sim.serving.protocol import IDLE, BoundedProtocol

GRACE = 30
"""Seconds that a server which is stopped gives the calls that it accepted."""
START_TRIES = 3
"""Starts of workers that may fail in a row while none is ready; then the server gives up."""
LONGEST_PAUSE = 60.0
"""The most seconds between two tries to replace a worker."""
log = logging.getLogger("oo_sim.serving")


class Settings(NamedTuple):
    """How to serve. `policies` are specs; port 0 is any that is free."""

    state_dir: str
    policies: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    seed: int | None = None
    deadline: float = DEADLINE
    log_level: str = "info"


def serve(settings: Settings) -> None:
    """Serve until the process is told to stop. Raises ServingError where it cannot start, or goes on without workers
    that can."""
    create_app(settings.state_dir, policies=settings.policies, seed=settings.seed)  # what is wrong is said once, here
    listening = _listen(settings.host, settings.port)
    try:
        if settings.workers == 1:
            _work(settings, listening)
        else:
            _Crew(settings, listening).run()
    finally:
        listening.close()


class _Server(uvicorn.Server):
    """uvicorn's server, which tells when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Connection | None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell."""
        await super().startup(sockets)
        if self.started and self._ready is not None:
            self._ready.send(True)


def _work(settings: Settings, listening: socket.socket, ready: Connection | None = None) -> None:
    """What a worker process does."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)  # uvicorn has its own while it serves, and raises the signal again at its end
    if (master := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_follow, args=(master,), daemon=True).start()
    app = create_app(settings.state_dir, policies=settings.policies, deadline=settings.deadline)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=BoundedProtocol,
        ws="none",
        access_log=False,
        server_header=False,
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=GRACE,
        log_config=_logging(settings.log_level),
    )
    gc.collect()
    gc.set_threshold(20_000, 10, 20)  # a request makes hundreds of small objects and hardly a cycle
    gc.freeze()  # what is here now stays, so that no collection walks through it again
    _Server(config, ready).run(sockets=[listening])


def _leave(*_: object) -> None:
    raise SystemExit(0)


def _follow(master: BaseProcess) -> None:
    """Stop this worker when its master ends, however that ends: nobody else would, and the port would stay taken."""
    master.join()
    os.kill(os.getpid(), signal.SIGTERM)


class _Worker:
    """A worker process, and whether it has been ready."""

    def __init__(self, settings: Settings, listening: socket.socket) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._told, tell = spawn.Pipe(duplex=False)
        self.process = spawn.Process(target=_work, args=(settings, listening, tell))
        self.process.start()
        tell.close()
        self.ready = False

    def hear(self) -> bool:
        """Whether it says only now that it is ready; perhaps it has ended since."""
        with suppress(EOFError):
            if not self.ready and self._told.poll():
                self.ready = bool(self._told.recv())
                return self.ready
        return False


class _Crew:
    """The workers of a master: one that ends is replaced, and one that cannot start is not tried for ever."""

    def __init__(self, settings: Settings, listening: socket.socket) -> None:
        self._settings, self._listening = settings, listening
        self._workers: list[_Worker] = []
        self._failed = 0  # starts in a row that came to nothing
        self._stop = threading.Event()
        logging.config.dictConfig(_logging(settings.log_level))

    def run(self) -> None:
        """Keep workers running until this process is told to stop. Raises ServingError where none can be started."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        try:
            while not self._stop.is_set():
                self._hire()
                wait([worker.process.sentinel for worker in self._workers], timeout=0.5)
                self._bury()
                self._stop.wait(self._pause())
        finally:
            self._dismiss()

    def _hire(self) -> None:
        while len(self._workers) < self._settings.workers and not self._stop.is_set():
            self._workers.append(_Worker(self._settings, self._listening))

    def _bury(self) -> None:
        """Take out workers that ended. Raises ServingError."""
        news = [worker.hear() for worker in self._workers]
        if any(news):
            self._failed = 0
        ended = [worker for worker in self._workers if not worker.process.is_alive()]
        self._workers = [worker for worker in self._workers if worker not in ended]
        for worker in ended if not self._stop.is_set() else []:
            code = worker.process.exitcode
            log.error("worker ended", extra={"worker": worker.process.pid, "exit_code": code})
            self._failed += not worker.ready
            if self._failed >= START_TRIES and not any(one.ready for one in self._workers):
                raise ServingError(f"the workers cannot start (exit code {code}); what they printed says why")

    def _pause(self) -> float:
        """Seconds before the next start: none, but where starts fail while other workers serve."""
        return min(2.0**self._failed, LONGEST_PAUSE) if self._failed else 0.0

    def _dismiss(self) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(GRACE + 5)


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens. It is said where, because with port 0 nobody knows before."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns Nagle's algorithm off; an answer in two parts would wait 40 ms otherwise.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except (OSError, OverflowError) as error:
        listening.close()
        raise ServingError(f"cannot listen on {host}, port {port}: {error}") from error
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    print(f"Serving on http://{shown}:{listening.getsockname()[1]} (docs at /docs)", flush=True)
    return listening


def _logging(level: str) -> dict[str, Any]:
    loggers = ("oo_sim.serving", "uvicorn", "uvicorn.error")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "oo_sim.serving.edge.JsonLines"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "loggers": {name: {"level": level.upper(), "handlers": ["stderr"], "propagate": False} for name in loggers},
    }
