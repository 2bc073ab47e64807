"""`oo-sim run`, `show` and `plot`, and what the command line does about errors, Ctrl-C and closed pipes."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from calling import Call

import oo_sim
from oo_sim.cli import COMMANDS
from oo_sim.results import load_run
from oo_sim.scenario import load

ROOT = Path(oo_sim.__file__).parents[1]
HEAVY = {"numba", "numpy", "pandas", "matplotlib", "scipy", "pyarrow", "pydantic", "fastapi"}


@pytest.fixture
def scenarios(tmp_path: Path) -> None:
    """Small scenario files in the directory in which the command line is called, and a policy that fails."""
    for name in ("toy", "a", "b"):
        small = load("tiny_sets").with_(name=name, users=2, rounds=3, policies=["linucb", "random"])
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(small.canonical(), sort_keys=False))
    (tmp_path / "failing.py").write_text(FAILING)


FAILING = """
from oo_sim.policies import make

def bad():
    return make("linucb")._replace(name="bad", score=lambda state, batch, noise: batch.x[:, 0] / 0)
"""


def test_run_prints_a_table_and_where_the_run_is(call: Call, scenarios: None) -> None:
    answer = call("run", "toy.yaml")
    assert answer.code == 0
    assert "toy: 2 users, 3 rounds" in answer.out
    assert "linucb" in answer.out
    assert answer.out.splitlines()[-1] == "Run directory: runs/toy-1"
    assert answer.err == ""
    assert load_run("runs/toy-1").rows[0].policy == "linucb"
    assert Path("runs/toy-1/curves.png").exists()


def test_options_reach_the_run(call: Call, scenarios: None) -> None:
    numbers = ["--users=5", "--rounds=6", "--replicates=7", "--seed=8", "--threads=2"]
    specs = ["--policy", "linucb", "--policy", "linucb:alpha=0.5"]
    assert call("run", "toy.yaml", *numbers, *specs, "--events", "--no-plot", "--out", "here").code == 0
    made = load_run("here").manifest
    assert (made.users, made.rounds, made.replicates, made.seed, made.threads) == (5, 6, 7, 8, 2)
    assert made.labels == ["linucb", "linucb:alpha=0.5"]
    assert len(load_run("here").decisions()) == 2 * 5 * 6 * 7
    assert not Path("here/curves.png").exists()


def test_a_warning_that_an_option_brings_about_names_the_option(call: Call) -> None:
    err = call("run", "newcomers", "--rounds", "1", "--dry-run").err
    assert len(err.splitlines()) == 2
    assert all(line.startswith("warning: with --rounds 1: ") for line in err.splitlines()), err
    assert "in 1 round:" in err


def test_a_warning_of_the_file_as_it_is_names_no_option(call: Call, tmp_path: Path) -> None:
    lone = load("tiny_sets").with_(users=1).canonical()
    (tmp_path / "lone.yaml").write_text(yaml.safe_dump(lone))
    assert call("run", "lone.yaml", "--rounds", "9", "--dry-run").err.startswith("warning: lone.yaml:")


def test_each_scenario_gets_a_new_directory(call: Call, scenarios: None) -> None:
    assert call("run", "a.yaml", "--quiet", "--no-plot").out == "runs/a-1\n"
    assert call("run", "a.yaml", "b.yaml", "a.yaml", "-q", "--no-plot").out == "runs/a-2\nruns/b-1\nruns/a-3\n"
    assert call("run", "a.yaml", "b.yaml", "-q", "--out", "there", "--no-plot").out == "there/a-1\nthere/b-1\n"


def test_json_is_one_document(call: Call, scenarios: None) -> None:
    runs = json.loads(call("run", "a.yaml", "b.yaml", "--json", "--no-plot").out)["runs"]
    assert [run["path"] for run in runs] == ["runs/a-1", "runs/b-1"]
    assert json.loads(call("show", "runs/a-1", "--json").out) == runs[0]


def test_a_failed_policy_is_exit_code_1(call: Call, scenarios: None) -> None:
    policies = ["--policy", "failing:bad", "--policy", "linucb"]
    answer = call("run", "toy.yaml", "--no-plot", *policies)
    why = "failing:bad failed: round 1"
    assert answer.code == 1
    assert why in answer.out
    assert call("show", "runs/toy-1").code == 0
    answer = call("run", "toy.yaml", "-q", "--no-plot", *policies)
    assert (answer.code, answer.out) == (1, "runs/toy-2\n")
    assert answer.err.startswith(why)


def test_without_any_results_the_failure_is_all_that_is_printed(call: Call, scenarios: None) -> None:
    lines = call("run", "toy.yaml", "--no-plot", "--policy", "failing:bad").out.splitlines()
    assert lines[0].startswith("failing:bad failed: round 1")
    assert len(lines) <= 4, lines  # the failure, folded, and where the run is
    assert lines[-1] == "Run directory: runs/toy-1"


def test_an_existing_directory_is_refused(call: Call, scenarios: None) -> None:
    assert call("run", "toy.yaml", "--out", "here", "--no-plot").code == 0
    answer = call("run", "toy.yaml", "--out", "here")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "here: is not empty, and a run is never overwritten; name a new directory\n"


def test_show_prints_the_table_again(call: Call, scenarios: None) -> None:
    ran = call("run", "toy.yaml", "--no-plot").out
    assert call("show", "runs/toy-1").out == ran.removesuffix("Run directory: runs/toy-1\n")


def test_plot_writes_into_each_run_or_into_one_file(call: Call, scenarios: None) -> None:
    call("run", "a.yaml", "b.yaml", "--no-plot")
    assert call("plot", "runs/a-1", "runs/b-1").out == "runs/a-1/curves.png\nruns/b-1/curves.png\n"
    assert call("plot", "runs/a-1", "runs/b-1", "--out", "both.png", "--log").out == "both.png\n"
    heights = [png_height(Path(name)) for name in ("runs/a-1/curves.png", "both.png")]
    assert heights[1] == 2 * heights[0]


def png_height(path: Path) -> int:
    header = path.read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    return int.from_bytes(header[20:24], "big")


def test_plot_refuses_other_formats_and_places(call: Call, scenarios: None) -> None:
    call("run", "a.yaml", "--no-plot")
    answer = call("plot", "runs/a-1", "--out", "both.gif")
    assert answer.code == 2
    assert "both.gif must end in .png, .pdf, .svg" in answer.err
    answer = call("plot", "runs/a-1", "--out", "nowhere/both.png")
    assert answer.code == 2
    assert "nowhere/both.png: there is no directory nowhere" in answer.err


@pytest.mark.parametrize("command", ["show", "plot"])
def test_what_is_no_run_is_one_line(call: Call, command: str) -> None:
    answer = call(command, "nowhere")
    assert answer == (2, "", "nowhere: does not exist\n")
    assert call(command, ".").err == "manifest.json: is missing, so this is not a run directory\n"
    for name in "edcba":
        Path("all", name).mkdir(parents=True)
        Path("all", name, "manifest.json").touch()
    assert call(command, "all").err.endswith("is not a run directory; it holds a, b, c, ...\n")
    Path("work.json").touch()
    assert "is not a run directory but a work directory: oo-sim show --partial shows" in call(command, ".").err


def test_an_unknown_command_or_option_is_usage(call: Call) -> None:
    answer = call("rnu")
    assert answer.code == 2
    assert "No such command 'rnu'. Did you mean 'run'?" in answer.err
    assert "There are run, show, plot" in call("zzz").err
    assert call("--bogus").code == 2
    assert call("run").code == 2


def test_the_version_is_the_projects(call: Call) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert call("--version").out == f"oo-sim {project['version']}\n"


def test_every_command_is_found_and_has_an_example(call: Call) -> None:
    listed = re.findall(r"^│ (\w+) ", call("--help").out, re.MULTILINE)
    assert set(listed) >= {"run", "show", "plot"}
    assert set(listed) <= set(COMMANDS)
    for name in ("run", "show", "plot"):
        assert f"Example: oo-sim {name}" in call(name, "--help").out
    assert "Exit codes: 0 all well, 1 a policy failed" in call("run", "--help").out


MAIN = "from oo_sim.cli import main; main()"


def process(*arguments: str, code: str = MAIN, flags: Sequence[str] = (), cwd: Path = ROOT) -> subprocess.Popen[str]:
    """The command line as a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *flags, "-c", code, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, text=True, stdout=pipe, stderr=pipe, cwd=cwd)


