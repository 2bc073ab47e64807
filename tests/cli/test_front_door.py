"""What is tried first: completion, `python -m`, the names that the package shows, its types."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files

import pytest

import oo_sim


def said(*command: str, **environment: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-m", "oo_sim", *command],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", **environment},
    )
    return answer.stdout


def test_python_m_is_the_command() -> None:
    assert said("--version") == f"oo-sim {oo_sim.__version__}\n"


@pytest.mark.parametrize("typed", ["oo-sim com", "oo-sim scen"])
def test_the_shell_completes_commands(typed: str) -> None:
    word = typed.split()[1]
    shown = said(COMP_WORDS=typed, COMP_CWORD="1", _OO_SIM_COMPLETE="complete_bash").split()
    assert shown == [name for name in ("compare", "scenario") if name.startswith(word)]


def test_the_package_shows_its_public_names_alone() -> None:
    assert dir(oo_sim) == sorted(oo_sim.__all__)
    assert all(getattr(oo_sim, name) is not None for name in dir(oo_sim))


def test_types_ship_with_the_package() -> None:
    assert files("oo_sim").joinpath("py.typed").is_file()
