"""A table of anybody's is a log: two layouts, CSV and Parquet, and every broken row refused by row and column."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import oo_sim
from oo_sim.errors import FitError, RunLogError
from oo_sim.logs import open_log

Row = dict[str, Any]
ACTIONS = ("call", "mail", "wait")


def actions(users: int = 60, rounds: int = 12, seed: int = 1) -> list[Row]:
    """Users of two kinds, one context, three fixed actions served at random but for a favourite."""
    g, rows = np.random.default_rng(seed), []
    for user in range(users):
        for order in range(rounds):
            x = float(g.integers(0, 2))
            probs = [0.5, 0.3, 0.2]
            a = int(g.choice(3, p=probs))
            mean = {0: 0.2, 1: 0.8 * x, 2: 0.1}[a]
            row = {"user": f"u{user}", "order": order, "context_x": x, "action": ACTIONS[a], "probability": probs[a]}
            rows.append(
                row | {"reward": float(g.random() < mean), "probs": json.dumps(probs), "decision_id": f"{user}-{order}"}
            )
    return rows


def vectors(users: int = 60, rounds: int = 12, seed: int = 1) -> list[Row]:
    """Two to four candidates of three features."""
    g, rows = np.random.default_rng(seed), []
    for user in range(users):
        for order in range(rounds):
            x = g.normal(size=(int(g.integers(2, 5)), 3)).round(3)
            probs = np.full(len(x), 1 / len(x))
            chosen = int(g.integers(len(x)))
            row = {"user": user, "order": order, "x": json.dumps(x.tolist()), "chosen": chosen}
            reward = float(x[chosen, 0] > 0)
            rows.append(
                row | {"probability": float(probs[chosen]), "probs": json.dumps(probs.tolist()), "reward": reward}
            )
    return rows


def tips(users: int = 60, rounds: int = 30, seed: int = 1) -> list[Row]:
    """Two tasks and a tip, and reactions by the simulator's own model: some people like tips, others urgent tasks."""
    g, rows = np.random.default_rng(seed), []
    cuts = np.array([-1.5, -0.5, 0.5, 1.5])
    for user in range(users):
        for order in range(rounds):
            offered = [
                {
                    "source": "llm" if k == 2 else "todoist",
                    "priority": int(g.integers(1, 5)),
                    "is_overdue": int(g.integers(0, 2)),
                    "task_age_days": float(g.integers(0, 20)),
                }
                for k in range(3)
            ]
            chosen = int(g.integers(3))
            like = 3.0 if user % 2 else -3.0
            u = like * (float(str(offered[chosen]["priority"])) - 2.5) / 3 + 0.3 * g.normal()
            code = int((u + g.logistic() > cuts).sum())
            row = {"user": f"u{user}", "order": order, "candidates": json.dumps(offered), "chosen": chosen}
            row |= {"hour": int(g.integers(24)), "day": int(g.integers(7)), "probability": 1 / 3}
            rows.append(row | {"reward": "" if g.random() < 0.1 else (-1.0, -0.5, 0.0, 0.5, 1.0)[code]})
    return rows


