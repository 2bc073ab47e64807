"""`audit_log`: an independent reference looks at a log, and what it finds as tables, a figure, and plain data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from oo_sim.audit import Count, PolicyReport, Report, audit_directory, lines
from oo_sim.errors import whole
from oo_sim.results.result import Result
from oo_sim.show import Table, Tables, plain

_HEADERS = ("policy", "check", "rows\nchecked", "wrong")


class Audit(Result):
    """What an audit found: its `report`, and the lines of `oo-sim audit`."""

    kinds: ClassVar[tuple[str, ...]] = ("checks",)
    alt: ClassVar[str] = "how many rows each check judged, and how many of them are wrong"

    def __init__(self, report: Report) -> None:
        self.report = report

    @property
    def clean(self) -> bool:
        """No finding and no row refused."""
        return self.report.clean

    @property
    def drawable(self) -> bool:
        """Whether anything was checked."""
        return any(True for _ in self.counts())

    def counts(self) -> Iterator[tuple[PolicyReport, str, Count]]:
        """Each policy's checks, and what they counted."""
        for policy in self.report.policies:
            for check, count in policy.checks.items():
                yield policy, check, count

    def table(self) -> Tables:
        """A row per policy and check; the first wrong decisions as failures; what was not derived again as notes."""
        rows = [(plain(p.label, 60), check, f"{c.judged:,}", f"{c.wrong:,}") for p, check, c in self.counts()]
        starts = {i for i, row in enumerate(rows) if i and row[0] != rows[i - 1][0]}
        wrong = [str(policy.first) for policy in self.report.policies if policy.first is not None]
        wrong += [*self.report.cut, *map(str, self.report.refused)]
        said = [line for line in lines(self.report) if line not in wrong and not line.startswith(" ")]
        counted = {f"{policy.label}: {policy.decisions:,} decisions" for policy in self.report.policies}
        notes = [plain(line, 1000) for line in said if line not in counted]
        table = Table(_HEADERS, rows, "What was checked", names=2, breaks=frozenset(starts))
        return Tables([table], [plain(line, 1000) for line in wrong], notes)

    def frame(self) -> pd.DataFrame:
        """A row per policy and check: `policy`, `check`, `judged`, `wrong`, and the `first` wrong decision in words."""
        rows = [
            (p.label, check, c.judged, c.wrong, str(p.firsts[check]) if check in p.firsts else "")
            for p, check, c in self.counts()
        ]
        return pd.DataFrame(rows, columns=["policy", "check", "judged", "wrong", "first"])

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data, as `oo-sim audit --json` prints it."""
        return self.report.to_dict()

    def __repr__(self) -> str:
        return f"<Audit: {list(lines(self.report))[-1]}>"


def audit_log(log: str | Path, *, full: bool = False, workers: int | None = None) -> Audit:
    """Derive every decision of a run directory with events, or of a served export, again; with `full`, the world of all
    users. `workers` is how many cores to use (all, if not given); results do not depend on it. Raises ArgumentError and
    `oo_sim.audit.UnusableLogError` where it cannot be read as a log."""
    if workers is not None:
        whole("workers", workers)
    return Audit(audit_directory(Path(log), full=full, workers=workers))
