"""`make quick` runs what a change touches: every part of the package has tests, and git says what has changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import quick

TESTS = quick.ROOT / "tests"
PARTS = sorted(
    path.stem for path in (quick.ROOT / "oo_sim").iterdir() if path.suffix in ("", ".py") and path.stem[:2] != "__"
)


@pytest.mark.parametrize("part", [*PARTS, "__init__", "__main__"])
def test_every_part_of_the_package_has_tests(part: str) -> None:
    assert quick.of_room(part)


def test_what_is_named_exists() -> None:
    for paths in (*quick.COVERED.values(), *quick.AROUND.values(), quick.ALWAYS, quick.SMOKE):
        assert all((TESTS / path).exists() for path in paths), paths
    assert all((quick.ROOT / place).exists() for place in quick.AROUND)
    assert not quick.rooms() & set(quick.COVERED)


@pytest.mark.parametrize(
    ("changed", "run"),
    [
        ("oo_sim/kernels/ridge.py", ("kernels", *quick.ALWAYS)),
        ("oo_sim/generator/bank/files.py", ("generator", *quick.ALWAYS)),
        ("oo_sim/settings.py", ("test_settings.py", *quick.ALWAYS)),
        ("oo_sim/py.typed", quick.ALWAYS),
        ("tests/stats/test_few.py", ("stats/test_few.py",)),
        ("tests/logs/conftest.py", ("logs",)),
        ("tests/scenario/broken/unknown_key.yaml", ("scenario",)),
        ("tests/quick.py", ("test_quick.py",)),
        ("tests/conftest.py", quick.SMOKE),
        ("scenarios/quickstart.yaml", ("scenario",)),
        ("scenarios/baselines/quickstart.json", ("gate/test_this_repository.py",)),
        ("LICENSE", ()),
    ],
)
def test_a_file_has_the_tests_of_its_room(changed: str, run: tuple[str, ...]) -> None:
    assert quick.tests_of(changed) == run


def test_tests_that_changed_come_first_and_those_that_are_gone_are_left_out() -> None:
    changed = ["oo_sim/stats/bands.py", "tests/stats/test_bands.py", "tests/stats/test_gone.py", "LICENSE"]
    assert quick.chosen(changed) == ["stats/test_bands.py", "show/test_words.py", "stats", "test_layers.py"]
    assert quick.chosen(["LICENSE"]) == []


def test_changed_is_what_differs_from_main_or_is_not_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> None:
        name = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *name, *words], cwd=tmp_path, check=True, capture_output=True)

    def write(*names: str) -> None:
        for name in names:
            (tmp_path / name).write_text("new")

    monkeypatch.setattr(quick, "ROOT", tmp_path)
    assert quick.changes()[0] == []  # not a repository
    git("init", "--initial-branch=main")
    write("old", "staged", ".gitignore")
    (tmp_path / ".gitignore").write_text("ignored")
    git("add", "-A")
    git("commit", "-m", "first")
    assert quick.changes()[0] == []
    git("checkout", "-b", "work")
    write("committed")
    git("add", "-A")
    git("commit", "-m", "second")
    (tmp_path / "staged").write_text("other")
    git("add", "-A")
    write("untracked", "ignored")
    assert quick.changes()[0] == ["committed", "staged", "untracked"]


def test_a_room_that_is_not_there_is_named() -> None:
    with pytest.raises(SystemExit, match="'kernel' is not a room; there are audit, bench, "):
        quick.main(["kernel"])
