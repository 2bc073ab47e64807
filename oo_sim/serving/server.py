"""Runs the app on uvicorn, in one worker process or several on the same file."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import socket
import threading
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn

from oo_sim.errors import ServingError
from oo_sim.serving.app import DEADLINE, create_app
from oo_sim.serving.cork import CorkedProtocol
from oo_sim.serving.database import prepare
from oo_sim.serving.mounts import Mounts

GRACE = 30
"""Seconds that a server which is told to stop gives the calls that it accepted."""


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
    """Serve until the process is told to stop. Raises ServingError where it cannot start."""
    prepare(Path(settings.state_dir), Mounts(settings.policies).all.values(), settings.seed)
    listening = _listen(settings.host, settings.port)
    try:
        if settings.workers == 1:
            _work(settings, listening)
        else:
            _supervise(settings, listening)
    finally:
        listening.close()


def _work(settings: Settings, listening: socket.socket) -> None:
    """What a worker process does."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)  # uvicorn has its own while it serves, and raises the signal again at its end
    app = create_app(settings.state_dir, policies=settings.policies, deadline=settings.deadline)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=CorkedProtocol,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE,
        log_config=_logging(settings.log_level),
    )
    gc.collect()
    gc.set_threshold(20_000, 10, 20)  # a request makes hundreds of small objects and hardly a cycle
    gc.freeze()  # what is here now stays, so that no collection walks through it again
    uvicorn.Server(config).run(sockets=[listening])


def _leave(*_: object) -> None:
    raise SystemExit(0)


def _supervise(settings: Settings, listening: socket.socket) -> None:
    """Keep workers running until this process is told to stop; one that dies is replaced."""
    spawn = multiprocessing.get_context("spawn")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def started() -> BaseProcess:
        process = spawn.Process(target=_work, args=(settings, listening))
        process.start()
        return process

    workers = [started() for _ in range(settings.workers)]
    while not stop.is_set():
        wait([worker.sentinel for worker in workers], timeout=0.5)
        workers = [worker if worker.is_alive() or stop.is_set() else started() for worker in workers]
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(GRACE + 5)


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
