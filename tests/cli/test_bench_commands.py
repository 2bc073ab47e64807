"""`oo-sim bench peers`, as it is typed. What is measured is not for a test to judge."""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from oo_sim.bench import measure, placement
from oo_sim.bench.ope import ESTIMATORS
from oo_sim.bench.peers import PEERS
from oo_sim.cli import bench
from oo_sim.engine import tile

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


@pytest.fixture(autouse=True)
def _no_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is compiled for what takes a moment."""
    monkeypatch.setattr(tile, "compile_for", lambda world, policy: None)


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Make their import fail, whether or not they are installed."""
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


def test_the_bench_says_what_it_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    two = measure.Spread(2.0, 1.5, 2.5)
    rows = [
        measure.Row("linucb", 5, 10, two, two, two, two, two),
        measure.Row("dlinucb", 5, 10, two, two, two, None, None),
    ]
    placed = [placement.Placed("ridge.ridge_mean", 21.0, 1.31), placement.Placed("choice.argmax", 11.0, 1.1)]
    process = {"first_decision_seconds": 1.4, "wall_seconds": 1.9, "peak_megabytes": 290.0}
    for room, name, answer in (
        (measure, "bench", rows),
        (measure, "threads", two),
        (measure, "tiles", two),
        (measure, "events", measure.Spread(7.5, 7.0, 9.0)),
        (measure, "fresh_process", process),
        (placement, "bench", placed),
    ):
        monkeypatch.setattr(room, name, lambda *_, answer=answer, **__: answer)
    said = RUN.invoke(bench.app, [])
    assert said.exit_code == 0, said.output
    words = " ".join(said.stdout.split())
    assert "worst of 2 kernels takes 1.31 times as long: ridge.ridge_mean." in words
    assert "Two threads: 2.00 times one (1.50, 2.50)" in words
    assert "With --events, linucb takes 7.5 µs of CPU a decision (7.0, 9.0)." in words
    found = json.loads(RUN.invoke(bench.app, ["--json"]).stdout)
    assert [each["kernel"] for each in found["placement"]] == ["ridge.ridge_mean", "choice.argmax"]
    assert found["rows"][1]["matrix_ratio"] is None


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


class Theirs:
    """Stands for an estimator of OBP: its IPS, from the arrays as OBP takes them."""

    def __init__(self, **parameters: float) -> None:
        assert set(parameters) <= {"tau", "lambda_"}

    def estimate_policy_value(self, action_dist: Any, **given: Any) -> float:
        if not given.get("reward", np.zeros(0)).size or "estimated_rewards_by_reg_model" in given:
            return 0.0
        n = len(given["reward"])
        return float((given["reward"] * action_dist[np.arange(n), given["action"], 0] / given["pscore"]).mean())


def test_estimators_are_measured_on_the_same_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obp", None)
    said = RUN.invoke(bench.app, ["ope", "--repeats", "1", "--decisions", "300"]).stdout.splitlines()
    assert [line.split()[0] for line in said] == [*ESTIMATORS, "together", "the", "obp"]
    library = ModuleType("obp.ope.estimators")
    for _, kind, _ in ESTIMATORS.values():
        setattr(library, kind, Theirs)
    for name, room in (("obp", ModuleType("obp")), ("obp.ope", ModuleType("obp.ope")), ("obp.ope.estimators", library)):
        monkeypatch.setitem(sys.modules, name, room)
    found = json.loads(RUN.invoke(bench.app, ["ope", "--repeats", "1", "--decisions", "300", "--json"]).stdout)
    assert found["missing"] == []
    assert found["estimators"]["ips"]["apart"] < 1e-12
    assert all(line["ratio"]["median"] > 0.0 for line in found["estimators"].values())
