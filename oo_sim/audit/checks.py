"""The checks that need no model: numbering, features, what was learned, rewards, draws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from oo_sim.audit import philox
from oo_sim.audit.arrays import F64, I64, TOLERANCE, U64, Bool, anywhere, blocks, differs
from oo_sim.audit.features import derive, each, plausible
from oo_sim.audit.report import Finding
from oo_sim.audit.rows import Decisions, Learnings

_ROUNDING = 1e-12
"""A uniform this near to a boundary may fall on either side of it."""


def order(d: Decisions, complete: Bool) -> Finding:
    """Decision numbers count 0, 1, 2 ... in every lane; rows of lanes that lost some are not `complete`."""
    before = d.before()
    due = np.where(before >= 0, d.t[before] + 1, 0) if len(d.t) else d.t
    return Finding("order", complete, d.t != due, lambda i: d.t[i], lambda i: f"{due[i]}, the user's next")


def learning_order(m: Learnings, complete: Bool) -> Finding:
    """Sequence numbers rise one by one in every lane, and what is learned is not older than it can be."""
    n = len(m.seq)
    follows = np.r_[False, m.lane[1:] == m.lane[:-1]] if n else np.zeros(0, np.bool_)
    before = np.r_[0, np.arange(n - 1)][:n].astype(np.int64)
    gap = np.where(follows, m.seq != m.seq[before] + 1, ~np.isin(m.seq, (0, 1)))
    back = follows & (m.t_now < m.t_now[before])
    early = ~m.reset & (m.t_decided > m.t_now)
    return Finding(
        "order",
        complete,
        gap | back | early,
        lambda i: f"learning seq {m.seq[i]}, t_decided {m.t_decided[i]}, t_now {m.t_now[i]}",
        lambda i: f"seq {m.seq[before[i]] + 1 if follows[i] else 0}, t_now neither falling nor before t_decided",
    )


def features(d: Decisions, names: tuple[str, ...]) -> Finding:
    """The logged vectors follow from the raw columns."""
    wrong = np.zeros(len(d.t), np.bool_)
    for part in blocks(len(d.t)):
        cells = d.is_overdue[:, part], d.age[:, part], d.priority[:, part], d.is_llm[:, part]
        for j, column in enumerate(each(names, d.hour[part], d.day[part], *cells)):
            other = differs(d.x[:, j, part], column)
            if other.any():
                wrong[part] |= anywhere(other & d.standing[:, part])

    def first(i: int) -> tuple[tuple[int, int], float]:
        one = slice(i, i + 1)
        cells = d.is_overdue[:, one], d.age[:, one], d.priority[:, one], d.is_llm[:, one]
        x = derive(names, d.hour[one], d.day[one], *cells)[:, :, 0]
        candidate, feature = np.argwhere(differs(d.x[:, :, i], x) & d.standing[:, None, i])[0]
        return (int(candidate), int(feature)), float(x[candidate, feature])

    def logged(i: int) -> str:
        (candidate, feature), _ = first(i)
        return f"{names[feature]} {d.x[candidate, feature, i]:.17g} of candidate {candidate}"

    return Finding(
        "features",
        np.ones(len(d.t), np.bool_),
        wrong,
        logged,
        lambda i: f"{first(i)[1]:.17g} at hour {d.hour[i]}, day {d.day[i]}",
    )


def learned(m: Learnings, d: Decisions, at: I64, names: tuple[str, ...] | None, complete: Bool) -> Finding:
    """What was learned is the chosen candidate's vector, once. `at` (m,) is where the decisions stand, -1 for none.

    A served reward that names no decision brings its own hour, so that its vector need only be one that some hour and
    candidate give.
    """
    known = at >= 0
    chosen = np.stack([d.of_chosen(d.x[:, j]) for j in range(len(m.x))]) if len(m.x) else m.x[:, :0]
    own = np.where(known, np.take(chosen, at, axis=1, mode="clip"), 0.0) if len(d.t) else np.zeros_like(m.x)
    wrong = ~known | anywhere(differs(m.x, own)) | _again(m)
    loose = m.served & (m.t_decided < 0)
    if loose.any():
        wrong = np.where(loose, ~plausible(names or (), m.x), wrong)
    return Finding(
        "learned",
        ~m.reset & (loose | complete),
        wrong,
        lambda i: m.x[:, i],
        lambda i: _own(i, m, own, known),
    )


def _own(i: int, m: Learnings, own: F64, known: Bool) -> object:
    if m.served[i] and m.t_decided[i] < 0:
        return "a vector that an hour, a day and a candidate can give"
    if not known[i]:
        return f"nothing: there is no decision {m.t_decided[i] + 1} (t={m.t_decided[i]})"
    same = not differs(m.x[:, i], own[:, i]).any()
    return "learned once only" if same else own[:, i]


def _again(m: Learnings) -> Bool:
    """Which learnings repeat a decision that was learned before."""
    keys, free = m.lane << 32 | (m.t_decided + 1), m.reset | (m.t_decided < 0)
    if not free.any() and (keys[1:] > keys[:-1]).all():  # as where every reward comes in its turn
        return free
    once = np.zeros(len(keys), np.bool_)
    once[np.unique(np.where(free, -1 - np.arange(len(keys)), keys), return_index=True)[1]] = True
    return ~once


def times(d: Decisions, m: Learnings) -> Iterator[tuple[Finding, bool]]:
    """Served rows stand in the order of time: a user's decisions, what the user's model learned, and each lesson after
    the decision that was the latest then and before the next. Whether a finding is about learnings comes with it."""
    before = d.before()
    follows = (before >= 0) & d.served & d.served[before] if len(d.t) else np.zeros(0, np.bool_)
    yield (
        Finding(
            "time",
            follows,
            d.ts < d.ts[before],
            lambda i: f"{d.ts[i]} microseconds",
            lambda i: f"{d.ts[before[i]]} or later, when decision {d.t[before[i]] + 1} was made",
        ),
        False,
    )
    k = np.arange(len(m.seq))
    last = np.maximum(k - 1, 0)
    same = (k > 0) & (m.lane == m.lane[last]) & m.served & m.served[last]
    back = same & (m.ts < m.ts[last])
    now, after = d.find(m.lane, m.t_now), d.find(m.lane, m.t_now + 1)
    early = (now >= 0) & m.served & d.served[now] & (m.ts < d.ts[now]) if len(d.t) else np.zeros(len(k), np.bool_)
    late = (after >= 0) & m.served & d.served[after] & (m.ts > d.ts[after]) if len(d.t) else np.zeros(len(k), np.bool_)
    yield (
        Finding(
            "time",
            m.served,
            back | early | late,
            lambda i: f"learning seq {m.seq[i]} at {m.ts[i]} microseconds",
            lambda i: f"between decisions {m.t_now[i]} and {m.t_now[i] + 1}, and not before seq {m.seq[last[i]]}",
        ),
        True,
    )


def reward(m: Learnings, reactions: bool) -> Finding:
    """The reward is that of the reaction; where all rewards are reactions' they lie within -1 to 1."""
    worth = np.isfinite(m.reaction)
    ranged = m.served | reactions
    unnamed = ~worth & ~m.served & reactions
    wrong = (worth & (m.reward != m.reaction)) | (ranged & (np.abs(m.reward) > 1.0)) | unnamed
    return Finding(
        "reward",
        ~m.reset & (worth | ranged),
        wrong,
        lambda i: m.reward[i],
        lambda i: m.reaction[i] if worth[i] else "a reaction's reward, -1 to 1, with its reaction",
    )


