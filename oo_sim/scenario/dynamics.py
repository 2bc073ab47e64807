"""The models of what changes over time: feedback that is late or missing, drift, fatigue, churn, arrivals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field

from oo_sim.contract import REACTIONS
from oo_sim.scenario.fields import Fault, Frozen, Listed, Share, Unsigned, refuse
from oo_sim.scenario.people import NAME, Preferences
from oo_sim.scenario.text import did_you_mean

MAX_WINDOW = 2000
MAX_ROUND = 1_000_000

Rounds: TypeAlias = Annotated[int, Field(ge=0, le=MAX_ROUND)]
Positive: TypeAlias = Annotated[float, Field(gt=0, le=MAX_ROUND)]
Strength: TypeAlias = Annotated[float, Field(ge=-100, le=100), Unsigned]


class Geometric(Frozen):
    """Rounds of delay, geometric from 0 on."""

    mean: Positive


class LogNormal(Frozen):
    """Rounds of delay, log-normal, rounded down: median e^(sigma z)."""

    median: Positive
    sigma: Annotated[float, Field(ge=0, le=10), Unsigned]


class Delay(Frozen):
    """How many rounds later a reward arrives: one of four distributions."""

    constant: Annotated[int, Field(ge=0, le=MAX_WINDOW)] | None = None
    geometric: Geometric | None = None
    lognormal: LogNormal | None = None
    uniform: Annotated[tuple[Rounds, Rounds], Listed] | None = None

    def faults(self) -> Iterator[Fault]:
        """Exactly one distribution; the uniform's ends in order."""
        yield from _exactly_one(self, ("constant", "geometric", "lognormal", "uniform"))
        if self.uniform and self.uniform[0] > self.uniform[1]:
            yield Fault(("uniform",), f"starts at {self.uniform[0]}, after its end {self.uniform[1]}; swap them")


def _exactly_one(model: Frozen, names: tuple[str, ...]) -> Iterator[Fault]:
    given = [name for name in names if getattr(model, name) is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        advice = "keep one" if given else "write one"
        yield Fault((), f"requires exactly one of {', '.join(names)}, and has {found}; {advice}")


def _known_keys(what: str, known: tuple[str, ...]) -> BeforeValidator:
    def check(value: Any) -> Any:
        if isinstance(value, Mapping):
            refuse(
                Fault(
                    (key,),
                    f"'{key}' is not a {what}{did_you_mean(str(key), known) or '; write ' + ', '.join(known)}",
                    True,
                )
                for key in value
                if key not in known
            )
        return value

    return BeforeValidator(check)


class Missing(Frozen):
    """The probability that a reaction is not reported: of any, and more by what it was and to what. Missing is not
    snooze: nothing is learned."""

    rate: Share = 0.0
    by_reaction: Annotated[dict[str, Share], _known_keys("reaction", REACTIONS)] = Field(default_factory=dict)
    by_source: Annotated[dict[str, Share], _known_keys("source", ("task", "llm"))] = Field(default_factory=dict)


class Feedback(Frozen):
    """When rewards arrive. A reward that has not arrived after `window` rounds is lost."""

    delay: Delay | None = None
    window: int = Field(200, ge=0, le=MAX_WINDOW)
    missing: Missing = Missing()

    def faults(self) -> Iterator[Fault]:
        """Something arrives within the window."""
        if self.delay is None:
            return
        least = self.delay.constant if self.delay.uniform is None else self.delay.uniform[0]
        if least is not None and least > self.window:
            yield Fault(("window",), f"is {self.window}, below the shortest delay, {least}: nothing would ever arrive")


class Abrupt(Frozen):
    """From round `at` on (counted from 0)."""

    at: Rounds


class Gradual(Frozen):
    """Linear from one to the other, over the rounds `start` to `end`."""

    start: Rounds
    end: Rounds

    def faults(self) -> Iterator[Fault]:
        """It takes some time."""
        if self.start >= self.end:
            yield Fault(
                ("end",), f"is {self.end}, not after start, which is {self.start}; or write abrupt: {{at: ...}}"
            )


class Periodic(Frozen):
    """On some weekdays (0 to 6)."""

    days: Annotated[tuple[Annotated[int, Field(ge=0, le=6)], ...], Field(min_length=1, max_length=7), Listed]


class RandomWalk(Frozen):
    """Each coefficient that the segment prefers takes normal steps, with this standard deviation after a day."""

    sd_per_day: Annotated[float, Field(ge=0, le=100), Unsigned]


class Drift(Frozen):
    """One change of preferences: who (segments, or a share of their users), when, and to what.

    The change is to the coefficients in `preferences`, or to those of the segment that users `become`; a user keeps its
    own place within the spread of a segment.
    """

    segments: Annotated[tuple[Annotated[str, Field(pattern=NAME)], ...], Field(min_length=1), Listed] | None = None
    share: Share = 1.0
    abrupt: Abrupt | None = None
    gradual: Gradual | None = None
    periodic: Periodic | None = None
    random_walk: RandomWalk | None = None
    preferences: Preferences | None = None
    become: Annotated[str, Field(pattern=NAME)] | None = None

    def faults(self) -> Iterator[Fault]:
        """One way to change; a target unless it is a random walk."""
        yield from _exactly_one(self, ("abrupt", "gradual", "periodic", "random_walk"))
        targets = [name for name in ("preferences", "become") if getattr(self, name) is not None]
        if self.random_walk is not None and targets:
            yield Fault((targets[0],), "has no meaning for a random_walk, which has no target; leave it out", True)
        elif self.random_walk is None and len(targets) != 1:
            has = "both; keep one" if targets else "neither; write one"
            yield Fault((), f"requires one of preferences or become, and has {has}")


class Fatigue(Frozen):
    """Appetite for the same task, or for the same source, drops with each showing and comes back by half every
    `half_life` rounds. What is new has a bonus, which halves with every `novelty_showings` showings."""

    task: Annotated[float, Field(ge=0, le=100), Unsigned] = 0.0
    source: Annotated[float, Field(ge=0, le=100), Unsigned] = 0.0
    half_life: Positive = 10.0
    novelty: Strength = 0.0
    novelty_showings: Positive = 10.0


class Churn(Frozen):
    """A user leaves for good after so many bad reactions (dismiss or not_helpful), or by chance after any decision."""

    bad_reactions: Annotated[int, Field(ge=1, le=MAX_ROUND)] | None = None
    hazard: Share = 0.0

    def faults(self) -> Iterator[Fault]:
        """Somebody can leave."""
        if self.bad_reactions is None and self.hazard == 0.0:
            yield Fault((), "nobody would ever leave; write bad_reactions or a hazard above 0")


class Arrivals(Frozen):
    """Users come in the course of the first `over` rounds, each round alike."""

    over: Annotated[int, Field(ge=1, le=MAX_ROUND)]
