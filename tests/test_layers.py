"""The rooms' arrows point down only: the contract in `pyproject.toml`, and that Numba stays in its room."""

from __future__ import annotations

import ast
from pathlib import Path

from importlinter import cli

import oo_sim

PACKAGE = Path(oo_sim.__file__).parent


def test_the_import_contract_is_kept() -> None:
    assert (
        cli.lint_imports(config_filename=str(PACKAGE.parent / "pyproject.toml"), no_cache=True)
        == cli.EXIT_STATUS_SUCCESS
    )


def imported(source: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_numba_is_imported_in_the_kernels_room_alone() -> None:
    users = {source.relative_to(PACKAGE).parts[0] for source in PACKAGE.rglob("*.py") if "numba" in imported(source)}
    assert users == {"kernels"}


def test_kernels_import_nothing_that_the_cache_key_does_not_cover() -> None:
    """The key hashes the room and `contract.py`: an import of another room could serve a stale kernel."""
    for source in (PACKAGE / "kernels").glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("oo_sim"):
                assert node.module == "oo_sim.contract" or (node.module or "").startswith("oo_sim.kernels"), source
    assert imported(PACKAGE / "contract.py") <= {"__future__", "collections", "numpy", "typing"}
