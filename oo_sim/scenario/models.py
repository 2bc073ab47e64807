"""The two worlds: tips users, and the textbook linear bandit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, Tag

from oo_sim.contract import MAX_CANDIDATES
from oo_sim.scenario.dynamics import Arrivals, Churn, Drift, Fatigue
from oo_sim.scenario.fields import Fault, Frozen, Listed, Unsigned, refuse
from oo_sim.scenario.offers import Tasks, Tips
from oo_sim.scenario.people import Reactions, Segment
from oo_sim.scenario.text import did_you_mean
from oo_sim.scenario.weights import HourWeights, WeekdayWeights

DecisionsPerDay: TypeAlias = Annotated[int, Field(ge=1, le=1440)]


class RandomClock(Frozen):
    """Hours and weekdays are drawn by weight; `decisions_per_day` says how fast a backlog ages."""

    tag: ClassVar[str] = "random"
    mode: Literal["random"] = "random"
    decisions_per_day: DecisionsPerDay = 6
    hours: HourWeights = (1.0,) * 24
    weekdays: WeekdayWeights = (1.0,) * 7


class WalkClock(Frozen):
    """Decisions walk through the week, `decisions_per_day` of them spread evenly over from_hour..to_hour."""

    tag: ClassVar[str] = "walk"
    mode: Literal["walk"]
    decisions_per_day: DecisionsPerDay = 6
    from_hour: Annotated[int, Field(ge=0, le=23)] = 8
    to_hour: Annotated[int, Field(ge=0, le=23)] = 22

    def faults(self) -> Iterator[Fault]:
        """The day does not end before it starts."""
        if self.from_hour > self.to_hour:
            advice = "write from_hour <= to_hour"
            yield Fault(("from_hour",), f"is {self.from_hour}, after to_hour {self.to_hour}; {advice}")


def _mode(value: Any) -> Any:
    return value.get("mode", "random") if isinstance(value, Mapping) else getattr(value, "tag", None)


Clock: TypeAlias = Annotated[
    Annotated[RandomClock, Tag("random")] | Annotated[WalkClock, Tag("walk")], Discriminator(_mode)
]
"""By `mode`; without one the clock is random."""


def _distinct(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Segments that can be told apart and weighed; checked apart from the other fields, whatever is wrong with them."""
    refuse(_segment_faults(segments))
    return segments


def _segment_faults(segments: tuple[Segment, ...]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for i, segment in enumerate(segments):
        if first.setdefault(segment.name, i) != i:
            message = f"'{segment.name}' is the name of segments[{first[segment.name]}] too; use a name once"
            yield Fault((i, "name"), message)
    if not any(segment.weight for segment in segments):
        yield Fault((), "the weights of all segments are 0; make at least one positive")


class TipsWorld(Frozen):
    """Users of weighted segments who react to tasks and LLM tips."""

    tag: ClassVar[str] = "tips"
    kind: Literal["tips"]
    clock: Clock = Field(default_factory=RandomClock)
    tasks: Tasks
    tips: Tips = Tips()
    reactions: Reactions = Reactions()
    segments: Annotated[tuple[Segment, ...], Field(min_length=1, max_length=64), AfterValidator(_distinct), Listed]
    drift: Annotated[tuple[Drift, ...], Field(min_length=1, max_length=16), Listed] | None = None
    fatigue: Fatigue | None = None
    churn: Churn | None = None
    arrivals: Arrivals | None = None

    def faults(self) -> Iterator[Fault]:
        """1 to 64 candidates in every round; changes of segments that there are."""
        most = self.tasks.count.max + self.tips.count.max
        if most > MAX_CANDIDATES:
            message = f"up to {most} tasks and tips; offer at most {MAX_CANDIDATES} candidates together"
            yield Fault(("tasks", "count"), message)
        if self.tasks.count.min + self.tips.count.min < 1:
            message = "a round may have nothing to offer; let tasks and tips make at least 1 together"
            yield Fault(("tasks", "count"), message)
        if self.tips.features == "task" and self.tasks.count.max == 0:
            yield Fault(("tips", "features"), "is task, and there are no tasks; write default, or offer tasks")
        if self.fatigue and self.fatigue.task and self.tasks.mode == "iid":
            yield Fault(("fatigue", "task"), "requires mode: backlog under tasks; fresh tasks are never shown twice")
        yield from self._drift_faults()

    def _drift_faults(self) -> Iterator[Fault]:
        known = [segment.name for segment in self.segments]
        for i, drift in enumerate(self.drift or ()):
            named = [(("segments", j), name) for j, name in enumerate(drift.segments or ())]
            for place, name in [*named, *([(("become",), drift.become)] if drift.become else [])]:
                if name not in known:
                    hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
                    yield Fault(("drift", i, *place), f"'{name}' is not a segment{hint}")


class LinearWorld(Frozen):
    """The textbook world: K context vectors in R^d, mean reward x'theta, one theta per user."""

    tag: ClassVar[str] = "linear"
    kind: Literal["linear"]
    dimension: Annotated[int, Field(ge=1, le=64)] = 5
    candidates: Annotated[int, Field(ge=1, le=MAX_CANDIDATES)] = 10
    contexts: Literal["ball", "gaussian"] = "ball"
    noise: Literal["gaussian", "bernoulli"] = "gaussian"
    noise_sd: Annotated[float, Field(ge=0, le=1000), Unsigned] = 0.1
    theta_norm: Annotated[float, Field(ge=0, le=1000), Unsigned] = 1.0

    def faults(self) -> Iterator[Fault]:
        """Bernoulli rewards need mean rewards within -1..1."""
        if self.noise != "bernoulli":
            return
        if "noise_sd" in self.model_fields_set:
            yield Fault(("noise_sd",), "goes with noise: gaussian only; leave it out", on_key=True)
        if self.contexts != "ball":
            yield Fault(("contexts",), "must be ball with noise: bernoulli, so that means stay within -1..1")
        if self.theta_norm > 1:
            message = f"is {self.theta_norm:g}; at most 1 with noise: bernoulli, so that means stay within -1..1"
            yield Fault(("theta_norm",), message)


World: TypeAlias = Annotated[TipsWorld | LinearWorld, Field(discriminator="kind")]