def written(path: Path, rows: list[Row]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_parquet(path: Path, rows: list[Row]) -> Path:
    parsed = [row | {key: json.loads(row[key]) for key in ("x", "probs") if key in row} for row in rows]
    pq.write_table(pa.Table.from_pylist(parsed), path)
    return path


@pytest.mark.parametrize("held", [1 << 26, 0], ids=["at once", "in one pass"])
@pytest.mark.parametrize("made", [actions, vectors])
def test_csv_and_parquet_in_any_order_give_the_same(
    tmp_path: Path, made: Callable[[], list[Row]], held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oo_sim.logs.plain_table._CSV_HELD", held)
    rows = made()
    shuffled = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    paths = [
        written(tmp_path / "a.csv", rows),
        written(tmp_path / "b.csv", shuffled),
        as_parquet(tmp_path / "c.parquet", rows),
    ]
    frames = [oo_sim.evaluate(path, ["softmax", "random"]).frame() for path in paths]
    for frame in frames[1:]:
        np.testing.assert_allclose(frame["estimate"], frames[0]["estimate"], rtol=1e-12)
    assert set(frames[0]["verdict"]) == {"answered"}


def test_values_are_those_that_can_be_worked_out(tmp_path: Path) -> None:
    """IPS and SNIPS of the uniform policy over three actions, from the rows by hand."""
    rows = actions()
    found = oo_sim.evaluate(written(tmp_path / "t.csv", rows), ["random"], "passive", estimators=["ips", "snips"])
    w = np.array([1 / 3 / row["probability"] for row in rows]).reshape(60, 12)
    r = np.array([row["reward"] for row in rows]).reshape(60, 12)
    ips, snips = (row.value.estimate for row in found.rows[1:])
    assert ips == pytest.approx((w * r).mean(), rel=1e-12)
    assert snips == pytest.approx((w * r).mean() / w.mean(), rel=1e-12)


def test_a_learner_finds_the_context(tmp_path: Path) -> None:
    """One model an action: a learner mails those whom mail serves, so it earns more than what was logged."""
    found = oo_sim.evaluate(written(tmp_path / "t.csv", actions(400, 40)), ["softmax:temperature=0.05"])
    assert found.rows[1].difference.lower > 0.02


def test_actions_that_were_not_on_offer_are_not_chosen(tmp_path: Path) -> None:
    rows = [
        row | {"actions": "call|mail|wait" if i % 2 else f"{row['action']}|wait2"} for i, row in enumerate(actions())
    ]
    for row in rows:
        if "wait2" in row["actions"]:
            row["probs"] = json.dumps([row["probability"], 1 - row["probability"]])
    [part] = open_log(written(tmp_path / "t.csv", rows)).parts("logged")
    assert set(part.candidates.mask.sum(axis=0)) == {2, 3}
    assert part.candidates.vectors is not None
    assert part.candidates.vectors.shape[1] == 4 * 2


def test_without_the_other_probabilities_it_says_what_is_not_known(tmp_path: Path) -> None:
    rows = [{key: value for key, value in row.items() if key != "probs"} for row in actions()]
    found = oo_sim.evaluate(written(tmp_path / "t.csv", rows), ["random"])
    assert any("unsupported mass is not known" in note for note in found.notes)
    assert found.answered


def edit(**changes: Any) -> Callable[[list[Row]], None]:
    return lambda rows: rows[17].update(changes)


def again(column: str) -> Callable[[list[Row]], None]:
    return lambda rows: rows[17].update({column: rows[16][column]})


def without(column: str) -> Callable[[list[Row]], None]:
    def drop(rows: list[Row]) -> None:
        for row in rows:
            del row[column]

    return drop


def offer(**changes: Any) -> Callable[[list[Row]], None]:
    """The second candidate of a row is changed."""

    def change(rows: list[Row]) -> None:
        offered = json.loads(rows[17]["candidates"])
        offered[1].update(changes)
        rows[17]["candidates"] = json.dumps(offered)

    return change


BROKEN = [
    (tips, edit(hour=24), "line 19, column hour: is not a whole number from 0 to 23"),
    (tips, edit(day=-1), "line 19, column day: is not a whole number from 0 to 6"),
    (tips, edit(chosen=3), "line 19, column chosen: is 3, and 3 candidates are on offer"),
    (tips, offer(priority=None), "line 19, column candidates: has a candidate without a number priority"),
    (tips, offer(source=None), "line 19, column candidates: has a candidate without source"),
    (tips, edit(candidates='["a"]'), "line 19, column candidates: is"),
    (tips, without("hour"), "has candidates and no column hour"),
    (actions, edit(probability=0), "line 19, column probability: is 0"),
    (actions, edit(probability=-0.1), "line 19, column probability: is -0.1"),
    (actions, edit(probability=1.5), "line 19, column probability: is 1.5"),
    (actions, edit(probability=""), "line 19, column probability: is empty"),
    (actions, edit(probability="half"), "line 19, column probability: is 'half'; a number"),
    (actions, edit(probability="nan"), "line 19, column probability: is empty"),
    (actions, edit(probability=0.45), "line 19, column probability: is 0.45, and probs say"),
    (actions, edit(probs="[0.5, 0.3, 0.3]"), "line 19, column probs: sums to 1.1"),
    (actions, edit(probs="[0.5, 0.5]"), "line 19, column probs: has 2 numbers for 3"),
    (actions, edit(probs="[1.5, -0.7, 0.2]"), "line 19, column probs: holds a number outside 0 to 1"),
    (actions, edit(probs="a lot"), "line 19, column probs: is 'a lot'; a JSON list"),
    (actions, edit(probs='["a", "b", "c"]'), "line 19, column probs: is"),
    (actions, edit(reward="inf"), "line 19, column reward: is inf"),
    (actions, edit(reward="good"), "line 19, column reward: is 'good'"),
    (actions, again("decision_id"), "line 19, column decision_id: is '1-4', which another row has too"),
    (actions, again("order"), "line 19, column order: is 4 a second time for user u1"),
    (actions, edit(context_x=""), "line 19, column context_x"),
    (actions, edit(action=""), "line 19, column action"),
    (vectors, edit(chosen=9), "line 19, column chosen: is 9, and"),
    (vectors, edit(chosen=-1), "line 19, column chosen: is -1"),
    (vectors, edit(x="[[1, 2, 3], [1, 2]]"), "line 19, column x: has a vector of another length"),
    (vectors, edit(x="[]"), "line 19, column x: has no candidates"),
    (vectors, edit(x='[["a"]]'), "line 19, column x: is"),
    (actions, without("reward"), "has no column reward; there are user"),
    (actions, without("action"), "needs either x and chosen"),
    (vectors, without("chosen"), "has x and no column chosen"),
]


@pytest.mark.parametrize("held", [1 << 26, 0], ids=["at once", "in one pass"])
@pytest.mark.parametrize(("made", "spoil", "fault"), BROKEN, ids=lambda value: value if isinstance(value, str) else "")
def test_broken_tables_are_refused_by_row_and_column(
    tmp_path: Path,
    made: Callable[[], list[Row]],
    spoil: Callable[[list[Row]], None],
    fault: str,
    held: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("oo_sim.logs.plain_table._CSV_HELD", held)
    rows = made()
    spoil(rows)
    path = written(tmp_path / "broken.csv", rows)
    with pytest.raises(RunLogError) as caught:
        oo_sim.evaluate(path, ["softmax"])
    assert str(caught.value).startswith(f"{path}: ")
    assert fault in str(caught.value)


HEAD = "user,order,action,probability,reward"


@pytest.mark.parametrize("held", [1 << 26, 0], ids=["at once", "in one pass"])
@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([HEAD, "a,1,x,.5,1", "b,1,x,2,1"], "line 3, column probability: is 2"),
        ([HEAD, "", "a,1,x,.5,1", "", "b,1,x,2,1"], "line 5, column probability: is 2"),
        ([HEAD, 'a,1,"x\ny",.5,1', "b,1,x,2,1"], "line 4, column probability: is 2"),
        ([HEAD, "a,1,x,.5,1", "a,2,x,.5"], "line 3: has 4 values for 5 columns"),
        ([HEAD, "a,1,x,.5,1", "", "a,2,x,.5,1,1"], "line 4: has 6 values for 5 columns"),
        ([HEAD.replace(",", ";"), "a;1;x;.5;1"], "it looks separated by semicolons, and commas are expected"),
        ([HEAD.replace(",", "\t"), "a\t1\tx\t.5\t1"], "it looks separated by tabs"),
        ([HEAD.replace("reward", "rewrd"), "a,1,x,.5,1"], "no column reward; did you mean reward by rewrd?"),
        ([f"{HEAD},acts", "a,1,x,.5,1,x|y"], "did you mean actions by acts? Rename it, or leave it out"),
        ([f"{HEAD},prob", "a,1,x,.5,1,[1]"], "did you mean probs by prob?"),
    ],
)
def test_what_is_wrong_in_csv_is_said_by_its_line(
    tmp_path: Path, lines: list[str], said: str, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oo_sim.logs.plain_table._CSV_HELD", held)
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(RunLogError) as caught:
        oo_sim.evaluate(tmp_path / "t.csv", ["softmax"])
    assert said in str(caught.value)


def test_a_row_of_parquet_is_said_by_its_number_from_0(tmp_path: Path) -> None:
    table = {"user": ["a", "b"], "order": [1, 1], "action": ["x", "x"], "probability": [0.5, 2.0], "reward": [1, 1]}
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    with pytest.raises(RunLogError, match="row 1, column probability: is 2"):
        oo_sim.evaluate(tmp_path / "t.parquet", ["softmax"])


@pytest.mark.parametrize(
    ("name", "content"), [("t.txt", "a"), ("t.csv", ""), ("t.parquet", "no"), ("t.csv", "user,order\n")]
)
def test_files_that_are_no_tables_are_named(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(RunLogError, match=name):
        open_log(tmp_path / name)


@pytest.mark.parametrize(
    ("users", "probability", "said"),
    [
        (2, 0.25, "2 users; at least 30 are required"),
        (29, 0.25, "29 users; at least 30 are required"),
        (40, 0.25, "the logged probabilities are not those that were drawn with"),  # no variance to test by, and not 1
        (40, 1.0, "the logged probabilities are not those that were drawn with"),
    ],
)
@pytest.mark.parametrize("question", ["frozen", "passive"])
def test_few_users_are_the_reason_before_weights_and_equal_weights_are_not_right_for_being_equal(
    tmp_path: Path, users: int, probability: float, said: str, question: str
) -> None:
    rows: list[Row] = [
        {"user": f"u{i}", "order": t, "action": "ab"[t], "probability": probability, "reward": t}
        for i in range(users)
        for t in range(2)
    ]
    found = oo_sim.evaluate(written(tmp_path / "few.csv", rows), ["softmax"], question)  # type: ignore[arg-type]
    assert "(p = " not in found.rows[-1].reason
    assert found.rows[-1].reason.startswith(said)
    assert found.rows[-1].verdict == "refused"


def test_tasks_and_tips_of_ones_own_are_evaluated_on_the_simulators_features_and_fitted(tmp_path: Path) -> None:
    path = written(tmp_path / "own.csv", tips())
    found = oo_sim.evaluate(path, ["linucb:features=oo5", "softmax"])
    assert {row.verdict for row in found.rows} <= {"answered", "weak"}
    fit = oo_sim.fit(path, terms="priority", segments=2, starts=1)
    assert sorted(np.sign(fit.people.mean[:, 1])) == [-1.0, 1.0]  # the two kinds of people
    assert fit.surely_assigned > 0.9
    assert fit.scenario.users == 60


@pytest.mark.parametrize(
    ("made", "change", "why"),
    [
        (tips, edit(reward=0.7), "line 19, column reward: is 0.7, which is not a reaction; .* or rewards of -1, -0.5"),
        (actions, edit(), "candidates are vectors; a fit requires tasks and tips"),
    ],
)
def test_tables_that_cannot_be_fitted_are_refused(
    tmp_path: Path, made: Callable[[], list[Row]], change: Callable[[list[Row]], None], why: str
) -> None:
    rows = made()
    change(rows)
    with pytest.raises((FitError, RunLogError), match=why):
        oo_sim.fit(written(tmp_path / "t.csv", rows))


@pytest.mark.parametrize("write", [as_parquet, written])
@pytest.mark.parametrize("made", [actions, vectors])
def test_a_large_table_streams_to_the_same_numbers(
    tmp_path: Path,
    made: Callable[[], list[Row]],
    write: Callable[[Path, list[Row]], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write(tmp_path / ("t.csv" if write is written else "t.parquet"), made())
    frames = [oo_sim.evaluate(path, ["softmax", "linucb"]).frame()]
    monkeypatch.setattr("oo_sim.logs.plain_table._HELD", 10)
    monkeypatch.setattr("oo_sim.logs.plain_table._CSV_HELD", 0)
    for batch in (7, 1 << 14):
        monkeypatch.setattr("oo_sim.logs.plain_table._BATCH", batch)
        monkeypatch.setattr("oo_sim.studies.evaluating._ROWS", 100)
        frames.append(oo_sim.evaluate(path, ["softmax", "linucb"]).frame())
    for frame in frames[1:]:
        numbers = frame.select_dtypes("number").columns
        np.testing.assert_allclose(frame[numbers], frames[0][numbers], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda rows: rows.append(rows.pop(0) | {"decision_id": "other"}), "not in order: see user u0"),
        (lambda rows: rows.insert(0, rows.pop(1)), "not in order: see user u0"),
        (again("order"), "not in order: see user u1"),
        (again("decision_id"), "row 17, column decision_id: is '1-4', which another row has too"),
        (edit(probability=-1.0), "row 17, column probability: is -1"),
        (edit(reward=np.inf), "row 17, column reward: is inf"),
    ],
)
def test_a_large_table_is_refused_with_what_to_do(
    tmp_path: Path, change: Callable[[list[Row]], None], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = actions()
    change(rows)
    monkeypatch.setattr("oo_sim.logs.plain_table._HELD", 10)
    monkeypatch.setattr("oo_sim.logs.plain_table._BATCH", 100)
    with pytest.raises(RunLogError, match=why):
        oo_sim.evaluate(as_parquet(tmp_path / "t.parquet", rows), ["softmax"])


@pytest.mark.parametrize(("made", "features"), [(actions, 6), (vectors, 3), (tips, 0)])
def test_a_table_has_the_features_of_what_was_served_and_nothing_that_it_does_not_say(
    tmp_path: Path, made: Callable[[], list[Row]], features: int
) -> None:
    """One's own tasks and tips were not seen by a policy of this simulator, so they have no features."""
    log = open_log(written(tmp_path / "t.csv", rows := made()))
    assert all(part.x.shape == (len(part.t), 0) for part in log.parts("logged"))
    for part in log.parts("logged", rows=50, x=True):
        assert np.isnan([part.explored, part.expected]).all()
        assert part.x.shape == (len(part.t), features)
        if made is vectors:
            assert part.x.tolist() == [json.loads(rows[i]["x"])[rows[i]["chosen"]] for i in part.row]


def test_a_large_csv_leaves_nothing_behind_and_says_where_a_column_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oo_sim.logs.plain_table._CSV_HELD", 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "room"))
    (tmp_path / "room").mkdir()
    rows = actions(users=1000, rounds=30)
    log = open_log(written(tmp_path / "t.csv", rows))
    assert len(list((tmp_path / "room").iterdir())) == 1
    assert sum(len(part.t) for part in log.parts("logged")) == 30_000
    del log
    assert list((tmp_path / "room").iterdir()) == []
    rows[-1]["order"] = 0.5
    with pytest.raises(RunLogError, match=r"line 30001, column order: is '0.5'; a value like those of the first rows"):
        open_log(written(tmp_path / "t.csv", rows))
    assert list((tmp_path / "room").iterdir()) == []
