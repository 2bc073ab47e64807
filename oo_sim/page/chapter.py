"""One run in the report: what was run, its table and figures, results by segment, warnings, how to repeat it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator

from oo_sim.figures.curves import curves_figure
from oo_sim.figures.exploration import exploration_figure, explores
from oo_sim.figures.loglog import loglog_figure
from oo_sim.figures.people import users_figure
from oo_sim.figures.reactions import reactions_figure
from oo_sim.figures.segments import segment_results, segments, segments_figure
from oo_sim.logs import RunFiles
from oo_sim.page.markup import bullets, code, escaped, facts, paragraphs, picture, table
from oo_sim.page.retell import in_words, repeat, scenario_of, warnings
from oo_sim.results.run import Run
from oo_sim.results.summary import notes, size
from oo_sim.results.table import HEADERS, cells, fates
from oo_sim.show.text import plain
from oo_sim.stats import Interval


def run_section(run: Run) -> str:
    """The run as HTML; all text is escaped."""
    return "".join([*_warnings(run), *_what(run), *_results(run), *_by_segment(run), *_more(run)])


def again_section(run: Run) -> str:
    """How to run it again."""
    return "".join(_again(run))


def _warnings(run: Run) -> Iterator[str]:
    found = warnings(run.manifest, scenario_of(run.manifest))
    if found:
        yield f'<div class="warnings"><h3>Warnings</h3>{bullets(found)}</div>\n'


def _what(run: Run) -> Iterator[str]:
    manifest, scenario = run.manifest, scenario_of(run.manifest)
    yield "<h3>What was run</h3>\n"
    yield paragraphs(in_words(scenario) if scenario else [size(manifest)])
    yield "<details open><summary>Policies</summary>\n"
    yield facts(_policies(run))
    yield "</details>\n"
    versions = ", ".join(f"{name} {number}" for name, number in manifest.versions.items())
    kept = [
        ("run", str(run.path) if run.path else "in memory"),
        ("seed", str(manifest.seed)),
        ("versions", versions),
        ("content hash", manifest.content_hash),
        ("scenario hash", manifest.scenario_hash),
    ]
    yield facts((name, words) for name, words in kept if words)


def _policies(run: Run) -> Iterator[tuple[str, str]]:
    for policy in run.manifest.policies:
        parameters = [f"{key} {value}" for key, value in policy.parameters.items()]
        if policy.features and "features" not in policy.parameters:
            parameters.append(f"features {policy.features}")
        yield policy.label, ", ".join(parameters) or "no parameters"


def _results(run: Run) -> Iterator[str]:
    yield "<h3>Results</h3>\n"
    if not run.rows:
        yield paragraphs(["No policy has results."])
        return
    yield table(HEADERS, map(cells, run.rows), size(run.manifest))
    headers, more = fates(run.manifest, run.rows)
    if headers:
        yield table(headers, more, "Who is there, and what became of decisions")
    yield paragraphs(notes(run.manifest), "note")
    yield picture(
        curves_figure([run]),
        "reward per decision and cumulative regret per user against rounds",
        "Left: does a policy still improve, and how near does it come to the oracle? Right: what learning cost.",
    )


def _by_segment(run: Run) -> Iterator[str]:
    if not run.rows or not segments(run):
        return
    yield "<h3>By segment</h3>\n"
    rows = segment_results(run)
    headers = ("segment", "policy", "users", "reward\nper decision", "regret\nper user")
    yield table(
        headers,
        (
            (
                plain(row.segment, 40),
                plain(row.policy, 60),
                f"{row.expected_reward.n:,}",
                _plus_minus(row.expected_reward, 4),
                _plus_minus(row.regret_per_user, 2),
            )
            for row in rows
        ),
        "±: 95 % Student t interval over the users of the segment",
        names=2,
    )
    yield picture(
        segments_figure(run),
        "mean expected reward per decision by segment",
        "A policy that is best on average may serve one kind of user at the cost of another.",
    )


def _more(run: Run) -> Iterator[str]:
    if not run.rows:
        return
    yield "<h3>A closer look</h3>\n"
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
    yield picture(
        loglog_figure(run),
        "cumulative regret on logarithmic axes",
        "A line as steep as the dotted one does not learn; one as flat as the dashed one learns at the rate of √t.",
    )
    if run.path is not None and explores(run):
        yield picture(
            exploration_figure(run), "share of decisions explored", "How much of what is served is a trial, over time."
        )


def _again(run: Run) -> Iterator[str]:
    again = repeat(run.manifest, scenario_of(run.manifest))
    yield "<h3>To repeat it</h3>\n"
    yield paragraphs(again.remarks)
    if again.commands:
        out = str(run.path) if run.path else "runs/again"
        directory = shlex.quote(f"{out}-again" if run.path else out)
        events = " --events" if run.path and RunFiles(run.path).has_events else ""
        run_it = f"{again.commands[0]}{events} --out {directory}"
        if again.file is not None:
            yield f"<p>Save the scenario below as <code>{escaped(run.manifest.name)}.yaml</code>, then:</p>\n"
        yield code(f"{run_it}\noo-sim report {directory} -o report.html")
        yield paragraphs([_same(run)], "note")
    if again.file is not None:
        yield f"<details><summary>The scenario, with every default</summary>\n{code(again.file)}</details>\n"


def _same(run: Run) -> str:
    version = run.manifest.versions.get("oo-sim", "")
    same = f"With oo-sim {version}, " if version else ""
    return f"{same}the same numbers come out, on any number of threads; the content hash above tells."


def _plus_minus(interval: Interval, digits: int) -> str:
    half = "-" if math.isnan(interval.width) else f"{interval.width / 2:,.{digits}f}"
    return f"{interval.estimate:,.{digits}f} ± {half}"
