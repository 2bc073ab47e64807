"""Columns of anybody's table: types that say the same are read alike, others are refused by their column."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oo_sim.errors import RunLogError
from oo_sim.logs import open_log
from oo_sim.logs.reader import Part

Change = Callable[[pa.Array], pa.Array]

N = 6
_OFFER: list[dict[str, Any]] = [
    {"source": "llm", "priority": 1, "is_overdue": 0, "task_age_days": 1.5},
    {"source": "todoist", "priority": 2, "is_overdue": 1, "task_age_days": 0.0},
]
_COMMON = {
    "user": list("aabbcc"),
    "order": [0, 1] * 3,
    "probability": [0.5] * N,
    "reward": [1.0, 0.0, None, 1.0, 0.0, 1.0],
    "decision_id": ["d0", None, "d2", "d3", None, "d5"],
    "probs": [[0.5, 0.5]] * N,
}
OFFERS: dict[str, dict[str, list[Any]]] = {
    "action": {"action": list("xyxyxy"), "actions": [["x", "y"]] * N, "context_a": [0.0, 1.0] * 3},
    "x": {"x": [[[1.0, 0.0], [0.0, 1.0]]] * N, "chosen": [0, 1] * 3},
    "candidates": {"candidates": [_OFFER] * N, "chosen": [0, 1] * 3, "hour": [9] * N, "day": [6] * N},
}


def part(path: Path, way: str, held: int, monkeypatch: pytest.MonkeyPatch, **changes: Change) -> Part:
    """All rows of a table, some columns of which are of another type."""
    monkeypatch.setattr("oo_sim.logs.plain_table._HELD", held)
    made = {name: pa.array(values) for name, values in {**_COMMON, **OFFERS[way]}.items()}
    pq.write_table(pa.table(made | {name: change(made.get(name)) for name, change in changes.items()}), path)
    [found] = open_log(path).parts("logged", x=True)
    return found


def to(kind: pa.DataType) -> Change:
    return lambda column: column.cast(kind)


def of(*values: Any, kind: pa.DataType | None = None) -> Change:
    return lambda column: pa.array(list(values) * (N // len(values)), kind)


def coded(column: pa.Array) -> pa.Array:
    return column.dictionary_encode()


def hours(zone: str | None) -> Change:
    return of(*(dt.datetime(2025, 1, 1, h, tzinfo=dt.UTC) for h in (8, 9)), kind=pa.timestamp("us", zone))


def remade(kind: pa.DataType) -> Change:
    return lambda column: pa.array(column.to_pylist(), kind)


_STRUCT = pa.struct(
    [
        ("source", pa.dictionary(pa.int32(), pa.string())),
        ("priority", pa.int8()),
        ("is_overdue", pa.int8()),
        ("task_age_days", pa.float32()),
        ("more", pa.int8()),
    ]
)
ALIKE: list[tuple[str, str, Change]] = [
    *(("action", name, coded) for name in ("user", "order", "probability", "reward", "decision_id", "action")),
    *(("action", name, to(pa.large_string())) for name in ("user", "decision_id", "action")),
    *(("action", name, to(pa.string_view())) for name in ("user", "decision_id", "action")),
    ("action", "order", to(pa.float32())),
    *(("action", "order", hours(zone)) for zone in (None, "UTC", "Europe/Berlin")),
    ("action", "order", of(dt.date(2025, 1, 1), dt.date(2025, 1, 2))),
    ("action", "probability", to(pa.float32())),
    ("action", "probability", to(pa.string())),
    ("action", "reward", to(pa.int8())),
    ("action", "actions", of("x | y")),
    ("action", "actions", lambda _: pa.array(["x|y"] * N).dictionary_encode()),
    ("action", "actions", remade(pa.large_list(pa.large_string()))),
    ("action", "context_a", to(pa.int8())),
    ("action", "__row", of(7)),
    ("x", "probs", of("[0.5, 0.5]")),
    ("x", "probs", lambda _: pa.array(["[0.5, 0.5]"] * N).dictionary_encode()),
    ("x", "probs", remade(pa.list_(pa.float32(), 2))),
    ("x", "x", remade(pa.large_list(pa.list_(pa.float32(), 2)))),
    ("x", "x", remade(pa.list_(pa.list_(pa.int8())))),
    ("x", "chosen", to(pa.float64())),
    ("x", "chosen", to(pa.string())),
    ("candidates", "candidates", remade(pa.list_(_STRUCT))),
    ("candidates", "hour", to(pa.string())),
]


@pytest.mark.parametrize("held", [1 << 20, 1], ids=["whole", "in batches"])
@pytest.mark.parametrize(("way", "name", "change"), ALIKE)
def test_a_column_of_another_type_that_says_the_same_is_read_alike(
    tmp_path: Path, way: str, name: str, change: Change, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = part(tmp_path / "a.parquet", way, 1 << 20, monkeypatch)
    other = part(tmp_path / "b.parquet", way, held, monkeypatch, **{name: change})
    assert other.lanes == plain.lanes
    assert other.decision_id.to_pylist() == plain.decision_id.to_pylist()
    for field in ("t", "row", "chosen", "probs", "propensity", "reward", "x"):
        np.testing.assert_array_equal(getattr(other, field), getattr(plain, field), err_msg=field)
    for one, two in zip(other.candidates, plain.candidates, strict=True):
        assert (one is None) is (two is None)
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("held", [1 << 20, 1], ids=["whole", "in batches"])
@pytest.mark.parametrize("name", ["probs", "decision_id", "reward"])
def test_a_column_without_any_value_says_that_nothing_is_known(
    tmp_path: Path, name: str, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = part(tmp_path / "t.parquet", "x", held, monkeypatch, **{name: lambda _: pa.nulls(N)})
    assert np.isnan(found.probs).all() == (name == "probs")
    assert found.decision_id.null_count == (N if name == "decision_id" else 2)
    assert found.reward.any() == (name != "reward")


def test_whole_numbers_above_2_to_the_53_are_rounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = part(tmp_path / "t.parquet", "action", 1, monkeypatch, context_a=of((1 << 60) + 1))
    assert found.x.max() == 2.0**60


UNLIKE: list[tuple[str, str, Change, str]] = [
    ("action", "user", lambda _: pa.nulls(N), "row 0, column user: is empty"),
    ("action", "user", of(np.nan, np.nan, 1.0), "row 0, column user: is not a finite number"),
    ("action", "order", to(pa.string()), "column order holds string; a number or a time"),
    ("action", "probability", lambda _: pa.nulls(N), "row 0, column probability: is empty"),
    ("action", "reward", to(pa.bool_()), "column reward holds bool; numbers are"),
    ("action", "decision_id", of([1]), "column decision_id holds list"),
    ("action", "decision_id", of("", "d"), "row 3, column decision_id: is 'd', which another row has too"),
    ("action", "action", of(["x"]), "column action holds list"),
    ("action", "actions", of(1), "column actions holds int64; lists of names"),
    ("action", "actions", lambda _: pa.nulls(N), "row 0, column actions: is empty"),
    ("action", "context_a", of("warm"), "row 0, column context_a: is 'warm'; a number"),
    ("action", "context_a", lambda _: pa.nulls(N), "row 0, column context_a: is empty"),
    ("x", "probs", of(0.5), "column probs holds double; a list of numbers is"),
    ("x", "probs", of(["a", "b"]), "column probs holds list"),
    ("x", "x", of(1.0), "column x holds double; a list of vectors is"),
    ("x", "x", of([1.0, 2.0]), "column x holds list"),
    ("x", "x", of([["a"], ["b"]]), "column x holds list"),
    ("x", "x", of([{"a": 1}]), "column x holds list"),
    ("x", "x", lambda _: pa.nulls(N), "row 0, column x: is empty"),
    ("x", "chosen", of(0.5), "row 0, column chosen: is not a whole number"),
    ("x", "chosen", of(1 << 63, kind=pa.uint64()), "column chosen must hold whole numbers"),
    ("x", "chosen", of("one"), "row 0, column chosen: is 'one'; a number"),
    ("x", "chosen", of(*[True]), "column chosen holds bool; numbers are"),
    ("x", "chosen", hours(None), "column chosen holds timestamp"),
    ("candidates", "candidates", of(["a"]), "column candidates holds list"),
    ("candidates", "candidates", of([{"source": "llm", "priority": 1}]), "column candidates holds list"),
    ("candidates", "candidates", of([{**_OFFER[0], "priority": "x"}]), "column candidates holds list"),
    ("candidates", "candidates", of([{**_OFFER[0], "source": 1}]), "column candidates holds list"),
    ("candidates", "hour", hours("UTC"), "column hour holds timestamp"),
]


@pytest.mark.parametrize("held", [1 << 20, 1], ids=["whole", "in batches"])
@pytest.mark.parametrize(("way", "name", "change", "said"), UNLIKE)
def test_a_column_that_cannot_say_what_is_expected_is_refused_by_name(
    tmp_path: Path, way: str, name: str, change: Change, said: str, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunLogError) as caught:
        part(tmp_path / "t.parquet", way, held, monkeypatch, **{name: change})
    assert said in str(caught.value)


_HEAD, _ROWS = "user,order,action,probability,reward", "ü,1,x,.5,1\nü,2,x,.5,\n"


@pytest.mark.parametrize("held", [1 << 26, 0], ids=["at once", "in one pass"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{_HEAD}\n{_ROWS}".encode(), ""),
        (f"{_HEAD}\n{_ROWS}".encode("utf-8-sig"), ""),
        (f"{_HEAD}\n{_ROWS}".replace("\n", "\r\n").encode("utf-8-sig"), ""),
        ((_HEAD.replace("user", '"user"') + "\n" + _ROWS.replace("ü", '"ü"')).encode("utf-8-sig"), ""),
        (f"{_HEAD},notes,notes,__row\n{_ROWS}".replace("1\n", "1,a,b,c\n").replace(",\n", ",,a,b,c\n").encode(), ""),
        (f"{_HEAD},probs\n{_ROWS}".replace("1\n", "1,\n").replace(".5,\n", ".5,,\n").encode(), ""),
        (f"{_HEAD}\n{_ROWS}".encode("latin-1"), "is not UTF-8"),
        (f"{_HEAD}\n{_ROWS}".encode("utf-16"), "is text in UTF-16; save it as UTF-8"),
        (
            f"{_HEAD}\n{_ROWS}".replace("\nü", "\nü,ü").replace("user", "user,user").encode(),
            "has 2 columns user; one is expected",
        ),
        (f"{_HEAD}\n{_ROWS}".replace("user", " User").encode(), "did you mean user by  User?"),
        (f"{_HEAD}\n{_ROWS}".replace("ü,", "ü,step ").encode(), "column order holds string"),
        (f"{_HEAD.replace('action', 'x,chosen')}\n{_ROWS}".replace("x,.5", "1,0,.5").encode(), "a list of vectors is"),
    ],
)
def test_csv_as_spreadsheets_write_it_is_read_or_refused(
    tmp_path: Path, text: bytes, said: str, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oo_sim.logs.plain_table._CSV_HELD", held)
    (tmp_path / "t.csv").write_bytes(text)
    if said:
        with pytest.raises(RunLogError) as caught:
            open_log(tmp_path / "t.csv")
        assert said in str(caught.value)
    else:
        [found] = open_log(tmp_path / "t.csv").parts("logged")
        assert found.lanes == [("ü", 0)]
        assert found.reward.tolist() == [1.0, 0.0]
