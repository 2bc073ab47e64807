"""The fixed trace: the same as another process recorded it, whole, and different where the server is."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from oo_sim.cli import gate_served
from oo_sim.serving import export, ledger
from oo_sim.serving.trace import difference, run_trace


@pytest.fixture(scope="module")
def trace() -> list[str]:
    return run_trace()


def test_it_holds_everything(trace: list[str]) -> None:
    called = Counter(re.sub(r"(/[a-z]+).*", r"\1", line.partition(" ")[2]) for line in trace)
    for call in ("score", "reward", "react", "recommend", "generate", "reset"):
        assert called[f"POST /{call}"] >= 3, call
    for call in ("stats", "features", "health"):
        assert called[f"GET /{call}"] >= 3, call
    assert [line.partition(" ")[2] for line in trace[-9:]] == [
        f"export of {rows} rows: {table}"
        for rows in (2047, 2048, 2049)
        for table in ("manifest", "decisions", "learnings")
    ]


def test_this_repository_serves_as_it_was_recorded(trace: list[str]) -> None:
    path = Path(__file__).parents[2] / "scenarios" / "baselines" / gate_served.FILE
    recorded = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert difference(recorded, trace) is None, 'oo-sim gate accept --served --reason "..."'


def test_differences_are_named(trace: list[str]) -> None:
    changed = [*trace[:6], "000000000000 " + trace[6].partition(" ")[2], *trace[7:]]
    assert difference(trace, changed) == (f"step 7 of {len(trace)}, {trace[6].partition(' ')[2]}: its result differs")
    assert difference(trace, trace[:-1]) == f"the trace has {len(trace) - 1} steps, and had {len(trace)}"
    assert "was expected here" in str(difference(trace, trace[1:]))


FAULTS = {
    "a snooze is learned again": (ledger, "if taken.reward is not None:", "if taken.reward:"),
    "late rewards are of now": (ledger, "now if reward.t is None else reward.t, now", "now, now"),
    "a reset keeps the state": (ledger, "since=model.decisions,", "since=model.decisions, state=model.state,"),
    "a reset is logged one late": (ledger, "now_us(), model.decisions - 1", "now_us(), model.decisions"),
    "an export loses what fills no batch": (
        export,
        "            sink.write(batch)\n",
        "            batch.num_rows > 1 and sink.write(batch)\n",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_show(trace: list[str], fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line of the source is changed each time."""
    module, before, after = FAULTS[fault]
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert source.count(before) == 1
    planted: dict[str, object] = {"__name__": module.__name__}
    exec(compile(source.replace(before, after), str(module.__file__), "exec"), planted)  # noqa: S102 (our own source)
    if module is ledger:
        monkeypatch.setattr("oo_sim.serving.app.Ledger", planted["Ledger"])
    else:
        monkeypatch.setattr("oo_sim.serving.trace.export_log", planted["export_log"])
    assert difference(trace, run_trace()) is not None