def imported(lines: Sequence[str]) -> set[str]:
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines if line.startswith("import time:")}


def test_help_imports_nothing_heavy() -> None:
    with process("--help", flags=("-X", "importtime")) as helped:
        _, err = helped.communicate()
    modules = imported(err.splitlines())
    assert "typer" in modules
    assert not modules & HEAVY
    assert helped.returncode == 0


@pytest.mark.e2e
def test_a_closed_pipe_is_quiet(call: Call, scenarios: None, tmp_path: Path) -> None:
    call("run", "toy.yaml", "--no-plot")
    with process("show", "runs/toy-1", cwd=tmp_path) as shown:
        assert shown.stdout is not None
        assert shown.stderr is not None
        shown.stdout.close()
        assert shown.stderr.read() == ""
    assert shown.returncode == 141


def test_the_public_names_are_pinned() -> None:
    names = ["POLICIES", "Policy", "Run", "RunLogError", "Scenario", "ScenarioError", "__version__"]
    calls = ["audit_log", "compare", "evaluate", "export_log", "fit", "fit_appeal", "gate", "generate", "load_run"]
    more = ["load_scenario", "merge", "migrate", "open_log", "partial", "report", "rescore", "run", "status", "sweep"]
    assert sorted(oo_sim.__all__) == [*names, *calls, *more]
    assert oo_sim.load_run is load_run
    assert set(oo_sim.__all__) <= set(dir(oo_sim))
    with pytest.raises(AttributeError, match="No oo_sim attribute runs"):
        oo_sim.runs  # type: ignore[attr-defined]  # noqa: B018


def test_the_stub_names_what_there_is() -> None:
    tree = ast.parse((ROOT / "oo_sim" / "__init__.pyi").read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    typed = {alias.asname for node in imports if node.module != "oo_sim" for alias in node.names}
    assert typed | {"__version__", "gate"} == set(oo_sim.__all__)
    rooms = {alias.asname for node in imports if node.module == "oo_sim" for alias in node.names}
    assert rooms == {"gate", *oo_sim._ROOMS}  # type: ignore[attr-defined]


def test_importing_the_package_is_cheap() -> None:
    with process(code="import oo_sim", flags=("-X", "importtime")) as importing:
        _, err = importing.communicate()
    assert not imported(err.splitlines()) & (HEAVY | {"typer", "rich"})
