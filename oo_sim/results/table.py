"""The summary as a terminal table, as plain data for JSON, and as HTML for a notebook cell."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from oo_sim.logs import Manifest
from oo_sim.results.dynamics import dynamics_of
from oo_sim.results.summary import FATES, LEVEL, PolicySummary, notes, size
from oo_sim.show.text import plain
from oo_sim.stats import Interval

HEADERS = (
    "policy",
    "reward\nper decision",
    "realised\nreward",
    "regret\nper user",
    "no\nreaction",
    "decisions\nper second",
)
"""The columns of the table; all but the first hold numbers."""
_FATES = {"rewarded": "rewarded", "pending": "pending", "expired": "expired", "never": "never\nheard of"}


def cells(row: PolicySummary) -> tuple[str, ...]:
    """A policy's row as text; what is not known is `-`."""
    return (
        plain(row.policy, 60),
        _interval(row.expected_reward, 4),
        _number(row.reward.estimate, 4),
        _interval(row.regret_per_user, 2),
        "-" if row.no_reaction is None else f"{row.no_reaction:.1%}",
        _number(row.decisions_per_second, 0),
    )


def fates(manifest: Manifest, rows: Sequence[PolicySummary]) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of a second table: who is still there, and what became of decisions.

    It has the columns that the scenario's dynamics make interesting; without any, there is nothing in it.
    """
    found, headers = dynamics_of(manifest), ["policy"]
    if found.presence:
        headers += ["users\nat the end", "decisions\nper user"]
    if found.reporting:
        headers += [_FATES[fate] for fate in FATES]
    if len(headers) == 1:
        return [], []
    return headers, [_fates(row, manifest, found.presence, found.reporting) for row in rows]


def _fates(row: PolicySummary, manifest: Manifest, presence: bool, reporting: bool) -> list[str]:
    cells = [plain(row.policy, 60)]
    if presence:
        everybody = manifest.users
        cells += [f"{row.users_at_the_end / everybody:.1%}"]
        cells += [_number(row.decisions / (everybody * manifest.replicates), 1)]
    if reporting:
        cells += [f"{getattr(row, fate) / row.decisions:.1%}" if row.decisions else "-" for fate in FATES]
    return cells


def terminal_table(manifest: Manifest, rows: Sequence[PolicySummary]) -> Group:
    """The table, failures and notes, for a rich console. No text from files is read as markup."""
    title = Text(f"{plain(manifest.name)}: {size(manifest)}", style="bold")
    table = _rich(HEADERS, map(cells, rows), title)
    headers, more = fates(manifest, rows)
    second = [_rich(headers, more)] if headers else []
    failed = [Text(f"{name} failed: {why}", style="bold red") for name, why in _failures(manifest)]
    return Group(table, *second, *failed, *(Text(note, style="dim") for note in notes(manifest)))


def _rich(headers: Sequence[str], rows: Iterable[Sequence[str]], title: Text | None = None) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, padding=(0, 1, 0, 0))
    for index, header in enumerate(headers):
        table.add_column(header, justify="right" if index else "left", overflow="fold", no_wrap=bool(index))
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def as_dict(manifest: Manifest, rows: Sequence[PolicySummary], path: str | None) -> dict[str, Any]:
    """The summary as plain data: `path`, `name`, `users`, `rounds`, `replicates`, `seed`, `content_hash`,
    `level`, `rows`, `failures` (label -> message) and `notes`.

    A row has `policy`, `decisions`, the intervals `expected_reward`, `reward` (both per decision) and
    `regret_per_user`, each `{estimate, lower, upper, n}`, and `regret_per_decision`, `no_reaction`,
    `decisions_per_second`, `users_at_the_end`, and the decisions by what became of them by the end: `rewarded`,
    `pending`, `expired`, `never`. Numbers are finite or null.
    """
    keys = ("name", "users", "rounds", "replicates", "seed", "content_hash")
    return {
        "path": path,
        **{key: getattr(manifest, key) for key in keys},
        "level": LEVEL,
        "rows": [{key: _plain_data(value) for key, value in row._asdict().items()} for row in rows],
        "failures": dict(manifest.failures),
        "notes": list(notes(manifest)),
    }


def html_table(manifest: Manifest, rows: Sequence[PolicySummary]) -> str:
    """The table, failures and notes as an HTML fragment; all text is escaped."""
    title = html.escape(f"{plain(manifest.name)}: {size(manifest)}")
    headers, more = fates(manifest, rows)
    second = _html(headers, more) if headers else ""
    failed = "".join(
        f"<p><strong>{html.escape(name)} failed:</strong> {html.escape(why)}</p>" for name, why in _failures(manifest)
    )
    foot = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in notes(manifest))
    return f"{_html(HEADERS, map(cells, rows), f'<caption>{title}</caption>')}{second}{failed}{foot}"


def _html(headers: Iterable[str], rows: Iterable[Iterable[str]], caption: str = "") -> str:
    head = "".join(f"<th>{html.escape(header)}</th>" for header in headers)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _failures(manifest: Manifest) -> list[tuple[str, str]]:
    return [(plain(name, 60), plain(why)) for name, why in manifest.failures.items()]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:,.{digits}f}"


def _interval(interval: Interval, digits: int) -> str:
    """Student's interval is symmetric, so that its half-width says it all."""
    return f"{_number(interval.estimate, digits)} ± {_number(interval.width / 2, digits)}"


def _plain_data(value: object) -> Any:
    if isinstance(value, Interval):
        return {key: _plain_data(part) for key, part in value._asdict().items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
