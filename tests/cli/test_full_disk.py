"""A disk that is full, under every command that writes: one message that names the file, exit code 2, nothing left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from calling import room
from typer.testing import CliRunner

import oo_sim
from oo_sim.cli import app

pytestmark = pytest.mark.e2e

SMALL = ("--users", "30", "--rounds", "30")
COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("run", "quickstart", "--policy", "greedy", *SMALL, "--no-plot", "--out", "OUT/run"),
    "run with events": ("run", "quickstart", "--policy", "greedy", *SMALL, "--no-plot", "--events", "--out", "OUT/run"),
    "compare": ("compare", "LOG", "--out", "OUT/difference.png"),
    "compare as pdf": ("compare", "LOG", "--out", "OUT/difference.pdf"),
    "plot": ("plot", "LOG", "--out", "OUT/curves.png"),
    "report": ("report", "LOG", "--out", "OUT/report.html"),
    "fit": (
        *("fit", "LOG", "--logged", "egreedy", "--segments", "1", "--starts", "1"),
        *("--terms", "is_overdue,priority", "--out", "OUT/mine.yaml"),
    ),
    "evaluate": ("evaluate", "LOG", "--logged", "egreedy", "--policy", "softmax", "--out", "OUT/found.csv"),
    "gate record": (
        *("gate", "record", "quickstart", "--policy", "greedy", "--users", "64", "--rounds", "20"),
        *("--margin", "0.5", "--baselines", "OUT"),
    ),
}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("disk") / "log"
    oo_sim.run("quickstart", policies=["egreedy", "random"], users=40, rounds=25, events=True, out=at, plot=False)
    return at


@pytest.mark.skipif(os.name != "posix", reason="limits of files are POSIX")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_one_message_and_leaves_nothing(command: str, log: Path, tmp_path: Path) -> None:
    arguments = [word.replace("LOG", str(log)).replace("OUT", str(tmp_path)) for word in COMMANDS[command]]
    with room(300):
        found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 2, (found.output, found.exception)
    assert isinstance(found.exception, SystemExit)
    said = found.stderr.strip().splitlines()[-1]
    assert said.startswith(str(tmp_path)), said
    assert "cannot be written: File too large" in said
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []
