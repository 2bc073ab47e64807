"""The app: routes, the layer around them, and what is opened at its start and closed at its end."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles

from oo_sim import __version__
from oo_sim.contract import Policy
from oo_sim.decide import PolicyError
from oo_sim.errors import ServingError
from oo_sim.generator import Address, AsyncTipGenerator, Gateway, GeneratorInputError
from oo_sim.generator.todoist import Account
from oo_sim.serving.api import Api, Backend, add_routes
from oo_sim.serving.database import open_store, prepare
from oo_sim.serving.desk import Desk, Generator
from oo_sim.serving.edge import Edge, Metrics, request_id
from oo_sim.serving.integrations import Tokens
from oo_sim.serving.jsonroute import MAX_PROBLEMS
from oo_sim.serving.ledger import Ledger
from oo_sim.serving.mounts import Mounts, register
from oo_sim.serving.replies import Problems, RefusalError
from oo_sim.serving.store import Store, StoreError, transaction
from oo_sim.serving.writer import Writer

DEADLINE = 10.0
"""Seconds that a recommendation waits for the LLM."""
log = logging.getLogger("oo_sim.serving")


def create_app(
    state_dir: str | Path | None = None,
    *,
    policies: Sequence[str | Policy] | Mapping[str, str | Policy] = (),
    seed: int | None = None,
    generator: Generator | None = None,
    admin_token: str | None = None,
    deadline: float = DEADLINE,
    store: Callable[[], Store] | None = None,
    todoist: Account | None = None,
) -> FastAPI:
    """The app that serves the contract on the state in `state_dir` (default: `STATE_DIR`, or `state`).

    `linucb` and `egreedy` are mounted always; `policies` are further specs (`thompson`, `NAME=SPEC`), or ones to mount
    in their place. `seed` is that of a new state. `generator` writes tips, by default behind the gateway that the
    environment names. `admin_token` (default: `OO_ADMIN_TOKEN`) guards resets. `store` opens another store than the
    SQLite file in `state_dir`; it is called here once, and whenever the app starts. `todoist` is the account that
    `/integrations` tells of, by default that of `TODOIST_TOKEN`. Raises ServingError.
    """
    mounts = Mounts(policies)
    metrics = Metrics(mounts.all)
    opened = store or _prepared(state_dir, mounts, seed)
    if store is not None:
        _register(store(), mounts)
    api = Api(mounts, metrics, admin_token or os.environ.get("OO_ADMIN_TOKEN") or None, deadline)
    address = None if generator else _address()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        kept = opened()
        ledger = Ledger(kept)
        writer = Writer(kept, ledger.check)
        tips = generator or AsyncTipGenerator(Gateway.live(address))
        desk = Desk(tips)
        tokens = Tokens(todoist or Account())
        api.backend = Backend(writer, ledger, desk, tokens)
        try:
            yield
        finally:
            await tokens.aclose()
            await desk.aclose()
            await writer.close()

    app = FastAPI(
        title="oO tip recommender",
        version=__version__,
        description="One tip at a time, chosen by the policies that were simulated.",
        lifespan=lifespan,
        responses={422: {"model": Problems}},
        exception_handlers=_HANDLERS,
        docs_url=None,
        redoc_url=None,
    )
    add_routes(app.router, api)
    _add_docs(app)
    app.add_middleware(Edge, metrics=metrics)
    return app


def _add_docs(app: FastAPI) -> None:
    """`/docs` without any other host: Swagger UI out of this package."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=app.title,
        swagger_js_url="/docs/assets/swagger-ui-bundle.js",
        swagger_css_url="/docs/assets/swagger-ui.css",
        swagger_favicon_url="/docs/assets/favicon-32x32.png",
    )
    app.mount("/docs/assets", StaticFiles(packages=[("oo_sim.serving", "assets")]))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        """The interactive documentation."""
        return page


def _prepared(state_dir: str | Path | None, mounts: Mounts, seed: int | None) -> Callable[[], Store]:
    directory = Path(state_dir if state_dir is not None else os.environ.get("STATE_DIR") or "state")
    prepare(directory, mounts.all.values(), seed)
    return lambda: open_store(directory)


def _register(store: Store, mounts: Mounts) -> None:
    try:
        with transaction(store):
            register(store, mounts.all.values())
    finally:
        store.close()


def _address() -> Address:
    try:
        return Address.from_env()
    except GeneratorInputError as error:
        raise ServingError(str(error)) from error


def _answer(status: int, detail: object, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": detail, "request_id": request_id.get()}, status, headers)


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """What is wrong, and where; never what was sent, which might not be JSON."""
    problems = [{"loc": list(one["loc"]), "msg": one["msg"], "type": one["type"]} for one in error.errors()]
    return _answer(422, problems[:MAX_PROBLEMS])


async def _refused(request: Request, error: RefusalError) -> JSONResponse:
    if error.status == 422:
        return _answer(422, [{"loc": ["body", *error.field], "msg": error.message, "type": "refused"}])
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else {}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    return _answer(error.status, error.message, headers)


async def _failed_policy(request: Request, error: PolicyError) -> JSONResponse:
    log.error("policy failed", extra={"problem": str(error)})
    return _answer(500, "the policy failed; nothing was changed")


async def _unwritable(request: Request, error: StoreError) -> JSONResponse:
    log.error("state not written", extra={"problem": str(error)})
    return _answer(503, "the state cannot be written now; nothing was changed", {"retry-after": "1"})


_HANDLERS: dict[Any, Any] = {
    RequestValidationError: _invalid,
    RefusalError: _refused,
    PolicyError: _failed_policy,
    StoreError: _unwritable,
}
