"""A language model as the user: it is shown a tip beside the user's tasks and says how it reacts, several times.

Options are listed in one order and in the other, as models prefer what stands first. What was answered becomes a
distribution over the five reactions, with a small symmetric prior, and that the offset of the tip's utility.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from importlib.resources import files
from string import Template
from typing import NamedTuple

from oo_sim.contract import REACTIONS
from oo_sim.generator.appeal.logit import offset
from oo_sim.generator.context import GenerationContext
from oo_sim.generator.gateway.asking import Asker, Question
from oo_sim.generator.gateway.exchange import json_body
from oo_sim.generator.judging.pairs import read_object
from oo_sim.generator.prompt import DAYS, capped, data_block

USER = "user"
NOBODY = "someone who keeps a list of tasks."
"""The persona of a segment that has none."""
PRIOR = 0.25
"""What is added to the count of each reaction."""
TEMPERATURE = 1.0
_NONE = "none"
_MEANS = {
    "done": "you do it right away, and it is done",
    "helpful": "you find it helpful",
    "snooze": "you want to see it later",
    "not_helpful": "you do not find it helpful",
    "dismiss": "you dismiss it and do not want to see such a tip again",
    _NONE: "you do not react at all",
}


class Shown(NamedTuple):
    """A tip as one user sees it."""

    persona: str
    context: GenerationContext
    text: str


class Opinion(NamedTuple):
    """What the panel says of a tip: how often each reaction was named (5,), none of them, and nothing readable."""

    counts: tuple[int, ...]
    none: int
    missing: int

    def offset(self, cuts: Sequence[float]) -> float:
        """The utility that these reactions are worth."""
        return offset(self.counts, cuts, PRIOR)


def ask_panel(
    asker: Asker,
    shown: Sequence[Shown],
    *,
    times: int = 1,
    alias: str = USER,
    progress: Callable[[int, int], None] | None = None,
) -> list[Opinion]:
    """The opinion on each tip: `times` answers with the options in order, and as many with them reversed."""
    replies = asker.ask(panel_questions(shown, times, alias), progress)
    each = 2 * times
    opinions = []
    for first in range(0, len(replies), each):
        said = Counter(_reaction(reply.text) for reply in replies[first : first + each])
        opinions.append(Opinion(tuple(said[name] for name in REACTIONS), said[_NONE], said[None]))
    return opinions


def panel_questions(shown: Sequence[Shown], times: int, alias: str = USER) -> list[Question]:
    """All questions about tips, those about one tip together."""
    return [
        Question(_body(one, alias, turned), occurrence=at)
        for one in shown
        for at in range(times)
        for turned in (False, True)
    ]


def _reaction(reply: str | None) -> str | None:
    named = read_object(reply).get("reaction")
    name = named.strip().casefold().replace(" ", "_") if isinstance(named, str) else ""
    return name if name in _MEANS else None


def _body(one: Shown, alias: str, turned: bool) -> bytes:
    context = one.context
    options = list(_MEANS.items())
    text = Template(files("oo_sim.generator").joinpath("prompts/user.txt").read_text("utf-8")).substitute(
        persona=one.persona or NOBODY,
        weekday=DAYS[context.day_of_week],
        hour=f"{context.hour_of_day:02d}",
        tasks=data_block([{"content": capped(task.content)} for task in context.tasks[:20]]),
        tip=data_block([{"content": capped(one.text, 1000)}]),
        options="\n".join(f"- {name}: {means}" for name, means in (options[::-1] if turned else options)),
    )
    messages = [{"role": "user", "content": text.strip()}]
    return json_body({"model": alias, "messages": messages, "temperature": TEMPERATURE})
