"""The checks that need the user's model: scores, the greedy choice, ties and probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from oo_sim.audit.arrays import F64, I64, TOLERANCE, U64, Bool, differs
from oo_sim.audit.models import Lessons, Offered, walk
from oo_sim.audit.report import Finding
from oo_sim.audit.rows import Decisions, Learnings
from oo_sim.audit.rules import Rule


class Scored(NamedTuple):
    """Derived scores (n, K); `blank` (n,) says where no reward but 0 was learned yet, and all are exactly 0. Scores
    that are shares of wins have bounds (n, K), since near ties may go either way."""

    scores: F64
    blank: Bool
    low: F64 | None = None
    high: F64 | None = None


def scored(d: Decisions, m: Learnings, rule: Rule, users: U64, replicates: I64) -> Scored | None:
    """The scores that each candidate should have had, from everything that the user's model had learned.

    `users` (hashed) and `replicates` are those of the lanes. None for policies whose scores do not follow from the log.
    """
    if rule.family == "oracle":
        return Scored(d.x[:, :, 0], np.zeros(len(d.t), np.bool_))
    if rule.family == "random":
        return Scored(np.zeros(d.standing.shape), np.zeros(len(d.t), np.bool_))
    model = rule.model(d.x.shape[2])
    if model is None:
        return None
    now = _never_falling(m.lane, m.t_now)
    decided = np.where(m.t_decided >= 0, m.t_decided, now)
    lessons = Lessons(
        m.lane, now, decided, m.reset, np.ascontiguousarray(m.x.T), m.reward, users, replicates, rule.seed
    )
    found = Scored(np.zeros(d.standing.shape), np.zeros(len(d.t), np.bool_))
    if rule.shares:
        found = found._replace(low=np.zeros(d.standing.shape), high=np.zeros(d.standing.shape))
    later = later_twins(d) if rule.shares else np.zeros((0, 0), np.bool_)
    for rows, states in walk(model, lessons, d.lane, d.t):
        offered = Offered(
            np.ascontiguousarray(d.x[rows].transpose(2, 1, 0)),
            d.standing[rows].T,
            later[rows].T if rule.shares else later,
            d.t[rows],
            users[d.lane[rows]],
            replicates[d.lane[rows]],
        )
        scores = model.score(states, offered)
        found.scores[rows], found.blank[rows] = scores.scores.T, model.blank(states)
        if found.low is not None and found.high is not None and scores.low is not None and scores.high is not None:
            found.low[rows], found.high[rows] = scores.low.T, scores.high.T
    return found


def _never_falling(lane: I64, t_now: I64) -> I64:
    """Running maxima of t_now within lanes, so that a log out of order is still read in one way."""
    lifted = np.maximum.accumulate((lane << 32) + t_now + 1)
    return np.asarray(lifted - (lane << 32) - 1)


def later_twins(d: Decisions) -> Bool:
    """Which candidates (n, K) are the same as one before them, in all raw columns and features."""
    n, K = d.standing.shape
    later = np.zeros((n, K), np.bool_)
    columns = (d.is_overdue, d.age, d.priority, d.is_llm)
    for k in range(1, K):
        for j in range(k):
            same = d.standing[:, j] & d.standing[:, k] & (d.x[:, j] == d.x[:, k]).all(axis=1)
            for column in columns:
                same &= column[:, j] == column[:, k]
            later[:, k] |= same
    return later


def findings(d: Decisions, s: Scored, rule: Rule, sure: Bool) -> Iterator[Finding]:
    """All checks against the derived scores; rows whose model is not known (`sure` false) are not judged."""
    n = len(d.t)
    own = s.scores[np.arange(n), d.chosen]
    wrong = differs(d.score, own)
    if s.low is not None and s.high is not None:
        rows = np.arange(n)
        wrong = ~_between(d.score, s.low[rows, d.chosen], s.high[rows, d.chosen])
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
    wrong = np.asarray((~_between(d.probs, s.low, s.high) & d.standing).any(axis=1))
    yield Finding("probs", sure & has, wrong, lambda i: d.probs[i], lambda i: s.scores[i][d.standing[i]])


def _greedy(d: Decisions, rule: Rule) -> tuple[I64, Bool]:
    """The candidate that the log treats as greedy (n,), and where that can be told.

    It has the highest logged probability; without probabilities it is the one served when nothing explores.
    """
    has = d.has_probs
    epsilon = rule.epsilon(d.t)
    greedy = np.where(has, np.argmax(np.where(has[:, None], d.probs, 0.0), axis=1), d.chosen)
    sole = (epsilon == 0.0) if rule.family != "squarecb" else np.zeros(len(d.t), np.bool_)
    return greedy, np.where(has, epsilon < 1.0, sole | (d.explored == 0))


def with_probs(d: Decisions, s: Scored | None, rule: Rule, sure: Bool) -> Decisions:
    """The decisions with probabilities derived where none are logged, the model is known (`sure`) and the
    policy too.

    A candidate served that has the highest score, within the tolerance, counts as the greedy one.
    """
    if s is None or not rule.serves_best:
        return d
    best = np.where(_near(d, s, d.chosen), d.chosen, np.argmax(np.where(d.standing, s.scores, -np.inf), axis=1))
    derived = rule.probabilities(s.scores, d.standing, best, d.t)
    return d._replace(probs=np.where((~d.has_probs & sure)[:, None], derived, d.probs))


def _near(d: Decisions, s: Scored, index: I64) -> Bool:
    """Where candidate `index` (n,) has the highest score, within the tolerance."""
    top = np.where(d.standing, s.scores, -np.inf).max(axis=1)
    own = s.scores[np.arange(len(d.t)), index]
    return np.asarray(own >= top - TOLERANCE * np.maximum(1.0, np.abs(top)))


def _best_served(d: Decisions, s: Scored, greedy: I64, judged: Bool) -> Iterator[Finding]:
    scores = np.where(d.standing, s.scores, -np.inf)
    top = scores.max(axis=1)
    near = _near(d, s, greedy)
    first = np.argmax(scores, axis=1)
    yield Finding(
        "argmax",
        judged,
        ~near,
        lambda i: f"candidate {greedy[i]} with score {scores[i, greedy[i]]:.17g}",
        lambda i: f"candidate {first[i]} with score {top[i]:.17g}",
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
    rows = np.arange(len(d.t))
    same = d.standing & (d.x == d.x[rows, index][:, None]).all(axis=2)
    for column in (d.is_overdue, d.age, d.priority, d.is_llm):
        same &= column == column[rows, index][:, None]
    same[rows, index] = True
    return np.asarray(np.argmax(same, axis=1))


def probabilities(d: Decisions, scores: F64, rule: Rule, greedy: I64, judged: Bool) -> Iterator[Finding]:
    """Logged probabilities (and propensities, where there are no others) are those of the policy."""
    due = rule.probabilities(scores, d.standing, greedy, d.t)
    has = d.has_probs
    wrong = np.asarray((differs(d.probs, due) & d.standing).any(axis=1))
    yield Finding("probs", judged & has, wrong, lambda i: d.probs[i], lambda i: due[i][d.standing[i]])
    own = due[np.arange(len(d.t)), d.chosen]
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
    n = len(d.t)
    if rule.family in ("egreedy", "random"):
        nothing = np.zeros(n, np.int64)
        found = rule.explored(d.probs, d.standing, nothing, d.chosen, d.t)
        return None if found is None else (found, np.ones(n, np.bool_))
    if s is None:
        return None
    greedy, known = _greedy(d, rule)
    found = rule.explored(s.scores, d.standing, greedy, d.chosen, d.t)
    return None if found is None else (found, sure & known)
