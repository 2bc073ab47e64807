"""Fault profiles: how often the mock gateway errs, in which ways, how it recovers and how long it takes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.mock.catalogue import GATEWAY_FAULTS, REPLY_FAULTS
from oo_sim.generator.texts import read_text, read_yaml

Share = Annotated[float, Field(ge=0, le=1)]
_STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
_MAX_MS = 10_000_000


class Latency(BaseModel):
    """Simulated milliseconds: a log-normal time to the first token, and a time for each token."""

    model_config = _STRICT

    median_ms: float = Field(default=500, ge=0, le=_MAX_MS)
    sigma: float = Field(default=0, ge=0, le=3)
    token_ms: float = Field(default=0, ge=0, le=10_000)


class Style(BaseModel):
    """How good the tips are: shares of tips about a task, that speak of a part of the day, that get it wrong
    (of those that speak of one), and that repeat the tip before."""

    model_config = _STRICT

    grounded: Share = 0.9
    timed: Share = 0.2
    wrong_hour: Share = 0.0
    repeats: Share = 0.0


class Judge(BaseModel):
    """How the mock judge errs: shares of verdicts for whatever stands first, for the
    worse set, and of no verdict at all."""

    model_config = _STRICT

    first_position: Share = 0.0
    wrong: Share = 0.0
    unparsable: Share = 0.0


class User(BaseModel):
    """How the mock user answers: shares of the option that stands first, of no reaction, and of what cannot be read."""

    model_config = _STRICT

    first_option: Share = 0.0
    none: Share = 0.05
    unparsable: Share = 0.0


class Profile(BaseModel):
    """A fault profile. `fault_rate` is the share of first tries that go wrong, `recovery` the probability that
    the second, third, ... try of a conversation goes right (the last one holds for all further tries)."""

    model_config = _STRICT

    version: Literal[1]
    description: str = ""
    fault_rate: Share = 0.0
    recovery: tuple[Share, ...] = Field(default=(1.0,), min_length=1)
    faults: dict[str, Annotated[float, Field(ge=0, le=1e6)]] = Field(default_factory=dict)
    latency: Latency = Latency()
    style: Style = Style()
    judge: Judge = Judge()
    user: User = User()

    @field_validator("faults")
    @classmethod
    def _known(cls, faults: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(faults) - set(REPLY_FAULTS) - set(GATEWAY_FAULTS))
        if unknown:
            known = ", ".join(sorted([*REPLY_FAULTS, *GATEWAY_FAULTS]))
            raise ValueError(f"there is no fault {unknown[0]!r}; there are {known}")
        return faults

    @model_validator(mode="after")
    def _faults_to_draw(self) -> Profile:
        if (self.fault_rate > 0 or min(self.recovery) < 1) and not sum(self.faults.values()) > 0:
            raise ValueError("faults: weights are required, as fault_rate or recovery makes tries go wrong")
        return self

    def fault_probability(self, attempt: int) -> float:
        """The probability that try number `attempt` (from 1) of a conversation goes wrong."""
        return self.fault_rate if attempt <= 1 else 1 - self.recovery[min(attempt - 2, len(self.recovery) - 1)]


def profile_names() -> list[str]:
    """The profiles that ship with the package."""
    shipped = files(__package__).joinpath("profiles").iterdir()
    return sorted(one.name.removesuffix(".yaml") for one in shipped if one.name.endswith(".yaml"))


def load_profile(name: str) -> Profile:
    """A profile that ships with the package, or a YAML file. Raises `GeneratorInputError`."""
    if name in profile_names():
        return parse_profile(name, files(__package__).joinpath(f"profiles/{name}.yaml").read_text("utf-8"))
    if not name.endswith((".yaml", ".yml")):
        raise GeneratorInputError(
            f"fault profile {name!r}: there are {', '.join(profile_names())}; or name a .yaml file"
        )
    return parse_profile(name, read_text(Path(name), "fault profile"))


def parse_profile(name: str, text: str) -> Profile:
    """The profile in a YAML text. Raises `GeneratorInputError`, which names the field."""
    return read_yaml(text, Profile, f"fault profile {name}")
