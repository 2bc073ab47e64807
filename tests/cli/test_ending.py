"""Ctrl-C and SIGTERM end a command whatever becomes of the exception that they raise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import oo_sim
from oo_sim.cli import app
from oo_sim.cli.ending import TerminatedError, is_stopping, stop_if_asked, stoppable

SIGNALS = [(signal.SIGINT, KeyboardInterrupt, 130), (signal.SIGTERM, TerminatedError, 143)]


def passes(number: int) -> None:
    os.kill(os.getpid(), number)


def lost(number: int) -> None:
    """As in an import that a library makes for itself."""
    with suppress(BaseException):
        os.kill(os.getpid(), number)


def turned(number: int) -> None:
    """As where a library says that it is not installed well."""
    try:
        os.kill(os.getpid(), number)
    except BaseException:
        raise ImportError("C extension is not built") from None


@pytest.mark.parametrize(("number", "raised", "code"), SIGNALS)
@pytest.mark.parametrize("becomes", [passes, lost, turned])
@pytest.mark.parametrize("hidden", ["", "--quiet"])
def test_a_run_ends_whatever_becomes_of_the_exception(
    number: int,
    raised: type[BaseException],
    code: int,
    becomes: Callable[[int], None],
    hidden: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*_: Any, progress: Callable[[str, int, int], None], **__: Any) -> None:
        becomes(number)
        progress("linucb", 1, 2)
        pytest.fail("went on")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(oo_sim, "run", run)
    monkeypatch.setattr("sys.argv", ["oo-sim", "run"])
    handlers = [signal.getsignal(each) for each, *_ in SIGNALS]
    result = CliRunner().invoke(app, ["run", "quickstart", "--resume", "work", *hidden.split()])
    assert result.exit_code == code, result.output
    assert "To continue: oo-sim run" in result.output
    assert "Traceback" not in result.output
    assert [signal.getsignal(each) for each, *_ in SIGNALS] == handlers
    assert not is_stopping()


@stoppable()
def failing(number: int | None) -> None:
    if number is not None:
        lost(number)
    raise ValueError("an error")


@pytest.mark.parametrize(("number", "raised"), [(None, ValueError), *(each[:2] for each in SIGNALS)])
def test_an_error_after_it_is_the_end_that_was_asked_for(number: int | None, raised: type[BaseException]) -> None:
    with pytest.raises(raised):
        failing(number)


def test_ctrl_c_while_the_command_is_imported_is_one_line() -> None:
    code = """
import sys
class Stop:
    def find_spec(self, name, *_):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stop())
from oo_sim.__main__ import main
main()
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "Stopped: interrupted.\n")


def test_what_was_done_before_it_could_be_told_is_done() -> None:
    with stoppable():
        lost(signal.SIGINT)
    stop_if_asked()


def test_who_handles_a_signal_keeps_it() -> None:
    came, before = list[int](), signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        with stoppable():
            passes(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert came == [signal.SIGINT]
