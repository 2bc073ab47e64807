"""Rates and the time left, of each policy: worked out by hand, and heard from real runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from oo_sim.cli import working
from oo_sim.experiment import Pace, pace
from oo_sim.show.progress import watched

from .cases import SMALL, kept


class Clock:
    """Tells what time it was set to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_policy_has_its_own_rate() -> None:
    clock = Clock()
    going = Pace(clock)
    for label, kept_ in (("a", 0), ("b", 50)):
        going(label, kept_, 300)
    assert going.rate is None
    assert going.left is None
    # before the first decisions of a policy it is compiled; two threads report at the same moment
    for now, label, done in ((60.0, "a", 70), (60.125, "a", 80), (70.0, "b", 90)):
        clock.now = now
        going(label, done, 300)
        assert (going.rate, going.left) == (None, None)
        assert going.text() == f"{done / 300:.1%}"
    for now, label, done in ((73.875, "a", 130), (79.875, "a", 150), (81.875, "b", 170)):
        clock.now = now
        going(label, done, 300)
    a, b = going.policies()
    assert (a.label, a.done, a.total, a.rate) == ("a", 90, 150, 7.0)
    assert a.left == pytest.approx(60 / 7)
    assert (b.label, b.done, b.total, b.rate, b.left) == ("b", 80, 150, 10.0, 7.0)
    assert going.rate == pytest.approx(90 / 12)
    assert going.left == pytest.approx(60 / 7 + 7)
    assert going.text() == "56.7%, 8 decisions/s, 16 s left (a 60%, b 53%)"
    going("a", 0, 600)  # the next look of a comparison
    assert (going.done, going.rate) == (0, None)
    assert [each.label for each in going.policies()] == ["a"]


@pytest.mark.parametrize("already", [0, 640])
def test_a_run_tells_first_what_is_kept_and_at_last_that_all_is_done(already: int, tmp_path: Path) -> None:
    if already:
        kept(tmp_path / "work", users=already)
    heard: list[tuple[str, int, int]] = []
    kept(tmp_path / "work", progress=lambda *each: heard.append(each))
    total = 2 * SMALL["users"] * SMALL["rounds"]
    assert [each[:2] for each in heard[:2]] == [("linucb", already * 20), ("egreedy", 2 * already * 20)]
    assert heard[-1] == ("egreedy", total, total)
    done = [each[1] for each in heard]
    assert done == sorted(done)


def test_without_a_terminal_there_is_a_line_from_time_to_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(working, "_LINE_SECONDS", 0.0)
    monkeypatch.setattr(pace, "_WATCHED", 1e-9)
    with working.watched("small", hidden=False) as progress:
        kept(tmp_path / "work", users=128, progress=progress)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "small: 0.0%"
    assert "decisions/s" in lines[-2]
    assert lines[-1].startswith("small: 100.0%, ")
    with working.watched("small", hidden=True) as progress:
        progress("egreedy", 1, 1000)
    assert not capsys.readouterr().err


def test_a_terminal_has_bars(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with working.watched("small", hidden=False) as progress:
        kept(tmp_path / "work", users=128, progress=progress)
        progress("egreedy", 1, 1000)
        progress("egreedy", 2, 1000)
    assert "small" in capsys.readouterr().err


@pytest.mark.parametrize("is_cold", [True, False])
def test_a_bar_says_that_kernels_are_compiled_until_decisions_are_made(
    is_cold: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "120"}.items():
        monkeypatch.setenv(name, value)
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    if not is_cold:
        (kernels / "one.nbi").touch()
    monkeypatch.setattr("oo_sim.kernels.compile.cache_directory", lambda: kernels)
    with working.watched("small", hidden=False) as progress:
        assert progress is not None
        progress("linucb", 0, 1000)
    assert ("compiling, once" in capsys.readouterr().err) == is_cold
    with watched("call", True):
        pass
    assert ("compiling, once" in capsys.readouterr().err) == is_cold
