"""One reader for every log: whole users, in any order and any number of parts, with what became of their decisions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import oo_sim
from oo_sim.decide import encode
from oo_sim.errors import RunLogError
from oo_sim.logs import FATES, Log, Part, open_log
from oo_sim.policies import make

POLICIES = ["egreedy:epsilon=0.3", "thompson:samples=5", "thompson", "random"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs with events: rewards at once, late, or never; users who come and leave; vectors."""
    home = tmp_path_factory.mktemp("runs")
    for name in ("tiny_sets", "late_answers", "churn", "silent_users"):
        sizes: Any = {"users": 30, "rounds": 12, "replicates": 2 if name == "silent_users" else 1}
        oo_sim.run(name, policies=POLICIES, **sizes, events=True, out=home / name, plot=False)
    oo_sim.run("linear", policies=["linucb", "random"], users=5, rounds=6, events=True, out=home / "linear", plot=False)
    return {path.name: path for path in home.iterdir()}


def rows_of(log: Log, label: str, **how: Any) -> dict[tuple[str, int, int], tuple[Any, ...]]:
    """Every decision by user, replicate and t, whatever the parts."""
    found: dict[tuple[str, int, int], tuple[Any, ...]] = {}
    for part in log.parts(label, **how):
        raw = [*part.candidates[:4], part.probs]
        for i in range(len(part.t)):
            stands = part.candidates.mask[:, i]
            values = tuple(tuple(np.nan_to_num(column[stands, i], nan=-9.0)) for column in raw)
            key = (*part.lanes[part.lane[i]], int(part.t[i]))
            assert key not in found
            found[key] = (values, part.chosen[i], part.reward[i], FATES[part.fate[i]], part.decision_id[i].as_py())
    return found


def whole(log: Log, label: str) -> Part:
    [part] = log.parts(label, rows=1 << 30)
    return part


@pytest.mark.parametrize("name", ["tiny_sets", "late_answers", "churn", "silent_users", "linear"])
def test_parts_hold_whole_users_and_every_decision_once(runs: dict[str, Path], name: str) -> None:
    log = open_log(runs[name])
    label = log.policies[0].label
    for rows in (1, 100, 1 << 20):
        seen = [lane for part in log.parts(label, rows=rows) for lane in part.lanes]
        assert all(len({lane.replicate for lane in part.lanes}) == 1 for part in log.parts(label, rows=rows))
        assert len(seen) == len(set(seen)) == log.manifest.users * log.manifest.replicates
    assert rows_of(log, label, rows=50) == rows_of(log, label, rows=1 << 20)
    decided = pq.read_table(runs[name] / "decisions.parquet", filters=[("policy", "=", label)])
    assert len(rows_of(log, label)) == decided.num_rows


@pytest.mark.parametrize("name", ["tiny_sets", "late_answers", "silent_users"])
def test_rows_in_any_order_give_the_same(runs: dict[str, Path], tmp_path: Path, name: str) -> None:
    """A server's log is in order of time; the reader sorts it into files, which must change nothing."""
    shutil.copytree(runs[name], tmp_path / "log")
    for table in ("decisions", "learnings"):
        path = tmp_path / "log" / f"{table}.parquet"
        rows = pq.read_table(path)
        order = np.random.default_rng(1).permutation(rows.num_rows)
        pq.write_table(rows.take(pa.array(order)), path, row_group_size=200)
    for label in POLICIES[:2]:
        spilled = rows_of(open_log(tmp_path / "log"), label, rows=100)
        assert spilled == rows_of(open_log(runs[name]), label)


@pytest.mark.parametrize("features", ["oo5", "oo7", "oo7x"])
def test_logged_rows_come_back_as_the_candidates_that_were_offered(tmp_path: Path, features: str) -> None:
    """Encoded again they are the features that were logged, bit for bit."""
    label = f"linucb:features={features}"
    oo_sim.run("commuters", policies=[label], users=20, rounds=15, events=True, out=tmp_path / "run", plot=False)
    log = open_log(tmp_path / "run")
    part = whole(log, label)
    x = encode(make("linucb", {"features": features}), part.candidates)
    logged = log.decisions().table(["user_id", "t", "x"]).to_pylist()  # type: ignore[attr-defined]
    by_key = {(row["user_id"], row["t"]): row["x"] for row in logged}
    for i, lane in enumerate(part.lane):
        k = part.candidates.mask[:, i]
        assert x[k, :, i].tolist() == by_key[part.lanes[lane].user_id, int(part.t[i])]


