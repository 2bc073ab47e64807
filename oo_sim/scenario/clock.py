"""When decisions happen: hours and weekdays drawn by weight, or a walk through the week."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from oo_sim.scenario.fields import Fault, Frozen
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
