"""One run in the report: what was run, its tables and figures, results by segment, warnings, how to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from oo_sim.figures import png
from oo_sim.figures.curves import curves_figure, loglog_figure
from oo_sim.figures.exploration import exploration_figure
from oo_sim.figures.people import users_figure
from oo_sim.figures.reactions import reactions_figure
from oo_sim.figures.segments import segments_figure
from oo_sim.logs import RunFiles
from oo_sim.page.retell import in_words, repeat, scenario_of, warnings
from oo_sim.results import Run
from oo_sim.results.segments import segment_results, segments
from oo_sim.results.series import explores
from oo_sim.results.summary import notes, size
from oo_sim.show import Table, data_address, plain, plus_minus

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEGIBLE = 62  # CSS pixels per inch of a figure, below which its text can't be read
_DPI = 100  # sharp on a page, and half the bytes of a figure in a file of its own


class Picture(NamedTuple):
    """A figure inside the page; `legible` is its least width in CSS pixels at which its text can be read."""

    address: str
    alt: str
    caption: str
    legible: int


class StudyPart(NamedTuple):
    """A chapter that is not of a run, from top to bottom; `name` stands in the page's title."""

    title: str
    name: str
    verdict: Sequence[str]
    warnings: Sequence[str]
    tables: Sequence[Table]
    pictures: Sequence[Picture]
    notes: Sequence[str]


class Segments(NamedTuple):
    """Results by segment."""

    table: Table
    picture: Picture


class Again(NamedTuple):
    """How to run it again; no command where there is none, and no file where the scenario ships."""

    remarks: Sequence[str]
    command: str
    same: str
    file: str | None


class RunPart(NamedTuple):
    """What stands in the page of one run, from top to bottom."""

    name: str
    warnings: Sequence[str]
    sentences: Sequence[str]
    policies: Sequence[tuple[str, str]]
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    notes: Sequence[str]
    curves: Sequence[Picture]
    segments: Sequence[Segments]
    closer: Sequence[Picture]
    again: Again


def picture(figure: Figure, alt: str, caption: str) -> Picture:
    """A figure, drawn."""
    return Picture(data_address(png(figure, _DPI)), alt, caption, round(_LEGIBLE * figure.get_figwidth()))


def run_part(run: Run) -> RunPart:
    """All of one run; without results there are no tables and figures."""
    manifest, scenario = run.manifest, scenario_of(run.manifest)
    tables = run.table().tables if run.rows else []
    return RunPart(
        str(manifest.name),
        warnings(manifest, scenario),
        list(in_words(scenario) if scenario else [size(manifest)]),
        list(_policies(run)),
        list(_facts(run)),
        [table._replace(title="" if place else size(manifest)) for place, table in enumerate(tables)],
        list(notes(manifest)) if run.rows else [],
        [_curves(run)] if run.rows else [],
        list(_segments(run)) if run.rows and run.by_user is not None else [],
        list(_closer(run)) if run.rows else [],
        _again(run),
    )


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    manifest = run.manifest
    yield "run", str(run.path) if run.path else "in memory"
    yield "seed", str(manifest.seed)
    if manifest.versions:
        yield "versions", ", ".join(f"{name} {number}" for name, number in manifest.versions.items())
    yield "content hash", manifest.content_hash
    if manifest.scenario_hash:
        yield "scenario hash", manifest.scenario_hash


def _policies(run: Run) -> Iterator[tuple[str, str]]:
    for policy in run.manifest.policies:
        parameters = [f"{key} {value}"[:40] for key, value in policy.parameters.items()]
        if policy.features and "features" not in policy.parameters:
            parameters.append(f"features {policy.features}")
        yield policy.label, ", ".join(parameters) or "no parameters"


def _curves(run: Run) -> Picture:
    return picture(
        curves_figure([run]),
        "reward per decision and cumulative regret per user against rounds",
        "Left: does a policy still improve, and how near does it come to the oracle? Right: what learning cost.",
    )


def _segments(run: Run) -> Iterator[Segments]:
    if not segments(run):
        return
    headers = ("segment", "policy", "users", "reward\nper decision", "regret\nper user")
    rows = [
        (
            plain(row.segment, 40),
            plain(row.policy, 60),
            f"{row.expected_reward.n:,}",
            plus_minus(row.expected_reward, 4),
            plus_minus(row.regret_per_user, 2),
        )
        for row in segment_results(run)
    ]
    yield Segments(
        Table(headers, rows, "±: 95 % Student t interval over the users of the segment", names=2),
        picture(
            segments_figure(run),
            "mean expected reward per decision by segment",
            "A policy that is best on average may serve one kind of user at the cost of another.",
        ),
    )


def _closer(run: Run) -> Iterator[Picture]:
    if run.by_user is not None:
        yield picture(
            users_figure(run),
            "distribution of users' mean reward under each policy",
            "A long tail to the left are users whom the policy never learned to serve.",
        )
    if run.manifest.has_reactions:
        yield picture(
            reactions_figure(run),
            "shares of reactions over time",
            "What people did: good reactions on top, bad ones below.",
        )
    if not run.manifest.served:
        yield picture(
            loglog_figure(run),
            "cumulative regret on logarithmic axes",
            "A line as steep as the dotted one does not learn; one as flat as the dashed one learns at the rate of √t.",
        )
    if explores(run):
        yield picture(
            exploration_figure(run), "share of decisions explored", "How much of what is served is a trial, over time."
        )


def _again(run: Run) -> Again:
    again, command = repeat(run.manifest, scenario_of(run.manifest)), ""
    if again.commands:
        out = str(run.path) if run.path else "runs/again"
        directory = shlex.quote(f"{out}-again" if run.path else out)
        events = " --events" if run.path and RunFiles(run.path).has_events else ""
        command = f"{again.commands[0]}{events} --out {directory}\noo-sim report {directory} -o report.html"
    version = run.manifest.versions.get("oo-sim", "")
    same = f"With oo-sim {version}, " if version else ""
    told = f"{same}the same numbers come out, on any number of workers; compare the content hash above."
    return Again(again.remarks, command, told, again.file)
