"""`Sweep`: what each value of a parameter earned, as a frame, a table, plain data and a figure."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from oo_sim.results import Run, drawing, dynamics
from oo_sim.results.summary import LEVEL, size
from oo_sim.show.text import plain
from oo_sim.stats import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEADERS = ("policy", "reward\nper decision", "behind the best\nof its pattern", "realised\nreward", "regret\nper user")


_NONE = Interval(math.nan, math.nan, math.nan, 0)


class Point(NamedTuple):
    """One policy of a grid: the values of what is varied, its expected reward per decision, and that minus the best's.

    Both intervals are over users; the second is paired, and holds for all pairs of the pattern at once.
    """

    policy: str
    parameters: Mapping[str, int | float | str]
    reward: Interval
    behind: Interval


class Series(NamedTuple):
    """The points of one pattern; `varied` names the parameters that differ, none for a plain spec."""

    pattern: str
    name: str
    varied: tuple[str, ...]
    points: tuple[Point, ...]


class Sweep:
    """The results of a sweep: its `series`, one for each pattern, and the `run` behind them."""

    def __init__(self, run: Run, series: Sequence[Series]) -> None:
        self.run = run
        self.series = tuple(series)

    @property
    def failures(self) -> dict[str, str]:
        """The policies that failed: label -> message."""
        return self.run.failures

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        facts = self.run.manifest
        found = [
            "Reward is the true expected reward per decision, averaged over all rounds; all policies meet the same "
            "users and draws (common random numbers)."
        ]
        if facts.users > 1:
            found.append(
                "±: 95 % Student t interval over users, each user one value; never over rounds. Behind the best: "
                "paired by user, simultaneous over all pairs of the pattern (Bonferroni): the best is known only "
                "afterwards."
            )
        else:
            found.append("No interval with one user: intervals are over users, never over rounds.")
        if facts.own_trajectory:
            found.append("Regret is against the best on each policy's own trajectory: compare rewards, not regrets.")
        return (*found, *dynamics.notes(dynamics.dynamics_of(facts)))

    def table(self) -> pd.DataFrame:
        """A row per point: `pattern`, `policy`, a column for each varied parameter, `reward`, `behind_best` and
        `regret_per_user`, each with `_lower` and `_upper`, `realised`, `users` and whether it is the `best`."""
        varied = list(dict.fromkeys(key for series in self.series for key in series.varied))
        return pd.DataFrame([self._row(series, point, varied) for series in self.series for point in series.points])

    def _row(self, series: Series, point: Point, varied: Sequence[str]) -> dict[str, Any]:
        summary = self._summaries[point.policy]
        row: dict[str, Any] = {"pattern": series.pattern, "policy": point.policy}
        row |= {key: point.parameters.get(key, math.nan) for key in varied}
        behind = point.behind if series.varied else _NONE
        intervals = {"reward": point.reward, "behind_best": behind, "regret_per_user": summary.regret_per_user}
        for name, interval in intervals.items():
            row |= {name: interval.estimate, f"{name}_lower": interval.lower, f"{name}_upper": interval.upper}
        row |= {"realised": summary.reward.estimate, "users": point.reward.n}
        return row | {"best": bool(series.varied) and point.behind.estimate == 0.0}

    @cached_property
    def _summaries(self) -> dict[str, Any]:
        return {row.policy: row for row in self.run.rows}

    def console(self) -> Group:
        """The table, failures and notes for a rich console; no text from files is read as markup."""
        title = Text(self._title, style="bold")
        table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, padding=(0, 1, 0, 0))
        for index, header in enumerate(HEADERS):
            table.add_column(header, justify="right" if index else "left", overflow="fold", no_wrap=bool(index))
        for place, series in enumerate(self.series):
            if place:
                table.add_section()
            for row in self._cells(series):
                table.add_row(*map(Text, row))
        failed = [Text(line, style="bold red") for line in self._failed]
        return Group(table, *failed, *(Text(note, style="dim") for note in self.notes))

    @property
    def _title(self) -> str:
        return f"{plain(self.run.manifest.name)}: {size(self.run.manifest)}"

    @property
    def _failed(self) -> list[str]:
        return [f"{plain(label, 60)} failed: {plain(why)}" for label, why in self.failures.items()]

    def _cells(self, series: Series) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = []
        for point in series.points:
            summary = self._summaries[point.policy]
            behind = "-" if not series.varied else "best" if point.behind.estimate == 0.0 else _plus_minus(point.behind)
            reward, regret = _plus_minus(point.reward), _plus_minus(summary.regret_per_user, 2)
            rows.append((plain(point.policy, 60), reward, behind, _number(summary.reward.estimate), regret))
        return rows

    def as_dict(self) -> dict[str, Any]:
        """The sweep as plain data: `name`, `users`, `rounds`, `replicates`, `seed`, `level`, `rows` (as in
        `table`, with null for what is not there), `failures` and `notes`."""
        keys = ("name", "users", "rounds", "replicates", "seed")
        rows = [{key: _finite(value) for key, value in row.items()} for row in self.table().to_dict("records")]
        facts = {key: getattr(self.run.manifest, key) for key in keys}
        return {**facts, "level": LEVEL, "rows": rows, "failures": self.failures, "notes": list(self.notes)}

    def figure(self) -> Figure:
        """Reward against the parameter, a column of panels for each pattern."""
        return drawing.figure(self)

    def __repr__(self) -> str:
        return f"<Sweep of {self._title}: {sum(len(series.points) for series in self.series)} policies>"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(header)}</th>" for header in HEADERS)
        rows = [row for series in self.series for row in self._cells(series)]
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        table = (
            f"<table><caption>{html.escape(self._title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        )
        failed = "".join(f"<p><strong>{html.escape(line)}</strong></p>" for line in self._failed)
        foot = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in self.notes)
        source = f"data:image/png;base64,{base64.b64encode(drawing.png(self.figure())).decode()}"
        image = f'<img alt="reward against the parameter" style="max-width:100%" src="{source}">' if rows else ""
        return f"<div>{table}</table>{failed}{foot}{image}</div>"


def _plus_minus(interval: Interval, digits: int = 4) -> str:
    return f"{_number(interval.estimate, digits)} ± {_number(interval.width / 2, digits)}"


def _number(value: float, digits: int = 4) -> str:
    return f"{value:,.{digits}f}" if math.isfinite(value) else "-"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