def test_vectors_come_back(runs: dict[str, Path]) -> None:
    part = whole(open_log(runs["linear"]), "linucb")
    assert part.candidates.vectors is not None
    logged = pq.read_table(runs["linear"] / "decisions.parquet", filters=[("policy", "=", "linucb")])
    first = {(r["user_id"], r["t"]): r["x"] for r in logged.to_pylist()}
    for i, lane in enumerate(part.lane):
        assert part.candidates.vectors[:, :, i].tolist() == first[part.lanes[lane].user_id, int(part.t[i])]


@pytest.mark.parametrize("name", ["tiny_sets", "late_answers", "churn", "silent_users", "linear"])
def test_what_a_policy_explored_saw_and_could_expect_is_joined(runs: dict[str, Path], name: str) -> None:
    """Against a plain loop over the rows of the table, nulls included, in parts of any size."""
    log = open_log(runs[name])
    for label in log.manifest.labels:
        rows = pq.read_table(runs[name] / "decisions.parquet", filters=[("policy", "=", label)]).to_pylist()
        logged = {
            row["decision_id"]: (row["explored"], row["expected_reward"], row["x"][row["chosen"]]) for row in rows
        }
        for part in log.parts(label, rows=100, x=True):
            for i, key in enumerate(part.decision_id.to_pylist()):
                explored = None if np.isnan(part.explored[i]) else bool(part.explored[i])
                assert (explored, part.expected[i], part.x[i].tolist()) == logged.pop(key)
        assert not logged
        assert all(part.x.shape == (len(part.t), 0) for part in log.parts(label))
    assert {np.isnan(part.explored).all() for label in log.manifest.labels for part in log.parts(label)} >= {True}


def test_rewards_are_those_of_the_curves(runs: dict[str, Path]) -> None:
    """What is heard of at once sums up to what the engine summed up."""
    for name in ("tiny_sets", "churn"):
        curves = oo_sim.load_run(runs[name]).curves
        for label in POLICIES:
            part = whole(open_log(runs[name]), label)
            own = curves[curves["policy"] == label]
            assert part.reward.sum() == pytest.approx(own["reward"].sum())
            last = own[own["round"] == own["round"].max()]
            assert (part.fate == FATES.index("rewarded")).sum() == last["rewarded"].sum()
            assert (part.fate == FATES.index("never")).sum() == last["never"].sum()


def test_late_rewards_are_joined_to_their_decisions(runs: dict[str, Path]) -> None:
    """Against a plain loop over the rows of both tables."""
    path = runs["late_answers"]
    learned = {
        r["decision_id"]: r for r in pq.read_table(path / "learnings.parquet").to_pylist() if r["kind"] == "reward"
    }
    label, window = POLICIES[0], open_log(path).manifest.window
    assert window is not None
    assert window > 1
    for within in (None, 0, 1, 3):
        part, limit = (
            next(open_log(path).parts(label, window=within, rows=1 << 30)),
            window if within is None else within,
        )
        for i, key in enumerate(part.decision_id.to_pylist()):
            row = learned.get(key)
            late = row is not None and row["t_now"] - row["t_decided"] > limit
            if row is not None and not late:
                assert (FATES[part.fate[i]], part.reward[i]) == ("rewarded", row["reward"])
            else:
                left = 11 - part.t[i]
                expected = "never" if limit == 0 else "pending" if left < limit else "expired"
                assert (FATES[part.fate[i]], part.reward[i]) == (expected, 0.0)


def test_probabilities_say_what_they_are(runs: dict[str, Path]) -> None:
    rows = pq.read_table(runs["tiny_sets"] / "decisions.parquet", columns=["policy", "probs_kind", "probs_samples"])
    kinds = {(r["policy"], r["probs_kind"], r["probs_samples"]) for r in rows.to_pylist()}
    assert kinds == {
        (POLICIES[0], "exact", None),
        (POLICIES[1], "estimated", 5),
        (POLICIES[2], None, None),
        (POLICIES[3], "exact", None),
    }
    assert np.isnan(whole(open_log(runs["tiny_sets"]), "thompson").propensity).all()


