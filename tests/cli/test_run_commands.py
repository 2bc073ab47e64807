"""`oo-sim run`, `show` and `plot`, and what the command line does about errors, Ctrl-C and closed pipes."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

import oo_sim
from oo_sim.cli import COMMANDS, main
from oo_sim.logs import CURVES, USERS, Manifest, RunWriter, content_hash
from oo_sim.results import Run, load_run
from oo_sim.scenario import load

ROOT = Path(oo_sim.__file__).parents[1]
HEAVY = {"numba", "numpy", "pandas", "matplotlib", "scipy", "pyarrow", "pydantic", "fastapi"}


class Answer(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


Call = Callable[..., Answer]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Calls the command line in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])

    def run(*arguments: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["oo-sim", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        assert isinstance(end.value.code, int)
        return Answer(end.value.code, *capsys.readouterr())

    return run


def results(name: str, failures: dict[str, str]) -> tuple[Manifest, pa.Table, pa.Table]:
    """Two policies, two users, three rounds."""
    policies = ["linucb", "random"]
    counts = dict.fromkeys(("dismiss", "not_helpful", "snooze", "helpful", "done", "none"), [0] * 6)
    curves = {"policy": sorted(policies * 3), "replicate": [0] * 6, "round": [1, 2, 3] * 2, "users": [2] * 6}
    sums = {"reward": [1.0] * 6, "expected_reward": [1.0] * 6, "regret": [0.5] * 6}
    fates = {"rewarded": [2, 4, 6] * 2, **dict.fromkeys(("pending", "expired", "never"), [0] * 6)}
    users = {"policy": sorted(policies * 2), "replicate": [0] * 4, "user_id": ["user-0", "user-1"] * 2}
    totals = {
        "reward": [1.0, 2.0] * 2,
        "expected_reward": [1.0, 2.0] * 2,
        "regret": [0.5, 1.0] * 2,
        "decisions": [3] * 4,
    }
    tables = (
        pa.table(curves | sums | counts | fates, schema=CURVES),
        pa.table(users | {"segment": [None] * 4, "round": [3] * 4} | totals, schema=USERS),
    )
    features = {"name": "oo5", "names": ["a"]}
    described = [{"label": p, "name": p, "hash": p, "parameters": {}, "features": features} for p in policies]
    sizes = {"seed": 1, "users": 2, "rounds": 3, "replicates": 1, "threads": 1}
    facts = {"own_trajectory": False, "has_reactions": True, "versions": {}, "timing": {}}
    top = {"format": 1, "name": name, "scenario": {}, "policies": described, "failures": failures}
    whole = top | sizes | facts | {"content_hash": content_hash(*tables)}
    return Manifest.from_dict(whole, Path("manifest.json")), *tables


class FakeExperiment:
    """Stands in for the engine: writes a run directory, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.failures: dict[str, str] = {}
        self.error: BaseException | None = None

    def run(self, scenario: Any, *, out: Path, **asked: Any) -> Run:
        self.asked.append({"scenario": scenario.name, "out": out, **asked})
        with RunWriter(out) as writer:
            manifest, curves, users = results(scenario.name, self.failures)
            writer.write_manifest(manifest)
            if asked["progress"]:
                asked["progress"]("linucb", 6, 12)
            if self.error:
                raise self.error
            writer.write_table("curves", curves)
            writer.write_table("users", users)
            return Run(manifest, curves, users, writer.commit())


@pytest.fixture
def experiment(monkeypatch: pytest.MonkeyPatch) -> FakeExperiment:
    fake = FakeExperiment()
    monkeypatch.setitem(sys.modules, "oo_sim.experiment", SimpleNamespace(run=fake.run))
    loaded = SimpleNamespace(
        run=fake.run, load_run=load_run, load_scenario=lambda s: load("tiny_sets").with_(name=Path(s).stem)
    )
    for module in ("run", "show"):
        monkeypatch.setattr(f"oo_sim.cli.{module}.oo_sim", loaded)
    return fake


def test_run_prints_a_table_and_where_the_run_is(call: Call, experiment: FakeExperiment) -> None:
    answer = call("run", "toy.yaml")
    assert answer.code == 0
    assert "toy: 2 users, 3 rounds" in answer.out
    assert "linucb" in answer.out
    assert answer.out.splitlines()[-1] == "Run directory: runs/toy-1"
    assert answer.err == ""
    assert load_run("runs/toy-1").rows[0].policy == "linucb"


def test_options_reach_the_experiment(call: Call, experiment: FakeExperiment) -> None:
    numbers = ["--users=5", "--rounds=6", "--replicates=7", "--seed=8", "--threads=2"]
    specs = ["--policy", "linucb", "--policy", "linucb:alpha=0.5"]
    assert call("run", "toy", *numbers, *specs, "--events", "--no-plot", "--out", "here").code == 0
    assert experiment.asked == [
        {
            "scenario": "toy",
            "out": Path("here"),
            "policies": ["linucb", "linucb:alpha=0.5"],
            "llm": None,
            "users": 5,
            "rounds": 6,
            "replicates": 7,
            "seed": 8,
            "threads": 2,
            "events": True,
            "plot": False,
            "progress": None,
        }
    ]


