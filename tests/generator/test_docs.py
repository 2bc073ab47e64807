"""The commands of docs/llm.md run as they are printed, on fewer users, with the mock for a gateway."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import oo_sim
from oo_sim.cli import main
from oo_sim.generator.bank import read_contexts
from oo_sim.generator.judging.labelling import LabelServer
from oo_sim.scenario import loads

PAGE = (Path(__file__).parents[2] / "docs" / "llm.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
EXPORT = "TYPE,CONTENT,PRIORITY,DATE\ntask,Pay the rent,1,2026-03-01\ntask,Water the ferns,4,\n"
REACTIONS = [("Do it now.", "done"), ("You lazy idiot, do it.", "dismiss")] * 110


def _labels_all(server: LabelServer) -> None:
    """A person who answers every question, and then ends the command."""
    for at in range(len(server.asked)):
        assert server.keep(at, at % 5)
    raise KeyboardInterrupt


@pytest.fixture
def types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Types a command in an empty directory, of a scenario with fewer users; what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(LabelServer, "serve_forever", _labels_all)
    monkeypatch.setattr("oo_sim.experiment.running.drawing.save", lambda figure, path: None)
    monkeypatch.setattr("oo_sim.results.result.drawing.figure", lambda *_, **__: None)  # drawn in tests/figures

    def typed(command: str) -> str:
        program, *arguments = shlex.split(
            command.replace("--users 20 --rounds 10", "--users 4 --rounds 5"), comments=True
        )
        if program == "echo":
            text, arrow, name = arguments
            assert arrow == ">"
            (tmp_path / name).write_text(text)
            return ""
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert end.value.code == 0, (command, said.err)
        return said.out

    return typed


def test_every_command_of_the_page(types: Callable[[str], str], tmp_path: Path) -> None:
    people = [
        {"user_id": f"u{at % 20}", "content": text, "reaction": said} for at, (text, said) in enumerate(REACTIONS)
    ]
    (tmp_path / "reactions.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in people))
    (tmp_path / "export.csv").write_text(EXPORT)
    said = [types(command) for block in BLOCKS for command in block.splitlines()]
    whole = " ".join(" ".join(said).split())
    assert len(BLOCKS[0].splitlines()) < 10  # from two prompts to a sentence
    assert "theirs against mine, chosen by" in whole
    assert "win rate, labels and judge" in whole
    assert "220 reactions of 20 users" in whole
    assert [work.context.hour_of_day for work in read_contexts(tmp_path / "contexts.jsonl")] == [8, 20]
    assert "rent" not in loads((tmp_path / "todoist.yaml").read_text()).model_dump_json()


def test_a_fitted_appeal_is_drawn_by_tenths(tmp_path: Path) -> None:
    people = [
        {"user_id": f"u{at % 20}", "content": text, "reaction": said} for at, (text, said) in enumerate(REACTIONS)
    ]
    (tmp_path / "reactions.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in people))
    found = oo_sim.fit_appeal(tmp_path / "reactions.jsonl", out=tmp_path / "appeal.json")
    assert len(found.tenths) == 10
    assert found.tenths[0][0] < -0.5 < 0.5 < found.tenths[-1][0]  # as the reactions are
    [axes] = found.figure().axes
    assert len(axes.lines[1].get_xdata()) == 10  # type: ignore[arg-type]
    assert found.save(tmp_path / "calibration.png").stat().st_size > 5000
