"""Builds record batches of decisions and learnings from the engine's arrays, without a Python loop over rows.

Shapes: K candidates, d features, n lanes. Candidates are logged as offered: those that stand, in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from oo_sim.contract import F64, I64, REACTIONS, Bool, Candidates, Decision, Policy
from oo_sim.logs.schema import DECISIONS, LEARNINGS, coded

_DECISIONS = coded(DECISIONS)
_CANDIDATE = _DECISIONS.field("candidates").type.value_type

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
    """The n lanes' decisions as rows of `DECISIONS`, `coded`.

    t (n,) are the users' decision numbers, expected (n,) the true expected rewards of what was chosen, best (n,) the
    largest among those offered, and writer (n,) which of the source's models wrote the tips, where they have texts.
    Raises `pyarrow.ArrowInvalid` where a number does not fit its column.
    """
    n, mask = len(t), candidates.mask
    users, when = _strings(user_ids), _integers(t)
    sizes = np.full(n, len(mask)) if mask.all() else mask.sum(axis=0)
    is_tip = candidates.is_llm[decision.chosen, np.arange(n)] != 0
    known = source.propensities
    columns = {
        "policy": pa.repeat(source.label, n),
        "policy_hash": pa.repeat(source.policy_hash, n),
        "replicate": pa.repeat(pa.scalar(source.replicate, pa.int32()), n),
        "user_id": users,
        "t": when,
        "decision_id": _decision_ids(source, users, when),
        "hour": pa.array(candidates.hour).cast(pa.int8()),
        "day": pa.array(candidates.day).cast(pa.int8()),
        "candidates": _ragged(sizes, _standing(candidates, sizes, t), "candidates"),
        "x": _ragged(sizes, _vectors(decision.x, mask), "x"),
        "probs_samples": pa.repeat(pa.scalar(source.samples, pa.int32()), n),
        "chosen": pa.array(decision.chosen).cast(pa.int16()),
        "score": pa.array(decision.score),
        "expected_reward": pa.array(expected),
        "best_expected_reward": pa.array(best),
        "tip_kind": _words(is_tip, ["task", "advice"]).dictionary_decode(),
    }
    if known:
        columns["probs"] = _ragged(sizes, pa.array(_flat(decision.probs, mask)), "probs")
        columns["probs_kind"] = pa.repeat(probs_kind(known, source.samples), n)
        columns["propensity"] = _nullable(decision.propensity)
    if source.explores:
        columns["explored"] = pa.array(decision.explored)
    if writer is not None:
        if source.prompt_version is not None:
            columns["prompt_version"] = pc.if_else(is_tip, source.prompt_version, _NO_TEXT)
        columns["llm_model"] = _words(writer, source.models, ~is_tip | (writer < 0)).dictionary_decode()
    return _batch(columns, n, _DECISIONS)


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
    learn: Bool | None = None,
) -> pa.RecordBatch:
    """What was learned in the lanes where learn (n,) is true, by default in all, as rows of `LEARNINGS`.

    seq (n,) counts what each user's model learned; x (d, n) are the features learned from; reaction (n,)
    holds codes of `REACTIONS`, anything else is logged as null. May have no rows.
    """
    users = _strings(user_ids)
    if learn is not None and not learn.all():
        users = users.filter(pa.array(learn))
        seq, t_decided, t_now, reaction = (each[learn] for each in (seq, t_decided, t_now, reaction))
        x, reward = x[:, learn], reward[learn]
    n, d, decided = len(seq), len(x), _integers(t_decided)
    columns = {
        "policy": pa.repeat(source.label, n),
        "replicate": pa.repeat(pa.scalar(source.replicate, pa.int32()), n),
        "user_id": users,
        "seq": pa.array(seq),
        "kind": pa.repeat("reward", n),
        "decision_id": _decision_ids(source, users, decided),
        "x": _rectangle(np.ascontiguousarray(x.T), d, LEARNINGS.field("x").type),
        "reaction": _words(reaction, REACTIONS, (reaction < 0) | (reaction >= len(REACTIONS))).dictionary_decode(),
        "reward": pa.array(reward),
        "t_decided": decided,
        "t_now": _integers(t_now),
    }
    return _batch(columns, n, LEARNINGS)


def _batch(columns: Mapping[str, pa.Array], n: int, schema: pa.Schema) -> pa.RecordBatch:
    """The columns, and nulls for those that are not there."""
    arrays = [columns[f.name] if f.name in columns else pa.nulls(n, f.type) for f in schema]
    return pa.record_batch(arrays, schema=schema)


def _words(codes: NDArray[Any], words: Sequence[str], null: Bool | None = None) -> pa.DictionaryArray:
    """The words that codes stand for, null where it is said."""
    return _named_by(codes, pa.array(words, pa.string()), null)


def _named_by(codes: NDArray[Any], names: pa.Array, null: Bool | None = None) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32, copy=False), mask=null), names)


_NO_TEXT = pa.nulls(1, pa.string())[0]  # made so, it does not import pandas as Arrow does for what Python holds


def _strings(ids: Ids) -> pa.Array:
    return ids if isinstance(ids, pa.Array) else pa.array(ids, pa.string())


def _integers(values: I64) -> pa.Array:
    return pa.array(values).cast(pa.int32())


def _nullable(values: F64) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _decision_ids(source: EventSource, users: pa.Array, t: pa.Array) -> pa.Array:
    prefix = f"{source.label}/{source.replicate}"
    return pc.binary_join_element_wise(prefix, t.cast(pa.string()), users, "/")


def _standing(c: Candidates, sizes: I64, t: I64) -> pa.StructArray:
    """The candidates that stand, lane by lane, in one flat array."""
    is_llm, serial = _flat(c.is_llm, c.mask) != 0, _flat(c.serial, c.mask)
    ids, task = _ids(sizes, t, is_llm, serial)
    columns = {
        "id": ids,
        "source": _words(~is_llm, ["llm", "todoist"]),
        "task_id": task,
        "is_overdue": pa.array(_flat(c.is_overdue, c.mask) != 0),
        "task_age_days": pa.array(_flat(c.task_age_days, c.mask)),
        "priority": pa.array(_flat(c.priority, c.mask)).cast(pa.int8()),
    }
    return pa.StructArray.from_arrays([columns[f.name] for f in _CANDIDATE], fields=list(_CANDIDATE))


def _flat(values: NDArray[Any], mask: Bool) -> NDArray[Any]:
    """The values (K, ..., n) of those that stand, lane by lane."""
    lanes_first = np.moveaxis(values, -1, 0)
    return (
        np.ascontiguousarray(lanes_first).reshape(mask.size, *values.shape[1:-1]) if mask.all() else lanes_first[mask.T]
    )


def _ids(sizes: I64, t: I64, is_llm: Bool, serial: I64) -> tuple[pa.DictionaryArray, pa.DictionaryArray]:
    """Each candidate's id, and the id of its task, null where it has none.

    A tip is `tip-{t}-{position among the tips}`, whatever it says about tasks; in worlds whose candidates are neither
    tasks nor tips, they are `arm-{position}`. There are far fewer names than candidates: each is made once.
    """
    lane = np.repeat(np.arange(len(sizes)), sizes)
    (tasks, which), (rounds, at) = _numbered(np.maximum(serial, 0)), _numbered(t)
    names = [task_names := _named("task", pa.array(tasks))]
    code, no_task = which.astype(np.int32), serial < 0
    arms = np.flatnonzero(no_task & ~is_llm)
    if len(arms):
        code[arms] = len(tasks) + arms - (np.cumsum(sizes) - sizes)[lane[arms]]
        names.append(_named("arm", pa.array(np.arange(sizes.max()))))
    tips = np.flatnonzero(is_llm)
    if len(tips):
        of, numbers = lane[tips], np.bincount(lane[tips], minlength=len(sizes))
        most = int(numbers.max())
        place = np.arange(len(tips)) - (np.cumsum(numbers) - numbers)[of]
        code[tips] = sum(map(len, names)) + at[of] * most + place
        names.append(_named("tip", pa.array(np.repeat(rounds, most)), pa.array(np.tile(np.arange(most), len(rounds)))))
    return _named_by(code, pa.concat_arrays(names)), _named_by(which, task_names, no_task)


def _numbered(values: I64) -> tuple[I64, I64]:
    """Values that hold all of `values`, ascending, and the place of each among them."""
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, -1)
    if high - low < len(values):
        return np.arange(low, high + 1), values - low
    known, places = np.unique(values, return_inverse=True)
    return known, places


def _named(kind: str, *numbers: pa.Array) -> pa.Array:
    """Names such as `task-7`."""
    return pc.binary_join_element_wise(kind, *(each.cast(pa.string()) for each in numbers), "-")


def _vectors(x: F64, mask: Bool) -> pa.ListArray:
    """x (K, d, n) as one list of d numbers per standing candidate, lane by lane."""
    return _rectangle(_flat(x, mask), x.shape[1], DECISIONS.field("x").type.value_type)


def _rectangle(rows: F64, d: int, kind: pa.ListType) -> pa.ListArray:
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(d)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows.reshape(-1)), type=kind)


def _ragged(sizes: I64, values: pa.Array, column: str) -> pa.ListArray:
    offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=_DECISIONS.field(column).type)
