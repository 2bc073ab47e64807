"""The pytest fixture: what it passes and fails, and that it costs nothing where nobody uses it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from oo_sim.gate import check, record

pytest_plugins = ["pytester"]

TESTS = """
def test_the_same(oo_gate):
    oo_gate.check("quickstart", "greedy")

def test_all(oo_gate):
    assert len(oo_gate.check("quickstart").cases) == 1

def test_a_change(oo_gate):
    from oo_sim.policies import make
    oo_gate.check("quickstart", make("greedy")._replace(probs=make("random").probs, explores=True))

def test_no_baseline(oo_gate):
    oo_gate.check("quickstart", "linucb")
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline. It is recorded and checked before `pytester` starts, which forgets what is imported after it has, and
    compiled functions do not survive that."""
    directory = tmp_path_factory.mktemp("kept")
    record("quickstart", policies=["greedy"], users=64, rounds=20, margin=0.05, directory=directory, weak=True)
    check(directory=directory)
    return directory


def test_the_fixture_passes_and_fails_tests(kept: Path, pytester: pytest.Pytester) -> None:
    """Warnings are errors there, so the plugin raises none."""
    pytester.makeini(f"[pytest]\noo_gate_baselines = {kept}\nfilterwarnings = error\n")
    pytester.makepyfile(TESTS)
    ran = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:timeout")
    ran.assert_outcomes(passed=2, failed=2)
    ran.stdout.fnmatch_lines(["*greedy: audit violation*"])
    ran.stdout.fnmatch_lines(["*linucb: there is no baseline in*"])
    ran.stdout.no_fnmatch_line("*Traceback*")
    ran.stdout.no_fnmatch_line("*During handling*")


MILD = """
def test_a_change_of_bits(oo_gate):
    from oo_sim.policies import make
    greedy = make("greedy")
    nudged = lambda state, batch, noise: greedy.score(state, batch, noise) * (1.0 + 1e-13)
    oo_gate.check("quickstart", greedy._replace(score=nudged))
"""


@pytest.mark.parametrize(("strict", "outcome"), [("false", {"passed": 1, "warnings": 1}), ("true", {"failed": 1})])
def test_changed_bits_are_never_silent(
    strict: str, outcome: dict[str, int], kept: Path, pytester: pytest.Pytester
) -> None:
    """A warning with the first decision that differs where statistics pass them, a failure if strict."""
    pytester.makeini(f"[pytest]\noo_gate_baselines = {kept}\noo_gate_strict = {strict}\nfilterwarnings = default\n")
    pytester.makepyfile(MILD)
    ran = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:timeout")
    ran.assert_outcomes(**outcome)
    ran.stdout.fnmatch_lines(["*first difference: user-*, decision * (t=*): score * before, * now*"])


@pytest.mark.subprocess
def test_importing_the_plugin_imports_nothing_heavy() -> None:
    code = "import sys, pytest; old = set(sys.modules); import oo_sim.pytest_plugin; print(*set(sys.modules) - old)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {name for name in ran.stdout.split() if name.startswith("oo_sim")}
    assert ours == {"oo_sim", "oo_sim.pytest_plugin"}
    light = {"__future__", "_ast", "ast", "importlib", "inspect", "lazy_loader", "threading", "types", "warnings", "os"}
    assert {name.partition(".")[0] for name in ran.stdout.split()} <= {"oo_sim", *light}
