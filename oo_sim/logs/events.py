"""Builds record batches of decisions and learnings from the engine's arrays, without a Python loop over rows.

Shapes: K candidates, d features, n lanes. Candidates are logged as offered: those that stand, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from oo_sim.contract import F64, I64, REACTIONS, Bool, Candidates, Decision, Policy
from oo_sim.logs.schema import CANDIDATE, DECISIONS, LEARNINGS

Ids: TypeAlias = "Sequence[str] | NDArray[np.str_] | NDArray[np.object_] | pa.Array"


class EventSource(NamedTuple):
    """What all events of one policy in one replicate have in common."""

    label: str
    policy_hash: str
    replicate: int
    propensities: bool = True  # False: probabilities and propensities are not known and logged as null
    explores: bool = False  # False: `explored` is logged as null
    samples: int | None = None  # posterior samples that probabilities are shares of; None: they are exact
    prompt_version: str | None = None  # of the tips out of a bank
    models: tuple[str, ...] = ()  # that wrote them

    @classmethod
    def of(cls, label: str, policy: Policy, policy_hash: str, replicate: int) -> EventSource:
        """The source of a policy's events in one replicate."""
        return cls(label, policy_hash, replicate, policy.propensities, policy.explores, samples_of(policy))


def probs_kind(known: bool, samples: int | None) -> str | None:
    """What kind of probabilities are logged; None where they are not known."""
    return None if not known else "exact" if samples is None else "estimated"


def samples_of(policy: Policy) -> int | None:
    """Of how many posterior samples a policy's probabilities are shares; None where they are exact or not known."""
    samples = policy.parameters.get("samples")
    return int(samples) if policy.propensities and samples is not None else None


def decision_batch(
    source: EventSource,
    user_ids: Ids,
    t: I64,
    *,
    candidates: Candidates,
    decision: Decision,
    expected: F64,
    best: F64,
    writer: I64 | None = None,
) -> pa.RecordBatch:
    """The n lanes' decisions as rows of `DECISIONS`.

    t (n,) are the users' decision numbers, expected (n,) the true expected rewards of what was chosen, best (n,) the
    largest among those offered, and writer (n,) which of the source's models wrote the tips, where they have texts.
    Raises `pyarrow.ArrowInvalid` where a number does not fit its column.
    """
    n = len(t)
    users, when = _strings(user_ids), _integers(t)
    sizes = candidates.mask.sum(axis=0)
    propensity = _nullable(decision.propensity) if source.propensities else pa.nulls(n, pa.float64())
    is_tip = pa.array(candidates.is_llm[decision.chosen, np.arange(n)] != 0)
    columns = {
        "policy": pa.repeat(source.label, n),
        "policy_hash": pa.repeat(source.policy_hash, n),
        "replicate": pa.repeat(pa.scalar(source.replicate, pa.int32()), n),
        "user_id": users,
        "t": when,
        "decision_id": _decision_ids(source, users, when),
        "hour": pa.array(candidates.hour).cast(pa.int8()),
        "day": pa.array(candidates.day).cast(pa.int8()),
        "candidates": _ragged(sizes, _standing(candidates, t), "candidates"),
        "x": _ragged(sizes, _vectors(decision.x, candidates.mask), "x"),
        "probs": (
            _ragged(sizes, pa.array(_flat(decision.probs, candidates.mask)), "probs")
            if source.propensities
            else pa.nulls(n, DECISIONS.field("probs").type)
        ),
        "probs_kind": pa.repeat(pa.scalar(probs_kind(source.propensities, source.samples), pa.string()), n),
        "probs_samples": pa.repeat(pa.scalar(source.samples, pa.int32()), n),
        "chosen": pa.array(decision.chosen).cast(pa.int16()),
        "propensity": propensity,
        "score": pa.array(decision.score),
        "explored": pa.array(decision.explored) if source.explores else pa.nulls(n, pa.bool_()),
        "expected_reward": pa.array(expected),
        "best_expected_reward": pa.array(best),
        "tip_kind": pa.array(["task", "advice"]).take(is_tip.cast(pa.int8())),
    }
    if writer is not None:
        columns["prompt_version"] = pc.if_else(is_tip, pa.scalar(source.prompt_version, pa.string()), _NO_TEXT)
        columns["llm_model"] = pc.if_else(is_tip, _names(source.models, writer), _NO_TEXT)
    arrays = [columns[f.name] if f.name in columns else pa.nulls(n, f.type) for f in DECISIONS]
    return pa.record_batch(arrays, schema=DECISIONS)


def learning_batch(
    source: EventSource,
    user_ids: Ids,
    seq: I64,
    *,
    t_decided: I64,
    t_now: I64,
    x: F64,
    reaction: I64,
    reward: F64,
    learn: Bool,
) -> pa.RecordBatch:
    """What was learned in the lanes where learn (n,) is true, as rows of `LEARNINGS`.

    seq (n,) counts what each user's model learned; x (d, n) are the features learned from; reaction (n,)
    holds codes of `REACTIONS`, anything else is logged as null. May have no rows.
    """
    keep = np.flatnonzero(learn)
    n, d = len(keep), len(x)
    users, decided = _strings(user_ids).take(pa.array(keep)), _integers(t_decided[keep])
    columns = {
        "policy": pa.repeat(source.label, n),
        "replicate": pa.repeat(pa.scalar(source.replicate, pa.int32()), n),
        "user_id": users,
        "seq": pa.array(seq[keep]),
        "kind": pa.repeat("reward", n),
        "decision_id": _decision_ids(source, users, decided),
        "x": _rectangle(np.ascontiguousarray(x.T[keep]), d, LEARNINGS.field("x").type),
        "reaction": pa.array(REACTIONS).take(_reaction_codes(reaction[keep])),
        "reward": pa.array(reward[keep]),
        "t_decided": decided,
        "t_now": _integers(t_now[keep]),
    }
    arrays = [columns[f.name] if f.name in columns else pa.nulls(n, f.type) for f in LEARNINGS]
    return pa.record_batch(arrays, schema=LEARNINGS)


