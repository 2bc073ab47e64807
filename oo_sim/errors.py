"""Every error that a user can meet, in one tree, so that one `except OoSimError` catches them all.

    OoSimError                  exit code 2: the message says what is wrong, where, and what would be right
    ├── ArgumentError           an argument of a call is not what it must be
    ├── SpecError               a policy spec does not read
    ├── UnknownPolicyError      a policy cannot be made
    ├── ScenarioError           a scenario is not valid (its home is `oo_sim.scenario`)
    ├── RunLogError             a run directory or log cannot be read or written
    ├── WorkError               work cannot be resumed, merged or sent to where it should be done
    ├── FitError                a log cannot tell what a fit needs
    ├── ComparisonError         runs or policies cannot be compared
    ├── EvaluationError         a policy cannot be evaluated on a log as asked
    ├── SettingsError           `[tool.oo-sim]` or an environment variable says something that is not known
    ├── GateError               a baseline cannot be recorded, read or compared with
    │   └── RunFailedError      a policy failed while the gate ran it
    ├── GeneratorInputError     a setting or file that the generator cannot work with
    │   ├── CassetteMissError
    │   ├── PromptError
    │   └── TokenError
    ├── ServingError            a server cannot start, or its state cannot be used
    ├── GenerationError         exit code 1: no tips came (its home is `oo_sim.generator`)
    │   ├── GatewayError
    │   ├── GatewayUnreachableError
    │   ├── NoTipsError
    │   └── StoppedError
    ├── PolicyError             exit code 1: a policy broke a rule (its home is `oo_sim.decide`)
    └── RoundError              exit code 1: a policy failed in a round (its home is `oo_sim.engine`)

An auditor that shares no code has an error of its own, `oo_sim.audit.UnusableLogError`.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from pathlib import Path
from typing import ClassVar, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


class OoSimError(Exception):
    """The root of what this package raises on purpose. `exit_code` is that of the command line."""

    exit_code: ClassVar[int] = 2


class ArgumentError(OoSimError, ValueError):
    """An argument is not what it must be; the message names it, what was given, and what would be right."""


class SpecError(OoSimError, ValueError):
    """A policy spec does not read; the message says what is wrong and what would be right."""


class UnknownPolicyError(OoSimError, ValueError):
    """A policy cannot be made: no such name, no such parameter, or a parameter out of range."""


class RunLogError(OoSimError):
    """A run directory cannot be read or written; the message names the file and what is wrong with it."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem

    def __reduce__(self) -> tuple[type[RunLogError], tuple[Path, str]]:
        return type(self), (self.path, self.problem)


class WorkError(OoSimError, ValueError):
    """Work cannot be resumed, merged or sent away; the message names what differs and what would be right."""


class FitError(OoSimError, ValueError):
    """No people can be fitted to this log; the message says why and what would be right."""


class ComparisonError(OoSimError, ValueError):
    """These runs or policies can't be compared; the message says why and what would be right."""


class EvaluationError(OoSimError, ValueError):
    """A policy cannot be evaluated on a log as it was asked; the message says why and what would be right."""


class SettingsError(OoSimError, ValueError):
    """What `[tool.oo-sim]` or the environment says is not known; the message names file, line and key."""


class GateError(OoSimError, ValueError):
    """A baseline can't be recorded, read or compared with; the message says what would be right."""


class RunFailedError(GateError):
    """A policy failed while it was run."""


class GeneratorInputError(OoSimError, ValueError):
    """A setting or file that the generator cannot work with; the message says what would be right."""


class ServingError(OoSimError):
    """A server cannot start, or its state cannot be used; the message says what would be right."""


def together(items: Iterable[Item], make: Callable[[Item], Made]) -> list[Made]:
    """What `make` makes of each item. Where it refuses some, all refusals are raised together, as the first one's class
    and a line each, so that nobody has to mend and try again for every one."""
    made, refused = list[Made](), list[OoSimError]()
    for item in items:
        try:
            made.append(make(item))
        except OoSimError as error:
            refused.append(error)
    if len(refused) == 1:
        raise refused[0]
    if refused:
        raise type(refused[0])("\n".join(dict.fromkeys(map(str, refused))))
    return made


def raised(error: BaseException | None) -> str:
    """That an error was raised: its type, what it says, and the file and line, of code outside of libraries where some
    of it was running."""
    frames = traceback.extract_tb(error.__traceback__ if error else None)
    library = ("site-packages", str(Path(__file__).parent))
    own = [frame for frame in frames if not any(part in frame.filename for part in library)] or frames
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    return f"raised {type(error).__name__}: {error}{'' if isinstance(error, SyntaxError) else where}"


def whole(
    name: str, value: object, least: int = 1, most: int | None = None, *, error: type[OoSimError] = ArgumentError
) -> int:
    """An argument that must be a whole number, from `least` to `most`. Raises `error`, which names it."""
    if (
        isinstance(value, bool)
        or not isinstance(value, Integral)
        or value < least
        or not (most is None or value <= most)
    ):
        range_ = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise error(f"{name} must be a whole number {range_}, not {value!r}")
    return int(value)


def real(
    name: str, value: object, what: str, fits: Callable[[float], bool], *, error: type[OoSimError] = ArgumentError
) -> float:
    """An argument that must be a number that `fits`, which is `what` in words. Raises `error`, which names it."""
    if isinstance(value, bool) or not isinstance(value, Real) or not fits(float(value)):
        raise error(f"{name} must be {what}, not {value!r}")
    return float(value)
