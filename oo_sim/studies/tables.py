"""A comparison as a terminal table, as HTML, as plain data and as a frame's rows."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from oo_sim.logs import Manifest
from oo_sim.show.text import plain
from oo_sim.stats import Interval
from oo_sim.studies import words
from oo_sim.studies.across import Across
from oo_sim.studies.pairs import Pair

if TYPE_CHECKING:
    from oo_sim.studies.result import Comparison

Shown: TypeAlias = tuple[str, Sequence[str], list[Sequence[str]]]
"""A table to be shown: its title, headers and rows."""
HEADERS = (
    "candidate − baseline",  # noqa: RUF001
    "difference",
    "p (Holm)",
    "users who\ngain",
    "users who\nlose",
    "users\nunchanged",
    "P(better)",
    "variance\nkept",
)


def cells(pair: Pair) -> tuple[str, ...]:
    """A pair's row as text."""
    result = pair.paired
    shares = (f"{100 * s.estimate:.3g} %\n[{100 * s.lower:.3g}, {100 * s.upper:.3g}]" for s in result[5:8])
    kept = result.variance_kept
    return (
        f"{plain(pair.candidate, 60)}\n\N{MINUS SIGN} {plain(pair.baseline, 60)}",
        words.plus_minus(pair.difference),
        words.p_value(pair.holm),
        *shares,
        f"{result.improvement.estimate:.3f}",
        "-" if math.isnan(kept) else f"{kept:.2%}",
    )


def terminal(comparison: Comparison) -> Group:
    """Tables, failures and notes for a rich console. No text from files is read as markup."""
    parts: list[Table | Text] = []
    for title, pairs in comparison.by_scenario():
        parts.append(_table(title, HEADERS, [cells(pair) for pair in pairs]))
    if comparison.across:
        parts.append(_table(*_across(comparison.across)))
    parts += [Text(line, style="bold red") for line in failures(comparison)]
    return Group(*parts, *(Text(note, style="dim") for note in comparison.notes))


def _table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    heading = Text(title, style="bold")
    table = Table(box=box.SIMPLE_HEAD, title=heading, title_justify="left", pad_edge=False, padding=(0, 1, 0, 0))
    for index, header in enumerate(headers):
        table.add_column(header, justify="right" if index else "left", overflow="fold", no_wrap=bool(index))
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def as_html(comparison: Comparison) -> str:
    """The same as an HTML fragment; all text is escaped."""
    tables: list[Shown] = [
        (title, HEADERS, [cells(pair) for pair in pairs]) for title, pairs in comparison.by_scenario()
    ]
    if comparison.across:
        tables.append(_across(comparison.across))
    failed = "".join(f"<p><strong>{html.escape(line)}</strong></p>" for line in failures(comparison))
    foot = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in comparison.notes)
    return "".join(_html_table(*table) for table in tables) + failed + foot


def _html_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(header)}</th>" for header in headers)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{html.escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _across(found: Across) -> Shown:
    rows: list[Sequence[str]] = [
        (plain(label, 60), words.bracketed(interval, 4)) for label, interval in found.iqm.items()
    ]
    for (baseline, candidate), interval in found.differences.items():
        rows.append((words.minus(candidate, baseline), words.bracketed(interval, 4)))
    title = f"over {len(found.scenarios)} scenarios: {plain(', '.join(found.scenarios))}"
    return title, ("policy or difference", "interquartile mean"), rows


def failures(comparison: Comparison) -> Iterator[str]:
    """A line for each policy that failed."""
    for outcomes in comparison.scenarios:
        for label, why in outcomes.failures.items():
            yield f"{plain(outcomes.name)}: {plain(label, 60)} failed: {plain(why)}"


def flat(pair: Pair) -> dict[str, Any]:
    """A pair as a row of a frame; an interval `a` has columns `a`, `a_lower`, `a_upper`."""
    row: dict[str, Any] = {name: getattr(pair, name) for name in ("scenario", "baseline", "candidate", "users")}
    row |= _spread_out("difference", pair.difference) | {"p_value": pair.p_value, "holm": pair.holm}
    for name in ("gain", "lose", "same", "improvement"):
        row |= _spread_out(name, getattr(pair.paired, name))
    row |= {"baseline_mean": pair.paired.baseline.estimate, "candidate_mean": pair.paired.candidate.estimate}
    return row | {"variance_kept": pair.paired.variance_kept}


def _spread_out(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.estimate, f"{name}_lower": interval.lower, f"{name}_upper": interval.upper}


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain data; numbers are finite or null. See `Comparison.as_dict`."""
    across = comparison.across
    return {
        "metric": comparison.metric,
        "level": comparison.level,
        "bootstrap_seed": comparison.seed,
        "scenarios": [_scenario(o.manifest) | {"failures": dict(o.failures)} for o in comparison.scenarios],
        "pairs": [_pair(pair) for pair in comparison.pairs],
        "looks": [data(look._asdict()) for look in comparison.looks],
        "across": None
        if across is None
        else {
            "scenarios": list(across.scenarios),
            "iqm": data(across.iqm),
            "differences": [
                {"baseline": a, "candidate": b, "difference": data(each)} for (a, b), each in across.differences.items()
            ],
            "profiles": data(across.profiles),
        },
        "notes": list(comparison.notes),
    }


def _scenario(manifest: Manifest) -> dict[str, Any]:
    return {key: getattr(manifest, key) for key in ("name", "users", "rounds", "replicates", "seed", "own_trajectory")}


def _pair(pair: Pair) -> dict[str, Any]:
    own = {key: value for key, value in pair._asdict().items() if key not in ("paired", "marks", "band")}
    band = None if pair.band is None else {"rounds": pair.marks, **pair.band._asdict()}
    plain_pair: dict[str, Any] = data(pair.paired._asdict() | own | {"band": band})
    return plain_pair


def data(value: Any) -> Any:
    """Named tuples, mappings and arrays as plain data; what is not finite is null."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(key): data(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [data(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
