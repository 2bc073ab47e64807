"""`[tool.oo-sim]`: the command line and the fixture read the same, in the same order, and say where it is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from oo_sim.cli import app
from oo_sim.errors import SettingsError
from oo_sim.pytest_plugin import Gate
from oo_sim.scenario import load
from oo_sim.settings import Settings, settings

TABLE = """[project]
name = "mine"

[tool.oo-sim]
baselines = "gate/kept"
scenarios = "people"
workers = 2
out = "results"
strict = true
"""
VALUES = {
    "baselines": ("elsewhere", Path("elsewhere")),
    "scenarios": ("crowd", Path("crowd")),
    "workers": ("3", 3),
    "out": ("kept", Path("kept")),
    "strict": ("false", False),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text(TABLE)
    (tmp_path / "people").mkdir()
    mine = load("quickstart").with_(users=2, rounds=2, policies=["greedy"]).canonical() | {"name": "mine"}
    (tmp_path / "people" / "mine.yaml").write_text(json.dumps(mine))
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_nearest_table_upwards_holds_and_its_paths_are_from_there(here: Path) -> None:
    (here / "a" / "pyproject.toml").write_text("[project]\nname = 'no table of ours'\n")
    found = settings(here / "a" / "b", environment={})
    assert found == Settings(here / "gate" / "kept", here / "people", 2, here / "results", True, here)
    for name in ("mine", "people/mine.yaml"):
        assert Path(found.scenario(name)).resolve() == here / "people" / "mine.yaml"
    assert found.scenario("quickstart") == "quickstart"


def test_without_a_table_there_are_defaults(tmp_path: Path) -> None:
    assert settings(tmp_path, environment={})._replace(root=Path()) == Settings(tmp_path / "scenarios/baselines")


@pytest.mark.parametrize("key", VALUES)
def test_the_environment_goes_before_ini_keys_and_these_before_the_file(key: str, here: Path) -> None:
    text, value = VALUES[key]
    name = f"OO_SIM_{key.upper()}"
    assert getattr(settings(environment={name: text}), key) == value
    assert getattr(settings(environment={name: text}, given={key: "other"}), key) == value
    given: Any = {"workers": 5, "strict": False}.get(key, "other")
    said = getattr(settings(environment={}, given={key: given}), key)
    assert said == (here / "other" if given == "other" else given)


WRONG = {
    "bank = 1": r"pyproject\.toml:2: \[tool\.oo-sim\] bank: not known; there are baselines, .*, strict",
    "worker = 1": r"pyproject\.toml:2: .* worker: not known; did you mean workers\?",
    "workers = true": r"pyproject\.toml:2: .* workers is True; expected a whole number of at least 1",
    "workers = 0": r"pyproject\.toml:2: .* workers is 0; expected a whole number",
    "# a comment\nout = 7": r"pyproject\.toml:3: .* out is 7; expected a path, such as 'runs'",
    'strict = "yes"': r"pyproject\.toml:2: .* strict is 'yes'; expected true or false",
    "workers = ": r"pyproject\.toml:2: is not TOML",
}


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_is_said_with_file_and_line_by_the_command_line_and_the_fixture(line: str, here: Path) -> None:
    (here / "pyproject.toml").write_text(f"[tool.oo-sim]\n{line}\n")
    with pytest.raises(SettingsError, match=WRONG[line]):
        settings(environment={})
    said = CliRunner().invoke(app, ["run", "mine"])
    assert said.exit_code == 2
    with pytest.raises(pytest.fail.Exception, match=WRONG[line]):
        Gate(here).check("mine")


@pytest.mark.parametrize(("name", "text"), [("WORKERS", "many"), ("WORKERS", "0"), ("STRICT", "yes"), ("OUT", " ")])
def test_a_wrong_environment_variable_is_named(name: str, text: str, here: Path) -> None:
    with pytest.raises(SettingsError, match=f"OO_SIM_{name} is '{text}'; expected "):
        settings(environment={f"OO_SIM_{name}": text})


def test_commands_take_scenarios_and_run_directories_from_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OO_SIM_OUT", raising=False)
    for arguments, made in ((["mine"], "results/mine-1"), (["mine", "--out", "flag"], "flag")):
        said = CliRunner().invoke(app, ["run", *arguments, "--no-plot", "--quiet"])
        assert said.exit_code == 0, said.output
        assert (here / made / "manifest.json").is_file()
    monkeypatch.setenv("OO_SIM_OUT", "from_environment")
    assert CliRunner().invoke(app, ["run", "mine", "--no-plot", "--quiet"]).exit_code == 0
    assert (here / "from_environment" / "mine-1").is_dir()
    assert "mine" in [row["name"] for row in json.loads(CliRunner().invoke(app, ["scenario", "list", "--json"]).stdout)]
    for command in (["scenario", "show"], ["scenario", "validate"]):
        assert CliRunner().invoke(app, [*command, "mine"]).exit_code == 0
