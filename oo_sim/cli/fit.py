"""`oo-sim fit`: learn a scenario from a log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from oo_sim.fitting import Fit

app = typer.Typer(add_completion=False)


@app.command()
def fit(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A run directory with events, or a served export.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The scenario file to write, such as mine.yaml.")],
    segments: Annotated[str, typer.Option(help="How many segments of people: auto tries 1 to 4.")] = "auto",
    logged: Annotated[str | None, typer.Option(help="The policy whose decisions are read.", metavar="LABEL")] = None,
    hold_out: Annotated[float, typer.Option(help="The share of users and of last rounds kept back to check.")] = 0.25,
    starts: Annotated[int, typer.Option(help="How many starts for each number of segments.")] = 5,
    seed: Annotated[int, typer.Option(help="The seed of the starts and of who is kept back.")] = 0,
    terms: Annotated[str, typer.Option(help="oo5, oo7, oo7x, or terms with commas between.")] = "oo7x",
    anyway: Annotated[bool, typer.Option("--anyway", help="Fit what looks like drift all the same.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what is known of the fit as JSON.")] = False,
) -> None:
    """Learn a scenario of the people in a log, say how well it predicts people it has not seen, and where not to
    believe it.

    Writes the scenario (mine.yaml) and, beside it, what is known of each of its numbers (mine.fit.json).

    Example: oo-sim fit runs/quickstart-1 --logged egreedy -o mine.yaml
    """
    from rich.console import Console  # noqa: PLC0415 (so that --help is fast)

    from oo_sim.fitting import fit as fitted  # noqa: PLC0415

    with Console(stderr=True).status("reading the log") as status:
        found = fitted(
            log,
            segments=segments,
            logged=logged,
            hold_out=hold_out,
            starts=starts,
            seed=seed,
            terms=terms,
            anyway=anyway,
            name=_name(out),
            told=lambda count, start, done, value: status.update(
                f"segments {count}, start {start + 1} of {starts}, round {done}, log likelihood {value:,.1f}"
            ),
            stage=status.update,
        )
    scenario, beside = found.save(out)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2, allow_nan=False))
    else:
        typer.echo("\n".join([*lines(found), "", f"Wrote {scenario} and {beside}."]))


def _name(out: Path) -> str:
    """The scenario's name: the file's, as far as names go."""
    word = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in out.stem.lower())
    return word[:64] or "fitted"


def lines(found: Fit) -> list[str]:
    """What a reader needs of a fit, in a few lines."""
    data = found.data
    said = [
        f"{len(data.decisions)} users, {int(data.decisions.sum()):,} decisions of {found.label}, "
        f"{len(data.reactions.y):,} reactions",
        "",
        "segments  log likelihood       BIC  starts at the top",
    ]
    best = found.people.segments
    for row in found.segments.itertuples():
        mark = "  <- chosen" if row.segments == best else ""
        reached = f"{row.reached} of {row.starts}"
        said.append(f"{row.segments:8}  {row.log_likelihood:14,.1f}  {row.bic:8,.0f}  {reached}{mark}")
    said += ["", "log likelihood per reaction    this fit  one segment  a constant"]
    for key, name in (("new_users", "users never seen"), ("later_rounds", "same users, later")):
        h = found.held_out[key]
        said.append(f"{name:28}  {h['fit']:9.4f}  {h['one_segment']:11.4f}  {h['constant']:10.4f}")
    said.append("")
    for s in range(best):
        strong = sorted(
            range(1, len(data.reactions.terms)),
            key=lambda j: -abs(found.people.mean[s, j]) / max(found.errors.mean[s, j], 1e-12),
        )[:4]
        what = ", ".join(f"{data.reactions.terms[j]} {found.people.mean[s, j]:+.2f}" for j in strong)
        said.append(f"segment-{s + 1}: {found.people.share[s]:.0%} of people; {what}")
    said.append(f"{found.surely_assigned:.0%} of users belong to a segment with probability .9 or more.")
    return said + [f"Warning: {warning}." for warning in found.warnings]
