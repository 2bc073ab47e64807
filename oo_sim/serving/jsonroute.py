"""Routes whose body is JSON: read strictly, validated by its model, answered without a second validation."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError

from oo_sim.serving.replies import RefusalError

MAX_PROBLEMS = 20
"""The most problems of one request that are reported."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def parse_json(body: bytes) -> Any:
    """The value of a JSON text in UTF-8. NaN and Infinity are left to the models, which know their field.

    Raises ValueError for what is not JSON, a key twice in one object, lone surrogates and nesting too deep to read.
    """
    try:
        text = body.decode("utf-8")
        value = _decode(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    except UnicodeError:
        raise ValueError("the body is not UTF-8, or holds a lone surrogate") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the body gives {twice[:100]!r} twice in one object")
    return found


_decode = json.JSONDecoder(object_pairs_hook=_object).decode


class JsonRoute(APIRoute):
    """A route for functions of path parameters (texts) and at most one body model; others are left to FastAPI.

    FastAPI documents such a route as usual, but its own handling would take NaN and the last of two equal keys,
    answer nesting with 400, and cost about as much as a decision.
    """

    def get_route_handler(self) -> Handler:
        """The handler of one request."""
        hints = typing.get_type_hints(self.endpoint, include_extras=True)
        returned = hints.pop("return", None)
        bodies = [name for name, hint in hints.items() if inspect.isclass(hint) and issubclass(hint, BaseModel)]
        if len(bodies) != 1 or not (inspect.isclass(returned) and issubclass(returned, BaseModel)):
            return super().get_route_handler()
        [name] = bodies
        model, endpoint = hints.pop(name), self.endpoint
        paths = {key: TypeAdapter(hint) for key, hint in hints.items()}

        async def handle(request: Request) -> Response:
            given = {key: adapter.validate_python(request.path_params[key]) for key, adapter in paths.items()}
            _check_type(request.headers.get("content-type"))
            body = _validated(model, await request.body())
            reply = await endpoint(**given, **{name: body})
            return Response(reply.model_dump_json(), media_type="application/json")

        return handle


def _check_type(given: str | None) -> None:
    """Refuse (415) what calls itself something else: a web page may send a text or a form anywhere, but not JSON."""
    kind = "application/json" if given is None else given.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise RefusalError(415, f"the body is {kind[:100]!r}; send it with `Content-Type: application/json`")


def _validated(model: type[BaseModel], text: bytes) -> BaseModel:
    try:
        return model.model_validate(parse_json(text))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        problems = [{**one, "loc": ("body", *one["loc"])} for one in found[:MAX_PROBLEMS]]
    except ValueError as error:
        problems = [{"loc": ("body",), "msg": str(error), "type": "json_invalid"}]
    raise RequestValidationError(problems)
