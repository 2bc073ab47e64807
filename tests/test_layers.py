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


Imports = ast.Import | ast.ImportFrom


@functools.cache
def statements(source: Path) -> list[tuple[Imports, bool]]:
    """What a file imports, wherever in it, and whether for types alone."""
    nodes = list(ast.walk(ast.parse(source.read_text())))
    branches = [node for node in nodes if isinstance(node, ast.If) and isinstance(node.test, ast.Name)]
    checked = [part for branch in branches if ast.unparse(branch.test) == "TYPE_CHECKING" for part in branch.body]
    types = {node for part in checked for node in ast.walk(part)}
    return [(node, node in types) for node in nodes if isinstance(node, Imports)]


def imported(source: Path, types: bool = True) -> set[str]:
    """The top-level packages that a file imports, wherever in it; those for types alone too, or not."""
    names: set[str] = set()
    for node, for_types in statements(source):
        if types or not for_types:
            found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            names |= {name.partition(".")[0] for name in found}
    return names


def rooms_that_import(package: str, types: bool = True) -> set[str]:
    """The parts of this package whose files import another one."""
    files = PACKAGE.rglob("*.py")
    return {source.relative_to(PACKAGE).parts[0] for source in files if package in imported(source, types)}


def test_numba_is_imported_in_the_kernels_room_alone() -> None:
    assert rooms_that_import("numba") == {"kernels"}


def test_kernels_import_nothing_that_the_cache_key_does_not_cover() -> None:
    """The key hashes the room and `contract.py`: an import of another room could serve a stale kernel."""
    for source in (PACKAGE / "kernels").glob("*.py"):
        for node, _ in statements(source):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("oo_sim"):
                assert node.module == "oo_sim.contract" or (node.module or "").startswith("oo_sim.kernels"), source
    assert imported(PACKAGE / "contract.py") <= {"__future__", "collections", "numpy", "typing"}


@functools.cache
def home(name: str) -> Path | None:
    """The file of a module or package of this package."""
    place = PACKAGE.parent.joinpath(*name.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def files_imported(source: Path) -> set[Path]:
    """The package's own files that a file imports, not for types alone, wherever in it; a room's `__init__` where names
    come from there."""
    found = set[Path | None]()
    for node, for_types in statements(source):
        if for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {home(alias.name) for alias in node.names if alias.name.startswith("oo_sim")}
        elif (node.module or "").startswith("oo_sim"):
            found |= {home(f"{node.module}.{alias.name}") or home(str(node.module)) for alias in node.names}
    return {path for path in found if path is not None}


def test_no_file_imports_itself_by_way_of_others() -> None:
    """In all of the package: imports within functions count too, those for types alone do not."""
    graph = {source: files_imported(source) - {source} for source in PACKAGE.rglob("*.py")}
    TopologicalSorter(graph).prepare()  # raises CycleError with the files that form a circle


def test_matplotlib_is_imported_where_figures_are_drawn_alone() -> None:
    users = {
        source.relative_to(PACKAGE).parts[0]
        for source in PACKAGE.rglob("*.py")
        if "matplotlib" in imported(source, types=False)
    }
    assert users <= {"figures", "gate"}


@pytest.mark.e2e
def test_a_run_in_memory_imports_neither_what_draws_nor_what_serves() -> None:
    """Nor, before it has decided anything, what its results are looked at with. What draws has no global state."""
    heavy = {"matplotlib", "fastapi", "pandas.plotting._matplotlib", "uvicorn", "jinja2"}
    later = {"pandas", "scipy.special"}
    steps = [
        "oo_sim.__version__",
        f"oo_sim.run('quickstart', users=2, rounds=2, progress=lambda *_: seen.append({later} & set(sys.modules)))",
        "oo_sim.compare('quickstart', policies=['random', 'greedy'], users=2, rounds=2).frame()",
        "__import__('oo_sim.studies')",
    ]
    code = f"""import sys, oo_sim
heavy, seen = {heavy}, []
for step in {steps}:
    eval(step)
    print(sorted(set().union(*seen[:1]) | heavy & set(sys.modules)))
import oo_sim.figures.curves
print([name for name in sys.modules if name == 'matplotlib.pyplot'])"""
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout.split() == ["[]"] * (len(steps) + 1)
