"""What is offered: the user's own tasks and LLM tips."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from oo_sim.scenario.fields import MAX_COEFFICIENT, Count, Fault, Frozen, Listed, Share, Span, Unsigned
from oo_sim.scenario.weights import Days, DayWeights, Duration, PriorityWeights

Title: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
Addend: TypeAlias = Annotated[float, Field(ge=-MAX_COEFFICIENT, le=MAX_COEFFICIENT), Unsigned]


class NormalDays(Frozen):
    """Days until due, normally distributed."""

    mean: Days
    sd: Duration


class Due(Frozen):
    """When tasks are due, in days from their arrival (negative: overdue): one of three distributions."""

    uniform: Annotated[tuple[Days, Days], Listed] | None = None
    normal: NormalDays | None = None
    weights: DayWeights | None = None

    def faults(self) -> Iterator[Fault]:
        """Exactly one distribution; the uniform's ends in order."""
        given = [name for name in ("uniform", "normal", "weights") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            yield Fault((), f"requires one of uniform, normal and weights, and has {found}; keep one")
        elif self.uniform and self.uniform[0] > self.uniform[1]:
            low, high = self.uniform
            yield Fault(("uniform",), f"starts at {low:g}, after its end {high:g}; write [{high:g}, {low:g}]")


class Tasks(Frozen):
    """The tasks. iid: fresh every round; backlog: they stay and age, and a new one replaces one done."""

    count: Count
    mode: Literal["iid", "backlog"] = "iid"
    titles: Annotated[tuple[Title, ...], Field(min_length=1, max_length=1000), Listed] = ("task",)
    priority: PriorityWeights = (1.0,) * 4
    due_in_days: Due = Due(uniform=(-14.0, 14.0))
    no_due_date: Share = 0.0
    whole_days: bool = True

    def faults(self) -> Iterator[Fault]:
        """A backlog is of one size, and not empty."""
        if self.mode == "backlog" and self.count.min != self.count.max:
            yield Fault(("count",), "varies, and a backlog is of one size; write one number, or mode: iid")
        elif self.mode == "backlog" and self.count.max == 0:
            yield Fault(("count",), "is 0, and a backlog holds tasks; write 1 to 64, or mode: iid")


class Appeal(Frozen):
    """What a tip's text adds to its utility. keywords (a toy, the default): by whether it names a task on offer or
    none, and a wrong hour; panel: by how a language model reacts to it as the user, asked so often; fitted: by what was
    learned from reactions into a file of `oo-sim fit-appeal`."""

    kind: Literal["keywords", "panel", "fitted"] | None = None
    asks: Annotated[int, Field(ge=1, le=20)] | None = None
    file: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    about_task: Addend = 0.0
    names_no_task: Addend = 0.0
    contradicts_hour: Addend = 0.0

    def faults(self) -> Iterator[Fault]:
        """Each make has its own fields."""
        if self.kind == "fitted" and self.file is None:
            yield Fault(("kind",), "is fitted; name the file of `oo-sim fit-appeal` with file")
        if self.asks is not None and self.kind != "panel":
            yield Fault(("asks",), "goes with kind: panel; leave it out", on_key=True)


class Tips(Frozen):
    """The LLM tips. features: the default ones, or those of the task on offer that the tip is about.

    Only tips out of a bank have texts, so `appeal` matters to them alone; without it texts do not matter.
    """

    count: Count = Span(min=0, max=0)
    features: Literal["default", "task"] = "default"
    appeal: Appeal | None = None

    def faults(self) -> Iterator[Fault]:
        """Where no tips are, none can appeal."""
        if self.appeal and self.count.max == 0:
            yield Fault(("appeal",), "is for tips, and there are none; offer some with count, or leave it out")
