"""`oo-sim gate`: record what policies do, check in CI that they do no worse, and accept a change with a reason."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oo_sim import gate
from oo_sim.cli import gate_served
from oo_sim.cli.printing import Json, check_out, draw, print_json
from oo_sim.cli.working import Resume, Unchecked, Workers, continued, here

if TYPE_CHECKING:
    from oo_sim.gate import Report
    from oo_sim.settings import Settings

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Record what policies do, detect regressions and incorrect decisions in CI, accept a change with a reason.",
)

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="SCENARIO...", help="Scenario files or names of shipped ones. Default: all recorded."),
]
Policies = Annotated[
    list[str] | None, typer.Option("--policy", metavar="SPEC", help="These policies alone. Repeatable.")
]
Baselines = Annotated[
    Path | None,
    typer.Option(
        "--baselines",
        metavar="DIR",
        help="Where baselines are kept. Default: what pyproject.toml says, or scenarios/baselines.",
    ),
]
Matrix = Annotated[bool, typer.Option("--matrix", help="The matrix: hashes of every policy in small worlds.")]

Served = Annotated[bool, typer.Option("--served", help="The server: hashes of a fixed trace through it.")]


@app.command()
def record(
    scenarios: Annotated[
        list[str] | None, typer.Argument(metavar="SCENARIO...", help="Scenario files or names of shipped ones.")
    ] = None,
    policy: Policies = None,
    users: Annotated[
        int | None, typer.Option(metavar="N", help="Record N users, instead of as many as the power requires.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(metavar="N", help="Instead of the file's decisions per user.")] = None,
    power: Annotated[
        float, typer.Option(metavar="P", help="The probability with which a loss of the margin must fail.")
    ] = gate.POWER,
    margin: Annotated[
        float | None,
        typer.Option(metavar="M", help="The loss per decision that counts. Default: 1 % of oracle minus random."),
    ] = None,
    matrix: Matrix = False,
    served: Served = False,
    weak: Annotated[bool, typer.Option("--weak", help="Record even where the power is below 0.8.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a baseline that exists.")] = False,
    unchecked: Unchecked = False,
    baselines: Baselines = None,
    workers: Workers = None,
    resume: Resume = None,
) -> None:
    """Record what policies do in scenarios as baselines: three small files each, to be committed.

    With --matrix instead one file of hashes: of every built-in policy in small worlds that exercise every mechanism, or
    of the policies of the scenario files that are named. With --served one file of hashes of what a fixed trace through
    the server gives: every call's answer, retries, restarts, a migration, exports.

    Exit codes: 0 all well, 2 usage or invalid input, or a policy that fails.

    Example: oo-sim gate record quickstart --policy linucb --users 2000
    """
    said_here = _settings(baselines, workers)
    if matrix:
        path = gate.record_matrix(
            [said_here.scenario(name) for name in scenarios or ()],
            directory=said_here.baselines,
            workers=said_here.workers,
            force=force,
            unchecked=unchecked,
        )
        typer.echo(f"Matrix: {path}: {path.stat().st_size:,} bytes")
    if served:
        path = gate_served.record(said_here.baselines, force)
        typer.echo(f"Served: {path}: {path.stat().st_size:,} bytes")
    if matrix or served:
        return
    if not scenarios:
        raise typer.BadParameter("name a scenario, or record the --matrix or --served", param_hint="SCENARIO")
    for scenario in scenarios:
        with continued(resume):
            made = gate.record(
                said_here.scenario(scenario),
                policies=policy,
                users=users,
                rounds=rounds,
                power=power,
                margin=margin,
                directory=said_here.baselines,
                workers=said_here.workers,
                weak=weak,
                force=force,
                unchecked=unchecked,
                resume=resume if resume is None or len(scenarios) == 1 else resume / Path(scenario).stem,
            )
        for path in made:
            facts = gate.read(path).facts
            said = f"{facts.looks[-1]:,} users, so that a loss of {facts.margin:.5f} per decision fails"
            typer.echo(f"Baseline: {path}: {said} with power {facts.power:g}")


@app.command()
def check(
    scenarios: Names = None,
    policy: Policies = None,
    strict: Annotated[
        bool | None,
        typer.Option(
            "--strict/--no-strict", help="Changed bits fail until they are accepted. Default: pyproject.toml."
        ),
    ] = None,
    identical: Annotated[
        bool, typer.Option("--identical", help="As --strict: for private policies, whose bits are promised here alone.")
    ] = False,
    matrix: Matrix = False,
    served: Served = False,
    unchecked: Unchecked = False,
    baselines: Baselines = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE.xml", help="Write JUnit XML.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE.md", help="Write a summary in markdown.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.png", help="Draw the differences into this file.")
    ] = None,
    as_json: Json = False,
    workers: Workers = None,
) -> None:
    """Check policies against their baselines: environment, hashes, audit, paired statistics, drift.

    In a workflow of GitHub it also writes the summary of the step and up to 10 annotations.

    With --matrix the matrix is checked too, and with --served the trace through the server.

    Exit codes: 0 identical, equivalent or improved, 1 regressed or failed (or changed, if strict), 2 usage or invalid
    input, 3 inconclusive, 4 not comparable (another environment), 5 audit violation.

    Example: oo-sim gate check --junit gate.xml --out gate.png
    """
    from oo_sim.results.result import write_whole  # noqa: PLC0415 (so that --help is fast)

    said_here = _settings(baselines, workers)
    strict = identical or (said_here.strict if strict is None else strict)
    check_out(out)
    for path, option in ((junit, "--junit"), (markdown, "--markdown")):
        if path is not None and not path.parent.is_dir():
            raise typer.BadParameter(f"{path}: there is no directory {path.parent}", param_hint=option)
    if (matrix or served) and not (scenarios or policy) and not _has_baselines(said_here.baselines):
        report = gate.Report(())
    else:
        named = [said_here.scenario(name) for name in scenarios or ()]
        report = gate.check(
            *named,
            policies=policy,
            directory=said_here.baselines,
            workers=said_here.workers,
            strict=strict,
            unchecked=unchecked,
        )
    if matrix:
        hashes = gate.check_matrix(directory=said_here.baselines, workers=said_here.workers)
        report = replace(report, matrix=hashes)
    if served:
        report = replace(report, served=gate.ServedReport(gate_served.check(said_here.baselines)))
    if as_json:
        print_json(report.as_dict())
    else:
        typer.echo("\n".join(gate.lines(report)))
    if junit is not None:
        write_whole(junit, gate.junit(report).encode())
    if markdown is not None:
        write_whole(markdown, gate.markdown(report).encode())
    if out is not None:
        draw(gate.picture(report), out, quiet=as_json)
    _tell_github(report, quiet=as_json)
    raise typer.Exit(report.exit_code)


@app.command()
def accept(
    scenarios: Names = None,
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why the change is right; kept in the baseline.")],
    policy: Policies = None,
    anchor: Annotated[
        bool, typer.Option("--anchor", help="Count drift from here on, instead of from the last anchor.")
    ] = False,
    matrix: Matrix = False,
    served: Served = False,
    unchecked: Unchecked = False,
    baselines: Baselines = None,
    workers: Workers = None,
) -> None:
    """Show how policies differ from their baselines, and take what they do now as new ones.

    Losses too small to be seen one by one add up: once several accepted changes lost the margin together, the next is
    refused without --anchor. A loss beyond doubt that is all this one change's is accepted, and so is a gain; both move
    the anchor.

    Exit codes: 0 all well, 1 something was not accepted, 2 usage or invalid input.

    Example: oo-sim gate accept quickstart --policy linucb --reason "alpha is 0.8 from now on, see the comparison"
    """
    said_here = _settings(baselines, workers)
    if matrix:
        path = gate.accept_matrix(reason=reason, directory=said_here.baselines, workers=said_here.workers)
        typer.echo(f"Matrix: {path}: accepted, {reason}")
    if served:
        path = gate_served.accept(said_here.baselines, reason)
        typer.echo(f"Served: {path}: accepted, {reason}")
    if matrix or served:
        return
    found = gate.accept(
        *(said_here.scenario(name) for name in scenarios or ()),
        reason=reason,
        policies=policy,
        anchor=anchor,
        unchecked=unchecked,
        directory=said_here.baselines,
        workers=said_here.workers,
    )
    typer.echo("\n".join(gate.lines(gate.Report(tuple(each.case for each in found)), verdict=False)))
    for each in found:
        typer.echo(f"{each.case.name}: {each.why}")
    if any(each.refused for each in found):
        raise typer.Exit(1)


def _settings(baselines: Path | None, workers: int | None) -> Settings:
    """What holds here, with what the command line says instead."""
    said = here(workers)
    return said._replace(baselines=baselines or said.baselines)


def _has_baselines(directory: Path) -> bool:
    return any(path.name != "matrix.json" for path in directory.glob("*.json"))


def _tell_github(report: Report, *, quiet: bool) -> None:
    """The step's summary, and annotations, which are read from the step's output."""
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(gate.markdown(report))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for annotation in gate.github_annotations(report):
            typer.echo(annotation, err=quiet)
