"""docs/gate-elsewhere.md as it is printed, in a repository of its own; and the steps of the action, run by hand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gate-elsewhere.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.slow


def environment(**more: str) -> dict[str, str]:
    """That of a shell in which this installation is active."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {key: value for key, value in os.environ.items() if not key.startswith("GITHUB")} | {"PATH": path} | more


def bash(script: str, directory: Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-euo", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=directory, env=environment(**more), capture_output=True, text=True, check=False, timeout=200
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The repository at the end of the page, and all that its commands printed."""
    start = tmp_path_factory.mktemp("elsewhere")
    shop, said = start / "shop", ""
    for words, language, text in re.findall(r"((?:(?!```).)*)```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL):
        if language == "python":
            [name] = re.findall(r"Saved as `([\w.]+)`:", words)
            (shop / name).write_text(text, encoding="utf-8")
        elif language == "sh":
            script = re.sub(r"^python -m pip install .*$", "", text, flags=re.MULTILINE)
            done = bash(script, shop if shop.exists() else start)
            assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
            said += done.stdout
        elif language == "text":
            for line in text.splitlines():
                assert line in said, f"{line!r} is promised; received:\n{said}"
    return shop, said


def test_the_page_goes_from_nothing_to_a_red_build_in_ten_commands(shop: tuple[Path, str]) -> None:
    _, said = shop
    assert "1 identical" in said
    assert "1 passed" in said
    commands = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()]
    assert len(commands) == 10


class Action:
    """The steps of `action.yml` that are commands, run as a runner would."""

    def __init__(self, directory: Path, scratch: Path) -> None:
        self.directory, self.output, self.summary = directory, scratch / "output", scratch / "summary"
        self.spec: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
        self.output.touch()

    def run(self, name: str, **given: str) -> subprocess.CompletedProcess[str]:
        """The step of that name, with inputs as given or by default."""
        [step] = [step for step in self.spec["runs"]["steps"] if step.get("name") == name]
        inputs: dict[str, str] = {key: value["default"] for key, value in self.spec["inputs"].items()} | given

        def value(expression: str) -> str:
            if found := re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", expression):
                return inputs[found[1]]
            assert expression == "${{ steps.gate.outputs.exit-code }}", expression
            return str(re.findall(r"exit-code=(\d+)", self.output.read_text())[-1])

        more = {key: value(expression) for key, expression in step["env"].items()}
        github = {"GITHUB_OUTPUT": str(self.output), "GITHUB_STEP_SUMMARY": str(self.summary), "GITHUB_ACTIONS": "true"}
        return bash(step["run"], self.directory, **more, **github)


def test_the_action_turns_red_on_the_fault_and_green_without_it(shop: tuple[Path, str], tmp_path: Path) -> None:
    red = tmp_path / "red"
    shutil.copytree(shop[0], red)
    (tmp_path / "1").mkdir()
    action = Action(red, tmp_path / "1")
    assert action.run("Gate").returncode == 0  # so that what was written is kept first
    assert action.run("Verdict").returncode == 1
    assert "regressed" in action.summary.read_text()
    assert all((red / name).is_file() for name in ("gate.xml", "gate.md", "gate.png"))

    bash("git checkout --quiet policies.py", red)
    (tmp_path / "2").mkdir()
    action = Action(red, tmp_path / "2")
    assert action.run("Gate").returncode == 0
    assert action.run("Verdict").returncode == 0


def test_the_action_records_too_and_takes_words_as_words(shop: tuple[Path, str], tmp_path: Path) -> None:
    green = tmp_path / "green"
    shutil.copytree(shop[0], green)
    action = Action(green, tmp_path)
    given = {"command": "record", "scenarios": "scenarios/people.yaml", "baselines": "elsewhere"}
    done = action.run("Gate", policies="greedy random", options="--users 64 --rounds 20 --weak", **given)
    assert (action.run("Verdict").returncode, done.stderr) == (0, "")
    assert len(list((green / "elsewhere").glob("*.json"))) == 2
    done = action.run("Gate", policies="greedy;touch$IFS./harm *", **given)
    assert action.run("Verdict").returncode == 2
    assert not (green / "harm").exists()
    assert Action(green, tmp_path).run("Gate", command="destroy").returncode == 2


def test_the_hooks_of_pre_commit_are_commands_that_exist() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    for hook in hooks:
        assert bash(f"{hook['entry']} --help", ROOT).returncode == 0
    [validate] = [hook for hook in hooks if hook["id"] == "oo-sim-validate"]
    assert re.search(validate["files"], "scenarios/people.yaml")
    assert re.search(validate["files"], "shop/scenarios/deep/people.yml")
    assert not re.search(validate["files"], "scenarios/baselines/people.json")
