"""What the README shows works as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import oo_sim
from oo_sim.cli import COMMANDS
from oo_sim.policies import POLICIES

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_private_policy_runs_as_printed_and_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snippet = next(block for block in _blocks("python") if "def optimist" in block)
    (tmp_path / "mine.py").write_text(snippet, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    result = oo_sim.run("quickstart", policies=["mine:optimist", "random"], users=64, rounds=150, threads=1)
    reward = result.summary().set_index("policy")["expected_reward"]
    assert not result.failures
    assert reward["mine:optimist"] > reward["random"] + 0.1


def test_the_private_policy_takes_about_fifteen_lines() -> None:
    snippet = next(block for block in _blocks("python") if "def optimist" in block)
    body = snippet[snippet.index("def optimist") :].strip().splitlines()
    assert len(body) <= 17


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    snippet = next(block for block in _blocks("python") if "load_run" in block)
    exec(compile(snippet, "README.md", "exec"), {})  # noqa: S102 (our own words)
    assert "oracle" in capsys.readouterr().out


def test_the_readme_lists_every_policy_and_only_commands_that_exist() -> None:
    for name in POLICIES:
        assert f"| `{name}` |" in README
    for line in (line for block in _blocks("sh") for line in block.splitlines()):
        if line.startswith("oo-sim "):
            assert line.split()[1] in COMMANDS
