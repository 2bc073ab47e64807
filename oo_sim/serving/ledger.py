"""What a call does to the state, inside one transaction: decide, learn, forget. Every step is logged as it is done."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, Decision
from oo_sim.errors import ServingError
from oo_sim.serving import lanes
from oo_sim.serving.database import migrations, policy_ids, seed_of, variant_ids
from oo_sim.serving.errors import RefusalError
from oo_sim.serving.ids import DecisionId
from oo_sim.serving.lanes import Lesson, Raw
from oo_sim.serving.mounts import Mount, Mounts
from oo_sim.serving.rows import (
    DecisionRow,
    LearningRow,
    Model,
    Offered,
    log_decision,
    log_learning,
    offered_text,
    read_decision,
    read_model,
    write_model,
)
from oo_sim.serving.writer import Work


class Origin(NamedTuple):
    """Where the LLM tips among the candidates come from."""

    prompt_version: str | None = None
    llm_model: str | None = None


NO_LLM = Origin()
"""No LLM tips among the candidates."""


class Scored(NamedTuple):
    """What was decided."""

    decision_id: str
    chosen: int
    score: float
    propensity: float | None
    explored: bool | None


class Reward(NamedTuple):
    """A reward to learn from. `t` is the number of its decision, where the caller knows it; `tip_id` and the raw
    columns are what the caller says they were."""

    value: float
    reaction: str | None = None
    t: int | None = None
    tip_id: str | None = None
    hour: int = 12
    day: int = 0
    raw: Raw = Raw(False, 0.0, 1, None)


class Learned(NamedTuple):
    """The vector that was learned, the tip, and the raw columns that they came from."""

    x: F64
    tip_id: str | None
    hour: int
    day: int
    raw: Raw


def now_us() -> int:
    """The time in microseconds since 1970."""
    return time.time_ns() // 1000


class Ledger:
    """Makes the work of calls on one database. Its methods only describe work; the writer does it."""

    def __init__(self, db: sqlite3.Connection, mounts: Mounts) -> None:
        self.seed = seed_of(db)
        self._ids, self._variants, self._migrations = policy_ids(db), variant_ids(db), migrations(db)
        self._labels = {number: label for label, number in self._ids.items()}
        self._mounts = mounts

    def check(self, db: sqlite3.Connection) -> None:
        """Refuse (503) where the states were rebuilt for other policies than these."""
        if migrations(db) != self._migrations:
            raise RefusalError(503, "the state was migrated while this server ran; start the server again")

    def label(self, policy: int) -> str:
        """The label of a policy by its number."""
        return self._labels[policy]

    def number(self, mount: Mount) -> int:
        """The number of a mounted policy."""
        return self._ids[mount.label]

    def score(
        self, mount: Mount, user: str, offered: Sequence[Offered], hour: int, day: int, origin: Origin = NO_LLM
    ) -> Work[Scored]:
        """The work of one decision."""
        columns = lanes.candidates([one.raw for one in offered], hour, day)
        texts = offered_text(offered)
        draws, number = lanes.draws(self.seed, user), self.number(mount)
        variant = self._variants[number, mount.hash]
        policy = mount.policy

        def work(db: sqlite3.Connection) -> Scored:
            model = read_model(db, user, number)
            t = model.decisions
            state = lanes.pass_rounds(policy, _state(mount, model), range(model.ticks, t), draws)
            packed = lanes.pack(state)
            decision = lanes.choose(policy, state, columns, t, draws)
            scored = _scored(mount, user, t, decision)
            ts = now_us()
            row = DecisionRow(
                *(user, number, t, variant, ts, hour, day, texts),
                x=_lane(decision.x),
                probs=_lane(decision.probs) if policy.propensities else None,
                chosen=scored.chosen,
                propensity=scored.propensity,
                score=scored.score,
                explored=scored.explored,
                prompt_version=origin.prompt_version,
                llm_model=origin.llm_model,
                tip_kind="advice" if offered[scored.chosen].source == "llm" else None,
            )
            log_decision(db, row)
            after = model._replace(
                decisions=t + 1,
                ticks=t,
                pulls=model.pulls + 1,
                explored=model.explored + bool(scored.explored),
                updated=ts,
                state=packed,
            )
            write_model(db, user, number, after)
            return scored

        return work

    def reward(self, mount: Mount, user: str, reward: Reward) -> Work[bool]:
        """The work of one reward; False where it had been learned before."""
        number, draws = self.number(mount), lanes.draws(self.seed, user)

        def work(db: sqlite3.Connection) -> bool:
            model = read_model(db, user, number)
            learned = self._learned(db, mount, user, reward, model)
            if learned is None:
                return False
            now = model.decisions - 1
            lesson = Lesson(
                learned.x, reward.value, now if reward.t is None else reward.t, now, model.ticks < model.decisions
            )
            state = lanes.pass_rounds(mount.policy, _state(mount, model), range(model.ticks, now), draws)
            state = lanes.learn(mount.policy, state, lesson, draws)
            ts = now_us()
            row = LearningRow(
                *(user, number, model.learned, "reward", ts, now, reward.t),
                x=learned.x.tobytes(),
                reaction=reward.reaction,
                reward=reward.value,
                hour=learned.hour,
                day=learned.day,
                is_overdue=learned.raw.is_overdue,
                task_age_days=learned.raw.task_age_days,
                priority=learned.raw.priority,
                is_llm=learned.raw.is_llm,
                tip_id=learned.tip_id,
            )
            log_learning(db, row)
            after = model._replace(
                ticks=model.decisions,
                learned=model.learned + 1,
                rewards=model.rewards + 1,
                total=model.total + reward.value,
                updated=ts,
                state=lanes.pack(state),
            )
            write_model(db, user, number, after)
            return True

        return work

    def _learned(self, db: sqlite3.Connection, mount: Mount, user: str, reward: Reward, model: Model) -> Learned | None:
        """What the reward is about; None where the same reward was learned before."""
        if reward.t is None:
            x = lanes.encode_one(mount.policy, reward.raw, reward.hour, reward.day)
            return Learned(x, reward.tip_id, reward.hour, reward.day, reward.raw)
        taken = read_decision(db, user, self.number(mount), reward.t)
        if taken is None:
            raise RefusalError(404, "no such decision", "decision_id")
        one = Offered(*json.loads(taken.candidates)[taken.chosen])
        if reward.tip_id not in (None, one.id):
            raise RefusalError(409, f"that decision served another tip: {one.id!r}", "tip_id")
        if taken.reward is not None:
            if taken.reward != reward.value:
                raise RefusalError(409, f"that decision was already rewarded with {taken.reward:g}", "reward")
            return None
        if reward.t < model.since:
            raise RefusalError(404, "no such decision: the user was reset since", "decision_id")
        # Encoding again gives the decision's own vector bit for bit, also after a migration to other features.
        x = lanes.encode_one(mount.policy, one.raw, taken.hour, taken.day)
        return Learned(x, one.id, taken.hour, taken.day, one.raw)

    def reset(self, user: str) -> Work[None]:
        """The work of forgetting a user under every policy, also those not mounted now. Logs stay, as do the decision
        numbers, so that no draw and no decision id is ever used twice."""

        def work(db: sqlite3.Connection) -> None:
            for (number,) in db.execute("SELECT policy FROM models WHERE user = ?", (user,)).fetchall():
                model = read_model(db, user, number)
                if model.updated is None:
                    continue
                log_learning(db, LearningRow(user, number, model.learned, "reset", now_us(), model.decisions - 1))
                fresh = Model(
                    version=model.version,
                    decisions=model.decisions,
                    ticks=model.decisions,
                    learned=model.learned + 1,
                    since=model.decisions,
                )
                write_model(db, user, number, fresh)

        return work


def _state(mount: Mount, model: Model) -> object:
    try:
        return mount.packing.unpack(model.state)
    except ValueError as error:
        raise ServingError(f"policy {mount.label}: a user's stored state is {error}") from error


def _scored(mount: Mount, user: str, t: int, decision: Decision) -> Scored:
    policy = mount.policy
    return Scored(
        str(DecisionId(mount.label, t, user)),
        int(decision.chosen[0]),
        float(decision.score[0]),
        float(decision.propensity[0]) if policy.propensities else None,
        bool(decision.explored[0]) if policy.explores else None,
    )


def _lane(array: F64) -> bytes:
    return np.ascontiguousarray(array[..., 0]).tobytes()
