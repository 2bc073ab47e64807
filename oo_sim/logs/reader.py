"""The one reader of logs: simulated runs, served exports and plain tables, as arrays of whole users' decisions.

Shapes: K candidates, n decisions, L lanes (a lane is a user in a replicate), m things learned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, NoReturn, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oo_sim.contract import F64, I64, REACTIONS, Bool, Candidates
from oo_sim.errors import RunLogError
from oo_sim.logs import columns
from oo_sim.logs.files import RunFiles
from oo_sim.logs.lanes import ROWS, Lane, Lanes
from oo_sim.logs.manifest import LoggedPolicy, Manifest

FATES = ("rewarded", "pending", "expired", "never", "unknown")
"""What becomes of a decision: its reward is known; it may still come within the window; the window has passed without
one; rewards come at once and none did (or the table says that there was none); or the window is not known."""
REWARDED, PENDING, EXPIRED, NEVER, UNKNOWN = range(5)

_DECISION = (
    *("t", "ts", "decision_id", "hour", "day", "candidates", "probs", "chosen", "propensity"),
    *("explored", "expected_reward"),
)
_LEARNING = ("seq", "kind", "ts", "decision_id", "tip_id", "x", "reaction", "reward", "t_decided", "t_now")


class Learned(NamedTuple):
    """What the models of some lanes learned, in order; a reset has no reward (nan)."""

    lane: I64  # (m,), the lane's place in its part
    row: I64  # (m,), the place in the table
    reset: Bool  # (m,)
    decision: I64  # (m,), the place of the decision in the part, -1 where it belongs to none
    t_decided: I64  # (m,), -1 where the decision is not known
    t_now: I64  # (m,), the lane's last decision number when it was learned
    reward: F64  # (m,)
    reaction: I64  # (m,), codes of `REACTIONS`, -1 where there is none
    x: F64  # (m, d), the features as learned


class Part(NamedTuple):
    """All decisions of some lanes, in order of lane and t, with what became of them."""

    lanes: list[Lane]  # (L,)
    lane: I64  # (n,), the lane's place in `lanes`
    t: I64  # (n,), the lane's own decision numbers
    row: I64  # (n,), the place in the table, for messages
    candidates: Candidates
    chosen: I64  # (n,)
    probs: F64  # (K, n), 0 where no candidate stands, nan where not known
    propensity: F64  # (n,), nan where not known
    decision_id: pa.Array  # (n,)
    reward: F64  # (n,), 0 unless rewarded
    reaction: I64  # (n,), codes of `REACTIONS`, -1 where there is none
    fate: I64  # (n,), places in `FATES`
    settled: Bool  # (n,), whether the reward window had passed when the log ended, as far as it is known
    explored: F64  # (n,), 1 where the choice was exploration, 0 where not, nan where the policy has no such notion
    expected: F64  # (n,), the true expected reward of the chosen one, nan where not known
    x: F64  # (n, d), its features as the policy saw them; d is 0 unless they are asked for and known
    learned: Learned


class Log(Protocol):
    """A log of any kind."""

    path: Path
    manifest: Manifest

    @property
    def policies(self) -> tuple[LoggedPolicy, ...]:
        """The policies that decided in it."""

    def parts(self, label: str, *, window: float | None = None, rows: int = ROWS, x: bool = False) -> Iterator[Part]:
        """All decisions of a policy, some lanes at a time, with the features of what was served if `x`; a `window` that
        is given replaces the log's own."""

    def refuse(self, row: int, column: str, why: str, learned: bool) -> NoReturn:
        """Raise `RunLogError` for a row of decisions, or of what was learned, that is wrong."""


