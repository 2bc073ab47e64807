"""What a server keeps: its records, and the protocol of a store, so that any database can stand behind the server.

`oo_sim.serving.database` is the store that ships. A store need not know what a record means: it keeps numbers, texts
and bytes, and makes all that is written between `begin` and `commit` durable together, or none of it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from oo_sim.logs import LoggedPolicy
from oo_sim.serving.replies import RefusalError

LOCK_WAIT = 10.0
"""Seconds to wait while other processes write."""
_PAUSE = 0.0005
_ID = re.compile(r"([^/]+)/0/(0|[1-9][0-9]{0,9})/(.+)", re.DOTALL)


class StoreError(Exception):
    """A store cannot read or write now; nothing of the transaction was kept."""


class DecisionId(NamedTuple):
    """A served decision: `{policy}/{replicate}/{t}/{user_id}` as text, the same in a served log as in a simulated one.

    The policy's label, the user's decision number under it, the user.
    """

    policy: str
    t: int
    user: str

    def __str__(self) -> str:
        return f"{self.policy}/0/{self.t}/{self.user}"

    @classmethod
    def parse(cls, text: str) -> DecisionId:
        """The parts of a decision id. Raises RefusalError (404): what was never handed out is not known."""
        if not (match := _ID.fullmatch(text)):
            raise RefusalError(404, "no such decision", "decision_id")
        return cls(match[1], int(match[2]), match[3])


class Offered(NamedTuple):
    """A candidate as it is scored and logged. `source` is `todoist` or `llm`, None where a reward did not say."""

    id: str
    source: str | None
    task_id: str | None
    is_overdue: bool
    task_age_days: float
    priority: int

    @property
    def is_llm(self) -> bool | None:
        """Whether an LLM wrote it, None where that is not known."""
        return None if self.source is None else self.source == "llm"


class Model(NamedTuple):
    """A user under a policy. `decisions`, `ticks` (rounds that the state has passed) and `learned` count from the
    beginning; `since` is the value of `decisions` at the last reset, from which `pulls`, `explored`, `rewards` and
    `total` count. `updated` is in microseconds since 1970. `state` holds float64 bytes, None where nothing was learned.
    """

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


class DecisionRow(NamedTuple):
    """A decision: the user's number `t` under a policy, at `ts` (microseconds since 1970).

    `policy_hash` says with which parameters; x (K, d) and probs (K,) are float64 bytes. `reward` is what was learned
    from it, None before.
    """

    user: str
    policy: str
    t: int
    policy_hash: str
    ts: int
    hour: int
    day: int
    candidates: tuple[Offered, ...]
    x: bytes
    probs: bytes | None
    chosen: int
    propensity: float | None
    score: float
    explored: bool | None
    prompt_version: str | None
    llm_model: str | None
    tip_kind: str | None
    reward: float | None = None

    @property
    def id(self) -> DecisionId:
        """Its id."""
        return DecisionId(self.policy, self.t, self.user)

    @property
    def tip(self) -> Offered:
        """The candidate that was served."""
        return self.candidates[self.chosen]


class LearningRow(NamedTuple):
    """What a model learned, its number `seq`; `kind` is `reward`, or `reset`, which has the first six columns alone.

    `t_decided` is None where the caller named no decision. `hour`, `day` and `tip` make the vector again under other
    features.
    """

    user: str
    policy: str
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
    tip: Offered | None = None


class Store(Protocol):
    """A store, opened to be used by one thread at a time. Policies are named by their labels.

    What reads and writes single records is called between `begin` and `commit`; what reads all of them between
    `snapshot` and `rollback`. Every method may raise StoreError.
    """

    @property
    def seed(self) -> int:
        """The seed of all draws."""

    @property
    def changes(self) -> int:
        """A number that grows with every write, so that one can tell whether something was written."""

    def begin(self) -> bool:
        """Begin to write, with sight of all that others committed; False where another process is writing."""

    def commit(self) -> None:
        """Make what was written durable. May be called in another thread."""

    def rollback(self) -> None:
        """Undo what was written, where something was begun."""

    def snapshot(self) -> None:
        """Begin to read what is there now, whatever is written meanwhile."""

    def close(self) -> None:
        """Free what is held."""

    def migrations(self) -> int:
        """How often states were rebuilt: a server that finds another number than it began with must stop writing."""

    def model(self, user: str, policy: str) -> Model:
        """The user's model, a blank one where there is none."""

    def models(self, user: str) -> list[tuple[str, Model]]:
        """The user's models with their policies."""

    def write_model(self, user: str, policy: str, model: Model) -> None:
        """Write a model that was read in this transaction; its version grows by one."""

    def decision(self, user: str, policy: str, t: int) -> DecisionRow | None:
        """The user's decision number t, or None."""

    def history(self, user: str, limit: int) -> list[DecisionRow]:
        """The user's last decisions since the last reset, under all policies, oldest first."""

    def log_decision(self, row: DecisionRow) -> None:
        """Write down a decision."""

    def log_learning(self, row: LearningRow) -> None:
        """Write down what was learned, and at the decision that it was learned from."""

    def policies(self) -> dict[str, Mapping[str, Any]]:
        """What each policy's states were learned with, by label, in the order of registration."""

    def register(self, policy: str, learned_with: Mapping[str, Any]) -> None:
        """Note down what a policy's states are learned with, in place of what was noted before."""

    def variants(self) -> list[LoggedPolicy]:
        """Descriptions of all policies with all parameters that they have decided with, in the order of adding."""

    def add_variant(self, described: LoggedPolicy) -> None:
        """Note down with which parameters a policy decides from now on, unless that is known."""

    def decisions(self, policy: str) -> Iterator[DecisionRow]:
        """All decisions under a policy, in the order in which they were made."""

    def learnings(self, policy: str, by_user: bool = False) -> Iterator[LearningRow]:
        """All that was learned under a policy, in the order in which it was; or user by user. Models may be read and
        written meanwhile."""

    def sizes(self) -> tuple[int, int]:
        """How many users there are, and the most decisions of one under a policy."""

    def forget_states(self, policy: str) -> None:
        """Begin a migration: all states of the policy are as at the beginning, and `migrations` grows."""


def wait_to_begin(store: Store) -> None:
    """Begin to write as soon as no other process is writing. Raises StoreError after `LOCK_WAIT` seconds."""
    deadline = time.monotonic() + LOCK_WAIT
    while not store.begin():
        if time.monotonic() > deadline:
            raise StoreError(f"another process has been writing for {LOCK_WAIT:g} s")
        time.sleep(_PAUSE)


@contextmanager
def transaction(store: Store) -> Iterator[None]:
    """A write transaction that is rolled back where its block raises."""
    wait_to_begin(store)
    try:
        yield
        store.commit()
    except BaseException:
        store.rollback()
        raise
