"""What logs hold is recorded column by column: a fault on the way to the file shows, though no decision has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oo_sim.gate import logged
from oo_sim.logs import events, recorder
from oo_sim.logs.schema import SCHEMAS


@pytest.fixture(scope="module")
def sound() -> dict[str, str]:
    return logged.logged()


def test_every_column_of_every_run_is_in_it_and_is_the_same_again(sound: dict[str, str]) -> None:
    columns = {f"{table}.{name}" for table in ("decisions", "learnings") for name in SCHEMAS[table].names}
    assert set(sound) == {f"{world} {column}" for world in logged.RUNS for column in columns}
    assert list(logged.other(sound, logged.logged())) == []


def test_what_differs_is_named() -> None:
    before = {"a decisions.t": "1", "a decisions.x": "2", "a decisions.old": "3"}
    now = {"a decisions.t": "1", "a decisions.x": "4", "a decisions.new": "3"}
    assert list(logged.other(before, now)) == [
        ("a decisions.x", "holds other values"),
        ("a decisions.old", "is recorded, and is not written any more"),
        ("a decisions.new", "is not recorded"),
    ]


FAULTS = {
    "a group loses its last user": (
        "rows = np.flatnonzero(keep)\n",
        "rows = np.flatnonzero(keep)[:-1]\n",
        "user_id",
    ),
    "the order of learnings stands still": ("            self._seq += learn[:n]\n", "", "learnings.seq"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_writing_shows(sound: dict[str, str], fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after, column = FAULTS[fault]
    source = Path(str(recorder.__file__)).read_text(encoding="utf-8")
    assert source.count(before) == 1
    planted: dict[str, Any] = {"__name__": recorder.__name__}
    exec(compile(source.replace(before, after), str(recorder.__file__), "exec"), planted)  # noqa: S102 (our own source)
    monkeypatch.setattr("oo_sim.experiment.working.Recorder", planted["Recorder"])
    found = [name for name, _ in logged.other(sound, logged.logged())]
    assert any(name.endswith(column) for name in found), found


def test_a_column_that_holds_another_value_shows(sound: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    write: Callable[..., Any] = events.decision_batch

    def wrong(*given: Any, **named: Any) -> Any:
        return write(*given, **named | {"expected": named["best"]})

    monkeypatch.setattr("oo_sim.logs.recorder.decision_batch", wrong)
    found = {name.partition(".")[2] for name, _ in logged.other(sound, logged.logged())}
    assert found == {"expected_reward"}
