"""The rooms' arrows point down only: the contract in `pyproject.toml`, and that Numba stays in its room."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from importlinter import cli

import oo_sim

PACKAGE = Path(oo_sim.__file__).parent


def test_the_import_contract_is_kept() -> None:
    assert (
        cli.lint_imports(config_filename=str(PACKAGE.parent / "pyproject.toml"), no_cache=True)
        == cli.EXIT_STATUS_SUCCESS
    )


@functools.cache
def parsed(source: Path) -> ast.Module:
    """A file, read once; not to be changed."""
    return ast.parse(source.read_text())


def imported(source: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(parsed(source)):
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
        for node in ast.walk(parsed(source)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("oo_sim"):
                assert node.module == "oo_sim.contract" or (node.module or "").startswith("oo_sim.kernels"), source
    assert imported(PACKAGE / "contract.py") <= {"__future__", "collections", "numpy", "typing"}


@functools.cache
def home(name: str) -> Path | None:
    """The file of a module or package of this package."""
    place = PACKAGE.parent.joinpath(*name.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def files_imported(tree: ast.AST) -> set[Path]:
    """The package's own files that a file imports, wherever in it; a room's `__init__` where names come from there."""
    found = set[Path | None]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("oo_sim"):
            found |= {home(f"{node.module}.{alias.name}") or home(str(node.module)) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {home(alias.name) for alias in node.names if alias.name.startswith("oo_sim")}
    return {path for path in found if path is not None}


def test_no_file_imports_itself_by_way_of_others() -> None:
    """In all of the package: imports within functions count too, those for types alone do not."""
    graph = {source: files_imported(without_types(source)) - {source} for source in PACKAGE.rglob("*.py")}
    TopologicalSorter(graph).prepare()  # raises CycleError with the files that form a circle


def test_matplotlib_is_imported_where_figures_are_drawn_alone() -> None:
    users = {source.relative_to(PACKAGE).parts[0] for source in PACKAGE.rglob("*.py") if runs("matplotlib", source)}
    assert users <= {"figures", "gate"}


def runs(package: str, source: Path) -> bool:
    """Whether a file imports the package when it runs, not for types alone."""
    return any(
        (isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == package)
        or (isinstance(node, ast.Import) and any(alias.name.partition(".")[0] == package for alias in node.names))
        for node in ast.walk(without_types(source))
    )


@functools.cache
def without_types(source: Path) -> ast.Module:
    """A file without what it imports for types alone."""
    tree = ast.parse(source.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    return tree


@pytest.mark.e2e
def test_a_run_in_memory_imports_neither_what_draws_nor_what_serves() -> None:
    """Nor, before it has decided anything, what its results are looked at with."""
    heavy = {"matplotlib", "fastapi", "pandas.plotting._matplotlib", "uvicorn", "jinja2"}
    later = {"pandas", "scipy.special"}
    steps = [
        "oo_sim.__version__",
        f"oo_sim.run('quickstart', users=2, rounds=2, progress=lambda *_: seen.append({later} & set(sys.modules)))",
        "oo_sim.compare('quickstart', policies=['random', 'greedy'], users=2, rounds=2).frame()",
    ]
    code = f"""import sys, oo_sim
heavy, seen = {heavy}, []
for step in {steps}:
    eval(step)
    print(sorted(set().union(*seen[:1]) | heavy & set(sys.modules)))"""
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout.split() == ["[]"] * len(steps)
