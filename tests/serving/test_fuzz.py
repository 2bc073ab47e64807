"""Requests drawn from the app's own OpenAPI schema, valid and spoiled: never a 5xx, never a file outside the state."""

from __future__ import annotations

import json
import os
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .conftest import Client, Writes, serving

EXAMPLES = int(os.environ.get("OO_FUZZ_EXAMPLES", "200"))
TEXT = st.text(max_size=12) | st.sampled_from(["u", "a.b", "../../etc/passwd", "a/b", "\x00", "e\u0301", "linucb", "~"])
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Client]:
    before = os.getcwd()
    (directory / "cwd").mkdir()
    os.chdir(directory / "cwd")
    try:
        with serving(directory / "state", policies=["thompson"], generator=Writes(), seed=1) as client:
            yield client
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def schema(server: Client) -> dict[str, Any]:
    found: dict[str, Any] = server.get("/openapi.json")
    return found


def values(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a JSON schema, as far as this app's schemas go; now and then anything at all."""
    valid = _valid(schema, root)
    return st.integers(0, 9).flatmap(lambda chance: valid if chance else JUNK)


def _valid(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        found = values(root["components"]["schemas"][schema["$ref"].rpartition("/")[2]], root)
    elif "anyOf" in schema:
        found = st.one_of(*(values(one, root) for one in schema["anyOf"]))
    elif "enum" in schema or "const" in schema:
        found = st.sampled_from(schema.get("enum", [schema.get("const")]))
    elif schema.get("type") == "array":
        found = st.lists(values(schema["items"], root), max_size=4)
    elif "properties" in schema:
        found = _objects(schema, root)
    else:
        low, high = schema.get("minimum"), schema.get("maximum")
        plain = {
            "integer": st.integers(low, high),
            "number": st.floats(low, high),
            "boolean": st.booleans(),
            "string": TEXT | st.text(string.ascii_lowercase, min_size=1) | st.dates().map(str) | DECISIONS,
            "null": st.none(),
        }
        found = plain.get(schema.get("type", ""), JUNK)
    return found


DECISIONS = st.builds("{}/0/{}/{}".format, st.sampled_from(["linucb", "egreedy", "thompson"]), st.integers(0, 3), TEXT)


def _objects(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    fields = {name: values(one, root) for name, one in schema["properties"].items()}
    required = {name: fields[name] for name in schema.get("required", [])}
    optional = {name: one for name, one in fields.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)


def test_fuzzing_from_the_schema(server: Client, schema: dict[str, Any], directory: Path) -> None:
    operations = sorted((path, method) for path, item in schema["paths"].items() for method in item)
    assert len(operations) > 15

    bodies = {
        (path, method): values(item["requestBody"]["content"]["application/json"]["schema"], schema)
        for path, method in operations
        if "requestBody" in (item := schema["paths"][path][method])
    }

    @st.composite
    def requests(draw: st.DrawFn) -> tuple[str, str, bytes | None]:
        path, method = operation = draw(st.sampled_from(operations))
        item = schema["paths"][path][method]
        query = []
        for parameter in item.get("parameters", []):
            value = str(draw(TEXT if parameter["name"] != "policy" else TEXT | st.sampled_from(["thompson", "linucb"])))
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", quote(value, safe="/" if draw(st.booleans()) else ""))
            else:
                query.append(f"{parameter['name']}={quote(value, safe='')}")
        body = None
        if operation in bodies:
            given = draw(bodies[operation])
            body = json.dumps(given).encode() if draw(st.integers(0, 9)) else draw(st.binary(max_size=30))
        return method.upper(), path + ("?" + "&".join(query) if query else ""), body

    @settings(
        max_examples=int(os.environ.get("OO_FUZZ", "250")), deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(requests())
    @example(("GET", "/stats/%00", None))
    @example(("GET", "/stats/%ff%fe", None))
    @example(
        (
            "POST",
            "/recommend",
            b'{"user_id":"u","tasks":[{"id":"a","content":"","due_date":"0001-01-01T00:00:00+14:00"}]}',
        )
    )
    def fuzz(request: tuple[str, str, bytes | None]) -> None:
        answer = server.call(*request)
        assert answer.status < 500, (request, answer)
        assert "Traceback" not in str(answer.body)

    fuzz()
    assert {path.name for path in directory.iterdir()} == {"cwd", "state"}
    assert not list((directory / "cwd").iterdir()) or {p.name for p in (directory / "cwd").iterdir()} <= {".hypothesis"}
    assert all(path.name.startswith("oo-sim.sqlite3") for path in (directory / "state").iterdir())


@pytest.mark.parametrize("due", ["0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
@pytest.mark.parametrize("now", [None, "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-12:00"])
def test_dates_at_the_ends_of_time(server: Client, due: str, now: str | None) -> None:
    body = {
        "user_id": "ends",
        "tasks": [{"id": "a", "content": "", "due_date": due}],
        "context": {"now": now},
        "n_llm": 0,
    }
    assert server.call("POST", "/recommend", body).status == 200
