"""Every result is looked at in the same way: a table, a frame, figures, plain data, files, a notebook's cell."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure

import oo_sim
from oo_sim import gate, studies
from oo_sim.fitting import Fit
from oo_sim.gate import Report
from oo_sim.generator.metrics import Metric, Section
from oo_sim.results import Run
from oo_sim.results.result import WRITTEN, Result
from oo_sim.show import Tables
from oo_sim.stats import Interval
from oo_sim.studies.auditing import Audit
from oo_sim.studies.tips import AppealFit, Measured, Tips

POLICY = "egreedy:epsilon=0.2"


def log(at: Path) -> Path:
    if not (at / "log").exists():
        oo_sim.run("quickstart", policies=[POLICY], users=40, rounds=25, events=True, out=at / "log", plot=False)
    return at / "log"


def checked(at: Path) -> Report:
    """A check with statistics: the policy is another one than was recorded."""
    small: dict[str, Any] = {"directory": at / "kept", "threads": 1}
    gate.record("quickstart", policies=["egreedy"], users=64, rounds=20, margin=0.5, **small)
    other = oo_sim.gate.check("quickstart", policies=[tuned()], unchecked=True, **small)
    assert other.cases[0].judgement is not None
    return other


def tuned() -> oo_sim.Policy:
    from oo_sim.policies import make  # noqa: PLC0415 (so that the table stands on top)

    return make("egreedy", {"epsilon": 0.11})._replace(name="egreedy")


MADE: dict[type[Result], Callable[[Path], Result]] = {
    Run: lambda at: oo_sim.load_run(log(at)),
    studies.Comparison: lambda at: oo_sim.compare("quickstart", policies=["egreedy", "random"], users=9, rounds=9),
    studies.Sweep: lambda at: oo_sim.sweep("quickstart", policies=["egreedy:epsilon=[0.1,0.2]"], users=9, rounds=9),
    studies.Evaluation: lambda at: oo_sim.evaluate(log(at), policies=["softmax"]),
    Fit: lambda at: oo_sim.fit(log(at), segments=1, starts=1, terms="is_overdue,priority"),
    Report: checked,
    Audit: lambda at: oo_sim.audit_log(log(at)),
    Tips: lambda at: oo_sim.generate("llm_tips", users=2, rounds=3, out=at / "tips.parquet"),
    AppealFit: lambda at: AppealFit(
        Measured("appeal", "An appeal", (Section("fitted appeal", (Metric("ridge", 1.0, "by cross-validation"),)),)),
        [(0.1 * i, Interval(0.1 * i, 0.1 * i - 0.2, 0.1 * i + 0.2, 30)) for i in range(10)],
    ),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[type[Result], Result]:
    at = tmp_path_factory.mktemp("results")
    return {kind: make(at) for kind, make in MADE.items()}


def test_no_kind_of_result_is_forgotten() -> None:
    def below(kind: Any) -> set[type[Result]]:
        return set(kind.__subclasses__()).union(*(below(each) for each in kind.__subclasses__()))

    assert {kind for kind in below(Result) if kind.__module__.startswith("oo_sim.")} == set(MADE)


@pytest.mark.parametrize("kind", MADE, ids=lambda kind: kind.__name__)
def test_a_result_is_looked_at_like_every_other(
    kind: type[Result], made: dict[type[Result], Result], tmp_path: Path
) -> None:
    found = made[kind]
    assert isinstance(found, kind)
    assert repr(found).startswith("<")
    assert "\n" not in repr(found)
    assert len(repr(found)) < 200
    table, frame = found.table(), found.frame()
    assert isinstance(table, Tables)
    assert str(table).strip()
    assert r"\begin{tabular}" in table.latex()
    assert "| --- |" in table.markdown()
    assert isinstance(frame, pd.DataFrame)
    assert len(frame) > 0
    for column in frame.columns:
        assert {f"{column}_lower", f"{column}_upper"} <= set(frame.columns) or f"{column}_lower" not in frame.columns
    data = found.as_dict()
    assert json.loads(json.dumps(data, allow_nan=False))
    assert found.drawable
    with pytest.raises(ValueError, match=f"there is no figure 'pie' of a {kind.__name__}; there are {found.kinds[0]}"):
        found.figure("pie")
    cell = found._repr_html_()  # draws the first figure
    assert "<table" in cell
    assert html.escape(found.alt) in cell
    if isinstance(found, AppealFit):
        assert isinstance(found.figure(style="paper"), Figure)
    for ending in {*WRITTEN} - {".html"}:
        path = found.save(tmp_path / f"file{ending}")
        assert path == tmp_path / f"file{ending}"
        assert path.stat().st_size
    with pytest.raises(ValueError, match=r"must end in one of \.png"):
        found.save(tmp_path / "file.doc")
    assert repr(found)


def test_a_run_with_events_is_a_log_as_its_directory_is(made: dict[type[Result], Result], tmp_path: Path) -> None:
    run = made[Run]
    assert isinstance(run, Run)
    assert oo_sim.evaluate(run, policies=["softmax"]).frame().equals(made[studies.Evaluation].frame())
    assert oo_sim.fit(run, segments=1, starts=1, terms=["is_overdue", "priority"]).yaml == made[Fit].yaml  # type: ignore[attr-defined]
    with pytest.raises(oo_sim.RunLogError, match="in memory, without events: run again with events=True and out=DIR"):
        oo_sim.evaluate(oo_sim.run("quickstart", policies=["random"], users=2, rounds=2), policies=["softmax"])
    for wrong in ({"version": 1}, 3):
        with pytest.raises(TypeError, match="a log is a directory, a table's path, a Run or what open_log returns"):
            oo_sim.evaluate(wrong, policies=["softmax"])  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="a scenario is a Scenario, a file's path or a shipped name"):
            oo_sim.run(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="a scenario is a Scenario, a file's path or a shipped name"):
            oo_sim.compare(wrong)  # type: ignore[arg-type]
