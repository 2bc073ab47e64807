"""What callers send: strict, frozen, bounded. A number is never a boolean, never NaN, never beyond its range."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

MAX_CANDIDATES = 1000
MAX_TASKS = 1000
MAX_TIPS = 64
MAX_AGE = 1_000_000.0
"""Days; the features take nothing above 30 into account, and a date is never further away."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$", strict=True)]
"""A user, tip or task: 1 to 256 characters, none of them a control character. Compared character by character."""
DecisionKey = Annotated[str, StringConstraints(min_length=1, max_length=600, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]


def _whole(value: object) -> object:
    """JSON has one kind of number: 9.0 is the integer 9."""
    return int(value) if type(value) is float and value.is_integer() else value


Whole = BeforeValidator(_whole, json_schema_input_type=int)
Hour = Annotated[int, Whole, Field(ge=0, le=23)]
Day = Annotated[int, Whole, Field(ge=0, le=6, description="Monday is 0")]
Priority = Annotated[int, Whole, Field(ge=1, le=4, description="4 is the most urgent")]
Age = Annotated[float, Field(ge=-MAX_AGE, le=MAX_AGE, description="Days since the due date, negative before it")]
RewardValue = Annotated[float, Field(ge=-1.0, le=1.0)]
ReactionName = Literal["dismiss", "not_helpful", "snooze", "helpful", "done"]


class Body(BaseModel):
    """The settings of all bodies. Unknown fields are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class Features(Body):
    """The raw features of a candidate. At scoring, the hour is the context's. An unknown name is refused: ignored, a
    misspelt feature would have its default."""

    model_config = ConfigDict(extra="forbid")

    hour_of_day: Hour = 12
    is_overdue: bool = False
    task_age_days: Age = 0.0
    priority: Priority = 1


class Candidate(Body):
    """A task or an LLM tip on offer."""

    id: Id
    content: str
    source: Literal["todoist", "llm"]
    source_id: Id | None = None
    features: Features = Features()


class Context(Body):
    """When the decision is made, on the user's clock."""

    hour_of_day: Hour = 12
    day_of_week: Day = 0


class ScoreBody(Body):
    """Candidates to choose from."""

    user_id: Id
    candidates: Annotated[list[Candidate], Field(min_length=1, max_length=MAX_CANDIDATES)]
    context: Context = Context()


class RewardBody(Body):
    """A reward. With a `decision_id` the vector learned is the decision's own; without, it is made from `features`."""

    user_id: Id
    tip_id: Id
    reward: RewardValue
    features: Features | None = None
    day_of_week: Day = 0
    decision_id: DecisionKey | None = None


class ReactBody(Body):
    """A reaction to a decision's tip."""

    decision_id: DecisionKey
    reaction: ReactionName


def _moment(value: object) -> object:
    """An ISO 8601 date or moment. A date stays a date; an empty text is none."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(text)


Due = Annotated[
    datetime | date | None,
    BeforeValidator(_moment, json_schema_input_type=str | None),
    Field(description="ISO 8601, such as 2026-01-31 or 2026-01-31T08:00:00Z"),
]


class TaskBody(Body):
    """A user's task. Without an id it is `task-<index>`."""

    id: Id | None = None
    content: str
    priority: Priority = 1
    due_date: Due = None
    is_overdue: bool = False


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    json.dumps(value, allow_nan=False)
    return value


Extra = Annotated[dict[str, Any], AfterValidator(_finite), Field(description="Further signals, as JSON")]


class DatedContext(Context):
    """`now` is the user's own clock and tells how old tasks are; the server's UTC time where it is missing."""

    now: Annotated[AwareDatetime | None, BeforeValidator(_moment, json_schema_input_type=str | None)] = None
    extra: Extra = {}


class GenerateContext(DatedContext):
    """What the tips are about; tasks in the order in which the prompt is to name them."""

    tasks: Annotated[list[TaskBody], Field(max_length=MAX_TASKS)] = []


class GenerateBody(Body):
    """How many tips to write, and about what."""

    user_id: Id
    context: GenerateContext = GenerateContext()
    n: Annotated[int, Whole, Field(ge=1, le=MAX_TIPS)] = 3


class RecommendBody(Body):
    """A user's tasks, to be joined by LLM tips."""

    user_id: Id
    tasks: Annotated[list[TaskBody], Field(max_length=MAX_TASKS)] = []
    context: DatedContext = DatedContext()
    n_llm: Annotated[int, Whole, Field(ge=0, le=MAX_TIPS)] = 3
    policy: Annotated[str, StringConstraints(max_length=200)] = "egreedy-v1"
