"""The building blocks of the models: strict frozen records, plain numbers, fields that have a short form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, ClassVar, NamedTuple, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from oo_sim.scenario.problems import Path

FAULTS = "faults"
"""The type of the errors that carry own faults, with their paths, through pydantic."""
MAX_COEFFICIENT = 100
MAX_COUNT = 64
MAX_FAULTS = 100


class Fault(NamedTuple):
    """What is wrong at a path relative to the value being checked; `on_key` points to its key."""

    path: Path
    message: str
    on_key: bool = False


def refuse(faults: Iterable[Fault]) -> None:
    """Raise when there are faults, with the first `MAX_FAULTS`; for use in validators."""
    if found := list(islice(faults, MAX_FAULTS)):
        raise PydanticCustomError(FAULTS, "faults", {FAULTS: found})


class Frozen(BaseModel):
    """A strict, immutable record; `faults` yields what is wrong between fields that are right alone."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    tag: ClassVar[str] = ""

    def faults(self) -> Iterator[Fault]:
        """Faults between fields."""
        return iter(())

    @model_validator(mode="after")
    def _cross_check(self) -> Self:
        refuse(self.faults())
        return self


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _without_negative_zero(value: float) -> float:
    return value + 0.0


def _widened(*keys: str) -> BeforeValidator:
    """A plain number stands for a mapping in which each of `keys` is that number."""

    def widen(value: Any) -> Any:
        short = isinstance(value, int | float) and not isinstance(value, bool)
        return dict.fromkeys(keys, value) if short else value

    return BeforeValidator(widen)


def _short_or_long(short: dict[str, Any], long: dict[str, Any], required: list[str]) -> dict[str, Any]:
    mapping = {"type": "object", "properties": long, "required": required, "additionalProperties": False}
    return {"anyOf": [short, mapping]}


Listed = BeforeValidator(_listed)
Unsigned = AfterValidator(_without_negative_zero)
"""Makes -0.0 the 0.0 that it equals; stands last, so that bounds are seen by the schema."""
Share: TypeAlias = Annotated[float, Field(ge=0, le=1), Unsigned]


class Span(Frozen):
    """How many: uniform over the whole numbers from min to max."""

    min: int = Field(ge=0, le=MAX_COUNT)
    max: int = Field(ge=0, le=MAX_COUNT)

    def faults(self) -> Iterator[Fault]:
        """min is at most max."""
        if self.min > self.max:
            yield Fault(("min",), f"min is {self.min}, above max, which is {self.max}; write min <= max")


class Normal(Frozen):
    """A preference coefficient: normal over users, the same for all of them when sd is 0."""

    mean: Annotated[float, Field(ge=-MAX_COEFFICIENT, le=MAX_COEFFICIENT), Unsigned]
    sd: Annotated[float, Field(ge=0, le=MAX_COEFFICIENT), Unsigned] = 0.0


_COUNT = {"type": "integer", "minimum": 0, "maximum": MAX_COUNT}
_MEAN = {"type": "number", "minimum": -MAX_COEFFICIENT, "maximum": MAX_COEFFICIENT}
_SD = {"type": "number", "minimum": 0, "maximum": MAX_COEFFICIENT}

COUNT_SCHEMA = _short_or_long(_COUNT, {"min": _COUNT, "max": _COUNT}, ["min", "max"])
COEFFICIENT_SCHEMA = _short_or_long(_MEAN, {"mean": _MEAN, "sd": _SD}, ["mean"])

Count: TypeAlias = Annotated[Span, _widened("min", "max"), WithJsonSchema(COUNT_SCHEMA)]
"""A `Span`, or a plain whole number for both ends."""
Coefficient: TypeAlias = Annotated[Normal, _widened("mean"), WithJsonSchema(COEFFICIENT_SCHEMA)]
"""A `Normal`, or a plain number for its mean."""
