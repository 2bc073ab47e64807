"""The one-file report: what was run, the verdict, tables, figures, warnings, and how to repeat it. No script."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from typing import Any, NamedTuple, Protocol

from matplotlib.figure import Figure

from oo_sim.page.chapter import again_section, run_section
from oo_sim.page.markup import escaped, paragraphs, picture, table
from oo_sim.page.verdict import PairLike, verdict
from oo_sim.results.run import Run
from oo_sim.show.text import plain
from oo_sim.stats import Interval

_HEADERS = ("candidate minus baseline", "difference\nper decision", "95 % interval", "p (Holm)", "users\nwho gain")


class Judgement(Protocol):
    """What the report needs of a comparison of runs of one scenario."""

    @property
    def pairs(self) -> Sequence[Any]: ...
    @property
    def notes(self) -> Sequence[str]: ...
    def figure(self) -> Figure:
        """The differences with their intervals."""


Judge = Callable[[Sequence[Run]], Judgement]
"""Compares runs of one scenario."""


class Chapter(NamedTuple):
    """The runs of one scenario, and their comparison where two or more policies have results."""

    name: str
    runs: Sequence[Run]
    judgement: Judgement | None

    @property
    def verdict(self) -> list[str]:
        """The verdict in sentences."""
        policies = [policy for run in self.runs for policy in run.manifest.policies]
        pairs: Sequence[PairLike] = self.judgement.pairs if self.judgement else []
        return verdict(policies, pairs)


def chapters(runs: Sequence[Run], judge: Judge) -> list[Chapter]:
    """The runs by scenario, each scenario judged."""
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(str(run.manifest.name), []).append(run)
    found = []
    for name, group in by_name.items():
        able = {label for run in group for label in run.manifest.labels if label not in run.failures}
        found.append(Chapter(name, group, judge(group) if len(able) > 1 else None))
    return found


def report_html(runs: Sequence[Run], judge: Judge, *, title: str = "") -> str:
    """The whole page, one self-contained document: styles and figures are inside, and it holds no script.

    `judge` compares the runs of one scenario. All text from runs is escaped. Raises what `judge` raises, and
    `ValueError` without runs.
    """
    if not runs:
        raise ValueError("no run to report")
    found = chapters(runs, judge)
    heading = plain(title or ", ".join(each.name for each in found), 120)
    style = files("oo_sim.page").joinpath("page.css").read_text(encoding="utf-8")
    body = "".join([_top(heading, found), *map(_chapter, range(len(found)), found)])
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        f'<link rel="icon" href="data:,">\n<title>{escaped(heading)}</title>\n<style>\n{style}</style>\n</head>\n'
        f"<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )


def _top(heading: str, found: Sequence[Chapter]) -> str:
    if len(found) == 1:
        return f"<h1>{escaped(heading)}</h1>\n" if heading != found[0].name else ""
    items = "".join(
        f'<li><a href="#scenario-{i}">{escaped(each.name)}</a>: {escaped(each.verdict[0])}</li>\n'
        for i, each in enumerate(found)
    )
    return f"<h1>{escaped(heading)}</h1>\n<nav><ul>\n{items}</ul></nav>\n"


def _chapter(place: int, chapter: Chapter) -> str:
    parts = [
        f'<section>\n<h2 id="scenario-{place}">{escaped(chapter.name)}</h2>\n',
        f'<div class="verdict">{paragraphs(chapter.verdict)}</div>\n',
        *(run_section(run) for run in chapter.runs),
    ]
    if chapter.judgement and chapter.judgement.pairs:
        parts += _comparison(chapter.judgement)
    return "".join([*parts, *(again_section(run) for run in chapter.runs), "</section>\n"])


def _comparison(judgement: Judgement) -> Iterator[str]:
    yield "<h3>Differences between policies, paired by user</h3>\n"
    yield picture(
        judgement.figure(),
        "differences between policies with their intervals",
        "Each interval by itself holds with 95 %; filled ones are sure after Holm's adjustment for all comparisons. "
        "Below: the difference up to each round, with a band that holds along the whole curve.",
    )
    yield table(_HEADERS, map(_row, judgement.pairs))
    yield paragraphs(judgement.notes, "note")


def _row(pair: Any) -> tuple[str, ...]:
    p = pair.holm
    gain: Interval = pair.paired.gain
    return (
        f"{plain(pair.candidate, 60)} \N{MINUS SIGN} {plain(pair.baseline, 60)}",
        _number(pair.difference.estimate),
        f"{_number(pair.difference.lower)} to {_number(pair.difference.upper)}",
        "-" if math.isnan(p) else "<0.0001" if p < 1e-4 else f"{p:.4f}",
        f"{gain.estimate:.1%}",
    )


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.4f}".replace("-", "\N{MINUS SIGN}")
