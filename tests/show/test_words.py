"""The glossary of CONTRIBUTING, as far as a search for words can hold it: in every text of the package and the docs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import oo_sim

PACKAGE = Path(oo_sim.__file__).parent
ROOT = PACKAGE.parent
WRONG = re.compile(
    r"\b(heard of|(is|are) wanted|(this|these|those|they|that|users|kernels|banks|names) wants?|wants? (a|to be|room)|"
    r"who else is|all the same (--|in Python)|: is no [a-z]+)\b"
)
"""What is written as *reported*, *requires* or *expected*, and *is not a*."""


def texts(source: Path) -> list[str]:
    """The pages' text, or all strings of a Python file: messages, helps and docstrings."""
    if source.suffix == ".md":
        return [source.read_text()]
    return [
        node.value
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


@pytest.mark.parametrize("place", ["oo_sim", "docs", "README.md"])
def test_words_of_the_glossary_are_used(place: str) -> None:
    sources = (
        [ROOT / place] if place.endswith(".md") else [*(ROOT / place).rglob("*.py"), *(ROOT / place).rglob("*.md")]
    )
    found = [
        f"{source.relative_to(ROOT)}: {match[0]}"
        for source in sources
        for text in texts(source)
        for match in WRONG.finditer(text)
    ]
    assert sources
    assert not found


def test_the_search_finds_what_it_is_for() -> None:
    for text in ("runs/x: is no run directory", "a window is wanted", "rewards are heard of late"):
        assert WRONG.search(text), text
    assert not WRONG.search("there is no baseline in scenarios/baselines")