def as_format_1(path: Path) -> None:
    """Take away what format 2 added."""
    manifest = json.loads((path / "manifest.json").read_text())
    for key in ("window", "rows"):
        del manifest[key]
    (path / "manifest.json").write_text(json.dumps(manifest | {"format": 1}))
    for name, later in (("decisions", ["probs_kind", "probs_samples"]), ("learnings", ["tip_id"])):
        table = pq.read_table(path / f"{name}.parquet")
        pq.write_table(table.drop_columns(later), path / f"{name}.parquet", row_group_size=500)


@pytest.mark.parametrize("name", ["tiny_sets", "late_answers"])
def test_format_1_is_read(runs: dict[str, Path], tmp_path: Path, name: str) -> None:
    shutil.copytree(runs[name], tmp_path / "old")
    as_format_1(tmp_path / "old")
    old, new = open_log(tmp_path / "old"), open_log(runs[name])
    assert old.manifest.window == new.manifest.window
    assert rows_of(old, POLICIES[0], rows=100) == rows_of(new, POLICIES[0])
    run = oo_sim.load_run(tmp_path / "old")
    assert run.decisions(["probs_kind"])["probs_kind"].isna().all()
    assert next(iter(run.events("learnings").batches(["tip_id", "seq"], rows=100))).num_rows == 100


def test_row_counts_are_written(runs: dict[str, Path]) -> None:
    for path in runs.values():
        rows = open_log(path).manifest.rows
        assert rows == {name: pq.read_metadata(path / f"{name}.parquet").num_rows for name in rows}
        assert set(rows) == {"decisions", "learnings"}


def edited(runs: dict[str, Path], to: Path, table: str, edit: dict[str, Any], at: Sequence[int] = (7,)) -> Log:
    """The tiny log with some values of some rows replaced."""
    shutil.copytree(runs["tiny_sets"], to)
    rows = pq.read_table(to / f"{table}.parquet")
    data = rows.to_pylist()
    for i in at:
        data[i] |= edit
    pq.write_table(pa.Table.from_pylist(data, rows.schema), to / f"{table}.parquet")
    return open_log(to)


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        ({"chosen": 99}, r"decisions\.parquet: row 7, column chosen: is 99, and \d candidates are on offer"),
        ({"chosen": -1}, r"row 7, column chosen: is -1"),
        ({"candidates": []}, r"row 7, column candidates: is empty"),
        ({"probs": [1.0] * 50}, r"row 7, column probs: has 50 probabilities for \d candidates"),
        ({"x": [[0.0] * 5] * 50}, r"row 7, column x: has 50 vectors for \d candidates; one each is expected"),
    ],
)
def test_rows_that_make_no_decision_are_named(
    runs: dict[str, Path], tmp_path: Path, edit: dict[str, Any], fault: str
) -> None:
    log = edited(runs, tmp_path / "log", "decisions", edit)
    with pytest.raises(RunLogError, match=fault):
        list(log.parts(POLICIES[0], rows=60, x=True))


def test_a_policy_that_is_not_there_is_named(runs: dict[str, Path]) -> None:
    with pytest.raises(RunLogError, match="holds no policy 'linucb'; there are egreedy"):
        next(open_log(runs["tiny_sets"]).parts("linucb"))


def test_a_reward_without_a_decision_is_joined_by_its_tip(runs: dict[str, Path], tmp_path: Path) -> None:
    """To the latest decision by then that served the tip, once; and to none where none did."""
    path = tmp_path / "log"
    shutil.copytree(runs["tiny_sets"], path)
    decided = pq.read_table(path / "decisions.parquet").to_pylist()
    tips = {d["decision_id"]: d["candidates"][d["chosen"]]["id"] for d in decided}
    learned = pq.read_table(path / "learnings.parquet")
    rows = learned.to_pylist()
    mine = [r for r in rows if r["policy"] == POLICIES[0]]
    for r in mine:
        r["tip_id"] = tips[r["decision_id"]]
    for r in mine[::2]:
        r["decision_id"] = r["t_decided"] = None
    mine[2]["tip_id"] = "no such tip"
    pq.write_table(pa.Table.from_pylist(rows, learned.schema), path / "learnings.parquet")
    before, after = whole(open_log(runs["tiny_sets"]), POLICIES[0]), whole(open_log(path), POLICIES[0])
    assert (after.learned.decision == before.learned.decision).mean() > 0.99
    assert (after.learned.decision < 0).sum() == 1


