"""`Tips`: what tips of language models are worth, as tables, a figure, and plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import pandas as pd

from oo_sim.generator.bank import Bank
from oo_sim.generator.metrics import Metric, Section
from oo_sim.results.result import Result
from oo_sim.show import Table, Tables, plain
from oo_sim.stats import Interval

_HEADERS = ("metric", "value", "95 % interval", "of")


class Measured(NamedTuple):
    """One bank, or what was fitted: its name, a title in words, and its metrics; `bank` where there is one."""

    name: str
    title: str
    sections: tuple[Section, ...]
    bank: Bank | None = None

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        metrics = {section.title: [metric._asdict() for metric in section.metrics] for section in self.sections}
        return ({} if self.bank is None else {"made_with": self.bank.info._asdict()}) | {"metrics": metrics}


class Tips(Result):
    """What tips are worth: `parts`, one for each bank, and `problems`, what was asked for and did not come."""

    kinds: ClassVar[tuple[str, ...]] = ("shares",)
    alt: ClassVar[str] = "shares of generations and tips, with their intervals"

    def __init__(self, parts: Sequence[Measured], problems: Sequence[str] = (), notes: Sequence[str] = ()) -> None:
        self.parts, self.problems, self.notes = tuple(parts), tuple(problems), tuple(notes)

    def sound(self) -> Tips:
        """The same without what did not come."""
        return Tips(self.parts)

    @property
    def drawable(self) -> bool:
        """Whether a share is known."""
        return any(metric.is_share and metric.value is not None for *_, metric in self._metrics())

    def table(self) -> Tables:
        """A table for each part, and one of what all have, side by side."""
        tables = [_table(part) for part in self.parts]
        if len(self.parts) > 1:
            tables.append(self._side_by_side())
        return Tables(tables, [plain(problem, 1000) for problem in self.problems], self.notes)

    def frame(self) -> pd.DataFrame:
        """A row per metric: `bank`, `section`, `metric`, `value`, `value_lower`, `value_upper`, `of`, `note`."""
        rows = [
            (part.name, section.title, m.name, m.value, m.lower, m.upper, m.of, m.note)
            for part, section, m in self._metrics()
        ]
        columns = ["bank", "section", "metric", "value", "value_lower", "value_upper", "of", "note"]
        return pd.DataFrame(rows, columns=columns)

    def as_dict(self) -> dict[str, Any]:
        """`made_with` and `metrics` by section; of several banks a list of these as `banks`."""
        values = [part.as_dict() for part in self.parts]
        return values[0] if len(values) == 1 else {"banks": values}

    def _metrics(self) -> Iterator[tuple[Measured, Section, Metric]]:
        for part in self.parts:
            for section in part.sections:
                for metric in section.metrics:
                    yield part, section, metric

    def _side_by_side(self) -> Table:
        """The metrics that all parts have."""
        by_name = [{m.name: m for section in part.sections for m in section.metrics} for part in self.parts]
        names = [
            name
            for name in by_name[0]
            if all(name in each for each in by_name) and any(each[name].value is not None for each in by_name)
        ]
        rows = [(name, *(_brief(each[name]) for each in by_name)) for name in names]
        return Table(("metric", *(plain(part.name, 40) for part in self.parts)), rows, "Side by side")

    def __repr__(self) -> str:
        return f"<Tips: {', '.join(plain(part.title, 80) for part in self.parts)}>"


class AppealFit(Tips):
    """A fitted appeal and how well it predicts; `tenths` are the mean reward predicted, and the one seen, by tenths of
    the utility of reactions that were held out."""

    kinds: ClassVar[tuple[str, ...]] = ("calibration",)
    alt: ClassVar[str] = "mean reward seen against the one predicted, by tenths"

    def __init__(self, part: Measured, tenths: Sequence[tuple[float, Interval]]) -> None:
        super().__init__([part])
        self.tenths = tuple(tenths)

    @property
    def drawable(self) -> bool:
        """Always."""
        return True


def _table(part: Measured) -> Table:
    """A part's metrics, a block of rows for each section."""
    rows, breaks = list[tuple[str, ...]](), set[int]()
    for section in (each for each in part.sections if each.metrics):
        breaks.add(len(rows))
        rows.append((plain(section.title), "", "", ""))
        rows += [_cells(metric) for metric in section.metrics]
    return Table(_HEADERS, rows, plain(part.title), wordy=frozenset({3}), breaks=frozenset(breaks - {0}))


def _cells(metric: Metric) -> tuple[str, ...]:
    of = f"{metric.of} ({metric.note})" if metric.note else metric.of
    return plain(metric.name), worded(metric.value, metric.is_share), _bounds(metric), plain(of, 1000)


def _brief(metric: Metric) -> str:
    bounds = _bounds(metric)
    return worded(metric.value, metric.is_share) + (f"\n({bounds})" if bounds else "")


def _bounds(metric: Metric) -> str:
    if metric.lower is None or metric.upper is None:
        return ""
    return f"{worded(metric.lower, metric.is_share)} to {worded(metric.upper, metric.is_share)}"


def worded(value: float | None, is_share: bool) -> str:
    """A metric's value as people read it."""
    if value is None:
        return "not known"
    if is_share:
        return f"{100 * value:.1f} %"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
