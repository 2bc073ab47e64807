"""An export holds every row once, whatever their number, and says what it is."""

from __future__ import annotations

import json
import sqlite3
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from oo_sim import logs
from oo_sim.serving.database import FILE, prepare
from oo_sim.serving.export import ROWS, export_log
from oo_sim.serving.mounts import Mounts

from .conftest import Client, serving, task

COUNTS = (ROWS - 1, ROWS, ROWS + 1)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with as many decisions and learnings of linucb as make one batch and one more, and some of egreedy: those
    that a server wrote, over and over with other users and numbers."""
    state = tmp_path_factory.mktemp("export") / "state"
    with serving(state, policies=["thompson:samples=4", "thompson1=thompson"], seed=1) as client:
        for policy in ("linucb", "egreedy", "thompson", "thompson1"):
            _use(client, policy)
    db = sqlite3.connect(state / FILE)
    with db:
        for table in ("decisions", "learnings"):
            names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")][1:]  # all but n
            [template] = db.execute(f"SELECT {', '.join(names)} FROM {table} WHERE policy = 1").fetchall()
            rows = [dict(zip(names, template, strict=True)) | {"user": f"u{i:04}"} for i in range(ROWS)]
            marks = ", ".join(f":{name}" for name in names)
            db.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)
    db.close()
    return state


def _use(client: Client, policy: str) -> None:
    reply = client.post(f"/score/{policy}", {"user_id": "first", "candidates": [task("a"), task("b", priority=4)]})
    client.post("/react", {"decision_id": reply["decision_id"], "reaction": "helpful"})


def _cut(full: Path, state: Path, rows: int) -> None:
    """A copy with so many decisions and learnings of linucb."""
    state.mkdir()
    source, copy = sqlite3.connect(full / FILE), sqlite3.connect(state / FILE)
    source.backup(copy)
    with copy:
        for table in ("decisions", "learnings"):
            copy.execute(
                f"DELETE FROM {table} WHERE policy = 1 AND n NOT IN "
                f"(SELECT n FROM {table} WHERE policy = 1 ORDER BY n LIMIT {rows})"
            )
    source.close()
    copy.close()


@pytest.mark.parametrize("rows", COUNTS)
def test_every_row_is_exported_once(full: Path, tmp_path: Path, rows: int) -> None:
    """Around the number of rows that are held at once."""
    _cut(full, tmp_path / "state", rows)
    assert export_log(tmp_path / "state", tmp_path / "out") == (rows + 3, rows + 3)
    expected = ["first", *(f"u{i:04}" for i in range(rows - 1))]
    for table in ("decisions", "learnings"):
        found = pq.read_table(tmp_path / "out" / f"{table}.parquet").to_pylist()
        assert [row["user_id"] for row in found if row["policy"] == "linucb"] == expected
        assert [row["policy"] for row in found[rows:]] == ["egreedy", "thompson", "thompson1"]
        assert {row["decision_id"] for row in found} == {
            f"{row['policy']}/0/{row['t' if table == 'decisions' else 't_decided']}/{row['user_id']}" for row in found
        }
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["rows"] == {"decisions": rows + 3, "learnings": rows + 3}
    log = logs.open_log(tmp_path / "out")
    parts = list(log.parts("linucb", window=3600.0))
    assert sum(len(part.t) for part in parts) == rows
    assert all((part.reward == 0.5).all() for part in parts)


def test_it_says_what_the_probabilities_are(full: Path, tmp_path: Path) -> None:
    export_log(full, tmp_path / "out")
    rows = {row["policy"]: row for row in pq.read_table(tmp_path / "out" / "decisions.parquet").to_pylist()}
    kinds = {policy: (row["probs_kind"], row["probs_samples"], row["probs"] is None) for policy, row in rows.items()}
    assert kinds == {
        "linucb": ("exact", None, False),
        "egreedy": ("exact", None, False),
        "thompson": ("estimated", 4, False),
        "thompson1": (None, None, True),
    }


@pytest.mark.parametrize(("window", "own"), [(None, True), (3600.0, True), (0.5, False)])
def test_it_says_when_it_was_made_and_what_the_operator_knows(tmp_path: Path, window: float | None, own: bool) -> None:
    prepare(tmp_path / "state", Mounts().all.values(), 1)
    before = time.time()
    export_log(tmp_path / "state", tmp_path / "out", window=window, own_trajectory=own)
    manifest: dict[str, Any] = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["format"] == 2
    assert (manifest["window"], manifest["own_trajectory"]) == (window, own)
    assert before - 1e-3 <= datetime.fromisoformat(manifest["exported_at"]).timestamp() <= time.time()
    assert manifest["rows"] == {"decisions": 0, "learnings": 0}


def test_the_tip_of_a_reward_without_decision_is_kept(tmp_path: Path) -> None:
    with serving(tmp_path / "state", seed=1) as client:
        client.post("/score", {"user_id": "u", "candidates": [task("a")]})
        client.post("/reward", {"user_id": "u", "tip_id": "a", "reward": 1, "features": {}})
        client.post("/reset/u")
    export_log(tmp_path / "state", tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "learnings.parquet").to_pylist()
    assert [(row["kind"], row["decision_id"], row["tip_id"]) for row in rows] == [
        ("reward", None, "a"),
        ("reset", None, None),
    ]


def test_a_state_of_format_1_goes_on_and_is_exported_whole(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(state, seed=1) as client:
        _use(client, "linucb")
        client.post("/reward", {"user_id": "v", "tip_id": "a", "reward": 1, "features": {}})
    db = sqlite3.connect(state / FILE)
    with db:
        db.execute("ALTER TABLE learnings DROP COLUMN tip_id")
        db.execute("UPDATE meta SET value = '1' WHERE key = 'format'")
    db.close()
    with serving(state) as client:
        _use(client, "linucb")
    export_log(state, tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "learnings.parquet").to_pylist()
    assert [(row["user_id"], row["tip_id"]) for row in rows] == [
        ("first", "b"),
        ("v", None),
        ("first", rows[2]["tip_id"]),
    ]
    assert rows[2]["tip_id"] in ("a", "b")
