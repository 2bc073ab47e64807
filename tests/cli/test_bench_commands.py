"""`oo-sim bench peers`, as it is typed. What is measured is not for a test to judge."""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from oo_sim.bench.peers import PEERS
from oo_sim.cli import bench

RUN = CliRunner()
SMALL = ["peers", "--repeats", "1", "--decisions", "4"]


class FirstLearner:
    """Stands for a library's learner: always chooses the first action, and keeps what it is told."""

    told: list[tuple[Any, ...]] = []  # noqa: RUF012 (one list for all is what is wanted)

    def __init__(self, alpha: float, features: list[str]) -> None:
        assert (alpha, features) == (1, ["a"])

    def predict(self, context: None, actions: list[list[float]]) -> tuple[list[float], float]:
        assert len(actions) == 10
        return actions[0], 1.0

    def learn(self, *told: Any) -> None:
        self.told.append(told)


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Make their import fail, whether or not they are installed."""
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "coba.learners", "mabwiser.mab", "obp.policy", "vowpalwabbit")
    said = RUN.invoke(bench.app, SMALL)
    assert said.exit_code == 0, said.output
    ours, *missing = said.stdout.splitlines()
    assert ours.startswith("oo_sim")
    assert [line.split()[0] for line in missing] == list(PEERS)
    assert all(line.endswith(f"is not installed: pip install {line.split()[0]}") for line in missing)


def test_a_library_learns_each_decision_that_it_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "mabwiser.mab", "obp.policy", "vowpalwabbit")
    library = ModuleType("coba.learners")
    library.LinUCBLearner = FirstLearner  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "coba", ModuleType("coba"))
    monkeypatch.setitem(sys.modules, "coba.learners", library)
    FirstLearner.told.clear()
    found = json.loads(RUN.invoke(bench.app, [*SMALL, "--json"]).stdout)
    assert set(found["peers"]) == {"coba"}
    assert found["missing"] == ["mabwiser", "obp", "vowpalwabbit"]
    assert [(context, len(action), probability) for context, action, _, probability in FirstLearner.told] == [
        (None, 5, 1.0)
    ] * 4
    assert all(-1.0 <= reward <= 1.0 for _, _, reward, _ in FirstLearner.told)
