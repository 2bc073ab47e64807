"""Logs that cannot be judged are refused, by row with a count or as a whole, and never with a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oo_sim.audit import UnusableLogError, audit_directory, audit_tables

from .simulator import Row, Simulator

SIMULATOR = Simulator("egreedy", users=3, rounds=12)
DECIDED, LEARNED = SIMULATOR.run()
LOOSE = {
    name: pa.schema([pa.field(f.name, f.type, nullable=True) for f in table.schema if f.name != "candidates"])
    for name, table in (("decisions", DECIDED), ("learnings", LEARNED))
}
STRUCT = pa.struct([("source", pa.string()), ("is_overdue", pa.bool_()), ("task_age_days", pa.float64()),
                    ("priority", pa.int64())])  # fmt: skip
LOOSE["decisions"] = LOOSE["decisions"].append(pa.field("candidates", pa.list_(STRUCT)))
LOOSE = {
    name: pa.schema(pa.field(f.name, {"x": inner, "probs": pa.list_(pa.float64())}.get(f.name, f.type)) for f in schema)
    for (name, schema), inner in zip(
        LOOSE.items(), (pa.list_(pa.list_(pa.float64())), pa.list_(pa.float64())), strict=True
    )
}
NAN = float("nan")


def _spoil(name: str, *edits: Row | Callable[[Row], Row]) -> tuple[pa.Table, pa.Table]:
    """The log with edits made to rows 5, 6, ... of a table; nulls are allowed everywhere."""
    tables = {"decisions": DECIDED, "learnings": LEARNED}
    rows = tables[name].to_pylist()
    for i, edit in enumerate(edits, 5):
        rows[i] |= edit(rows[i]) if callable(edit) else edit
    tables[name] = pa.Table.from_pylist(rows, LOOSE[name])
    return tables["decisions"], tables["learnings"]


def _candidate(**change: Any) -> Callable[[Row], Row]:
    return lambda row: {"candidates": [row["candidates"][0] | change, *row["candidates"][1:]]}


BAD_DECISIONS: list[tuple[str, Row | Callable[[Row], Row]]] = [
    ("policy, replicate or user_id is null", {"user_id": None}),
    ("policy, replicate or user_id is null", {"replicate": None}),
    ("t is null", {"t": None}),
    ("t is below 0", {"t": -1}),
    ("hour is null", {"hour": None}),
    ("hour is outside 0 to 23", {"hour": 24}),
    ("day is outside 0 to 6", {"day": 7}),
    ("candidates is null", {"candidates": None}),
    ("there are no candidates", {"candidates": [], "x": [], "probs": []}),
    ("a candidate is null", lambda row: {"candidates": [None, *row["candidates"][1:]]}),
    (
        "a candidate has a null, a priority other than 1 to 4, or a source other than todoist and llm",
        _candidate(priority=5),
    ),
    (
        "a candidate has a null, a priority other than 1 to 4, or a source other than todoist and llm",
        _candidate(task_age_days=None),
    ),
    (
        "a candidate has a null, a priority other than 1 to 4, or a source other than todoist and llm",
        _candidate(source="mail"),
    ),
    ("x is null", {"x": None}),
    ("x does not have one vector for each candidate", lambda row: {"x": row["x"][1:]}),
    ("a vector of x does not have 7 numbers", lambda row: {"x": [row["x"][0][:6], *row["x"][1:]]}),
    ("a vector of x does not have 7 numbers", lambda row: {"x": [None, *row["x"][1:]]}),
    ("a number of x is null, not finite or above 1e+06 in size", lambda row: {"x": [[NAN] * 7] * len(row["x"])}),
    ("a number of x is null, not finite or above 1e+06 in size", lambda row: {"x": [[None] * 7] * len(row["x"])}),
    ("probs does not have one number for each candidate", {"probs": [1.0]}),
    ("a probability is null, below 0 or above 1", lambda row: {"probs": [-0.1, *row["probs"][1:]]}),
    ("a probability is null, below 0 or above 1", lambda row: {"probs": [None, *row["probs"][1:]]}),
    ("chosen is null", {"chosen": None}),
    ("chosen is not among the candidates", {"chosen": -1}),
    ("chosen is not among the candidates", {"chosen": 30}),
    ("propensity is 0, below 0, above 1 or not a number", {"propensity": 0.0}),
    ("propensity is 0, below 0, above 1 or not a number", {"propensity": 1.5}),
    ("propensity is 0, below 0, above 1 or not a number", {"propensity": NAN}),
    ("score is null", {"score": None}),
    ("score is not finite", {"score": float("inf")}),
    ("an earlier row is the same decision (user and t)", lambda row: {"t": row["t"] - 1}),
]

BAD_LEARNINGS: list[tuple[str, Row | Callable[[Row], Row]]] = [
    ("policy, replicate or user_id is null", {"policy": None}),
    ("seq is null", {"seq": None}),
    ("t_now is null", {"t_now": None}),
    ("t_now is below -1", {"t_now": -5}),
    ("kind is null", {"kind": None}),
    ("kind is neither reward nor reset", {"kind": "guess"}),
    ("x does not have 7 numbers", {"x": None}),
    ("x does not have 7 numbers", {"x": [1.0]}),
    ("a number of x is null, not finite or above 1e+06 in size", {"x": [float("inf")] * 7}),
    ("reward is null, not finite or above 1e+06 in size", {"reward": None}),
    ("reward is null, not finite or above 1e+06 in size", {"reward": NAN}),
    ("reaction is none of dismiss, not_helpful, snooze, helpful, done", {"reaction": "shrug"}),
    ("an earlier row is the same learning (user and seq)", lambda row: {"seq": row["seq"] - 1}),
]


@pytest.mark.parametrize(("reason", "edit"), BAD_DECISIONS)
def test_bad_decisions_are_refused_by_row(reason: str, edit: Row | Callable[[Row], Row]) -> None:
    """Two rows are spoilt and counted, the first is named, and what is left is judged, and right."""
    report = audit_tables(*_spoil("decisions", edit, edit), SIMULATOR.manifest())
    (refused,) = report.refused
    assert (refused.table, refused.reason, refused.count, refused.first_row) == ("decisions", reason, 2, 5)
    assert report.violations == 0, report
    assert not report.clean
    assert sum(policy.decisions for policy in report.policies) == DECIDED.num_rows - 2


@pytest.mark.parametrize(("reason", "edit"), BAD_LEARNINGS)
def test_bad_learnings_are_refused_by_row(reason: str, edit: Row | Callable[[Row], Row]) -> None:
    report = audit_tables(*_spoil("learnings", edit), SIMULATOR.manifest())
    (refused,) = report.refused
    assert (refused.table, refused.reason, refused.count, refused.first_row) == ("learnings", reason, 1, 5)
    assert report.violations == 0, report


JUNK: list[Any] = [None, NAN, float("inf"), -1, 0, 1, 2**31 - 1, 1e300, "", "done", True, [], [[]], [None], [[1.0]], {}]


@given(st.data())
def test_no_junk_brings_a_traceback(data: st.DataObject) -> None:
    """Any cells hold anything that Arrow takes: there is a report, or a refusal of the whole."""
    name = data.draw(st.sampled_from(["decisions", "learnings"]))
    columns = st.sampled_from(LOOSE[name].names)
    edits = data.draw(st.lists(st.dictionaries(columns, st.sampled_from(JUNK), min_size=1), min_size=1, max_size=4))
    try:
        tables = _spoil(name, *edits)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return  # not a table at all
    report = audit_tables(*tables, SIMULATOR.manifest())
    kept = sum(policy.decisions for policy in report.policies)
    refused = sum(each.count for each in report.refused if each.table == "decisions")
    assert kept + refused == DECIDED.num_rows
    assert report.clean == (not report.violations and not report.refused)
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["clean"] is report.clean


@pytest.mark.parametrize("name", ["decisions", "learnings"])
def test_missing_columns_and_wrong_types_are_named(name: str) -> None:
    for column in ("user_id", "x"):
        tables = {"decisions": DECIDED, "learnings": LEARNED}
        tables[name] = tables[name].drop_columns([column])
        with pytest.raises(UnusableLogError, match=f"{name}: no column {column}"):
            audit_tables(tables["decisions"], tables["learnings"], SIMULATOR.manifest())
        tables[name] = tables[name].append_column(column, pa.array([3.5] * tables[name].num_rows))
        with pytest.raises(UnusableLogError, match=f"{name}: column {column} is double; expected "):
            audit_tables(tables["decisions"], tables["learnings"], SIMULATOR.manifest())


MANIFEST: Row = {**SIMULATOR.manifest(), "rows": {}, "users": 3, "replicates": 1, "scenario": {"world": {}}}


def _changed(path: tuple[str | int, ...], value: object) -> Row:
    """The manifest with another value at a place."""
    changed: Any = copy.deepcopy(MANIFEST)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return dict(changed)


@pytest.mark.parametrize("junk", ["one", -1, 1.5, [], {}, {"a": 1}, [1], True], ids=repr)
@pytest.mark.parametrize(
    ("path", "fine"),
    [
        (("policies",), [[]]),
        (("policies", 0), []),
        (("policies", 0, "label"), ["one"]),
        (("policies", 0, "parameters"), [[], {}]),
        (("policies", 0, "parameters", "epsilon"), []),
        (("policies", 0, "parameters", "prior"), [1.5]),
        (("policies", 0, "features", "names"), [[], [1]]),
        (("policies", 0, "llm"), [[], {}, {"a": 1}]),
        (("rows",), [[], {}, {"a": 1}]),
        (("seed",), [-1]),
        (("users",), []),
        (("replicates",), []),
        (("scenario",), [[], {}]),
        (("scenario", "world"), []),
    ],
    ids=str,
)
def test_a_manifest_that_makes_no_sense_is_refused(
    path: tuple[str | int, ...], fine: list[object], junk: object
) -> None:
    """By a message that names the place; what can be read there is judged, until the scenario that cannot."""
    manifest = _changed(path, junk)
    if path[0] != "scenario" and any(junk == each and type(junk) is type(each) for each in fine):
        del manifest["scenario"]
        assert audit_tables(DECIDED, LEARNED, manifest).policies
        return
    if junk in fine:
        assert audit_tables(DECIDED, LEARNED, manifest).world == ""
        return
    with pytest.raises(UnusableLogError, match="manifest: ") as refused:
        audit_tables(DECIDED, LEARNED, manifest)
    named = [str(key) for key in path if isinstance(key, str) and key not in ("policies", "world")]
    assert (named[-1] if named else "polic") in str(refused.value) or "scenario: cannot be read" in str(refused.value)


def test_files(tmp_path: Path) -> None:
    """Files that are missing, not Parquet, cut short or of two schemas: the message names them."""
    with pytest.raises(UnusableLogError, match="is not a directory"):
        audit_directory(tmp_path / "nowhere")
    with pytest.raises(UnusableLogError, match=r"holds no decisions\.parquet"):
        audit_directory(tmp_path)
    pq.write_table(LEARNED, tmp_path / "learnings.parquet")
    whole = tmp_path / "decisions.parquet"
    whole.write_bytes(b"")
    with pytest.raises(UnusableLogError, match=r"decisions\.parquet: is not a readable Parquet file"):
        audit_directory(tmp_path)
    pq.write_table(DECIDED, whole)
    assert audit_directory(tmp_path).policies[0].decisions == DECIDED.num_rows
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnusableLogError, match=r"decisions\.parquet: is not a readable Parquet file"):
        audit_directory(tmp_path)
    whole.write_bytes(content[:400] + bytes(2000) + content[2400:])
    with pytest.raises(UnusableLogError, match=r"decisions\.parquet: row group 0 is damaged"):
        audit_directory(tmp_path)
    pq.write_table(DECIDED, whole)
    pq.write_table(DECIDED.drop_columns(["tip_kind"]), tmp_path / "decisions-2.parquet")
    with pytest.raises(
        UnusableLogError,
        match=r"decisions\.parquet: tip_kind: not as in .*decisions-2\.parquet; the files of a table have the same",
    ):
        audit_directory(tmp_path)
    (tmp_path / "decisions-2.parquet").unlink()
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(UnusableLogError, match=r"manifest\.json: cannot be read as JSON"):
        audit_directory(tmp_path)
