"""The checks that need the user's model: scores, the greedy choice, ties and probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from oo_sim.audit.arrays import F64, I64, TOLERANCE, U64, Bool, anywhere, blocks, differs, first_highest
from oo_sim.audit.models import Lessons, Offered, walk
from oo_sim.audit.report import Finding
from oo_sim.audit.rows import Decisions, Learnings
from oo_sim.audit.rules import Rule


class Scored(NamedTuple):
    """Derived scores (K, n); `blank` (n,) says where no reward but 0 was learned yet, and all are exactly 0. Scores
    that are shares of wins have bounds (K, n), since near ties may go either way."""

    scores: F64
    blank: Bool
    low: F64 | None = None
    high: F64 | None = None


def scored(d: Decisions, m: Learnings, rule: Rule, users: U64, replicates: I64) -> Scored | None:
    """The scores that each candidate should have had, from everything that the user's model had learned.

    `users` (hashed) and `replicates` are those of the lanes. None for policies whose scores do not follow from the log.
    """
    if rule.family == "oracle":
        return Scored(d.x[:, 0], np.zeros(len(d.t), np.bool_))
    if rule.family == "random":
        return Scored(np.zeros(d.standing.shape), np.zeros(len(d.t), np.bool_))
    model = rule.model(d.x.shape[1])
    if model is None:
        return None
    now = _never_falling(m.lane, m.t_now)
    decided = np.where(m.t_decided >= 0, m.t_decided, now)
    lessons = Lessons(m.lane, now, decided, m.reset, m.x, m.reward, users, replicates, rule.seed)
    found = Scored(np.zeros(d.standing.shape), np.zeros(len(d.t), np.bool_))
    if rule.shares:
        found = found._replace(low=np.zeros(d.standing.shape), high=np.zeros(d.standing.shape))
    later = later_twins(d) if rule.shares else d.standing
    x = d.x.transpose(1, 0, 2)
    for rows, states in walk(model, lessons, d.lane, d.t):
        lanes = d.lane[rows]
        offered = Offered(
            x[:, :, rows], d.standing[:, rows], later[:, rows], d.t[rows], users[lanes], replicates[lanes]
        )
        scores = model.score(states, offered)
        found.scores[:, rows], found.blank[rows] = scores.scores, model.blank(states)
        if found.low is not None and found.high is not None and scores.low is not None and scores.high is not None:
            found.low[:, rows], found.high[:, rows] = scores.low, scores.high
    return found


def _never_falling(lane: I64, t_now: I64) -> I64:
    """Running maxima of t_now within lanes, so that a log out of order is still read in one way."""
    lifted = np.maximum.accumulate((lane << 32) + t_now + 1)
    return np.asarray(lifted - (lane << 32) - 1)


def later_twins(d: Decisions) -> Bool:
    """Which candidates (K, n) are the same as one before them, in all raw columns and features."""
    later = np.zeros(d.standing.shape, np.bool_)
    for k in range(1, len(later)):
        for j in range(k):
            same = d.standing[k] & d.standing[j] & (d.x[j] == d.x[k]).all(axis=0)
            for column in (d.is_overdue, d.age, d.priority, d.is_llm):
                same &= column[j] == column[k]
            later[k] |= same
    return later


def findings(d: Decisions, s: Scored, rule: Rule, sure: Bool) -> Iterator[Finding]:
    """All checks against the derived scores; rows whose model is not known (`sure` false) are not judged."""
    n = len(d.t)
    own = d.of_chosen(s.scores)
    if s.low is not None and s.high is not None:
        wrong = ~_between(d.score, d.of_chosen(s.low), d.of_chosen(s.high))
        wrong |= d.has_probs & differs(d.score, d.of_chosen(d.probs))  # which are the same shares
    else:
        wrong = differs(d.score, own)
    yield Finding("score", sure, wrong, lambda i: d.score[i], lambda i: float(own[i]))
    if s.low is not None and s.high is not None:
        yield from _shares(d, s, sure)
        return
    if rule.serves_best:
        greedy, known = _greedy(d, rule)
        yield from _best_served(d, s, greedy, sure & known)
    else:
        greedy, known = d.chosen, np.ones(n, np.bool_)
    yield from probabilities(d, s.scores, rule, greedy, sure & known)


def _between(values: F64, low: F64, high: F64) -> Bool:
    return np.asarray((values >= low - TOLERANCE) & (values <= high + TOLERANCE))


def _shares(d: Decisions, s: Scored, sure: Bool) -> Iterator[Finding]:
    """Logged probabilities are the shares of wins."""
    assert s.low is not None
    assert s.high is not None
    has = d.has_probs
    wrong = anywhere(~_between(d.probs, s.low, s.high) & d.standing)
    yield Finding(*("probs", sure & has, wrong), lambda i: d.probs[:, i], lambda i: s.scores[:, i][d.standing[:, i]])


def _greedy(d: Decisions, rule: Rule) -> tuple[I64, Bool]:
    """The candidate that the log treats as greedy (n,), and where that can be told.

    It has the highest logged probability; without probabilities it is the one served when nothing explores.
    """
    has = d.has_probs
    epsilon = rule.epsilon(d.t)
    greedy = np.where(has, first_highest(d.probs), d.chosen)
    sole = (epsilon == 0.0) if rule.family != "squarecb" else np.zeros(len(d.t), np.bool_)
    return greedy, np.where(has, epsilon < 1.0, sole | (d.explored == 0))


def with_probs(d: Decisions, s: Scored | None, rule: Rule, sure: Bool) -> Decisions:
    """The decisions with probabilities derived where none are logged, the model is known (`sure`) and the
    policy too.

    A candidate served that has the highest score, within the tolerance, counts as the greedy one.
    """
    if s is None or not rule.serves_best:
        return d
    seen = _seen(d, s)
    best = np.where(_near(seen, d.chosen), d.chosen, first_highest(seen))
    derived = rule.probabilities(s.scores, d.standing, best, d.t)
    return d._replace(probs=np.where(~d.has_probs & sure, derived, d.probs))


def _seen(d: Decisions, s: Scored) -> F64:
    """The scores (K, n) of those that stand; of others none is lower."""
    return s.scores if d.standing.all() else np.where(d.standing, s.scores, -np.inf)


def _near(seen: F64, index: I64) -> Bool:
    """Where candidate `index` (n,) has the highest score (K, n), within the tolerance."""
    top = seen.max(axis=0)
    own = seen[index, np.arange(len(index))]
    return np.asarray(own >= top - TOLERANCE * np.maximum(1.0, np.abs(top)))


def _best_served(d: Decisions, s: Scored, greedy: I64, judged: Bool) -> Iterator[Finding]:
    scores = _seen(d, s)
    near = _near(scores, greedy)
    yield Finding(
        "argmax",
        judged,
        ~near,
        lambda i: f"candidate {greedy[i]} with score {scores[greedy[i], i]:.17g}",
        lambda i: f"candidate {scores[:, i].argmax()} with score {scores[:, i].max():.17g}",
    )
    twin = np.where(s.blank, 0, _first_twin(d, greedy))
    yield Finding(
        "tie",
        judged & near,
        twin < greedy,
        lambda i: f"candidate {greedy[i]}",
        lambda i: f"candidate {twin[i]}, the first of those that are equal",
    )


def _first_twin(d: Decisions, index: I64) -> I64:
    """The first candidate (n,) that is the same as candidate `index` (n,) in all raw columns and features."""
    rows, first = np.arange(len(d.t)), index.copy()
    raw = (d.age, d.priority, d.is_overdue, d.is_llm)
    own = [column[index, rows] for column in raw]
    for k in reversed(range(len(d.standing))):
        same = d.standing[k] & (k < index)
        for column, value in zip(raw, own, strict=True):
            same &= column[k] == value
        some = np.flatnonzero(same)  # few, so that their vectors are compared alone
        alike = (d.x[k][:, some] == d.x[index[some], :, some].T).all(axis=0)
        first[some[alike]] = k
    return first


def probabilities(d: Decisions, scores: F64, rule: Rule, greedy: I64, judged: Bool) -> Iterator[Finding]:
    """Logged probabilities (and propensities, where there are no others) are those of the policy."""
    has, n = d.has_probs, len(d.t)
    wrong, own = np.zeros(n, np.bool_), np.empty(n)

    def due(part: slice) -> F64:
        return rule.probabilities(scores[:, part], d.standing[:, part], greedy[part], d.t[part])

    for part in blocks(n):
        derived = due(part)
        other = differs(d.probs[:, part], derived)
        if other.any():
            wrong[part] = anywhere(other & d.standing[:, part])
        own[part] = derived[d.chosen[part], np.arange(derived.shape[1])]
    yield Finding(
        *("probs", judged & has, wrong),
        lambda i: d.probs[:, i],
        lambda i: due(slice(i, i + 1))[:, 0][d.standing[:, i]],
    )
    if rule.sampled:
        told = has | ~np.isnan(d.propensity)
        yield Finding("propensity", judged, told, lambda i: d.propensity[i], lambda i: "null: one sample tells none")
        return
    yield Finding(
        "propensity",
        judged & ~has & (~np.isnan(d.propensity) | ~d.served),
        differs(d.propensity, own),
        lambda i: d.propensity[i],
        lambda i: float(own[i]),
    )


def explored_share(d: Decisions, s: Scored | None, rule: Rule, sure: Bool) -> tuple[F64, Bool] | None:
    """The probability (n,) of drawing the candidate by exploring, and where that is known; None where the policy has no
    such notion."""
    if not rule.explores:
        return None
    if rule.family != "squarecb":
        n = len(d.t)
        return rule.explored(d.probs, d.standing, np.zeros(n, np.int64), d.chosen, d.t), np.ones(n, np.bool_)
    if s is None:
        return None
    greedy, known = _greedy(d, rule)
    return rule.explored(s.scores, d.standing, greedy, d.chosen, d.t), sure & known
