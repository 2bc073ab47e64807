"""The audit can only find what the simulator does wrong if it does not do it too: it has no code in common with it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from sys import stdlib_module_names

import pytest

import oo_sim.audit

ALLOWED = {"numpy", "scipy", "pyarrow"}
FILES = sorted(Path(oo_sim.audit.__file__).parent.rglob("*.py"))


def imported(code: str) -> Iterator[str]:
    """What some code imports, wherever it does."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def foreign(code: str) -> list[str]:
    """What of it is neither the audit's own nor allowed."""
    own = ("oo_sim.audit", ".")
    return [name for name in imported(code) if not name.startswith(own) and not _allowed(name.partition(".")[0])]


def _allowed(package: str) -> bool:
    return package in ALLOWED or package in stdlib_module_names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_audit_imports_no_other_room(path: Path) -> None:
    assert foreign(path.read_text()) == []
    assert "import_module" not in path.read_text()


@pytest.mark.parametrize(
    "code",
    ["import oo_sim", "from oo_sim.kernels import ridge", "def f():\n    from oo_sim import run", "import numba"],
)
def test_an_import_would_be_seen(code: str) -> None:
    assert foreign(code)
