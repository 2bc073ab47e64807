"""The log of a state directory as the Parquet tables of a run: decisions and learnings, written as they are read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from oo_sim import __version__
from oo_sim.logs import DECISIONS, LEARNINGS, Manifest, RunWriter, coded
from oo_sim.serving.database import open_store
from oo_sim.serving.store import DecisionId, DecisionRow, LearningRow, Store

ROWS = 2048
"""Rows that are held at once."""


def export_log(
    state_dir: str | Path, out: str | Path, *, window: float | None = None, own_trajectory: bool = True
) -> tuple[int, int]:
    """Write `decisions.parquet`, `learnings.parquet` and a manifest that describes the policies and the seed into the
    new directory `out`; how many decisions and learnings there are. The server may go on meanwhile: what is written
    is the state of one moment, `exported_at`.

    `window` says for how many seconds after a decision its reward counts: the server itself takes rewards at any time.
    `own_trajectory` says whether what is offered depends on what was served before, as tasks that are done are not
    offered again; the server does not know. Raises ServingError and RunLogError."""
    store = open_store(Path(state_dir))
    try:
        store.snapshot()
        with RunWriter(Path(out)) as writer:
            writer.write_manifest(_manifest(store, window, own_trajectory))
            counts = [_write(store, writer, table) for table in ("decisions", "learnings")]
            writer.commit()
        return counts[0], counts[1]
    finally:
        store.close()


def _manifest(store: Store, window: float | None, own_trajectory: bool) -> Manifest:
    users, rounds = store.sizes()
    return Manifest(
        name="served",
        policies=tuple(store.variants()),
        seed=store.seed,
        users=users,
        rounds=rounds,
        own_trajectory=own_trajectory,
        window=window,
        exported_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        versions={"oo-sim": __version__},
        served=True,
    )


def _write(store: Store, writer: RunWriter, table: str) -> int:
    """Write one table, policy by policy, each in the order in which things happened."""
    samples = {one.hash: one.parameters.get("samples") for one in store.variants()}
    count = 0
    for number, policy in enumerate(store.policies()):
        sink = writer.part(table, number, 0, 0)
        rows: Iterator[dict[str, Any]]
        if table == "decisions":
            rows, schema = map(partial(_decision, samples), store.decisions(policy)), DECISIONS
        else:
            rows, schema = map(_learning, store.learnings(policy)), LEARNINGS
        for batch in _batches(rows, schema):
            sink.write(batch)
            count += batch.num_rows
        sink.close()
    return count


def _batches(rows: Iterator[dict[str, Any]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for _, group in groupby(enumerate(rows), lambda pair: pair[0] // ROWS):
        yield pa.RecordBatch.from_pylist([row for _, row in group], schema=coded(schema))


def _decision(samples: dict[str, int | None], row: DecisionRow) -> dict[str, Any]:
    """A row of `DECISIONS`; `samples` says by policy hash of how many posterior samples probabilities are shares."""
    shares = None if row.probs is None else samples[row.policy_hash]
    kept = ("policy", "policy_hash", "t", "ts", "hour", "day", "chosen", "propensity", "score", "explored")
    return {
        **{name: getattr(row, name) for name in (*kept, "prompt_version", "llm_model", "tip_kind")},
        "replicate": 0,
        "user_id": row.user,
        "decision_id": str(row.id),
        "candidates": [one._asdict() for one in row.candidates],
        "x": np.frombuffer(row.x).reshape(len(row.candidates), -1).tolist(),
        "probs": None if row.probs is None else np.frombuffer(row.probs).tolist(),
        "probs_kind": None if row.probs is None else "exact" if shares is None else "estimated",
        "probs_samples": shares,
    }


def _learning(row: LearningRow) -> dict[str, Any]:
    """A row of `LEARNINGS`."""
    t = row.t_decided
    kept = ("policy", "seq", "kind", "ts", "reaction", "reward", "t_decided", "t_now")
    return {
        **{name: getattr(row, name) for name in kept},
        "replicate": 0,
        "user_id": row.user,
        "decision_id": None if t is None else str(DecisionId(row.policy, t, row.user)),
        "tip_id": None if row.tip is None else row.tip.id,
        "x": None if row.x is None else np.frombuffer(row.x).tolist(),
    }
