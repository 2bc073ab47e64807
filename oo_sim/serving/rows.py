"""Reads and writes of single rows: a user's model under a policy, and a decision."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import NamedTuple

from oo_sim.serving.lanes import Raw


class Model(NamedTuple):
    """A user under a policy; see the table `models`. `state` is None where nothing was learned yet."""

    version: int = 0
    decisions: int = 0
    ticks: int = 0
    learned: int = 0
    since: int = 0
    pulls: int = 0
    explored: int = 0
    rewards: int = 0
    total: float = 0.0
    updated: int | None = None
    state: bytes | None = None


class Offered(NamedTuple):
    """A candidate as it is logged."""

    id: str
    source: str
    task_id: str | None
    is_overdue: bool
    task_age_days: float
    priority: int

    @property
    def raw(self) -> Raw:
        """Its raw columns."""
        return Raw(self.is_overdue, self.task_age_days, self.priority, self.source == "llm")


offered_text: Callable[[Sequence[Offered]], str] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Candidates as they are stored."""


class DecisionRow(NamedTuple):
    """A row of the table `decisions`, before its reward."""

    user: str
    policy: int
    t: int
    variant: int
    ts: int
    hour: int
    day: int
    candidates: str
    x: bytes
    probs: bytes | None
    chosen: int
    propensity: float | None
    score: float
    explored: bool | None
    prompt_version: str | None
    llm_model: str | None
    tip_kind: str | None


class LearningRow(NamedTuple):
    """A row of the table `learnings`; a reset has the first six columns alone."""

    user: str
    policy: int
    seq: int
    kind: str
    ts: int
    t_now: int
    t_decided: int | None = None
    x: bytes | None = None
    reaction: str | None = None
    reward: float | None = None
    hour: int | None = None
    day: int | None = None
    is_overdue: bool | None = None
    task_age_days: float | None = None
    priority: int | None = None
    is_llm: bool | None = None
    tip_id: str | None = None


class Taken(NamedTuple):
    """A decision that a reward is about."""

    hour: int
    day: int
    candidates: str
    chosen: int
    reward: float | None


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


_READ_MODEL = f"SELECT {', '.join(Model._fields)} FROM models WHERE user = ? AND policy = ?"
_INSERT_MODEL = _insert("models", ("user", "policy", *Model._fields))
_UPDATE_MODEL = (
    f"UPDATE models SET {', '.join(f'{name} = ?' for name in Model._fields)} "
    "WHERE user = ? AND policy = ? AND version = ?"
)
_READ_DECISION = f"SELECT {', '.join(Taken._fields)} FROM decisions WHERE user = ? AND policy = ? AND t = ?"
_INSERT_DECISION = _insert("decisions", DecisionRow._fields)
_INSERT_LEARNING = _insert("learnings", LearningRow._fields)
_REWARDED = "UPDATE decisions SET reward = ? WHERE user = ? AND policy = ? AND t = ?"


def read_model(db: sqlite3.Connection, user: str, policy: int) -> Model:
    """The user's model, a blank one where there is none."""
    row = db.execute(_READ_MODEL, (user, policy)).fetchone()
    return Model() if row is None else Model(*row)


def write_model(db: sqlite3.Connection, user: str, policy: int, model: Model) -> None:
    """Write a model that was read in this transaction. Raises RuntimeError where another was written since."""
    new = model._replace(version=model.version + 1)
    if model.version == 0:
        db.execute(_INSERT_MODEL, (user, policy, *new))
    elif db.execute(_UPDATE_MODEL, (*new, user, policy, model.version)).rowcount != 1:
        raise RuntimeError("a model changed inside its own transaction")


def read_decision(db: sqlite3.Connection, user: str, policy: int, t: int) -> Taken | None:
    """The user's decision number t, or None."""
    row = db.execute(_READ_DECISION, (user, policy, t)).fetchone()
    return None if row is None else Taken(*row)


def log_decision(db: sqlite3.Connection, row: DecisionRow) -> None:
    """Write down a decision."""
    db.execute(_INSERT_DECISION, row)


def log_learning(db: sqlite3.Connection, row: LearningRow) -> None:
    """Write down what was learned, and at the decision that it was learned from."""
    db.execute(_INSERT_LEARNING, row)
    if row.t_decided is not None:
        db.execute(_REWARDED, (row.reward, row.user, row.policy, row.t_decided))
