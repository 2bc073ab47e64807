"""The one-file report: what was run, the verdict, tables, figures, warnings, and how to repeat it. No script.

`report.html.jinja` says how the page is laid out, `page.css` how it looks; here is what stands in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from oo_sim.errors import ComparisonError
from oo_sim.page.chapter import Picture, RunPart, picture, run_part
from oo_sim.page.evaluation import evaluation_part
from oo_sim.page.fit import fit_part
from oo_sim.page.verdict import verdict
from oo_sim.results import Run, load_run
from oo_sim.results.result import write_whole
from oo_sim.show import Table, minus, number, p_value, percent, plain, signed
from oo_sim.studies import Comparison, Evaluation, Pair, compare

_LONG = 20_000
_HEADERS = (
    *("candidate minus baseline", "difference\nper decision", "95 % interval", "p (Holm)"),
    *("users\nwho gain", "P(better)", "finds\nfrom"),
)

_SERVED = "A served log: what another policy would have earned is estimated by `oo-sim evaluate`."
_NO_USERS = "Policies are compared by user, and {} no rows by user (--checkpoints off), so there is no verdict."


class Compared(NamedTuple):
    """A comparison as the page shows it."""

    pictures: Sequence[Picture]
    tables: Sequence[Table]
    notes: Sequence[str]


class Chapter(NamedTuple):
    """The runs of one scenario, the verdict in sentences, and their comparison where two policies have results."""

    name: str
    verdict: Sequence[str]
    runs: Sequence[RunPart]
    comparison: Compared | None


def report(
    *sources: str | Path | Run | Evaluation, out: str | Path, reference: str | None = None, title: str = ""
) -> Path:
    """Write the page of runs, run directories, files `NAME.fit.json` that `oo-sim fit` wrote, and evaluations of logs
    into `out`, whole or not at all. Returns its path. Raises what `report_html` and `load_run` raise, RunLogError where
    it cannot be written, and `ValueError` for another ending."""
    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{path} must end in .html")
    runs, fits, evaluations = list[Run](), list[Path](), list[Evaluation]()
    for each in sources:
        if isinstance(each, Evaluation):
            evaluations.append(each)
        elif not isinstance(each, Run) and str(each).endswith(".fit.json"):
            fits.append(Path(each))
        else:
            runs.append(each if isinstance(each, Run) else load_run(each))
    page = report_html(runs, fits=fits, evaluations=evaluations, reference=reference, title=title)
    write_whole(path, page.encode())
    return path


def report_html(
    runs: Sequence[Run],
    *,
    fits: Sequence[Path] = (),
    evaluations: Sequence[Evaluation] = (),
    reference: str | None = None,
    title: str = "",
) -> str:
    """The whole page, one self-contained document: styles and figures are inside, and it holds no script.

    Runs of one scenario are compared, every two policies or each with the `reference`; `fits` are files that `oo-sim
    fit` wrote. All text from runs is escaped. Raises what `compare` raises, FitError, and `ValueError` without either.
    """
    if not (runs or fits or evaluations):
        raise ValueError("no run to report")
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(str(run.manifest.name), []).append(run)
    chapters = [_chapter(name, group, reference) for name, group in by_name.items()]
    if reference is not None and all(chapter.comparison is None for chapter in chapters):
        raise ComparisonError(
            "reference says what policies are compared with, and nothing is compared here: leave it out"
        )
    parts = [*map(evaluation_part, evaluations), *map(fit_part, fits)]
    heading = plain(title or ", ".join([*by_name, *(part.name for part in parts)]), 120)
    page = _environment()
    style = page.get_template("page.css").render()
    return page.get_template("report.html.jinja").render(heading=heading, chapters=chapters, studies=parts, style=style)


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("oo_sim", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        keep_trailing_newline=True,
    )
    found.filters["lines"] = _lines
    return found


def _harmless(value: Any) -> Any:
    """Text without control or direction characters; what is HTML already stays."""
    return value if isinstance(value, Markup) else plain(value, _LONG)


def _lines(text: str) -> Markup:
    """The same for text whose line breaks count."""
    return Markup("\n").join(escape(plain(line, _LONG)) for line in text.split("\n"))


def _chapter(name: str, runs: Sequence[Run], reference: str | None) -> Chapter:
    able = {label for run in runs for label in run.manifest.labels if label not in run.failures}
    served = any(run.manifest.served for run in runs)  # whose policies met users of their own: nothing is paired
    bare = [str(run.path or "the run in memory") for run in runs if run.manifest.checkpoints == "off"]
    found = compare(*runs, reference=reference) if len(able) > 1 and not (served or bare) else None
    policies = [policy for run in runs for policy in run.manifest.policies]
    if served:
        sentences = [_SERVED]
    elif bare and len(able) > 1:
        sentences = [_NO_USERS.format(f"{', '.join(bare)} {'hold' if len(bare) > 1 else 'holds'}")]
    else:
        sentences = verdict(policies, found.pairs if found else [])
    parts = [run_part(run) for run in runs]
    return Chapter(name, sentences, parts, _compared(found) if found and found.pairs else None)


def _compared(found: Comparison) -> Compared:
    drawn = picture(
        found.figure(),
        "differences between policies with their intervals",
        "Each interval by itself holds with 95 %, the thin ones, where there are several, all at once. A filled point: "
        "its interval, the thin one where there is one, excludes 0. "
        "Below: the difference up to each round, with a band that holds along the whole curve.",
    )
    return Compared([drawn], [Table(_HEADERS, [_row(pair) for pair in found.pairs])], found.notes)


def _row(pair: Pair) -> tuple[str, ...]:
    bounds = [pair.difference.lower, pair.difference.upper]
    return (
        minus(pair.candidate, pair.baseline),
        signed(pair.difference.estimate),
        "-" if math.isnan(bounds[0]) else " to ".join(map(signed, bounds)),
        p_value(pair.holm),
        percent(pair.paired.gain.estimate),
        number(pair.paired.improvement.estimate, 3),
        number(pair.detectable),
    )
