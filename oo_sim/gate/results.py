"""What a check found: a case per scenario and policy, a layer at a time, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from oo_sim.gate.judge import Judgement
from oo_sim.show.text import plain


class Verdict(StrEnum):
    """What became of a policy in a scenario, mildest first."""

    IDENTICAL = "identical"
    EQUIVALENT = "equivalent"
    IMPROVED = "improved"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARABLE = "not comparable"
    REGRESSED = "regressed"
    FAILED = "failed"
    VIOLATION = "audit violation"


EXIT_CODES = {
    Verdict.IDENTICAL: 0,
    Verdict.EQUIVALENT: 0,
    Verdict.IMPROVED: 0,
    Verdict.INCONCLUSIVE: 3,
    Verdict.NOT_COMPARABLE: 4,
    Verdict.REGRESSED: 1,
    Verdict.FAILED: 1,
    Verdict.VIOLATION: 5,
}


class Status(StrEnum):
    """How a layer ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Layer:
    """One layer of a check: environment, run, hashes, audit, statistics or drift."""

    name: str
    status: Status
    text: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Case:
    """One policy in one scenario. `users` were run; `judgement`, against the baseline, is None where no statistics were
    needed, and `drift`, against its anchor, also where nothing was accepted since."""

    scenario: str
    policy: str
    verdict: Verdict
    layers: tuple[Layer, ...]
    judgement: Judgement | None
    users: int
    seconds: float
    drift: Judgement | None = None

    @property
    def name(self) -> str:
        """Scenario and policy, harmless to show."""
        return f"{plain(self.scenario)} {plain(self.policy, 80)}"

    @property
    def text(self) -> str:
        """Why the verdict is what it is: the layers that say something, in a sentence."""
        telling = [layer for layer in self.layers if layer.status is Status.FAILED] or self.layers[-1:]
        return "; ".join(f"{layer.name}: {plain(layer.text)}" for layer in telling)

    @property
    def exit_code(self) -> int:
        """The exit code that this case alone asks for."""
        return EXIT_CODES[self.verdict]

    def as_dict(self) -> dict[str, Any]:
        """The case as plain data."""
        return {
            "scenario": self.scenario,
            "policy": self.policy,
            "verdict": self.verdict.value,
            "exit_code": self.exit_code,
            "users": self.users,
            "seconds": round(self.seconds, 3),
            "layers": [{"name": each.name, "status": each.status.value, "text": each.text} for each in self.layers],
            "statistics": self.judgement and _data(self.judgement),
            "drift": self.drift and _data(self.drift),
        }


def _data(j: Judgement) -> dict[str, Any]:
    band = {"estimate": list(j.band.estimate), "lower": list(j.band.lower), "upper": list(j.band.upper)}
    return {
        "finding": j.finding.value,
        "difference": j.difference.estimate,
        "lower": j.difference.lower,
        "upper": j.difference.upper,
        "alpha": j.alpha,
        "margin": j.margin,
        "rounds": list(j.marks),
        "band": band,
    }


@dataclass(frozen=True)
class Report:
    """All cases of a check."""

    cases: tuple[Case, ...]

    @property
    def exit_code(self) -> int:
        """That of the gravest verdict: audit violation, regressed or failed, not comparable, inconclusive, none."""
        return max(self.cases, key=lambda case: list(Verdict).index(case.verdict)).exit_code if self.cases else 0

    @property
    def alarming(self) -> Sequence[Case]:
        """The cases that somebody must look at, gravest first: all that do not pass, and improvements."""
        order = list(Verdict)
        found = [case for case in self.cases if case.exit_code or case.verdict is Verdict.IMPROVED]
        return sorted(found, key=lambda case: -order.index(case.verdict))

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        return {"exit_code": self.exit_code, "cases": [case.as_dict() for case in self.cases]}