_NO_TEXT = pa.nulls(1, pa.string())[0]  # made so, it does not import pandas as Arrow does for what Python holds


def _strings(ids: Ids) -> pa.Array:
    return ids if isinstance(ids, pa.Array) else pa.array(ids, pa.string())


def _names(names: Sequence[str], codes: I64) -> pa.Array:
    """The names that codes stand for, null where negative."""
    return pa.array(names, pa.string()).take(pa.array(codes, mask=codes < 0))


def _integers(values: I64) -> pa.Array:
    return pa.array(values).cast(pa.int32())


def _nullable(values: F64) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _decision_ids(source: EventSource, users: pa.Array, t: pa.Array) -> pa.Array:
    prefix = f"{source.label}/{source.replicate}"
    return pc.binary_join_element_wise(prefix, t.cast(pa.string()), users, "/")


def _reaction_codes(reaction: I64) -> pa.Array:
    return pa.array(reaction, mask=(reaction < 0) | (reaction >= len(REACTIONS)))


def _standing(c: Candidates, t: I64) -> pa.StructArray:
    """The candidates that stand, lane by lane, in one flat array."""
    is_llm, serial = _flat(c.is_llm, c.mask) != 0, _flat(c.serial, c.mask)
    ids, task = _ids(c, t, is_llm, serial)
    columns = {
        "id": ids,
        "source": pa.array(["todoist", "llm"]).take(pa.array(is_llm.view(np.int8))),
        "task_id": task,
        "is_overdue": pa.array(_flat(c.is_overdue, c.mask) != 0),
        "task_age_days": pa.array(_flat(c.task_age_days, c.mask)),
        "priority": pa.array(_flat(c.priority, c.mask)).cast(pa.int8()),
    }
    return pa.StructArray.from_arrays([columns[f.name] for f in CANDIDATE], fields=list(CANDIDATE))


def _flat(values: NDArray[Any], mask: Bool) -> NDArray[Any]:
    """The values (K, ..., n) of those that stand, lane by lane."""
    lanes_first = np.moveaxis(values, -1, 0)
    return (
        np.ascontiguousarray(lanes_first).reshape(mask.size, *values.shape[1:-1]) if mask.all() else lanes_first[mask.T]
    )


def _ids(c: Candidates, t: I64, is_llm: Bool, serial: I64) -> tuple[pa.Array, pa.Array]:
    """Each candidate's id, and the id of its task, null where it has none.

    A tip is `tip-{t}-{position among the tips}`, whatever it says about tasks; in worlds whose candidates are neither
    tasks nor tips, they are `arm-{position}`. There are far fewer names than candidates: each is made once.
    """
    K, tips = len(c.mask), int((c.is_llm != 0).sum(axis=0).max(initial=0))
    (tasks, which), (rounds, at) = _coded(serial), _coded(t)
    place = np.broadcast_to(np.arange(K)[:, None], c.mask.shape)
    tip = np.cumsum(c.is_llm != 0, axis=0) - 1 + at * tips
    task_names = _named("task", pa.array(tasks, mask=tasks < 0))
    arm_names = _named("arm", pa.array(np.arange(K)))
    tip_names = _named("tip", pa.array(np.repeat(rounds, tips)), pa.array(np.tile(np.arange(tips), len(rounds))))
    code = np.where(serial >= 0, which, len(tasks) + _flat(place, c.mask))
    code = np.where(is_llm, len(tasks) + K + _flat(tip, c.mask), code)
    names = pa.concat_arrays([task_names, arm_names, tip_names])
    return names.take(pa.array(code)), task_names.take(pa.array(which))


def _coded(values: I64) -> tuple[I64, I64]:
    """Values that hold all of `values`, ascending, and the place of each among them."""
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, -1)
    if high - low < len(values):
        return np.arange(low, high + 1), values - low
    known, places = np.unique(values, return_inverse=True)
    return known, places


def _named(kind: str, *numbers: pa.Array) -> pa.Array:
    """Names such as `task-7`, null where a number is."""
    return pc.binary_join_element_wise(kind, *(each.cast(pa.string()) for each in numbers), "-")


def _vectors(x: F64, mask: Bool) -> pa.ListArray:
    """x (K, d, n) as one list of d numbers per standing candidate, lane by lane."""
    return _rectangle(_flat(x, mask), x.shape[1], DECISIONS.field("x").type.value_type)


def _rectangle(rows: F64, d: int, kind: pa.ListType) -> pa.ListArray:
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(d)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows.reshape(-1)), type=kind)


def _ragged(sizes: I64, values: pa.Array, column: str) -> pa.ListArray:
    offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=DECISIONS.field(column).type)
