"""A policy walks through a log: its probabilities in each logged situation, asked of its own code.

Shapes: K candidates, d features, n decisions, L lanes. All lanes of a part go side by side, round by round, as in the
engine: decide, then learn what arrived in that round, the first reward of a round with the tick.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, MIN_LANES, Batch, Bool, Candidates, Learning, Policy, Probs, State
from oo_sim.errors import EvaluationError
from oo_sim.kernels import philox
from oo_sim.kernels.draws import LaneDraws, hash_users
from oo_sim.logs import Part
from oo_sim.ope.replay import nth

_RAW = ("is_overdue", "task_age_days", "priority", "is_llm", "mask", "serial")
_SUM = 1e-6


class Target(NamedTuple):
    """A policy to evaluate. `learns_as_logged`: its features are those of the log, so it can learn logged vectors."""

    label: str
    policy: Policy
    learns_as_logged: bool = False


def walk(target: Target, part: Part, seed: int, cut: I64 | None = None) -> F64:
    """Probabilities pi (K, n) of all candidates, as the policy learns from what was logged (`passive`); nan before it
    has seen anything.

    With `cut` (L,), the decision number from which each lane's state is frozen (`frozen`): nothing that was decided or
    learned from there on reaches it, and decisions before have probabilities nan.
    """
    lanes = _Side(target, part, seed)
    pi = np.full(part.probs.shape, np.nan)
    frozen: State = None
    for t, rows in lanes.rounds():
        where = part.lane[rows]
        if cut is None:
            pi[:, rows] = lanes.probabilities(lanes.state, rows, t)
        else:
            now = np.flatnonzero(cut == t)
            if frozen is None:
                frozen = copied(lanes.state)
            if len(now):
                put(frozen, now, taken(lanes.state, now))
            later = t >= cut[where]
            if later.any():
                pi[:, rows[later]] = lanes.probabilities(frozen, rows[later], t)
            if not later.all():
                lanes.look(rows[~later])
        lanes.learn(t)
    return pi


def replay(target: Target, part: Part, seed: int, ceiling: float) -> Bool:
    """Which decisions (n,) the policy accepts, and learns from, as it would have been deployed: each with probability
    pi(a) / (ceiling p(a)), where `ceiling` is at least 1 / p of any candidate. Sources: Li, Chu, Langford and Wang
    (2011), algorithm 2; Dudik, Erhan, Langford and Li (2012), section 5."""
    lanes = _Side(target, part, seed)
    accepted = np.zeros(len(part.t), np.bool_)
    made = np.zeros(len(part.lanes), np.int64)  # decisions that the policy has made
    for _, rows in lanes.rounds():
        where = part.lane[rows]
        pi = lanes.probabilities(lanes.state, rows, made)
        chance = pi[part.chosen[rows], np.arange(len(rows))] / (ceiling * part.propensity[rows])
        coin = lanes.coins(part.t[rows], where)
        keep = coin < chance
        accepted[rows[keep]] = True
        if keep.any():
            lanes.learn_at_once(rows[keep], made)
            made[where[keep]] += 1
    return accepted


class _Side:
    """The lanes of a part side by side."""

    def __init__(self, target: Target, part: Part, seed: int) -> None:
        self._part, self._label, self._policy = part, target.label, target.policy
        self._as_logged = target.learns_as_logged and part.learned.x.shape[1] == target.policy.features.d
        ids = [lane.user_id for lane in part.lanes]
        self._n = max(len(ids), MIN_LANES)
        replicate = np.uint64(part.lanes[0].replicate)
        self._draws = LaneDraws(np.uint64(seed), replicate, hash_users(ids + ids[:1] * (self._n - len(ids))))
        self._coins = self._draws._replace(seed=np.uint64(seed ^ 0x7EA1))  # no draw of the log's own is used again
        self._order = np.argsort(part.t, kind="stable")
        self._first = np.zeros(self._n, np.int64)  # of each lane, so that absent lanes have something on offer
        self._first[part.lane[::-1]] = np.arange(len(part.t))[::-1]
        self._x = np.zeros((self._policy.features.d, len(part.t)))  # the features of what was chosen
        self._lessons = _lessons(part)
        self.state: State = self._policy.init(self._n)

    def rounds(self) -> Iterator[tuple[int, I64]]:
        """Each round, and the decisions that were made in it."""
        t = self._part.t[self._order]
        last = int(t[-1])
        cuts = np.searchsorted(t, np.arange(last + 2))
        for at in range(last + 1):
            yield at, self._order[cuts[at] : cuts[at + 1]]

    def probabilities(self, state: State, rows: I64, t: int | I64) -> F64:
        """pi (K, rows) in the situations of these decisions, at most one a lane."""
        part, policy, where = self._part, self._policy, self._part.lane[rows]
        x, mask = self.look(rows)
        when = np.zeros(self._n, np.int64)
        when[: len(part.lanes)] = t
        batch = Batch(x, mask, when)
        noise = self._draws.uniforms(philox.SCORE, when, policy.noise[0])
        try:
            made = policy.probs(policy.score(state, batch, noise), batch)
        except Exception as error:
            raise EvaluationError(f"policy {self._label} raised {type(error).__name__}: {error}") from error
        if not isinstance(made, Probs):
            raise EvaluationError(f"policy {self._label}: probs returned {type(made).__name__}, not Probs")
        pi = np.asarray(made.total[:, where], np.float64)
        if not (np.isfinite(pi).all() and (pi >= 0).all() and (np.abs(pi.sum(axis=0) - 1) <= _SUM).all()):
            raise EvaluationError(f"policy {self._label}: its probabilities do not sum to 1 in every situation")
        return pi

    def look(self, rows: I64) -> tuple[F64, Bool]:
        """Features (K, d, lanes) and mask in these situations; those of what was chosen are kept, to learn from."""
        part, policy, where = self._part, self._policy, self._part.lane[rows]
        current = self._first.copy()
        current[where] = rows
        offered = situation(part.candidates, current)
        x = np.empty((len(offered.mask), policy.features.d, self._n))
        policy.features.encode(offered, x)
        self._x[:, rows] = x[part.chosen[rows], :, where].T
        return x, offered.mask

    def learn(self, t: int) -> None:
        """Learn what arrived in round t: the first reward of each lane with the tick, then the others."""
        first, *more = self._lessons.get(t, [np.zeros(0, np.int64)])
        self._update(first, t, tick=True)
        for turn in more:
            self._update(turn, t, tick=False)

    def _update(self, at: I64, t: int, *, tick: bool) -> None:
        """Learn these of the learned, at most one a lane."""
        learned, policy = self._part.learned, self._policy
        x, reward = np.zeros((policy.features.d, self._n)), np.zeros(self._n)
        learn, decided = np.zeros(self._n, np.bool_), np.full(self._n, t)
        place, reset = learned.decision[at], learned.reset[at]
        known = at[(place >= 0) & ~reset]
        x[:, learned.lane[known]] = self._x[:, learned.decision[known]]
        decided[learned.lane[known]] = learned.t_decided[known]
        if self._as_logged:  # a reward of no decision came with features of its own
            loose = at[(place < 0) & ~reset]
            x[:, learned.lane[loose]] = learned.x[loose].T
            known = np.concatenate([known, loose])
        reward[learned.lane[known]], learn[learned.lane[known]] = learned.reward[known], True
        lesson = Learning(x, reward, learn, decided, np.full(self._n, t), tick)
        if tick or learn.any():
            noise = self._draws.uniforms(philox.UPDATE, decided, policy.noise[1])
            self.state = policy.update(self.state, lesson, noise)
        if reset.any():
            forgotten = learned.lane[at[reset]]
            put(self.state, forgotten, taken(policy.init(self._n), forgotten))

    def learn_at_once(self, rows: I64, made: I64) -> None:
        """Learn the rewards of these decisions, each as the lane's decision number `made`; other lanes stand still."""
        part, policy, where = self._part, self._policy, self._part.lane[rows]
        lanes = np.resize(where, max(len(where), MIN_LANES))
        at = np.resize(rows, len(lanes))
        now = made[lanes]
        learn = part.fate[at] == 0
        lesson = Learning(np.ascontiguousarray(self._x[:, at]), part.reward[at], learn, now, now)
        draws = self._draws._replace(users=self._draws.users[lanes])
        noise = draws.uniforms(philox.UPDATE, now, policy.noise[1])
        after = policy.update(taken(self.state, lanes), lesson, noise)
        put(self.state, where, taken(after, np.arange(len(where))))

    def coins(self, t: I64, lanes: I64) -> F64:
        """A uniform for each of these lanes' decisions t."""
        draws = self._coins._replace(users=self._draws.users[lanes])
        return np.asarray(draws.uniforms(philox.DECIDE, t, 1)[0])