def test_what_stands_together_is_read_in_place(runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulated log needs no temporary files."""
    monkeypatch.setattr("tempfile.TemporaryDirectory", None)
    assert sum(len(part.t) for part in open_log(runs["tiny_sets"]).parts(POLICIES[1], rows=100)) == 30 * 12


def test_memory_is_that_of_a_part(runs: dict[str, Path]) -> None:
    """Parts are about as large as asked for: one lane over at most."""
    for part in open_log(runs["tiny_sets"]).parts(POLICIES[0], rows=100):
        assert len(part.t) <= 100 + 12


def changed(source: Path, copy: Path, table: str, column: str, values: pa.Array | None, first: Any = None) -> Log:
    """The log with another column, or another value in the column's first row."""
    shutil.copytree(source, copy)
    path = copy / f"{table}.parquet"
    rows = pq.read_table(path)
    place, kind = rows.column_names.index(column), rows.schema.field(column).type
    if values is None:
        values = pa.array([first, *rows[column].to_pylist()[1:]], kind)
    pq.write_table(rows.set_column(place, column, values), path)
    return open_log(copy)


@pytest.mark.parametrize(
    ("table", "column", "first", "said"),
    [
        *(
            ("decisions", name, None, "is empty")
            for name in ("user_id", "replicate", "t", "decision_id", "hour", "day", "candidates", "chosen")
        ),
        *(("learnings", name, None, "is empty") for name in ("user_id", "replicate", "seq", "kind", "t_now")),
        ("decisions", "t", -1, "is -1; decisions count from 0"),
        ("decisions", "hour", 24, "is 24; a whole number from 0 to 23 is expected"),
        ("decisions", "hour", -1, "is -1; a whole number from 0 to 23 is expected"),
        ("decisions", "day", 7, "is 7; a whole number from 0 to 6 is expected"),
        ("decisions", "chosen", 99, "is 99, and"),
        ("decisions", "candidates", [], "is empty"),
    ],
)
def test_a_row_that_makes_no_decision_is_refused_by_row_and_column(
    runs: dict[str, Path], tmp_path: Path, table: str, column: str, first: Any, said: str
) -> None:
    """An hour beyond the clock was looked up beyond the table of its sines."""
    log = changed(runs["tiny_sets"], tmp_path / "log", table, column, None, first)
    with pytest.raises(RunLogError) as caught:
        list(log.parts(POLICIES[0]))
    assert f"{table}.parquet: row 0, column {column}: {said}" in str(caught.value)


@pytest.mark.parametrize("column", ["probs", "propensity", "explored", "expected_reward"])
def test_a_column_of_nothing_but_nulls_has_no_type_and_says_that_nothing_is_known(
    runs: dict[str, Path], tmp_path: Path, column: str
) -> None:
    rows = pq.read_metadata(runs["tiny_sets"] / "decisions.parquet").num_rows
    log = changed(runs["tiny_sets"], tmp_path / "log", "decisions", column, pa.nulls(rows))
    part, known = whole(log, POLICIES[0]), whole(open_log(runs["tiny_sets"]), POLICIES[0])
    field = {"expected_reward": "expected"}.get(column, column)
    assert np.isnan(getattr(part, field)).any()
    np.testing.assert_array_equal(part.candidates.mask, known.candidates.mask)
    assert part.decision_id.equals(known.decision_id)


def test_a_number_that_does_not_fit_its_column_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    rows = pq.read_metadata(runs["tiny_sets"] / "decisions.parquet").num_rows
    log = changed(runs["tiny_sets"], tmp_path / "log", "decisions", "chosen", pa.array([1 << 40] * rows))
    with pytest.raises(RunLogError, match="has values of wrong types"):
        list(log.parts(POLICIES[0]))
