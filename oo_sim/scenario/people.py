"""Who reacts, and how: segments of users with their preferences, and the ordered logit of the reaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema

from oo_sim.contract import REACTIONS
from oo_sim.scenario.fields import (
    COEFFICIENT_SCHEMA,
    Coefficient,
    Fault,
    Frozen,
    Listed,
    Share,
    Unsigned,
    refuse,
)
from oo_sim.scenario.terms import TERMS, normalised
from oo_sim.scenario.text import clip, describe, did_you_mean
from oo_sim.scenario.weights import Weight

NAME = r"^[a-z0-9_-]{1,64}$"
_ALL_TERMS = f"; terms are {', '.join(TERMS[:9])} and products such as {TERMS[9]}"
CUTS = len(REACTIONS) - 1
Cut: TypeAlias = Annotated[float, Field(ge=-100, le=100), Unsigned]


class Reactions(Frozen):
    """An ordered logit: P(reaction <= k) = 1 / (1 + exp(u - cut_points[k])), the worst reaction first."""

    cut_points: Annotated[tuple[Cut, ...], Field(min_length=CUTS, max_length=CUTS), Listed] = (
        -1.5,
        -0.5,
        0.5,
        1.5,
    )
    no_reaction: Share = 0.0

    def faults(self) -> Iterator[Fault]:
        """Cut points rise."""
        for i, (low, high) in enumerate(pairwise(self.cut_points), start=1):
            if low >= high:
                rise = f"is {high:g}, not above the one before it ({low:g})"
                yield Fault(("cut_points", i), f"{rise}; write cut points that strictly increase")


def _in_order(value: Any) -> Any:
    """Preferences in the order of `TERMS`, refusing what is not a term."""
    if not isinstance(value, Mapping):
        refuse([Fault((), f"must be a mapping {{term: coefficient}}, not {describe(value)}")])
    refuse(Fault((term,), _unknown_term(str(term)), True) for term in value if term not in TERMS)
    return {term: value[term] for term in TERMS if term in value}


def _unknown_term(term: str) -> str:
    meant = normalised(term)
    hint = f"; write {meant}" if meant in TERMS else did_you_mean(term, TERMS)
    return f"'{clip(term)}' is not a term{hint or _ALL_TERMS}"


Preferences: TypeAlias = Annotated[
    dict[str, Coefficient],
    BeforeValidator(_in_order),
    WithJsonSchema(
        {
            "type": "object",
            "properties": dict.fromkeys(TERMS, COEFFICIENT_SCHEMA),
            "additionalProperties": False,
        }
    ),
]
"""Coefficients by term, in the order of `TERMS`."""


class Segment(Frozen):
    """A kind of user; its share of the population is weight / sum of weights. The persona is the
    role that a language model is given where it reacts to tips in such a user's place."""

    name: Annotated[str, Field(pattern=NAME)]
    weight: Weight = 1.0
    persona: Annotated[str, Field(min_length=1, max_length=2000)] | None = None
    preferences: Preferences
