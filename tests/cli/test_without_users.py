"""A run with `--checkpoints off` has no rows by user: what requires them says so, and the rest does without; runs whose
checkpoints differ are compared at those that they share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import Call

import oo_sim
from oo_sim.cli.show import Kind
from oo_sim.errors import OoSimError
from oo_sim.studies import Comparison

SAID = "holds no rows by user (--checkpoints off)"
BY_USER = {"users", "segments", *Comparison.kinds}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one scenario that differ in their checkpoints."""
    out = tmp_path_factory.mktemp("runs")
    sizes: dict[str, Any] = {"users": 40, "rounds": 12, "plot": False}
    for checkpoints in ("all", "last", "off"):
        policies = ["linucb", "egreedy"]
        oo_sim.run(
            "quickstart", policies=policies, events=True, checkpoints=checkpoints, out=out / checkpoints, **sizes
        )
    return out


@pytest.mark.parametrize("style", ["screen", "paper"])
@pytest.mark.parametrize("kind", [each.value for each in Kind])
def test_a_figure_of_users_is_refused_and_others_are_drawn(call: Call, runs: Path, kind: str, style: str) -> None:
    answer = call("plot", runs / "off", "--kind", kind, "-o", "a.png", "--style", style)
    if kind not in BY_USER:
        assert (answer.code, Path("a.png").exists()) == (0, True)
        return
    assert (answer.code, answer.out, Path("a.png").exists()) == (2, "", False)
    assert answer.err.startswith(f"{runs / 'off'}: {SAID}")
    assert "again with --checkpoints last" in answer.err
    assert call("plot", runs / "last", "--kind", kind, "-o", "a.png", "--style", style).code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show", "{off}"), 0),
        (("compare", "{off}"), 2),
        (("compare", "{off}", "--json"), 2),
        (("compare", "{all}", "{off}"), 2),
        (("report", "{off}", "-o", "a.html"), 0),
        (("evaluate", "{off}", "--logged", "egreedy", "--policy", "linucb"), 1),
    ],
)
def test_commands_say_so_or_do_without(call: Call, runs: Path, words: tuple[str, ...], code: int) -> None:
    answer = call(*(word.format(**{name: runs / name for name in ("all", "last", "off")}) for word in words))
    assert answer.code == code, answer.err
    assert (SAID in answer.err) is (code == 2)


def test_a_run_that_does_not_fit_is_refused_before_a_scenario_is_played(
    call: Call, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def played(*_: object, **__: object) -> None:
        raise AssertionError("played")

    monkeypatch.setattr("oo_sim.studies.comparing.run", played)
    code, out, err = call("compare", runs / "all", "quickstart")
    assert (code, out) == (2, "")
    assert err.startswith(f"{runs / 'all'} and quickstart are not the same scenario: users is 40 and ")
    assert SAID in call("compare", "quickstart", runs / "off").err
    with pytest.raises(AssertionError, match="played"):  # it fits
        oo_sim.compare(runs / "all", oo_sim.load_scenario("quickstart").with_(users=40, rounds=12))


def test_python_raises_what_one_can_catch(runs: Path) -> None:
    for run in (oo_sim.load_run(runs / "off"), oo_sim.run("quickstart", users=3, rounds=2, checkpoints="off")):
        with pytest.raises(OoSimError, match="holds no rows by user"):
            oo_sim.compare(run)


def test_a_report_has_every_chapter_but_those_of_users(call: Call, runs: Path) -> None:
    assert call("report", runs / "off", "-o", "a.html").code == 0
    page = Path("a.html").read_text()
    assert "holds no rows by user (--checkpoints off), so there is no verdict" in page
    assert "reward per decision and cumulative regret" in page
    assert "candidate minus baseline" not in page
    assert "distribution of users" not in page


@pytest.mark.parametrize("order", [("all", "last"), ("last", "all")])
def test_runs_with_other_checkpoints_are_compared_at_those_they_share(runs: Path, order: tuple[str, str]) -> None:
    """The same decisions: each policy counts once, and has the values of the last round."""
    found, last = (oo_sim.compare(*(runs / name for name in names)) for names in (order, ["last"]))
    assert [(pair.baseline, pair.candidate) for pair in found.pairs] == [("linucb", "egreedy")]
    assert found.as_dict() == last.as_dict()
    np.testing.assert_array_equal(found.scenarios[0].marks, [12])
