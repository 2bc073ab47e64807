"""Whatever is read, the outcome is a Scenario or a ScenarioError in plain words, and soon."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oo_sim.scenario import Scenario, ScenarioError, lint, load, loads, shipped, validate

SHIPPED = {name: path.read_text(encoding="utf-8") for name, path in shipped().items()}
MEGABYTE = 999_000
PYDANTIC = ("Input should", "validation error", "pydantic", "Value error", "NoneType", "Traceback")

names = st.sampled_from(sorted(SHIPPED))
snippets = st.sampled_from(
    [
        "- ",
        "? ",
        ": ",
        "\t",
        "&a ",
        "*a",
        "!!int ",
        "<<: ",
        "[",
        "]",
        "{",
        "}",
        "'",
        '"',
        "#",
        "|",
        ">",
        "%",
        "---\n",
        "...\n",
        "\\",
        "\n",
        "  ",
        "1e999",
        ".nan",
        "no",
        "~",
        "010",
        "12:30",
        "null",
        "true",
        "-0.0",
        "\x00",
        "\ufeff",
    ]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["tips", "linear", "walk", "random", "bernoulli", "task", "backlog", "1", 0, 1, -1, 1e300]),
)
values = st.recursive(
    scalars,
    lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(st.text(max_size=5), v, max_size=3)),
    max_leaves=5,
)


def outcome(read: Callable[[Any], Scenario], given: Any) -> Scenario | ScenarioError:
    try:
        return read(given)
    except ScenarioError as error:
        return error


def settled(read: Callable[[Any], Scenario], given: Any) -> Scenario | ScenarioError:
    """A scenario that can be checked further, or a refusal in plain words and in file order."""
    result = outcome(read, given)
    if isinstance(result, Scenario):
        assert validate(result.canonical()) == result
        assert all(warning.message for warning in lint(result))
    else:
        assert result.problems
        assert not any(word in str(result) for word in PYDANTIC)
        assert list(result.problems) == sorted(result.problems, key=lambda problem: problem.position)
    return result


def placed(text: str | bytes) -> None:
    """Settles a text, whose problems all have a place in it."""
    result = settled(loads, text)
    assert isinstance(result, Scenario) or all(problem.position >= (1, 1) for problem in result.problems)


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200), st.lists(snippets).map("".join)))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_any_text_or_bytes(text: str | bytes) -> None:
    placed(text)


@given(names, st.data())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_shipped_files_with_something_cut_or_put_in(name: str, data: st.DataObject) -> None:
    text = SHIPPED[name]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 30))
        text = text[:start] + data.draw(st.one_of(st.just(""), snippets, st.text(max_size=4))) + text[end:]
    placed(text)


def spots(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in plain data."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(spot for key, value in pairs for spot in spots(value, (*path, key)))]


@given(names, st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_shipped_data_with_a_value_replaced(name: str, data: st.DataObject) -> None:
    tree = copy.deepcopy(load(name).canonical())
    *parents, last = data.draw(st.sampled_from(spots(tree)[1:]))
    node = tree
    for key in parents:
        node = node[key]
    node[last] = data.draw(values)
    settled(validate, tree)


LARGE = {
    "opening brackets": "[" * MEGABYTE,
    "opening braces": "{a: " * (MEGABYTE // 4),
    "dashes": "- " * (MEGABYTE // 2),
    "deeper and deeper": "".join(" " * i + f"k{i}:\n" for i in range(1300)),
    "many keys": "".join(f"k{i}: {i}\n" for i in range(70_000)),
    "many items": "[" + "1," * (MEGABYTE // 2 - 2) + "]",
    "one long word": "a: " + "x" * (MEGABYTE - 10),
    "one long number": "a: " + "1" * (MEGABYTE - 10),
    "one comment": "#" * MEGABYTE,
    "directives": "%a\n" * (MEGABYTE // 3),
    "anchors": "&a " * (MEGABYTE // 3),
    "too large": "#" * 1_000_001,
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE.keys())
def test_a_megabyte_of_anything_is_settled_soon(text: str) -> None:
    """Measured: at most 1.5 s on one core; the bound leaves room for a busy machine."""
    start = time.process_time()
    with pytest.raises(ScenarioError):
        loads(text)
    assert time.process_time() - start < 10
