"""What a call does to the state, inside one transaction: decide, learn, forget. Every step is logged as it is done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, Decision
from oo_sim.errors import ServingError
from oo_sim.serving import lanes
from oo_sim.serving.lanes import Lesson
from oo_sim.serving.mounts import Mount
from oo_sim.serving.replies import RefusalError
from oo_sim.serving.store import DecisionId, DecisionRow, LearningRow, Model, Offered, Store
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
    """A reward to learn from: of decision number `t`, or, without one, of what the caller says was served. `tip_id`
    is what the caller says that decision served, where it does."""

    value: float
    reaction: str | None = None
    t: int | None = None
    tip_id: str | None = None
    said: Served | None = None


class Served(NamedTuple):
    """A tip and when it was served."""

    tip: Offered
    hour: int
    day: int


def now_us() -> int:
    """The time in microseconds since 1970."""
    return time.time_ns() // 1000


class Ledger:
    """Makes the work of calls on one store. Its methods only describe work; the writer does it."""

    def __init__(self, store: Store) -> None:
        self.seed = store.seed
        self._migrations = store.migrations()

    def check(self, store: Store) -> None:
        """Refuse (503) where the states were rebuilt for other policies than these."""
        if store.migrations() != self._migrations:
            raise RefusalError(503, "the state was migrated while this server ran; start the server again")

    def score(
        self, mount: Mount, user: str, offered: Sequence[Offered], hour: int, day: int, origin: Origin = NO_LLM
    ) -> Work[Scored]:
        """The work of one decision."""
        columns = lanes.candidates(offered, hour, day)
        policy, draws, candidates = mount.policy, lanes.draws(self.seed, user), tuple(offered)

        def work(store: Store) -> Scored:
            model = store.model(user, mount.label)
            t = model.decisions
            state = lanes.pass_rounds(policy, _state(mount, model), range(model.ticks, t), draws)
            packed = lanes.pack(state)
            decision = lanes.choose(policy, state, columns, t, draws)
            scored = _scored(mount, user, t, decision)
            ts = now_us()
            row = DecisionRow(
                *(user, mount.label, t, mount.hash, ts, hour, day, candidates),
                x=_lane(decision.x),
                probs=_lane(decision.probs) if policy.propensities else None,
                chosen=scored.chosen,
                propensity=scored.propensity,
                score=scored.score,
                explored=scored.explored,
                prompt_version=origin.prompt_version,
                llm_model=origin.llm_model,
                tip_kind="advice" if candidates[scored.chosen].is_llm else "task",
            )
            store.log_decision(row)
            after = model._replace(
                decisions=t + 1,
                ticks=t,
                pulls=model.pulls + 1,
                explored=model.explored + bool(scored.explored),
                updated=ts,
                state=packed,
            )
            store.write_model(user, mount.label, after)
            return scored

        return work

    def reward(self, mount: Mount, user: str, reward: Reward) -> Work[bool]:
        """The work of one reward; False where it had been learned before."""
        draws = lanes.draws(self.seed, user)

        def work(store: Store) -> bool:
            model = store.model(user, mount.label)
            served = _served(store, mount, user, reward, model)
            if served is None:
                return False
            # For a decision's own tip that is its own vector bit for bit, also after a migration to other features.
            x = lanes.encode_one(mount.policy, *served)
            now = model.decisions - 1
            lesson = Lesson(x, reward.value, now if reward.t is None else reward.t, now, model.ticks < model.decisions)
            state = lanes.pass_rounds(mount.policy, _state(mount, model), range(model.ticks, now), draws)
            state = lanes.learn(mount.policy, state, lesson, draws)
            ts = now_us()
            row = LearningRow(
                *(user, mount.label, model.learned, "reward", ts, now, reward.t),
                x=x.tobytes(),
                reaction=reward.reaction,
                reward=reward.value,
                hour=served.hour,
                day=served.day,
                tip=served.tip,
            )
            store.log_learning(row)
            after = model._replace(
                ticks=model.decisions,
                learned=model.learned + 1,
                rewards=model.rewards + 1,
                total=model.total + reward.value,
                updated=ts,
                state=lanes.pack(state),
            )
            store.write_model(user, mount.label, after)
            return True

        return work

    def reset(self, user: str) -> Work[None]:
        """The work of forgetting a user under every policy, also those not mounted now. Logs stay, as do the decision
        numbers, so that no draw and no decision id is ever used twice."""

        def work(store: Store) -> None:
            for policy, model in store.models(user):
                if model.updated is None:
                    continue
                store.log_learning(LearningRow(user, policy, model.learned, "reset", now_us(), model.decisions - 1))
                fresh = Model(
                    version=model.version,
                    decisions=model.decisions,
                    ticks=model.decisions,
                    learned=model.learned + 1,
                    since=model.decisions,
                )
                store.write_model(user, policy, fresh)

        return work


def _served(store: Store, mount: Mount, user: str, reward: Reward, model: Model) -> Served | None:
    """What the reward is about; None where the same reward was learned before."""
    if reward.said is not None:
        return reward.said
    taken = None if reward.t is None else store.decision(user, mount.label, reward.t)
    if taken is None:
        raise RefusalError(404, "no such decision", "decision_id")
    if reward.tip_id not in (None, taken.tip.id):
        raise RefusalError(409, f"that decision served another tip: {taken.tip.id!r}", "tip_id")
    if taken.reward is not None:
        if taken.reward != reward.value:
            raise RefusalError(409, f"that decision was already rewarded with {taken.reward:g}", "reward")
        return None
    if taken.t < model.since:
        raise RefusalError(404, "no such decision: the user was reset since", "decision_id")
    return Served(taken.tip, taken.hour, taken.day)


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
