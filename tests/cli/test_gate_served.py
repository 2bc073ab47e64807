"""`oo-sim gate record --served`, `check --served` and `accept --served`; the trace itself is tested where it lives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oo_sim.cli import gate as command
from oo_sim.cli import gate_served
from oo_sim.errors import GateError
from oo_sim.serving import trace

RUN = CliRunner()


def _gate(*words: str, directory: Path) -> tuple[int, str]:
    said = RUN.invoke(command.app, [words[0], "--served", "--baselines", str(directory), *words[1:]])
    if said.exception is not None and not isinstance(said.exception, SystemExit):
        raise said.exception
    return said.exit_code, said.output


def test_a_change_fails_until_it_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["aa POST /score", "bb POST /react", "cc export of 2047 rows: learnings"]
    monkeypatch.setattr(trace, "run_trace", lambda: lines)
    assert _gate("record", directory=tmp_path)[0] == 0
    with pytest.raises(GateError, match="exists; accept"):
        _gate("record", directory=tmp_path)
    code, said = _gate("check", directory=tmp_path)
    assert code == 0
    assert said.splitlines() == ["Served: identical", "Gate: server identical. Exit code 0."]
    monkeypatch.setattr(trace, "run_trace", lambda: [lines[0], "dd POST /react", lines[2]])
    code, said = _gate("check", directory=tmp_path)
    assert code == 1
    assert said.splitlines()[0] == "Served: changed: step 2 of 3, POST /react: its result differs"
    code, said = _gate("check", "--json", directory=tmp_path)
    assert (code, json.loads(said)["served"]) == (1, "step 2 of 3, POST /react: its result differs")
    assert _gate("accept", "--reason", "a snooze\nis learned once", directory=tmp_path)[0] == 0
    assert _gate("check", directory=tmp_path)[0] == 0
    assert "# accepted: a snooze is learned once" in (tmp_path / gate_served.FILE).read_text()
    assert _gate("record", "--force", directory=tmp_path)[0] == 0


def test_without_a_baseline_it_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="oo-sim gate record --served"):
        _gate("check", directory=tmp_path)
