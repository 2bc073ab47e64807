"""The logging policy run again in the fitted world, and the report's chapter of a fit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import oo_sim
from oo_sim.errors import FitError
from oo_sim.page import report_html
from oo_sim.studies.again import again, known, scenario_beside

POLICY = "egreedy:epsilon=0.3"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log and its fit side by side: where `mine.fit.json` is."""
    folder = tmp_path_factory.mktemp("fit")
    oo_sim.run("quickstart", policies=[POLICY], users=80, rounds=40, events=True, out=folder / "log", plot=False)
    found = oo_sim.fit(folder / "log", terms="is_overdue,task_age,priority,is_llm", segments=2, starts=1)
    return found.save(folder / "mine.yaml").with_name("mine.fit.json")


def test_the_fitted_world_gives_the_logs_curve_and_another_world_does_not(fitted: Path) -> None:
    said = known(fitted)
    found = again(said, scenario_beside(fitted))
    assert found.rounds[-1] == 40
    assert found.logged.n == found.fitted.n == 80
    assert found.apart == 0.0
    assert found.logged.estimate[-1] > found.logged.estimate[0]
    other = scenario_beside(fitted).canonical()
    other["world"]["reactions"]["cut_points"] = [cut + 1.0 for cut in other["world"]["reactions"]["cut_points"]]
    fitted.with_name("other.yaml").write_text(json.dumps(other))
    assert again(said, oo_sim.load_scenario(fitted.with_name("other.yaml"))).apart > 0.5


def test_the_report_has_a_chapter(fitted: Path) -> None:
    page = report_html([], fits=[fitted])
    assert "mine: people fitted to a log" in page
    assert "agrees with the log&#39;s own at every round" in page
    assert page.count("<img ") == 3
    for words in ("segment-1", "users never seen", "starts that reached it", "of a constant"):
        assert words in page


def test_without_the_log_the_rest_is_shown(fitted: Path, tmp_path: Path) -> None:
    said = json.loads(fitted.read_text())
    said["log"]["path"] = str(tmp_path / "gone")
    said["warnings"] = ["<b>careful</b>"]
    (tmp_path / "mine.fit.json").write_text(json.dumps(said))
    shutil.copy(fitted.with_name("mine.yaml"), tmp_path)
    page = report_html([], fits=[tmp_path / "mine.fit.json"])
    assert "The logging policy was not run again" in page
    assert page.count("<img ") == 2
    assert "&lt;b&gt;careful&lt;/b&gt;" in page


def test_files_that_are_no_fits_are_refused(fitted: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.fit.json").write_text("{")
    (tmp_path / "other.fit.json").write_text("[]")
    for name, said in (("none", "cannot be read"), ("torn", "is not JSON"), ("other", "has no calibration")):
        with pytest.raises(FitError, match=said):
            report_html([], fits=[tmp_path / f"{name}.fit.json"])
    gone = known(fitted) | {"policy": "linucb"}
    with pytest.raises(FitError, match="holds no policy 'linucb' any more"):
        again(gone, scenario_beside(fitted))
