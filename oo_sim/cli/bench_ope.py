"""`oo-sim bench ope`: off-policy estimators on a million decisions, in turns with OBP's."""

from __future__ import annotations

from typing import Annotated

import typer

from oo_sim.cli.printing import Json, print_json, whole


def ope(
    repeats: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="Measurements of each, in turns.")] = 7,
    count: Annotated[
        int, typer.Option("--decisions", metavar="N", min=100, parser=whole, help="Decisions of each measurement.")
    ] = 1_000_000,
    as_json: Json = False,
) -> None:
    """Measure the off-policy estimators on the same decisions: 8 candidates, 7 features, 100 decisions a user.

    Ours make intervals over users; those of OBP (pip install obp), where it is installed, make the estimate alone. The
    reward model is measured by itself. Exit codes: 0 done, 2 usage or invalid input.
    """
    from oo_sim.bench.ope import bench  # noqa: PLC0415 (slow to import)

    found = bench(repeats, count)
    if as_json:
        print_json(
            {
                "estimators": {
                    line.name: {
                        "milliseconds": line.milliseconds._asdict(),
                        "ratio": line.ratio._asdict() if line.ratio else None,
                        "apart": line.apart,
                    }
                    for line in found.lines
                },
                "together_milliseconds": found.together._asdict(),
                "model_seconds": found.model._asdict(),
                "missing": [] if found.installed else ["obp"],
            }
        )
        return
    for line in found.lines:
        ratio = line.ratio
        beside = f"  OBP {ratio.median:.2f} times ours ({ratio.min:.2f} to {ratio.max:.2f})" if ratio else ""
        typer.echo(f"{line.name:<10}{line.milliseconds.median:>9.1f} ms{beside}")
    typer.echo(f"{'together':<10}{found.together.median:>9.1f} ms")
    typer.echo(f"{'the model':<10}{1e3 * found.model.median:>9.1f} ms")
    if not found.installed:
        typer.echo("obp is not installed: pip install obp")