def test_each_scenario_gets_a_new_directory(call: Call, experiment: FakeExperiment) -> None:
    assert call("run", "a", "--quiet").out == "runs/a-1\n"
    assert call("run", "a", "b", "a", "-q").out == "runs/a-2\nruns/b-1\nruns/a-3\n"
    assert call("run", "a", "b", "-q", "--out", "there").out == "there/a-1\nthere/b-1\n"


def test_json_is_one_document(call: Call, experiment: FakeExperiment) -> None:
    runs = json.loads(call("run", "a", "b", "--json").out)["runs"]
    assert [run["path"] for run in runs] == ["runs/a-1", "runs/b-1"]
    assert json.loads(call("show", "runs/a-1", "--json").out) == runs[0]


def test_a_failed_policy_is_exit_code_1(call: Call, experiment: FakeExperiment) -> None:
    experiment.failures = {"mine": "score returned NaN in lane 3"}
    answer = call("run", "toy")
    assert answer.code == 1
    assert "mine failed: score returned NaN in lane 3" in answer.out
    assert call("show", "runs/toy-1").code == 0
    assert call("run", "toy", "-q") == (1, "runs/toy-2\n", "mine failed: score returned NaN in lane 3\n")


def test_an_existing_directory_is_refused(call: Call, experiment: FakeExperiment) -> None:
    assert call("run", "toy", "--out", "here").code == 0
    answer = call("run", "toy", "--out", "here")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "here: is not empty, and a run is never overwritten; name a new directory\n"


def test_ctrl_c_leaves_nothing(call: Call, experiment: FakeExperiment, tmp_path: Path) -> None:
    experiment.error = KeyboardInterrupt()
    answer = call("run", "toy")
    assert answer.code == 130
    assert answer.err == "Stopped: interrupted.\n"
    assert list((tmp_path / "runs").iterdir()) == []


def test_show_prints_the_table_again(call: Call, experiment: FakeExperiment) -> None:
    ran = call("run", "toy").out
    assert call("show", "runs/toy-1").out == ran.removesuffix("Run directory: runs/toy-1\n")


def test_plot_writes_into_each_run_or_into_one_file(call: Call, experiment: FakeExperiment) -> None:
    call("run", "a", "b")
    assert call("plot", "runs/a-1", "runs/b-1").out == "runs/a-1/curves.png\nruns/b-1/curves.png\n"
    assert call("plot", "runs/a-1", "runs/b-1", "--out", "both.png", "--log").out == "both.png\n"
    heights = [png_height(Path(name)) for name in ("runs/a-1/curves.png", "both.png")]
    assert heights[1] == 2 * heights[0]


def png_height(path: Path) -> int:
    header = path.read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    return int.from_bytes(header[20:24], "big")


def test_plot_refuses_other_formats_and_places(call: Call, experiment: FakeExperiment) -> None:
    call("run", "a")
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


WAITING = """
import sys, time, types
from pathlib import Path
import oo_sim
from oo_sim.logs import RunWriter
def run(scenario, *, out, **asked):
    with RunWriter(out):
        print("ready", flush=True)
        time.sleep(60)
sys.modules["oo_sim.experiment"] = types.SimpleNamespace(run=run)
from oo_sim.cli import main
main()
"""


def test_a_signal_ends_a_run_quietly(tmp_path: Path) -> None:
    with process("run", "tiny_sets", code=WAITING, cwd=tmp_path) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGINT)
        out, err = running.communicate()
    assert (running.returncode, out, err) == (130, "", "Stopped: interrupted.\n")
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_closed_pipe_is_quiet(call: Call, experiment: FakeExperiment, tmp_path: Path) -> None:
    call("run", "toy")
    with process("show", "runs/toy-1", cwd=tmp_path) as shown:
        assert shown.stdout is not None
        assert shown.stderr is not None
        shown.stdout.close()
        assert shown.stderr.read() == ""
    assert shown.returncode == 141


def test_the_public_names_are_pinned() -> None:
    names = ["POLICIES", "Policy", "Run", "RunLogError", "Scenario", "ScenarioError", "__version__"]
    assert oo_sim.__all__ == [*names, "compare", "load_run", "load_scenario", "run", "sweep"]
    assert oo_sim.load_run is load_run
    assert set(oo_sim.__all__) <= set(dir(oo_sim))
    with pytest.raises(AttributeError, match="no attribute 'runs'"):
        oo_sim.runs  # type: ignore[attr-defined]  # noqa: B018


def test_the_stub_names_what_there_is() -> None:
    tree = ast.parse((ROOT / "oo_sim" / "__init__.pyi").read_text())
    typed = {alias.asname for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed | {"__version__"} == set(oo_sim.__all__)


def test_importing_the_package_is_cheap() -> None:
    with process(code="import oo_sim", flags=("-X", "importtime")) as importing:
        _, err = importing.communicate()
    assert not imported(err.splitlines()) & (HEAVY | {"typer", "rich"})
