"""The built wheel, not the checkout, in an environment that holds what it asks for and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # it builds, and installs a dozen packages


class Bare:
    """A virtual environment with the wheel, and a directory outside the checkout to work in."""

    def __init__(self, directory: Path) -> None:
        self.bin, self.work = directory / "venv" / "bin", directory / "work"
        self.work.mkdir()
        self._call(
            sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--quiet", "--wheel-dir", str(directory)
        )
        self._call(sys.executable, "-m", "venv", str(directory / "venv"))
        [wheel] = directory.glob("oo_sim-*.whl")
        pip = (str(self.bin / "python"), "-m", "pip", "--disable-pip-version-check")
        self._install = (*pip, "install", "--quiet", "--constraint", str(ROOT / "constraints.txt"))
        self._wheel = wheel
        self._call(*self._install, str(wheel))
        self._call(*pip, "check")

    def add(self, extra: str) -> None:
        """Install an extra of the wheel too."""
        self._call(*self._install, f"{self._wheel}[{extra}]")

    def oo_sim(self, *arguments: str) -> str:
        """What a command prints; it must succeed."""
        return self._call(str(self.bin / "oo-sim"), *arguments)

    def python(self, code: str) -> str:
        """What a program prints; it must succeed."""
        return self._call(str(self.bin / "python"), "-c", code)

    def refusal(self, *arguments: str) -> str:
        """What a command that ends with exit code 2 says."""
        done = self._run(str(self.bin / "oo-sim"), *arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        return done.stderr

    def _call(self, *command: str) -> str:
        done = self._run(*command)
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"
        return done.stdout

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        clean = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV", "NUMBA"))
        }
        return subprocess.run(command, cwd=self.work, env=clean, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Bare:
    """The wheel installed."""
    return Bare(tmp_path_factory.mktemp("wheel"))


def test_no_server_and_no_dev_package_came_with_it_and_the_checkout_is_not_in_sight(bare: Bare) -> None:
    names = ("pytest", "mypy", "jupyter", "hypothesis", "fastapi", "uvicorn", "distributed")
    code = f"import importlib.util as u; print([n for n in {names} if u.find_spec(n)])"
    assert bare.python(code).strip() == "[]"
    assert str(bare.bin.parent) in bare.python("import oo_sim; print(oo_sim.__file__)")


def test_it_runs_looks_and_reports(bare: Bare) -> None:
    assert "quickstart" in bare.oo_sim("scenario", "list")
    bare.oo_sim("run", "quickstart", "--users", "50", "--rounds", "60", "--events", "--out", "run")
    assert (bare.work / "run" / "curves.png").is_file()
    bare.oo_sim("plot", "run", "--kind", "theta")
    bare.oo_sim("report", "run", "-o", "report.html")
    assert "<h2" in (bare.work / "report.html").read_text()
    assert "Clean" in bare.oo_sim("audit", "run")


def test_its_other_parts_find_their_files(bare: Bare) -> None:
    size = ("--users", "4", "--rounds", "5")
    bare.oo_sim("generate", "llm_tips", *size, "--gateway", "mock:typical_small_model", "--out", "tips.parquet")
    bare.oo_sim("run", "llm_tips", *size, "--llm", "none,tips.parquet", "--out", "tipped")
    bare.oo_sim("gate", "record", "quickstart", "--policy", "greedy", "--users", "64", "--rounds", "20", "--weak")
    assert "1 identical" in bare.oo_sim("gate", "check")


def test_the_server_is_an_extra_that_its_command_names(bare: Bare) -> None:
    assert "pip install 'oo-sim[serve]'" in bare.refusal("serve", "--state-dir", "state")
    bare.add("serve")
    assert bare.python("from oo_sim.serving import create_app; print(len(create_app('state').routes) > 10)") == "True\n"
