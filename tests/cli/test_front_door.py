"""What is tried first: completion, `python -m`, the names that the package shows, its types."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import typer

import oo_sim
from oo_sim.cli.printing import whole
from oo_sim.errors import UnknownPolicyError


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


@pytest.mark.parametrize(
    ("typed", "number"), [("1000", 1000), ("1e3", 1000), ("1_000", 1000), ("1,000", 1000), ("2.5e3", 2500), ("-3", -3)]
)
def test_whole_numbers_as_people_write_them(typed: str, number: int) -> None:
    assert whole(typed) == number


@pytest.mark.parametrize("typed", ["", "1.5", "many", "1e400", "nan", "inf"])
def test_what_is_not_a_whole_number_is_refused(typed: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a whole number, such as 1000 or 1e3"):
        whole(typed)


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("linucb:alpha", "linucb is a policy, whose parameters have values: write linucb:alpha=..."),
        ("pol.py:rff", "a module is named without .py: write pol:rff"),
        ("nowhere:rff", "cannot import nowhere: No module named 'nowhere'"),
        ("my_polcy:rff", "cannot import my_polcy: No module named 'my_polcy'; did you mean my_policy:rff?"),
        ("my_policy:rf", "module my_policy has no 'rf'; did you mean my_policy:rff?"),
        ("my_policy:other", "module my_policy has no 'other'"),
    ],
)
def test_a_misspelled_policy_says_what_was_meant(
    spec: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("my_policy.py").write_text("def rff(): ...\n")
    with pytest.raises(UnknownPolicyError) as refused:
        oo_sim.run("quickstart", policies=[spec], users=2, rounds=2)
    assert str(refused.value).endswith(hint)


def test_precision_alone_goes_on_where_the_difference_is_already_known() -> None:
    sources = {"policies": ["random", "oracle"], "users": 30, "rounds": 5, "until": 0.04, "max_users": 500}
    known = oo_sim.compare("quickstart", **sources)  # type: ignore[arg-type]
    precise = oo_sim.compare("quickstart", precise=True, **sources)  # type: ignore[arg-type]
    assert known.pairs[0].difference.excludes(0.0)
    assert known.pairs[0].difference.width / 2 > 0.04
    assert precise.pairs[0].difference.width / 2 <= 0.04
    assert precise.notes[-1].endswith("users: each interval is at most ± 0.04.")