def draw(d: Decisions, seed: int, replicate: I64, users: U64, share: tuple[F64, Bool] | None) -> Iterator[Finding]:
    """The first uniform picks the candidate by the cumulative probabilities; the second sets the flag.

    `replicate` and `users` (hashed) are those of each row; `share` is the probability (n,) of being drawn
    by exploration, for the candidate chosen, and where it is known (n,).
    """
    u = np.empty((2, len(d.t)))
    due, wrong = np.empty(len(d.t), np.int64), np.empty(len(d.t), np.bool_)
    judged = d.has_probs & ~differs(d.probs.sum(axis=0), np.ones(len(d.t)))  # else nothing can be drawn with them
    for part in blocks(len(d.t)):
        u[:, part] = philox.uniforms(seed, replicate[part], users[part], d.t[part], philox.DECIDE, 2)
        due[part], wrong[part] = _picked(np.where(judged[part], d.probs[:, part], 0.0), u[0, part], d.chosen[part])
    yield Finding(
        "draw",
        judged,
        wrong,
        lambda i: f"candidate {d.chosen[i]}",
        lambda i: f"candidate {due[i]} at uniform {u[0, i]:.17g}",
    )
    if share is None:
        return
    own = np.where(d.has_probs, d.of_chosen(d.probs), d.propensity)
    exploring, known = share
    flag = u[1] * own < exploring
    sure = np.abs(u[1] * own - exploring) > _ROUNDING + TOLERANCE * exploring
    yield Finding(
        "explored",
        known & ~np.isnan(own),
        (d.explored < 0) | (sure & (d.explored != flag)),
        lambda i: _flag(int(d.explored[i])),
        lambda i: f"{_flag(int(flag[i]))} at uniform {u[1, i]:.17g}",
    )


def _picked(probs: F64, uniform: F64, chosen: I64) -> tuple[I64, Bool]:
    """The candidate (n,) that the uniform picks by cumulative probabilities (K, n), and whether another was `chosen`
    than it, or its neighbours within rounding, may be."""
    due = _at(probs, uniform)
    wrong = chosen != due
    some = np.flatnonzero(wrong)  # few
    if len(some):
        own, place = probs[:, some], uniform[some]
        wrong[some] = np.logical_and.reduce([chosen[some] != _at(own, place + by) for by in (-_ROUNDING, _ROUNDING)])
    return due, wrong


def _at(probs: F64, uniform: F64) -> I64:
    """The candidate (n,) at which the cumulative probabilities (K, n) pass the uniform; the last possible one, where
    rounding keeps them below it."""
    total, due, last = (np.zeros(len(uniform), kind) for kind in (np.float64, np.int64, np.int64))
    for k, p in enumerate(probs):
        total += p
        due += total <= uniform
        last[p > 0.0] = k
    return np.minimum(due, last)


def _flag(value: int) -> str:
    return {-1: "null", 0: "not explored", 1: "explored"}[value]


def sums(d: Decisions) -> Iterator[Finding]:
    """Probabilities sum to 1, and the propensity is that of the candidate chosen."""
    judged = d.has_probs
    total = d.probs.sum(axis=0)
    yield Finding(
        "probs", judged, np.abs(total - 1.0) > TOLERANCE, lambda i: f"a sum of {total[i]:.17g}", lambda i: "1"
    )
    own = d.of_chosen(d.probs)
    yield Finding("propensity", judged, differs(d.propensity, own), lambda i: d.propensity[i], lambda i: float(own[i]))


def best(d: Decisions) -> Finding:
    """The oracle serves the highest true expected reward, and the vectors it saw are those rewards."""
    seen = d.of_chosen(d.x[:, 0])
    wrong = differs(d.expected, d.best) | differs(seen, d.expected)
    return Finding("best", np.ones(len(d.t), np.bool_), wrong, lambda i: d.expected[i], lambda i: float(d.best[i]))
