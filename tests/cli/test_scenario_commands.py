"""The `oo-sim scenario` commands: what they print, and their exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oo_sim.cli import COMMANDS
from oo_sim.cli.scenario import app
from oo_sim.policies import POLICIES
from oo_sim.scenario import json_schema, load, loads, shipped

MINIMAL = "version: 1\nname: mine\nusers: 9\nrounds: 9\npolicies: [random]\nworld: {kind: linear}\n"
CONTROL = '"[bold]x[/bold] \\u202e \\u200b"'


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def file(folder: Path, text: str, name: str = "mine.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_validate_shipped() -> None:
    code, out, _ = run("validate", *shipped())
    assert code == 0
    assert out.splitlines() == [f"{name}: valid" for name in shipped()]


def test_validate_prints_every_problem_of_every_file(tmp_path: Path) -> None:
    bad = file(tmp_path, MINIMAL.replace("9", "no"), "bad.yaml")
    worse = file(tmp_path, MINIMAL + "sed: 1\n", "worse.yaml")
    code, out, _ = run("validate", bad, "quickstart", worse)
    assert code == 2
    lines = out.splitlines()
    assert lines[0].startswith(f"{bad}:3:8: users: no: ")
    assert lines[1].startswith(f"{bad}:4:9: rounds: no: ")
    assert lines[2] == "quickstart: valid"
    assert lines[3] == f"{worse}:7:1: sed: unknown key; did you mean seed?"
    assert len(lines) == 4


def test_validate_shows_warnings_and_is_content(tmp_path: Path) -> None:
    path = file(tmp_path, MINIMAL.replace("users: 9", "users: 1"))
    code, out, _ = run("validate", path)
    assert code == 0
    assert out.splitlines()[0] == f"{path}: valid"
    assert out.splitlines()[1].startswith(f"warning: {path}:3:8: users: one user")


WRONG = {
    "linucbb": "there is no policy 'linucbb'; did you mean linucb?",
    "linucb:alpha=-1": "policy linucb: alpha",
    "linucb:beta=1": "policy linucb has no parameter 'beta'",
    "egreedy:epsilon=2": "policy egreedy: epsilon",
    "thompson:samples=0": "policy thompson: samples",
    "linucb:prior=0": "policy linucb: prior",
    "linucb:features=oo9": "policy linucb: no features 'oo9' here; there are ",
    "no_such_module:factory": "policy no_such_module:factory: cannot import no_such_module",
    "json:no_such_name": "policy json:no_such_name: module json has no 'no_such_name'",
    "json:dumps": "policy json:dumps",
}
SAME = [("linucb", "linucb:alpha=1"), ("linucb", "linucb-v1"), ("egreedy-v1", "egreedy:epsilon=0.1")]


@pytest.mark.parametrize("world", ["linear", "tips"])
@pytest.mark.parametrize(("spec", "message"), WRONG.items())
def test_validate_refuses_a_policy_that_cannot_be_made_at_its_place(
    tmp_path: Path, world: str, spec: str, message: str
) -> None:
    if world == "linear":
        text = MINIMAL.replace("[random]", f"[random, '{spec}']")
        place = "5:20"
    else:
        text = (shipped()["quickstart"]).read_text().split("policies:")[0] + f"policies:\n  - random\n  - {spec}\n"
        text += "world:" + shipped()["quickstart"].read_text().split("\nworld:")[1]
        place = f"{text.splitlines().index(f'  - {spec}') + 1}:5"
    path = file(tmp_path, text)
    code, out, _ = run("validate", path)
    assert code == 2
    [line] = out.splitlines()
    assert line.startswith(f"{path}:{place}: policies[1]: {message}"), line


@pytest.mark.parametrize(
    "wrong", [("users: 9", "users: no"), ("kind: linear", "kind: linaer"), ("linear}", "linear, d: 0}")]
)
def test_validate_judges_policies_whatever_else_is_wrong(tmp_path: Path, wrong: tuple[str, str]) -> None:
    specs = [*(spec for spec in WRONG if "features" not in spec), "random", "random"]
    path = file(tmp_path, MINIMAL.replace("[random]", json.dumps(specs)).replace(*wrong))
    code, out, _ = run("validate", path)
    assert code == 2
    for i in range(len(specs)):
        assert (f": policies[{i}]: " in out) == (i != len(specs) - 2), out
    assert len(out.splitlines()) == len(specs)


def test_validate_judges_segments_whatever_else_is_wrong(tmp_path: Path) -> None:
    text = shipped()["quickstart"].read_text().replace("count:", "cuont:")
    _, out, _ = run("validate", file(tmp_path, re.sub("- name: .*", "- name: same", text)))
    assert "cuont: unknown key" in out
    assert "segments[1].name: 'same' is the name of segments[0] too" in out


@pytest.mark.parametrize("spec", sorted(POLICIES))
@pytest.mark.parametrize("name", ["linear", "quickstart"])
def test_validate_accepts_every_policy(tmp_path: Path, name: str, spec: str) -> None:
    text = shipped()[name].read_text()
    head, tail = text.split("policies:")[0], text.split("\nworld:")[1]
    code, out, _ = run("validate", file(tmp_path, f"{head}policies: [{spec}]\nworld:{tail}"))
    assert code == 0, out


@pytest.mark.parametrize(("one", "other"), SAME)
def test_validate_knows_one_policy_in_two_spellings(tmp_path: Path, one: str, other: str) -> None:
    path = file(tmp_path, MINIMAL.replace("[random]", f"['{one}', random, '{other}']"))
    code, out, _ = run("validate", path)
    assert code == 2
    assert f"policies[2]: {other} is the same policy as policies[0], {one}; list it once" in out


def test_validate_json(tmp_path: Path) -> None:
    path = file(tmp_path, MINIMAL + "sed: 1\n")
    code, out, _ = run("validate", path, "linear", "--json")
    assert code == 2
    first, second = json.loads(out)
    assert (first["file"], first["valid"], second["valid"]) == (path, False, True)
    problem = {
        "file": path,
        "line": 7,
        "column": 1,
        "path": "sed",
        "message": "unknown key; did you mean seed?",
    }
    assert first["problems"] == [problem]
    assert second["problems"] == second["warnings"] == []


@pytest.mark.parametrize("command", ["validate", "show"])
@pytest.mark.parametrize("name", ["quikstart", "no/such/file.yaml", ".", "\x1b[31mred"])
def test_what_is_no_scenario_file(command: str, name: str) -> None:
    code, out, err = run(command, name)
    assert code == 2
    text = out + err
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text
    assert "did you mean quickstart?" in text or name != "quikstart"


@pytest.mark.parametrize("command", ["validate", "show"])
def test_a_binary_file(tmp_path: Path, command: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(bytes(range(256)) * 10)
    code, out, err = run(command, str(path))
    assert code == 2
    assert len((out + err).splitlines()) == 1


@pytest.mark.parametrize("name", shipped())
def test_show_prints_the_scenario_as_a_file(name: str) -> None:
    code, out, _ = run("show", name)
    assert code == 0
    assert loads(out) == load(name)
    assert load(name).content_hash() in out


@pytest.mark.parametrize("name", shipped())
def test_show_json(name: str) -> None:
    code, out, _ = run("show", name, "--json")
    assert code == 0
    shown = json.loads(out)
    assert shown.pop("content_hash") == load(name).content_hash()
    assert shown == load(name).canonical()


def test_show_prints_text_of_the_file_as_text(tmp_path: Path) -> None:
    path = file(tmp_path, MINIMAL + f"description: {CONTROL}\n")
    code, out, _ = run("show", path)
    assert code == 0
    assert "[bold]x[/bold]" in out
    assert "\u202e" not in out
    assert "\u200b" not in out
    assert loads(out) == load(path)


def test_problems_print_text_of_the_file_as_text(tmp_path: Path) -> None:
    path = file(tmp_path, MINIMAL.replace("name: mine", f"name: {CONTROL}") + "'[red]': 1\n")
    code, out, _ = run("validate", path)
    assert code == 2
    assert "[bold]x[/bold] \\u202e" in out
    assert "[red]: unknown key" in out
    assert "\u202e" not in out


def test_schema() -> None:
    code, out, _ = run("schema")
    assert code == 0
    assert json.loads(out) == json_schema()


def test_list() -> None:
    code, out, _ = run("list")
    assert code == 0
    assert all(name in out for name in shipped())


def test_list_json() -> None:
    code, out, _ = run("list", "--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(out)}
    assert list(rows) == list(shipped())
    scenario = load("quickstart")
    assert rows["quickstart"] == {
        "name": "quickstart",
        "description": scenario.description,
        "users": scenario.users,
        "rounds": scenario.rounds,
        "policies": list(scenario.policies),
    }


def test_usage_errors() -> None:
    assert run("validate")[0] == 2
    assert run("nonsense")[0] == 2


def test_the_commands_import_nothing_heavy() -> None:
    """Their modules are imported for their help texts, and must not pull in the libraries that the commands use. (The
    gate's has NumPy: what is offered as a default comes from its statistics.)"""
    heavy = "{'pydantic', 'numpy', 'pandas', 'pyarrow', 'numba', 'scipy', 'matplotlib', 'httpx', 'fastapi'}"
    modules = ", ".join(sorted({entry.module for entry in COMMANDS.values()} - {"oo_sim.cli.gate"}))
    code = f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]", found.stdout
