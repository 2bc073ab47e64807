"""What the README shows works as it is printed."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

import oo_sim
from oo_sim.cli import COMMANDS
from oo_sim.policies import POLICIES

from .newuser import README, ROOT, NewUser, blocks


def _private_policy() -> str:
    return next(block.text for block in blocks("python") if "def optimist" in block.text)


@pytest.mark.slow
def test_every_block_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All commands of the page, one after the other: its seconds are those of some thirty commands and two servers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    sys.modules.pop("mine", None)
    with ExitStack() as servers:
        user = NewUser(tmp_path, monkeypatch, servers)
        for block in blocks():
            user.reads(block)
    sys.modules.pop("mine", None)
    assert len(user.done) > 30
    shown = {command.split()[1] for command in user.done if command.startswith("oo-sim ")} - {"--help"}
    elsewhere = {"label", "import", "fit-appeal"}  # docs/llm.md: they take a person, an account or people's reactions
    assert set(COMMANDS) - shown == elsewhere | {"gateway", "migrate"}  # for gateways, and after a change of policies
    told = (ROOT / "docs" / "llm.md").read_text(encoding="utf-8")
    assert all(f"oo-sim {command}" in told for command in elsewhere)
    assert (tmp_path / "report.html").is_file()
    assert (tmp_path / "served" / "decisions.parquet").is_file()


def test_the_private_policy_runs_as_printed_and_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(_private_policy(), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("mine", None)
    result = oo_sim.run("quickstart", policies=["mine:optimist", "random"], users=64, rounds=150, threads=1)
    sys.modules.pop("mine", None)
    reward = result.frame().set_index("policy")["expected_reward"]
    assert not result.failures
    assert reward["mine:optimist"] > reward["random"] + 0.1


def test_the_private_policy_takes_about_fifteen_lines() -> None:
    snippet = _private_policy()
    body = snippet[snippet.index("def optimist") :].strip().splitlines()
    assert len(body) <= 17


def test_it_lists_every_policy() -> None:
    for name in POLICIES:
        assert f"| `{name}` |" in README


def test_the_files_that_it_names_are_there() -> None:
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert len(linked) > 10
    for path in [*linked, *re.findall(r"`(tests/[\w./]+)`", README)]:
        assert (ROOT / path).exists(), path
    assert (ROOT / "docs" / "quickstart.png").stat().st_size < 100_000
