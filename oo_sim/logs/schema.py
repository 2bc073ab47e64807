"""Every column of a run directory's tables, once: curves, users, and the events, decisions and learnings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa

FEATURES_KEY = b"oo_sim.features"
"""Where the decisions file keeps its feature names, as JSON: policy hash -> names, as policies differ."""


def _column(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


def _optional(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=True)


def _list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(_column("item", kind))


CURVES = pa.schema(
    [
        _column("policy", pa.string()),
        _column("replicate", pa.int32()),
        _column("round", pa.int32()),
        _column("users", pa.int64()),
        _column("reward", pa.float64()),
        _column("expected_reward", pa.float64()),
        _column("regret", pa.float64()),
        _column("dismiss", pa.int64()),
        _column("not_helpful", pa.int64()),
        _column("snooze", pa.int64()),
        _column("helpful", pa.int64()),
        _column("done", pa.int64()),
        _column("none", pa.int64()),
        _column("pending", pa.int64()),
        _column("rewarded", pa.int64()),
        _column("expired", pa.int64()),
        _column("never", pa.int64()),
    ]
)
"""One row per policy, replicate and round (from 1): the users who decided in it, sums over them, counts of their
reactions; and what has become of all decisions up to then: their number is pending + rewarded + expired + never.
"""

USERS = pa.schema(
    [
        _column("policy", pa.string()),
        _column("replicate", pa.int32()),
        _column("user_id", pa.string()),
        _optional("segment", pa.string()),
        _column("round", pa.int32()),
        _column("reward", pa.float64()),
        _column("expected_reward", pa.float64()),
        _column("regret", pa.float64()),
        _column("decisions", pa.int64()),
    ]
)
"""One row per policy, replicate, user and checkpoint: what that user has summed up after so many rounds."""

CANDIDATE = pa.struct(
    [
        _column("id", pa.string()),
        _column("source", pa.string()),
        _optional("task_id", pa.string()),
        _column("is_overdue", pa.bool_()),
        _column("task_age_days", pa.float64()),
        _column("priority", pa.int8()),
    ]
)
"""A candidate as offered; `source` is `todoist` or `llm`, `task_id` is null for a tip about no task."""

DECISIONS = pa.schema(
    [
        _column("policy", pa.string()),
        _column("policy_hash", pa.string()),
        _column("replicate", pa.int32()),
        _column("user_id", pa.string()),
        _column("t", pa.int32()),
        _column("decision_id", pa.string()),
        _optional("ts", pa.timestamp("us", tz="UTC")),
        _column("hour", pa.int8()),
        _column("day", pa.int8()),
        _column("candidates", _list(CANDIDATE)),
        _column("x", _list(_list(pa.float64()))),
        _optional("probs", _list(pa.float64())),
        _optional("probs_kind", pa.string()),
        _optional("probs_samples", pa.int32()),
        _column("chosen", pa.int16()),
        _optional("propensity", pa.float64()),
        _column("score", pa.float64()),
        _optional("explored", pa.bool_()),
        _optional("expected_reward", pa.float64()),
        _optional("best_expected_reward", pa.float64()),
        _optional("prompt_version", pa.string()),
        _optional("llm_model", pa.string()),
        _optional("tip_kind", pa.string()),
    ]
)
"""One row per decision. Null: `ts` when simulated, the expected rewards when served, `probs` and `propensity` where not
known, `explored` where the policy has no such notion, the prompt columns for tasks and for simulated tips that come
out of no bank. `tip_kind` is `task` or `advice`; logs of format 1, and of early servers, have null for tasks.
`probs_kind` is `exact`, or `estimated` where the probabilities are shares of `probs_samples` posterior samples: the
choice was drawn with them, yet a share of 0 may be bad luck.
"""

LEARNINGS = pa.schema(
    [
        _column("policy", pa.string()),
        _column("replicate", pa.int32()),
        _column("user_id", pa.string()),
        _column("seq", pa.int64()),
        _column("kind", pa.string()),
        _optional("decision_id", pa.string()),
        _optional("tip_id", pa.string()),
        _optional("x", _list(pa.float64())),
        _optional("reaction", pa.string()),
        _optional("reward", pa.float64()),
        _optional("t_decided", pa.int32()),
        _column("t_now", pa.int32()),
        _optional("ts", pa.timestamp("us", tz="UTC")),
    ]
)
"""One row per thing that a user's model learned, in the order of `seq`; `kind` is `reward` or `reset`.

A reset has no x and no reward. `tip_id` is the candidate that the reward is about, where the log knows it.
"""

SCHEMAS: Mapping[str, pa.Schema] = {
    "curves": CURVES,
    "users": USERS,
    "decisions": DECISIONS,
    "learnings": LEARNINGS,
}
EVENTS = ("decisions", "learnings")
WORD = pa.dictionary(pa.int32(), pa.string())
"""What texts of candidates are until they are in a file: there are far fewer names than candidates."""
_WORDS = ("id", "source", "task_id")
LATER: Mapping[str, tuple[str, ...]] = {"decisions": ("probs_kind", "probs_samples"), "learnings": ("tip_id",)}
"""Columns that format 1 did not have."""


def coded(schema: pa.Schema) -> pa.Schema:
    """The schema with `WORD` for the texts of candidates."""
    return pa.schema([_coded(field) for field in schema], schema.metadata)


def _coded(field: pa.Field) -> pa.Field:
    kind = field.type
    if pa.types.is_list(kind):
        return field.with_type(pa.list_(_coded(kind.value_field)))
    if pa.types.is_struct(kind):
        return field.with_type(pa.struct([f.with_type(WORD) if f.name in _WORDS else f for f in kind]))
    return field


def with_features(schema: pa.Schema, features: Mapping[str, Sequence[str]]) -> pa.Schema:
    """The schema with feature names (policy hash -> names) in its metadata, in one canonical spelling."""
    text = json.dumps({key: list(names) for key, names in features.items()}, sort_keys=True)
    return schema.with_metadata({FEATURES_KEY: text.encode()})


def features_of(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """The feature names (policy hash -> names) in a schema's metadata; empty where there are none."""
    text = (schema.metadata or {}).get(FEATURES_KEY, b"{}")
    return {key: tuple(names) for key, names in json.loads(text).items()}


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly the schema's columns and types. Raises `ValueError` where that loses data."""
    if set(table.column_names) != set(schema.names):
        missing = sorted(set(schema.names) - set(table.column_names))
        extra = sorted(set(table.column_names) - set(schema.names))
        raise ValueError(f"wrong columns: missing {missing}, unknown {extra}")
    for field in schema:
        if not field.nullable and table.column(field.name).null_count:
            raise ValueError(f"column {field.name} holds nulls and must not")
    try:
        return table.select(schema.names).cast(schema)
    except pa.ArrowException as error:
        raise ValueError(f"wrong types: {error}") from error
