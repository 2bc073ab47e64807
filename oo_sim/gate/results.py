"""What a check found: a case per scenario and policy, a layer at a time, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, NotRequired, TypedDict

import pandas as pd

from oo_sim.gate.judge import Judgement
from oo_sim.results.result import Result, finite
from oo_sim.show import Table, Tables, bracketed, number, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHANGE = ("hashes", "first difference")
"""The layers that say which bits changed, and where first."""
_HEADERS = ("scenario", "policy", "verdict", "difference", "margin", "users")


class Verdict(StrEnum):
    """What became of a policy in a scenario, mildest first."""

    IDENTICAL = "identical"
    EQUIVALENT = "equivalent"
    IMPROVED = "improved"
    CHANGED = "changed"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARABLE = "not comparable"
    REGRESSED = "regressed"
    FAILED = "failed"
    VIOLATION = "audit violation"


EXIT_CODES = {
    Verdict.IDENTICAL: 0,
    Verdict.EQUIVALENT: 0,
    Verdict.IMPROVED: 0,
    Verdict.CHANGED: 1,
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


class LayerData(TypedDict):
    """A layer as plain data."""

    name: str
    status: str
    text: str


class JudgementData(TypedDict):
    """A judgement as plain data: bounds of the difference per decision, and a band over the marked rounds."""

    finding: str
    difference: float
    lower: float
    upper: float
    alpha: float
    margin: float
    rounds: list[int]
    band: dict[str, list[float | None]]


class CaseData(TypedDict):
    """A case as plain data."""

    scenario: str
    policy: str
    verdict: str
    exit_code: int
    users: int
    seconds: float
    layers: list[LayerData]
    statistics: JudgementData | None
    drift: JudgementData | None


class DifferenceData(TypedDict):
    """A cell that differs, as plain data."""

    cell: str
    text: str


class MatrixData(TypedDict):
    """What a check of the matrix found, as plain data."""

    cells: int
    differences: list[DifferenceData]
    seconds: float


class ReportData(TypedDict):
    """A report as plain data: `matrix` and `served` where they were checked."""

    exit_code: int
    cases: list[CaseData]
    matrix: NotRequired[MatrixData]
    served: NotRequired[str]


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
    def change(self) -> str:
        """Which bits changed, and the first decision that did; empty where none did."""
        found = [layer for layer in self.layers if layer.name in CHANGE and layer.status is not Status.PASSED]
        return "; ".join(f"{layer.name}: {plain(layer.text)}" for layer in found)

    @property
    def exit_code(self) -> int:
        """The exit code that this case alone asks for."""
        return EXIT_CODES[self.verdict]

    def as_dict(self) -> CaseData:
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


def _data(j: Judgement) -> JudgementData:
    band = {name: [finite(x) for x in getattr(j.band, name).tolist()] for name in ("estimate", "lower", "upper")}
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
class Difference:
    """A cell of the matrix, a number or a column of logs that is not as recorded, and where it differs first."""

    cell: str
    text: str


@dataclass(frozen=True)
class MatrixReport:
    """What a check of the matrix found: how many cells were run, and how many of them are as recorded."""

    cells: int
    same: int
    differences: tuple[Difference, ...]
    seconds: float

    @property
    def exit_code(self) -> int:
        """1 where a bit changed."""
        return 1 if self.differences else 0

    def lines(self, most: int = 20) -> Iterator[str]:
        """The differences, the first `most` of them in words, and how many cells are identical."""
        for each in self.differences[:most]:
            yield f"FAIL  {each.cell}: {each.text}"
        if len(self.differences) > most:
            yield f"      and {len(self.differences) - most} more"
        yield f"Matrix: {self.same} of {self.cells} cells identical ({self.seconds:.1f} s)."

    def as_dict(self) -> MatrixData:
        """The report as plain data."""
        found: list[DifferenceData] = [{"cell": each.cell, "text": each.text} for each in self.differences]
        return {"cells": self.cells, "differences": found, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True)
class ServedReport:
    """What a check of the trace through the server found: the first step that differs, None where none does."""

    difference: str | None

    @property
    def exit_code(self) -> int:
        """1 where a step differs."""
        return 0 if self.difference is None else 1

    @property
    def text(self) -> str:
        """The verdict in words."""
        return "identical" if self.difference is None else f"changed: {self.difference}"


@dataclass(frozen=True, repr=False)
class Report(Result):
    """All cases of a check."""

    cases: tuple[Case, ...]
    matrix: MatrixReport | None = None
    served: ServedReport | None = None

    kinds: ClassVar[tuple[str, ...]] = ("differences",)
    alt: ClassVar[str] = "each policy's difference from its baseline along the curve"

    def __repr__(self) -> str:
        return f"<{self.summary.rstrip('.')}>"

    @property
    def summary(self) -> str:
        """How many cases have which verdict, and whether the matrix and the server are as recorded."""
        counts = {verdict: sum(case.verdict is verdict for case in self.cases) for verdict in Verdict}
        said = [f"{count} {verdict.value}" for verdict, count in counts.items() if count]
        if self.matrix is not None:
            found = len(self.matrix.differences)
            said.append(f"matrix with {found} difference{'s' if found > 1 else ''}" if found else "matrix identical")
        if self.served is not None:
            said.append("server identical" if self.served.difference is None else "server changed")
        return f"Gate: {', '.join(said) or 'nothing was checked'}."

    @property
    def drawable(self) -> bool:
        """Whether a case has statistics."""
        return any(case.judgement is not None for case in self.cases)

    def figure(self, kind: str | None = None, *, style: str = "screen", **options: Any) -> Figure:
        """The differences along the curve, with their bands and the margin; see `Result.figure`."""
        from oo_sim.gate.drawing import for_paper, picture  # noqa: PLC0415 (needs matplotlib)

        self._kind(kind)
        return picture(self) if style == "screen" else for_paper(self, style)

    def table(self) -> Tables:
        """A row per scenario and policy; what else was checked, as notes."""
        rows = [
            (
                plain(case.scenario, 60),
                plain(case.policy, 60),
                case.verdict.value,
                "-" if case.judgement is None else bracketed(case.judgement.difference, 5, sign=True),
                "-" if case.judgement is None else number(case.judgement.margin, 5),
                f"{case.users:,}",
            )
            for case in self.cases
        ]
        failed = [f"{case.name}: {case.verdict.value}: {case.text}" for case in self.cases if case.exit_code]
        notes = ["Difference: now minus baseline, expected reward per decision; one-sided bounds."] if rows else []
        notes += [] if self.matrix is None else [plain(line, 1000) for line in self.matrix.lines()]
        notes += [] if self.served is None else [f"Served: {plain(self.served.text, 1000)}"]
        return Tables([Table(_HEADERS, rows, "Gate", names=2, wordy=frozenset({2}))], failed, notes)

    def frame(self) -> pd.DataFrame:
        """A row per scenario and policy: `scenario`, `policy`, `verdict`, `exit_code`, `difference` with `_lower` and
        `_upper`, `margin`, `users`, and in words `why`."""
        columns = ("difference", "difference_lower", "difference_upper", "margin")
        nothing = dict.fromkeys(columns, float("nan"))
        rows = []
        for case in self.cases:
            j = case.judgement
            found = nothing if j is None else dict(zip(columns, (*tuple(j.difference)[:3], j.margin), strict=True))
            head = {"scenario": case.scenario, "policy": case.policy, "verdict": case.verdict.value}
            rows.append({**head, "exit_code": case.exit_code, **found, "users": case.users, "why": case.text})
        names = ["scenario", "policy", "verdict", "exit_code", *columns, "users", "why"]
        return pd.DataFrame(rows, columns=names)

    @property
    def exit_code(self) -> int:
        """That of the gravest verdict: audit violation, regressed, failed or changed, not comparable, inconclusive."""
        order = (5, 1, 4, 3)
        codes = {each.exit_code for each in (*self.cases, self.matrix, self.served) if each is not None}
        return next((code for code in order if code in codes), 0)

    @property
    def alarming(self) -> Sequence[Case]:
        """The cases that somebody must look at, gravest first: all that do not pass, and improvements."""
        order = list(Verdict)
        found = [case for case in self.cases if case.exit_code or case.verdict is Verdict.IMPROVED]
        return sorted(found, key=lambda case: -order.index(case.verdict))

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        data: ReportData = {"exit_code": self.exit_code, "cases": [case.as_dict() for case in self.cases]}
        if self.matrix is not None:
            data["matrix"] = self.matrix.as_dict()
        if self.served is not None:
            data["served"] = self.served.difference or "identical"
        return {**data}