class RunLog(RunFiles):
    """A run directory or a served export. Raises `RunLogError` where it cannot be read."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        if self.manifest.served and not self.manifest.rounds:  # format 1 does not say how large an export is
            keys = self.decisions().table(["user_id", "t"])
            users, last = pc.count_distinct(keys["user_id"]).as_py(), pc.max(keys["t"]).as_py()
            self.manifest = replace(self.manifest, users=users, rounds=0 if last is None else last + 1)

    @cached_property
    def policies(self) -> tuple[LoggedPolicy, ...]:
        """The policies that decided in it; a served one stands once, with the parameters it had last, and is left out
        where it was mounted and never asked, unless none was."""
        found = {policy.label: policy for policy in self.manifest.policies}
        if self.manifest.served and len(found) > 1:
            asked = set(pc.unique(self.decisions().table(["policy"])["policy"]).to_pylist())
            found = {label: policy for label, policy in found.items() if label in asked} or found
        return tuple(found.values())

    @cached_property
    def exported_at(self) -> float | None:
        """When the log ends, in seconds since 1970; None where it does not say."""
        said = self.manifest.exported_at
        return None if said is None else datetime.fromisoformat(said).timestamp()

    def parts(self, label: str, *, window: float | None = None, rows: int = ROWS, x: bool = False) -> Iterator[Part]:
        """All decisions of a policy, some lanes at a time, with the features of what was served if `x`. `window` is in
        rounds when simulated, in seconds when served. Raises `RunLogError`: no such policy, no events, or rows that
        make no log."""
        if label not in (known := [policy.label for policy in self.policies]):
            raise RunLogError(self.path, f"holds no policy {label!r}; there are {', '.join(known)}")
        decisions, learnings = self.decisions(), self.learnings()
        lanes = Lanes(decisions, label, rows)
        window = self.manifest.window if window is None else window
        raw = next(policy for policy in self.policies if policy.label == label).features == "raw"
        asked = (*_DECISION, "x") if raw or x else _DECISION
        for decided, learned in zip(lanes.read(decisions, asked), lanes.read(learnings, _LEARNING), strict=True):
            yield self._part(lanes, decided, learned, window, raw, x)

    def refuse(self, row: int, column: str, why: str, learned: bool) -> NoReturn:
        """Raise `RunLogError` for a row of decisions, or of what was learned, that is wrong."""
        table = self.learnings() if learned else self.decisions()
        raise RunLogError(table.path, f"row {row}, column {column}: {why}")

    def _part(
        self, lanes: Lanes, decided: pa.Table, learned: pa.Table, window: float | None, raw: bool, x: bool
    ) -> Part:
        decided = decided.sort_by([("lane", "ascending"), ("t", "ascending"), ("row", "ascending")])
        first = int(decided["lane"][0].as_py())
        lane = columns.whole(decided, "lane") - first
        t, row = columns.whole(decided, "t"), columns.whole(decided, "row")
        here = lanes.lanes[first : first + int(lane[-1]) + 1]
        path = self.decisions().path
        columns.refuse(path, row, "t", t < 0, lambda i: f"is {t[i]}; decisions count from 0")
        offered = columns.offered(decided, path, raw)
        lessons = _lessons(learned, first, lane, t, offered.chosen_id)
        reward, reaction, fate, settled = self._fates(here, lane, t, decided, lessons, learned, window)
        return Part(
            here,
            lane,
            t,
            row,
            offered.candidates,
            offered.chosen,
            offered.probs,
            columns.numbers(decided, "propensity"),
            decided["decision_id"].combine_chunks(),
            reward,
            reaction,
            fate,
            settled,
            columns.numbers(decided, "explored"),
            columns.numbers(decided, "expected_reward"),
            columns.served(decided, path, offered) if x else np.zeros((len(t), 0)),
            lessons,
        )

    def _fates(
        self,
        lanes: list[Lane],
        lane: I64,
        t: I64,
        decided: pa.Table,
        lessons: Learned,
        learned: pa.Table,
        window: float | None,
    ) -> tuple[F64, I64, I64, Bool]:
        """Reward, reaction and fate of each decision, and whether its window has passed; a reward that came after the
        window counts for nothing."""
        n = len(t)
        reward, reaction = np.zeros(n), np.full(n, -1)
        if self.manifest.served:
            made, end = columns.seconds(decided), self.exported_at
            age = np.full(n, np.inf if end is None else end) - made
            late = columns.seconds(learned)[_order(learned)] - made[lessons.decision]
        else:
            last = np.full(len(lanes), -1)
            np.maximum.at(last, lane, t)
            age = (last[lane] - t).astype(np.float64)
            late = (lessons.t_now - lessons.t_decided).astype(np.float64)
        joined = (lessons.decision >= 0) & ~lessons.reset
        if window is not None:
            joined &= ~(late > window)
        at = lessons.decision[joined]
        reward[at], reaction[at] = lessons.reward[joined], lessons.reaction[joined]
        if window is None or (self.manifest.served and self.exported_at is None):
            fate = np.full(n, UNKNOWN)
        elif window == 0:
            fate = np.full(n, NEVER)
        else:
            fate = np.where(age < window, PENDING, EXPIRED)
        fate[at] = REWARDED
        return reward, reaction, fate, np.ones(n, np.bool_) if window is None else age >= window


def _order(learned: pa.Table) -> I64:
    """The rows of a part's learnings in order of lane and seq."""
    return np.lexsort((columns.whole(learned, "seq"), columns.whole(learned, "lane")))


def _lessons(learned: pa.Table, first: int, lane: I64, t: I64, chosen_id: pa.Array) -> Learned:
    """What was learned, joined with the decisions (n,) of lanes (n,) numbered t (n,)."""
    order = _order(learned)
    learned = learned.take(pa.array(order))
    whose = columns.whole(learned, "lane") - first
    t_decided = columns.whole(learned, "t_decided")
    t_now = columns.whole(learned, "t_now")
    reset = np.asarray(pc.equal(learned["kind"], "reset").to_numpy(), np.bool_)
    width = int(max(t.max(initial=0), t_decided.max(initial=0))) + 2
    keys = lane * width + t
    at = np.minimum(np.searchsorted(keys, whose * width + t_decided), len(keys) - 1)
    joined = (t_decided >= 0) & ~reset
    joined[joined] = keys[at[joined]] == (whose * width + t_decided)[joined]
    decision = np.where(joined, at, -1)
    _by_tip(learned, decision, ~joined & ~reset, whose, t_now, lane, t, chosen_id)
    codes = pc.index_in(learned["reaction"], pa.array(REACTIONS))
    return Learned(
        whose,
        columns.whole(learned, "row"),
        reset,
        decision,
        np.where(decision >= 0, t[decision], t_decided),
        t_now,
        columns.numbers(learned, "reward"),
        pc.fill_null(codes, -1).to_numpy().astype(np.int64),
        columns.vectors(learned["x"]),
    )


def _by_tip(
    learned: pa.Table,
    decision: I64,
    loose: Bool,
    whose: I64,
    t_now: I64,
    lane: I64,
    t: I64,
    chosen_id: pa.Array,
) -> None:
    """Join rewards without a decision id to the lane's latest decision by then that served their tip and has none."""
    rows = np.flatnonzero(loose & np.asarray(learned["tip_id"].is_valid().to_numpy(), np.bool_))
    if not len(rows):
        return
    tips, served = learned["tip_id"].to_pylist(), chosen_id.to_pylist()
    taken = set(decision[decision >= 0].tolist())
    for row in rows:
        start, stop = np.searchsorted(lane, [whose[row], whose[row] + 1])
        for place in range(int(stop) - 1, int(start) - 1, -1):
            if t[place] <= t_now[row] and served[place] == tips[row] and place not in taken:
                decision[row] = place
                taken.add(place)
                break
