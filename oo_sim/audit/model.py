"""The checks that need the user's model: scores, the greedy choice, ties and probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from oo_sim.audit.arrays import F64, I64, TOLERANCE, Bool, differs
from oo_sim.audit.report import Finding
from oo_sim.audit.ridge import Learned, mean_and_width, states
from oo_sim.audit.rows import Decisions, Learnings
from oo_sim.audit.rules import Rule


class Scored(NamedTuple):
    """Derived scores (n, K); `blank` (n,) says where no reward but 0 was learned yet, and all are
    exactly 0."""

    scores: F64
    blank: Bool


def scored(d: Decisions, m: Learnings, rule: Rule) -> Scored | None:
    """The scores that each candidate should have had, from everything that the user's model had learned.

    None for policies whose scores do not follow from the log.
    """
    if not rule.ridge and rule.family != "oracle":
        return None
    if rule.family == "oracle":
        return Scored(d.x[:, :, 0], np.zeros(len(d.t), np.bool_))
    scores, blank = np.zeros(d.standing.shape), np.zeros(len(d.t), np.bool_)
    alpha = rule.parameters.get("alpha", 0.0)
    learned = Learned(m.lane, _never_falling(m.lane, m.t_now), m.reset, m.x, m.reward)
    for state in states(learned, d.lane, d.t, rule.parameters["prior"]):
        mean, width = mean_and_width(state, d.x[state.rows], alpha != 0.0)
        scores[state.rows] = mean + alpha * width
        blank[state.rows] = (state.size == 0.0) & (alpha == 0.0)
    return Scored(scores, blank)


def _never_falling(lane: I64, t_now: I64) -> I64:
    """Running maxima of t_now within lanes, so that a log out of order is still read in one way."""
    lifted = np.maximum.accumulate((lane << 32) + t_now + 1)
    return np.asarray(lifted - (lane << 32) - 1)


def findings(d: Decisions, s: Scored, rule: Rule, sure: Bool) -> Iterator[Finding]:
    """All checks against the derived scores; rows whose model is not known (`sure` false) are not judged."""
    n = len(d.t)
    own = s.scores[np.arange(n), d.chosen]
    yield Finding("score", sure, differs(d.score, own), lambda i: d.score[i], lambda i: float(own[i]))
    if rule.serves_best:
        greedy, known = _greedy(d, rule)
        yield from _best_served(d, s, greedy, sure & known)
    else:
        greedy, known = d.chosen, np.ones(n, np.bool_)
    yield from probabilities(d, s.scores, rule, greedy, sure & known)


def _greedy(d: Decisions, rule: Rule) -> tuple[I64, Bool]:
    """The candidate that the log treats as greedy (n,), and where that can be told.

    It has the highest logged probability; without probabilities it is the one served when nothing explores.
    """
    has = d.has_probs
    epsilon = rule.epsilon(d.t)
    greedy = np.where(has, np.argmax(np.where(has[:, None], d.probs, 0.0), axis=1), d.chosen)
    return greedy, np.where(has, epsilon < 1.0, (epsilon == 0.0) | (d.explored == 0))


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
    yield Finding(
        "propensity",
        judged & ~has & (~np.isnan(d.propensity) | ~d.served),
        differs(d.propensity, own),
        lambda i: d.propensity[i],
        lambda i: float(own[i]),
    )


def explored_share(d: Decisions, rule: Rule) -> F64 | None:
    """The probability (n,) of drawing the candidate by exploring; None where the policy has no such notion."""
    if rule.family == "egreedy":
        return np.asarray(rule.epsilon(d.t) / d.standing.sum(axis=1))
    return np.asarray(1.0 / d.standing.sum(axis=1)) if rule.family == "random" else None
