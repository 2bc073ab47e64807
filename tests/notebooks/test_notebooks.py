"""Every notebook runs from top to bottom in a fresh kernel, and none holds what it printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECONDS = 120

EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=int(sys.argv[2]), resources={"metadata": {"path": sys.argv[3]}}).execute()
pictures = sum("image/png" in str(output.get("data", {})) for cell in notebook.cells
               for output in cell.get("outputs", []))
print(pictures)
"""


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom_without_a_network(path: Path, tmp_path: Path) -> None:
    # A proxy that nobody answers stands for a network that is not there; loopback stays.
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    environment = {**os.environ, **nowhere, "no_proxy": "127.0.0.1,localhost", "IPYTHONDIR": str(tmp_path / "ipython")}
    command = [sys.executable, "-c", EXECUTE, str(path), str(SECONDS), str(tmp_path)]
    for _ in range(2 if path.stem == "06_from_logs" else 1):  # what writes many files runs twice in a row
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=2 * SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert int(done.stdout.split()[-1]) >= 1, "it shows no picture"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_holds_no_outputs_and_starts_with_prose(path: Path) -> None:
    first, *_ = found = cells(path)
    code = [cell for cell in found if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert first["cell_type"] == "markdown"
    assert "".join(first["source"]).startswith("# ")
    assert len(found) >= 2 * len(code) - 4  # about as much prose as code


def test_what_a_notebook_points_at_is_there() -> None:
    stems = {path.stem for path in NOTEBOOKS}
    for path in NOTEBOOKS:
        prose = "".join("".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "markdown")
        assert set(re.findall(r"`(\d\d_\w+)`", prose)) <= stems
        for named in re.findall(r"`((?:docs|scenarios)/[\w./-]+)`", prose):
            assert (ROOT / named).is_file(), f"{path.name} names {named}"
