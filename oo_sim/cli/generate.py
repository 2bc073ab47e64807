"""`oo-sim generate`, `rescore` and `gateway`: tips from a language model, what they are worth, and a mock to try."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from oo_sim.generator import TipGenerator
    from oo_sim.generator.bank import Bank, Work
    from oo_sim.generator.bank.batch import Progress
    from oo_sim.generator.metrics import Metric, Section

app = typer.Typer(add_completion=False)

INVALID = 2
WIDE = 140
_FEW = 200
_MANY = 20_000


class Parser(StrEnum):
    """The parser policies."""

    faithful = "faithful"
    lenient = "lenient"


ParserOption = Annotated[Parser, typer.Option(help="faithful: the contract; lenient: lossless repairs too.")]
Salvage = Annotated[bool, typer.Option("--salvage", help="With lenient: keep the whole items of a cut array.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the table as JSON.")]
JudgeOption = Annotated[
    Path | None, typer.Option(metavar="TIPS", help="Let the judge model compare with this tip bank, both orders.")
]
EmbedOption = Annotated[bool, typer.Option("--embed", help="Measure likeness with the embedder model.")]
GatewayOption = Annotated[
    str, typer.Option(metavar="GATEWAY", help="mock, mock:PROFILE, live (LITELLM_URL), a URL, or cassette:FILE.")
]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The mock gateway's seed.")]
Concurrency = Annotated[int, typer.Option(min=1, max=256, help="Calls at once; results do not depend on it.")]


@app.command()
def generate(
    source: Annotated[
        str,
        typer.Argument(metavar="SCENARIO|CONTEXTS", help="A scenario's file or name, or a .jsonl file of contexts."),
    ],
    gateway: GatewayOption = "mock",
    n: Annotated[int, typer.Option("--n", min=1, max=64, help="Tips a context.")] = 3,
    contexts: Annotated[
        int | None, typer.Option(min=1, help="At most so many contexts. Default: 200; of a scenario, all.")
    ] = None,
    users: Annotated[int | None, typer.Option(metavar="N", help="Instead of the scenario's number of users.")] = None,
    rounds: Annotated[
        int | None, typer.Option(metavar="N", help="Instead of the scenario's decisions per user.")
    ] = None,
    parser: ParserOption = Parser.faithful,
    salvage: Salvage = False,
    retries: Annotated[int, typer.Option(min=0, max=10, help="Tries after a malformed reply.")] = 2,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The tip bank, with every try.")] = Path("tips.parquet"),
    prompt: Annotated[Path | None, typer.Option(metavar="FILE", help="A prompt template of your own.")] = None,
    record: Annotated[Path | None, typer.Option(metavar="FILE", help="Record a live gateway to a cassette.")] = None,
    seed: Seed = 1,
    concurrency: Concurrency = 4,
    judge: JudgeOption = None,
    embed: EmbedOption = False,
    as_json: AsJson = False,
) -> None:
    """Ask a gateway for tips about each context, keep every try, and print what they are worth.

    A scenario's contexts are what its users are offered, all rounds of one user after the other, as
    `oo-sim run SCENARIO --llm FILE` wants them. A run that is stopped goes on where it stopped when the same command
    is given again. The key of a live gateway comes from LITELLM_MASTER_KEY alone. Exit codes: 0 done, 1 no generation
    succeeded, 2 usage or invalid input.

    Example: oo-sim generate contexts.jsonl --gateway mock:typical_small_model --out tips.parquet
    """
    with _input_errors():
        from oo_sim.generator import Options, load_prompt  # noqa: PLC0415
        from oo_sim.generator.bank import generate_bank, read_bank  # noqa: PLC0415

        other = read_bank(judge) if judge else None
        work = _work(source, contexts, users, rounds)
        template = load_prompt(prompt) if prompt else None
        options = Options(retries=retries, parser=parser.value, salvage=_salvage(salvage, parser))
        with _client(gateway, seed, record, concurrency, options, template) as client:
            with _progress("tips") as progress:
                bank = generate_bank(client, work, n, out, seed=seed, concurrency=concurrency, progress=progress)
            sections = _more(client, bank, other, embed, concurrency)
        _print(bank, sections, as_json)
    if bank.records and all(record.status != 200 for record in bank.records):
        first = bank.records[0]
        typer.echo(f"No generation succeeded, so {out} holds no tip. The first failed with: {first.message}", err=True)
        raise typer.Exit(1)


@app.command()
def rescore(
    tips: Annotated[Path, typer.Argument(metavar="TIPS", help="A tip bank of `oo-sim generate`.")],
    parser: ParserOption = Parser.faithful,
    salvage: Salvage = False,
    retries: Annotated[int | None, typer.Option(min=0, max=10, help="Default: as recorded.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the rescored bank.")] = None,
    judge: JudgeOption = None,
    embed: EmbedOption = False,
    gateway: GatewayOption = "mock",
    record: Annotated[Path | None, typer.Option(metavar="FILE", help="Record a live gateway to a cassette.")] = None,
    seed: Seed = 1,
    concurrency: Concurrency = 4,
    as_json: AsJson = False,
) -> None:
    """Print what a tip bank would be worth under another parser or with fewer retries, without asking again.

    The gateway is asked for --judge and --embed only.

    Example: oo-sim rescore tips.parquet --parser lenient --retries 1
    """
    with _input_errors():
        from oo_sim.generator import Options  # noqa: PLC0415
        from oo_sim.generator.bank import read_bank, write_bank  # noqa: PLC0415
        from oo_sim.generator.bank import rescore as rescored  # noqa: PLC0415

        bank = rescored(read_bank(tips), parser=parser.value, salvage=_salvage(salvage, parser), retries=retries)
        other = read_bank(judge) if judge else None
        sections: list[Section] = []
        if other or embed:
            with _client(gateway, seed, record, concurrency, Options(), None) as client:
                sections = _more(client, bank, other, embed, concurrency)
        if out is not None:
            write_bank(out, bank)
        _print(bank, sections, as_json)


@app.command()
def gateway(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 4000,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    profile: Annotated[str, typer.Option(metavar="PROFILE", help="A fault profile's name or YAML file.")] = "perfect",
    seed: Seed = 1,
    pace: Annotated[float, typer.Option(min=0, max=100, help="Times the simulated latency: 0 at once, 1 real.")] = 0,
    any_key: Annotated[bool, typer.Option("--any-key", help="Demand no key; else LITELLM_MASTER_KEY is.")] = False,
) -> None:
    """Serve the mock gateway over HTTP: chat completions, embeddings, models and health.

    The first line says where it listens. Ctrl-C or SIGTERM ends it with exit code 0.

    Example: oo-sim gateway --port 0 --profile typical_small_model
    """
    with _input_errors():
        from oo_sim.generator import Address  # noqa: PLC0415
        from oo_sim.generator.mock import MockServer, load_profile  # noqa: PLC0415

        key = None if any_key else Address.from_env("http://localhost").key.get_secret_value()
        with MockServer(load_profile(profile), host, port, seed=seed, key=key, pace=pace) as server:
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            try:
                typer.echo(f"listening on {server.url}")
                sys.stdout.flush()
                server.serve_forever()
            except KeyboardInterrupt:
                typer.echo("stopped", err=True)


@contextmanager
def _input_errors() -> Iterator[None]:
    """Ends with exit code 2 and one message where the input is to blame."""
    from oo_sim.errors import GeneratorInputError  # noqa: PLC0415
    from oo_sim.scenario import ScenarioError  # noqa: PLC0415

    try:
        yield
    except (GeneratorInputError, ScenarioError) as error:
        typer.echo(_shown(str(error)), err=True)
        raise typer.Exit(INVALID) from None


def _work(source: str, limit: int | None, users: int | None, rounds: int | None) -> list[Work]:
    """The contexts of a file, or those of a scenario."""
    from oo_sim.generator.bank import read_contexts  # noqa: PLC0415
    from oo_sim.scenario import load  # noqa: PLC0415
    from oo_sim.tipbanks import scenario_work  # noqa: PLC0415

    bare = not Path(source).suffix and not Path(source).exists()  # a scenario's name, if perhaps a wrong one
    if not bare and Path(source).suffix not in (".yaml", ".yml"):
        if users or rounds:
            raise typer.BadParameter("--users and --rounds are for scenarios; --contexts cuts a file of contexts short")
        return read_contexts(Path(source), limit or _FEW)
    scenario = load(source).with_(users=users, rounds=rounds)
    if limit is None and scenario.users * scenario.rounds > _MANY:
        raise typer.BadParameter(
            f"{scenario.name} has {scenario.users * scenario.rounds:,} contexts; say how many with --contexts, or take "
            "fewer --users or --rounds"
        )
    return scenario_work(scenario, limit)


def _salvage(salvage: bool, parser: Parser) -> bool:
    if salvage and parser is not Parser.lenient:
        raise typer.BadParameter("--salvage wants --parser lenient")
    return salvage


@contextmanager
def _client(gateway: str, seed: int, record: Path | None, concurrency: int, *rest: Any) -> Iterator[TipGenerator]:
    from oo_sim.generator import TipGenerator, open_gateway  # noqa: PLC0415

    options, prompt = rest
    found = open_gateway(gateway, seed=seed, record=record, connections=concurrency)
    with TipGenerator(found, prompt, options) as client:
        yield client


def _more(client: TipGenerator, bank: Bank, other: Bank | None, embed: bool, concurrency: int) -> list[Section]:
    """The tables of the judge and the embedder, where asked for."""
    from oo_sim.generator.embed import embed_bank  # noqa: PLC0415
    from oo_sim.generator.judge import judge_banks  # noqa: PLC0415
    from oo_sim.generator.metrics.others import embed_section, judge_section  # noqa: PLC0415

    sections = []
    if other is not None:
        with _progress("judge") as progress:
            pairs = judge_banks(client, bank, other, concurrency=concurrency, progress=progress)
        sections.append(judge_section(pairs))
    if embed:
        with _progress("embed") as progress:
            found = embed_bank(client, bank, concurrency=concurrency, progress=progress)
        sections.append(embed_section(found))
    return sections


@contextmanager
def _progress(what: str) -> Iterator[Progress]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print(bank: Bank, more: Sequence[Section], as_json: bool) -> None:
    from oo_sim.generator.metrics import summarise  # noqa: PLC0415

    sections = [*summarise(bank), *more]
    if as_json:
        values = {section.title: [metric._asdict() for metric in section.metrics] for section in sections}
        typer.echo(json.dumps({"made_with": bank.info._asdict(), "metrics": values}, allow_nan=False))
        return
    _print_table(bank, sections)


def _print_table(bank: Bank, sections: Sequence[Section]) -> None:
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    info = bank.info
    models = ", ".join(sorted({record.llm_model for record in bank.records}))[:200]
    title = f"{info.prompt_version} by {models} at {info.gateway}, {info.parser}, {info.retries} retries"
    table = Table(title=Text(_shown(title)), box=box.SIMPLE_HEAD, title_justify="left")
    for name, justify in (("metric", "left"), ("value", "right"), ("95 % interval", "right"), ("of", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for section in sections:
        table.add_section()
        table.add_row(Text(section.title, style="bold"))
        for metric in section.metrics:
            table.add_row(*(Text(_shown(cell)) for cell in _cells(metric)))
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def _cells(metric: Metric) -> tuple[str, str, str, str]:
    of = f"{metric.of} ({metric.note})" if metric.note else metric.of
    if metric.lower is None or metric.upper is None:
        return metric.name, _number(metric.value, metric.is_share), "", of
    bounds = f"{_number(metric.lower, metric.is_share)} to {_number(metric.upper, metric.is_share)}"
    return metric.name, _number(metric.value, metric.is_share), bounds, of


def _number(value: float | None, is_share: bool) -> str:
    if value is None:
        return "not known"
    return f"{100 * value:.1f} %" if is_share else f"{value:.4g}"


def _shown(text: str) -> str:
    """The text with whatever a terminal might obey made visible."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape", "replace").decode() for char in text)