def _lessons(part: Part) -> dict[int, list[I64]]:
    """Places among the learned, by round and, within it, by turn: a lane has one in a turn at most."""
    lane, t = part.learned.lane, part.learned.t_now
    turn = nth(lane * (int(t.max(initial=0)) + 2) + t)
    order = np.lexsort((turn, t))
    heads = np.flatnonzero(np.diff(t[order]) | np.diff(turn[order])) + 1
    found: dict[int, list[I64]] = {}
    for places in np.split(order, heads):
        if len(places):
            found.setdefault(int(t[places[0]]), []).append(places)
    return found


def situation(candidates: Candidates, rows: I64) -> Candidates:
    """The situations of some decisions."""
    columns = {name: np.ascontiguousarray(getattr(candidates, name)[:, rows]) for name in _RAW}
    vectors = None if candidates.vectors is None else np.ascontiguousarray(candidates.vectors[:, :, rows])
    return Candidates(**columns, hour=candidates.hour[rows], day=candidates.day[rows], vectors=vectors)


def copied(state: State) -> State:
    """A copy of a state's arrays; a state is an array, or a tuple, named tuple or dict of states."""
    if isinstance(state, dict):
        return {name: copied(each) for name, each in state.items()}
    if isinstance(state, tuple):
        return _like(state, [copied(each) for each in state])
    return state.copy()


def taken(state: State, lanes: I64) -> State:
    """Some lanes of a state, in memory of their own."""
    if isinstance(state, dict):
        return {name: taken(each, lanes) for name, each in state.items()}
    if isinstance(state, tuple):
        return _like(state, [taken(each, lanes) for each in state])
    return np.ascontiguousarray(state[..., lanes])


def put(state: State, lanes: I64, values: State) -> None:
    """Write some lanes of a state."""
    if isinstance(state, dict):
        for name, each in state.items():
            put(each, lanes, values[name])
    elif isinstance(state, tuple):
        for each, value in zip(state, values, strict=True):
            put(each, lanes, value)
    else:
        state[..., lanes] = values


def _like(state: Any, parts: list[Any]) -> Any:
    return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
