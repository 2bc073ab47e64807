"""Runs the app on uvicorn, in one worker process or several on the same file."""

from __future__ import annotations

import gc
import json
import logging.config
import os
import socket
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from oo_sim.serving.app import DEADLINE, create_app
from oo_sim.serving.database import prepare
from oo_sim.serving.errors import ServingError
from oo_sim.serving.mounts import Mounts

GRACE = 30
"""Seconds that a server which is told to stop gives the calls that it accepted."""
_SETTINGS = "OO_SIM_SERVE"


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
    os.environ[_SETTINGS] = json.dumps(settings._asdict())
    config = uvicorn.Config(
        "oo_sim.serving.server:app_from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="asyncio",
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE,
        log_config=_logging(settings.log_level),
    )
    listening = _bind(settings.host, settings.port)
    try:
        server = uvicorn.Server(config)
        if settings.workers == 1:
            server.run(sockets=[listening])
        else:
            Multiprocess(config, target=server.run, sockets=[listening]).run()
    finally:
        listening.close()
    if settings.workers == 1 and not server.started:
        raise ServingError("the server did not start; see its log above")


def app_from_environment() -> FastAPI:
    """The app of a worker process, from the settings that `serve` left."""
    settings = Settings(**json.loads(os.environ[_SETTINGS]))
    app = create_app(settings.state_dir, policies=settings.policies, deadline=settings.deadline)
    gc.collect()
    gc.freeze()  # what is here now stays, so that no collection walks through it again
    return app


def _bind(host: str, port: int) -> socket.socket:
    """A socket that listens. It is said where, because with port 0 nobody knows before."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns Nagle's algorithm off; answers in two parts would wait 40 ms otherwise.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except (OSError, OverflowError) as error:
        listening.close()
        raise ServingError(f"cannot listen on {host}, port {port}: {error}") from error
    listening.set_inheritable(True)
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
