"""The log of a state directory as the Parquet tables of a run: decisions and learnings, written as they are read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from oo_sim import __version__
from oo_sim.logs import DECISIONS, LEARNINGS, LoggedPolicy, Manifest, RunWriter
from oo_sim.serving.database import connect, seed_of
from oo_sim.serving.ids import DecisionId
from oo_sim.serving.rows import Offered

ROWS = 2048
"""Rows that are held at once."""


def export_log(
    state_dir: Path, out: Path, *, window: float | None = None, own_trajectory: bool = True
) -> tuple[int, int]:
    """Write `decisions.parquet`, `learnings.parquet` and a manifest that describes the policies and the seed into the
    new directory `out`; how many decisions and learnings there are. The server may go on meanwhile: what is written
    is the state of one moment, `exported_at`.

    `window` says for how many seconds after a decision its reward counts: the server itself takes rewards at any time.
    `own_trajectory` says whether what is offered depends on what was served before, as tasks that are done are not
    offered again; the server does not know. Raises ServingError and RunLogError."""
    db = connect(state_dir)
    try:
        db.execute("BEGIN")
        with RunWriter(out) as writer:
            writer.write_manifest(_manifest(db, window, own_trajectory))
            counts = [_write(db, writer, table) for table in ("decisions", "learnings")]
            writer.commit()
        return counts[0], counts[1]
    finally:
        db.close()


def _manifest(db: sqlite3.Connection, window: float | None, own_trajectory: bool) -> Manifest:
    described = db.execute("SELECT description FROM variants ORDER BY id").fetchall()
    return Manifest(
        name="served",
        policies=tuple(LoggedPolicy.from_dict(json.loads(text)) for (text,) in described),
        seed=seed_of(db),
        users=db.execute("SELECT COUNT(DISTINCT user) FROM decisions").fetchone()[0],
        rounds=db.execute("SELECT COALESCE(MAX(t) + 1, 0) FROM decisions").fetchone()[0],
        own_trajectory=own_trajectory,
        window=window,
        exported_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        versions={"oo-sim": __version__},
        served=True,
    )


def _write(db: sqlite3.Connection, writer: RunWriter, table: str) -> int:
    """Write one table, policy by policy, each in the order in which things happened."""
    rows_of, schema = (_decisions, DECISIONS) if table == "decisions" else (_learnings, LEARNINGS)
    count = 0
    for number, label in db.execute("SELECT id, label FROM policies ORDER BY id").fetchall():
        sink = writer.part(table, number, 0, 0)
        for batch in _batches(rows_of(db, number, label), schema):
            sink.write(batch)
            count += batch.num_rows
        sink.close()
    return count


def _batches(rows: Iterator[dict[str, Any]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for _, group in groupby(enumerate(rows), lambda pair: pair[0] // ROWS):
        yield pa.RecordBatch.from_pylist([row for _, row in group], schema=schema)


def _decisions(db: sqlite3.Connection, policy: int, label: str) -> Iterator[dict[str, Any]]:
    found = db.cursor()
    found.row_factory = sqlite3.Row
    found.execute(
        "SELECT d.*, v.hash AS policy_hash, v.description AS description "
        "FROM decisions d JOIN variants v ON v.id = d.variant "
        "WHERE d.policy = ? ORDER BY d.n",
        (policy,),
    )
    for row in found:
        offered = [Offered(*one) for one in json.loads(row["candidates"])]
        samples = None if row["probs"] is None else _samples(row["description"])
        kept = ("policy_hash", "t", "ts", "hour", "day", "chosen", "propensity", "score")
        yield {
            **{name: row[name] for name in (*kept, "prompt_version", "llm_model", "tip_kind")},
            **_whose(row, label),
            "decision_id": str(DecisionId(label, row["t"], row["user"])),
            "candidates": [one._asdict() for one in offered],
            "x": np.frombuffer(row["x"]).reshape(len(offered), -1).tolist(),
            "probs": None if row["probs"] is None else np.frombuffer(row["probs"]).tolist(),
            "probs_kind": None if row["probs"] is None else "exact" if samples is None else "estimated",
            "probs_samples": samples,
            "explored": None if row["explored"] is None else bool(row["explored"]),
        }


def _learnings(db: sqlite3.Connection, policy: int, label: str) -> Iterator[dict[str, Any]]:
    found = db.cursor()
    found.row_factory = sqlite3.Row
    found.execute(  # states of format 1 did not note down which tip a reward was about
        "SELECT l.*, d.candidates, d.chosen FROM learnings l LEFT JOIN decisions d "
        "ON l.tip_id IS NULL AND d.user = l.user AND d.policy = l.policy AND d.t = l.t_decided "
        "WHERE l.policy = ? ORDER BY l.n",
        (policy,),
    )
    for row in found:
        t = row["t_decided"]
        old = None if row["candidates"] is None else Offered(*json.loads(row["candidates"])[row["chosen"]])
        yield {
            **{name: row[name] for name in ("seq", "kind", "ts", "reaction", "reward", "t_decided", "t_now")},
            **_whose(row, label),
            "decision_id": None if t is None else str(DecisionId(label, t, row["user"])),
            "tip_id": row["tip_id"] if old is None else old.id,
            "x": None if row["x"] is None else np.frombuffer(row["x"]).tolist(),
        }


@cache
def _samples(description: str) -> int | None:
    """Of how many posterior samples a variant's probabilities are shares; None where they are exact."""
    found = LoggedPolicy.from_dict(json.loads(description)).parameters.get("samples")
    return None if found is None else int(found)


def _whose(row: sqlite3.Row, label: str) -> dict[str, Any]:
    return {"policy": label, "replicate": 0, "user_id": row["user"]}
