"""The terms of a preference, and which of them can tell the candidates of one decision apart."""

from __future__ import annotations

INTERCEPT = "intercept"
CONTEXT_TERMS = ("hour_sin", "hour_cos", "dow_sin", "dow_cos")
"""Terms of the decision: the same for all of its candidates."""
CANDIDATE_TERMS = ("is_overdue", "task_age", "priority", "is_llm")
PRODUCTS = tuple(f"{context}*{candidate}" for context in CONTEXT_TERMS for candidate in CANDIDATE_TERMS)
TERMS = (
    INTERCEPT,
    *("hour_sin", "hour_cos", "is_overdue", "task_age", "priority", "dow_sin", "dow_cos", "is_llm"),
    *PRODUCTS,
)
"""All terms, in the one order in which they are summed: the intercept, then the features of `oo7x`."""
SHARED_TERMS = frozenset({INTERCEPT, *CONTEXT_TERMS})
"""Terms that add the same to every candidate of a decision, so that they never change which one is best."""


def candidate_term(term: str) -> str:
    """The candidate's part of a term that is not shared: `priority` of `hour_sin*priority`."""
    return term.rpartition("*")[2]


def normalised(term: str) -> str:
    """The term that a differently written one stands for (spaces, order, case), or the text itself."""
    parts = [part.strip().lower() for part in term.split("*")]
    return next((word for word in ("*".join(parts), "*".join(reversed(parts))) if word in TERMS), term)
