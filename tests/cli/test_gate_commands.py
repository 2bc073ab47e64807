"""`oo-sim gate`: what it prints, writes and refuses, and how it ends."""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from calling import Answer, Call, caller
from figures.painted import assert_painted

SMALL = ("--users=64", "--rounds=20", "--margin=0.02", "--weak")
PRIVATE = """
from oo_sim.policies import make

def mine():
    return make("greedy", {}, None)._replace(name="mine"PROBS)
"""


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Calls `oo-sim gate` in an empty directory, outside any workflow."""
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    command = caller(monkeypatch, capsys, tmp_path)

    def run(*arguments: str | Path) -> Answer:
        monkeypatch.delitem(sys.modules, "private", raising=False)
        return command("gate", *arguments)

    return run


def private(probs: str = "") -> None:
    """Write a private policy that the audit does not know."""
    Path("private.py").write_text(PRIVATE.replace("PROBS", probs))


def test_record_check_and_what_is_written(call: Call) -> None:
    recorded = call("record", "quickstart", "--policy", "linucb", *SMALL)
    assert (recorded.code, recorded.err) == (0, "")
    where = re.escape("Baseline: scenarios/baselines/quickstart.linucb.json: ")
    said = where + r"64 users, so that a loss of 0\.02000 per decision fails with power 0\.\d+\n"
    assert re.fullmatch(said, recorded.out)
    answer = call("check", "--junit", "gate.xml", "--markdown", "gate.md", "--out", "gate.png")
    assert answer.code == 0
    assert "pass  quickstart linucb: identical" in answer.out
    assert ET.parse("gate.xml").getroot().tag == "testsuites"
    assert Path("gate.md").read_text().startswith("## oo-sim gate")
    assert_painted(Path("gate.png").read_bytes(), all_over=False)  # no panels: all is identical
    assert json.loads(call("check", "quickstart", "--json").out)["cases"][0]["verdict"] == "identical"


def test_a_policy_that_is_gone_is_refused_with_its_baseline(call: Call) -> None:
    private()
    assert call("record", "quickstart", "--policy", "private:mine", *SMALL).code == 0
    Path("private.py").unlink()
    answer = call("check")
    [path] = Path("scenarios/baselines").glob("*.json")
    assert answer.code == 2
    assert answer.err.startswith(f"{path}: policy private:mine: cannot import private: ")


def test_a_worse_policy_is_exit_code_1_and_told_to_github(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    private()
    assert call("record", "quickstart", "--policy", "private:mine", "--users=128", *SMALL[1:]).code == 0
    assert call("check").code == 0
    private(", probs=make('random').probs, explores=True")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    answer = call("check")
    assert answer.code == 1
    assert "FAIL  quickstart private:mine: regressed" in answer.out
    assert "::error title=oo-sim gate%3A quickstart private%3Amine%3A regressed::statistics: regressed" in answer.out
    assert "private\\:mine" in Path("summary.md").read_text()
    as_json = call("check", "--json")
    assert json.loads(as_json.out)["exit_code"] == 1
    assert as_json.err.startswith("::error")
    taken = call("accept", "--reason", "why not")
    assert taken.code == 0
    assert taken.out.splitlines()[-1].endswith("accepted; it is the new anchor")
    assert call("check").code == 0


def test_violations_are_exit_code_5_and_never_accepted(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    call("record", "quickstart", "--policy", "greedy", *SMALL)
    from oo_sim.policies import explore  # noqa: PLC0415 (what is patched)

    monkeypatch.setattr(explore, "greedy", explore.uniform)
    answer = call("check")
    assert answer.code == 5
    assert "audit violation" in answer.out
    assert "should be" in answer.out
    refused = call("accept", "--reason", "please")
    assert refused.code == 1
    assert "fail the audit" in refused.out


def test_another_scenario_is_exit_code_4(call: Call) -> None:
    text = Path(__file__).parents[2].joinpath("scenarios", "quickstart.yaml").read_text()
    Path("own.yaml").write_text(text)
    call("record", "own.yaml", "--policy", "greedy", *SMALL)
    Path("own.yaml").write_text(text.replace("name: quickstart\n", "name: quickstart\nseed: 2\n"))
    answer = call("check")
    assert answer.code == 4
    assert "seed was 1 and is 2" in answer.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check"], "there is no baseline in scenarios/baselines"),
        (["check", "nowhere"], "there is no baseline"),
        (["record", "nowhere"], "nowhere: there is no such"),
        (["record"], "name a scenario"),
        (["record", "quickstart", "--users=3"], "at least 64"),
        (["record", "quickstart", "--policy", "linucbb"], "did you mean linucb"),
        (["record", "quickstart", "--power", "2"], "between 0.5 and 1"),
        (["check", "--out", "a.gif"], "must end in .png, .pdf, .svg"),
        (["check", "--junit", "no/a.xml"], "there is no directory"),
        (["accept", "quickstart"], "Missing option"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(call: Call, arguments: list[str], words: str) -> None:
    answer = call(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert words in " ".join(answer.err.replace("│", " ").split())
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("command", ["record", "check", "accept"])
def test_help_has_an_example_and_the_exit_codes(call: Call, command: str) -> None:
    text = call(command, "--help").out
    assert f"Example: oo-sim gate {command}" in text
    assert "Exit codes: 0" in text
