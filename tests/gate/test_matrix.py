"""The matrix: every bit of every policy in every small world, in one file that other repositories can make too."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oo_sim.gate import GateError, Report, accept_matrix, check_matrix, mechanisms, record_matrix
from oo_sim.gate.matrix import Cell, cells, fingerprints
from oo_sim.policies.registry import POLICIES
from oo_sim.scenario import load

OWN = """version: 1
name: own
users: 100
rounds: 12
policies: [linucb, "matrix_private:mine"]
world:
  kind: tips
  tasks: {count: 3}
  segments: [{name: all, preferences: {priority: 1}}]
"""
PRIVATE = "from oo_sim.policies import make\n\ndef mine():\n    return make('greedy', {PRIOR})._replace(name='mine')\n"


def test_every_policy_and_every_mechanism_is_in_it() -> None:
    assert {spec.partition(":")[0] for spec in mechanisms.POLICIES} == set(POLICIES)
    tips = [spec["world"] for spec in mechanisms.WORLDS.values() if spec["world"]["kind"] == "tips"]
    feedback = [spec["feedback"] for spec in mechanisms.WORLDS.values() if "feedback" in spec]
    kinds = {kind for world in tips for drift in world.get("drift", ()) for kind in drift}
    assert {"abrupt", "gradual", "periodic", "random_walk", "become", "share", "segments"} <= kinds
    assert {kind for each in feedback for kind in each["delay"]} == {"geometric", "lognormal", "uniform", "constant"}
    assert any("missing" in each for each in feedback)
    for part in ("fatigue", "churn", "arrivals", "clock"):
        assert any(part in world for world in tips), part
    assert any(world["tasks"].get("mode") == "backlog" for world in tips)
    assert mechanisms.bank("bank") is not None


@pytest.fixture(scope="module")
def few() -> list[Cell]:
    """One policy in each world."""
    found = cells()
    worlds = dict.fromkeys(cell.scenario.name for cell in found)
    return [next(cell for cell in found if cell.scenario.name == world) for world in worlds]


def test_processes_change_nothing(few: list[Cell]) -> None:
    assert fingerprints(few[:4], workers=1) == fingerprints(few[:4], workers=2)


def one_cell(patch: pytest.MonkeyPatch) -> None:
    """There is but one cell to record and to check."""
    cell = Cell(mechanisms.scenario("plain"), "egreedy", None)
    patch.setattr("oo_sim.gate.matrix.cells", lambda scenarios=(): [cell])


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a matrix of one cell is recorded."""
    at = tmp_path_factory.mktemp("matrix")
    with pytest.MonkeyPatch.context() as patch:
        one_cell(patch)
        record_matrix(directory=at, workers=1)
        assert check_matrix(directory=at, workers=1).exit_code == 0
    return at


@pytest.mark.parametrize("column", ["chosen", "score", "probs", "propensity", "x"])
def test_one_bit_shows_with_its_round_its_users_and_its_column(
    column: str, one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In round 8 of the last user one column is another."""
    one_cell(monkeypatch)
    from oo_sim.decide import decide  # noqa: PLC0415 (what is patched)

    def once(*given: Any) -> Any:
        decision = decide(*given)
        values = getattr(decision, column).copy()
        if int(given[3][0]) == 7:
            values[..., -1] = 1 - values[..., -1] if values.dtype != np.float64 else values[..., -1] + 2.0**-40
        return decision._replace(**{column: values})

    monkeypatch.setattr("oo_sim.engine.run.decide", once)
    report = check_matrix(directory=one, workers=1)
    assert report.exit_code == 1
    difference, *logs = report.differences
    assert all(each.cell.startswith("log ") for each in logs)
    assert logs
    assert "changed from round 8 on, of 1 users, the first user-63" in difference.text
    assert column in difference.text
    assert list(report.lines())[-1].startswith("Matrix: 0 of 1 cells identical")  # what logs hold is no cell


def test_another_repositorys_scenarios_and_private_policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded, checked, changed, accepted with a reason; all from files that are not this package's."""
    (tmp_path / "own.yaml").write_text(OWN)
    (tmp_path / "matrix_private.py").write_text(PRIVATE.replace("PRIOR", ""))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / "kept"
    path = record_matrix(["own.yaml"], directory=kept, workers=1)
    assert list(json.loads(path.read_text())["cells"]) == ["own linucb", "own matrix_private:mine"]
    with pytest.raises(GateError, match="exists already"):
        record_matrix(["own.yaml"], directory=kept)
    (tmp_path / "matrix_private.py").write_text(PRIVATE.replace("PRIOR", "'prior': 1.5"))
    monkeypatch.delitem(__import__("sys").modules, "matrix_private")
    report = check_matrix(directory=kept, workers=1)
    (found,) = report.differences
    assert found.cell == "own matrix_private:mine"
    assert re.search(r"; user-0 in round \d+: .*score [\d.e-]+ before, [\d.e-]+ now", found.text), found.text
    with pytest.raises(GateError, match="reason: it is empty"):
        accept_matrix(reason=" ", directory=kept)
    accept_matrix(reason="a larger prior", directory=kept, workers=1)
    assert check_matrix(directory=kept, workers=1).exit_code == 0
    assert json.loads(path.read_text())["accepted"] == ["a larger prior"]


def test_a_value_of_a_scenario_file_that_changed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the summary says that the matrix differs, however many policies are as recorded."""
    monkeypatch.chdir(tmp_path)
    text = OWN.replace(', "matrix_private:mine"', "")
    (tmp_path / "own.yaml").write_text(text)
    record_matrix(["own.yaml"], directory=tmp_path, workers=1)
    same = Report((), check_matrix(directory=tmp_path, workers=1))
    assert (same.exit_code, same.summary) == (0, "Gate: matrix identical.")
    (tmp_path / "own.yaml").write_text(text.replace("{priority: 1}", "{priority: 1.9}"))
    report = Report((), check_matrix(directory=tmp_path, workers=1))
    assert report.matrix is not None
    (found,) = report.matrix.differences
    assert "the scenario has changed: world.segments[0].preferences.priority.mean was 1.0 and is 1.9" in found.text
    assert "; user-0 in round " in found.text or "user-0's decisions is as recorded" in found.text
    assert (report.exit_code, report.summary) == (1, "Gate: matrix with 1 difference.")


def test_what_is_damaged_or_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="there is no matrix"):
        check_matrix(directory=tmp_path)
    (tmp_path / "matrix.json").write_text("{}")
    with pytest.raises(GateError, match="not a matrix of format 2"):
        check_matrix(directory=tmp_path)


def test_this_packages_scenarios_are_cut_to_64_users() -> None:
    assert load("quickstart").users > 64
    assert {cell.scenario.users for cell in cells(["quickstart"])} == {64}
