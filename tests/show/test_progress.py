"""Progress: a bar in a notebook by itself, elsewhere where it is asked for, or a function's."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import oo_sim
from oo_sim.show import progress
from oo_sim.show.progress import watched

SMALL: dict[str, Any] = {"users": 6, "rounds": 6}
CALLS: dict[str, Callable[..., Any]] = {
    "run": lambda at, **more: oo_sim.run("quickstart", policies=["random", "greedy"], **SMALL, **more),
    "compare": lambda at, **more: oo_sim.compare("quickstart", policies=["random", "greedy"], **SMALL, **more),
    "sweep": lambda at, **more: oo_sim.sweep("quickstart", policies=["egreedy:epsilon=[0.1,0.2]"], **SMALL, **more),
    "evaluate": lambda at, **more: oo_sim.evaluate(at, policies=["softmax"], **more),
    "fit": lambda at, **more: oo_sim.fit(at, segments=1, starts=1, terms="is_overdue,priority", **more),
}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("progress") / "log"
    oo_sim.run("quickstart", policies=["egreedy:epsilon=0.2"], users=40, rounds=25, events=True, out=at, plot=False)
    return at


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What a notebook's frontend receives."""
    found: list[dict[str, Any]] = []
    ipython, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    display.publish_display_data = lambda **message: found.append(message)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    monkeypatch.setattr("oo_sim.fitting.priors._USERS", 20)  # what a fit ends with, and takes most of its time
    monkeypatch.setattr("oo_sim.fitting.priors._CANDIDATES", 100)
    return found


@pytest.mark.parametrize("call", CALLS)
def test_a_notebook_shows_a_bar_in_one_place_and_takes_it_away(
    call: str, log: Path, shown: list[dict[str, Any]]
) -> None:
    CALLS[call](log)
    assert len(shown) > 1
    assert [message["update"] for message in shown] == [False, *[True] * (len(shown) - 1)]
    assert len({message["transient"]["display_id"] for message in shown}) == 1
    assert all(message["data"]["text/html"].startswith("<progress value=") for message in shown[:-1])
    assert "100%" in shown[-2]["data"]["text/plain"] or call == "fit"  # a climb ends when it is at the top
    assert shown[-1]["data"] == {"text/html": "", "text/plain": ""}
    shown.clear()
    CALLS[call](log, progress=False)
    assert shown == []


@pytest.mark.parametrize("call", CALLS)
def test_a_function_hears_what_is_done_of_how_much(call: str, log: Path, shown: list[dict[str, Any]]) -> None:
    heard: list[tuple[str, int, int]] = []
    CALLS[call](log, progress=lambda *said: heard.append(said))
    done = [each[1] for each in heard]
    assert done == sorted(done)
    assert all(0 <= at <= total for _, at, total in heard)
    assert shown == []


@pytest.mark.parametrize("call", CALLS)
def test_elsewhere_nothing_is_shown_unless_it_is_asked_for(
    call: str, log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    CALLS[call](log)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    drawn: list[int] = []
    monkeypatch.setattr(progress._Terminal, "draw", lambda bar, what, done, total, left: drawn.append(done))
    CALLS[call](log, progress=True)
    assert drawn
    assert capsys.readouterr().out == ""


def test_names_do_nothing_in_a_page(shown: list[dict[str, Any]]) -> None:
    with watched("<b>name</b>") as hears:
        assert hears is not None
        hears("<script>", 0, 0)
    assert "<b>" not in shown[0]["data"]["text/html"]
    assert "<script>" not in shown[0]["data"]["text/html"]
