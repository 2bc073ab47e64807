"""What the commands about tips share: their options, the models that are asked beside the generator, and the tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from oo_sim.cli.printing import console_width

if TYPE_CHECKING:
    from oo_sim.generator.asking import Asker, Reply
    from oo_sim.generator.bank import Bank
    from oo_sim.generator.bank.batch import Progress
    from oo_sim.generator.metrics import Metric, Section

INVALID, INCOMPLETE = 2, 1


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
JudgeAlias = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="The judge's alias at the gateway. Repeatable. Default: judge.")
]
Labels = Annotated[
    Path | None, typer.Option(metavar="FILE", help="With --judge: people's labels of its pairs, CSV or JSON lines.")
]
RubricOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Let the judge grade tips on the criteria of this YAML file.")
]
EmbedOption = Annotated[bool, typer.Option("--embed", help="Measure likeness with the embedder model.")]
GatewayOption = Annotated[
    str, typer.Option(metavar="GATEWAY", help="mock, mock:PROFILE, live (LITELLM_URL), a URL, or cassette:FILE.")
]
RecordOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Record a live gateway to a new cassette.")]
GoOn = Annotated[bool, typer.Option("--continue", help="With --record: replay what the cassette has, record the rest.")]
ReplayFailures = Annotated[bool, typer.Option("--replay-failures", help="Replay a cassette's failures too.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The mock gateway's seed.")]
Concurrency = Annotated[int, typer.Option(min=1, max=256, help="Calls at once; results do not depend on it.")]
Prices = Annotated[Path | None, typer.Option(metavar="FILE", help="What a million tokens cost: adds the cost of tips.")]


class Wishes(NamedTuple):
    """What is to be measured of a bank beside its own metrics."""

    judge: Path | None = None
    aliases: Sequence[str] = ()
    labels: Path | None = None
    rubric: Path | None = None
    embed: bool = False

    @property
    def asks(self) -> bool:
        """Whether a model must be asked."""
        return bool(self.judge or self.rubric or self.embed)

    def check(self) -> None:
        """Raises `typer.BadParameter` where one needs another."""
        if self.labels and not self.judge:
            raise typer.BadParameter("--labels are of pairs: name the other tip bank with --judge")
        if self.aliases and not (self.judge or self.rubric):
            raise typer.BadParameter("--judge-alias requires --judge or --rubric")


class Assessed(NamedTuple):
    """Sections about a bank, and what most of it is missing for."""

    sections: list[Section]
    problems: list[str]


@contextmanager
def input_errors() -> Iterator[None]:
    """Ends with one message, free of what a terminal would obey, where the input is to blame or work was given up."""
    from oo_sim.errors import GeneratorInputError  # noqa: PLC0415
    from oo_sim.generator.errors import StoppedError  # noqa: PLC0415
    from oo_sim.scenario import ScenarioError  # noqa: PLC0415

    try:
        yield
    except (GeneratorInputError, ScenarioError, StoppedError) as error:
        typer.echo(shown(str(error)), err=True)
        raise typer.Exit(error.exit_code) from None


def salvaged(salvage: bool, parser: Parser) -> bool:
    """Whether to salvage; raises `typer.BadParameter` where the parser does not."""
    if salvage and parser is not Parser.lenient:
        raise typer.BadParameter("--salvage requires --parser lenient")
    return salvage


def assess(asker: Asker, bank: Bank, wishes: Wishes) -> Assessed:
    """The tables of judges, rubric and embedder, where asked for. Raises `GeneratorInputError`."""
    from oo_sim.generator import judging  # noqa: PLC0415
    from oo_sim.generator.bank import read_bank  # noqa: PLC0415
    from oo_sim.generator.embed import embed_bank, embed_section  # noqa: PLC0415

    found = Assessed([], [])
    aliases = list(wishes.aliases) or [judging.JUDGE]
    labels = judging.read_labels(wishes.labels) if wishes.labels else []
    if wishes.judge:
        other, by_alias = read_bank(wishes.judge), {}
        for alias in aliases:
            with progress(alias) as bar:
                pairs, replies = judging.judge_banks(asker, bank, other, alias=alias, progress=bar)
            by_alias[alias] = pairs
            found.sections.append(_with_tokens(judging.judge_section(pairs, alias), replies))
            if labels:
                found.sections.append(judging.agreement_section(pairs, labels, alias))
            if judging.missing(pairs) > judging.MOST:
                found.problems.append(_lost(alias, replies, f"{judging.missing(pairs):.0%} of its verdicts"))
        if len(by_alias) > 1:
            found.sections.append(judging.judges_section(by_alias))
    if wishes.rubric:
        rubric = judging.read_rubric(wishes.rubric)
        for alias in aliases:
            with progress(f"{alias}, rubric") as bar:
                graded, replies = judging.grade_bank(asker, bank, rubric, alias=alias, progress=bar)
            found.sections.append(_with_tokens(judging.rubric_section(graded, rubric, alias), replies))
            lost = sum(grades is None for _, grades in graded)
            if 2 * lost > len(graded):
                found.problems.append(_lost(alias, replies, f"{lost} of its {len(graded)} grades"))
    if wishes.embed:
        with progress("embedder") as bar:
            likeness, replies = embed_bank(asker, bank, progress=bar)
        found.sections.append(_with_tokens(embed_section(likeness), replies))
        if 2 * sum(one.failed for one in likeness) > len(likeness):
            found.problems.append(_lost("embedder", replies, f"{sum(one.failed for one in likeness)} embeddings"))
    return found


def _lost(alias: str, replies: Sequence[Reply], what: str) -> str:
    why = sorted({reply.failure for reply in replies if reply.failure} - {"not_asked"})
    reasons = f" ({', '.join(why)})" if why else " (answers that could not be read)"
    return f"{alias}: {what} are missing{reasons}; see that the model answers, and give the same command again."


def _with_tokens(section: Section, replies: Sequence[Reply]) -> Section:
    from oo_sim.generator.asking import spent  # noqa: PLC0415
    from oo_sim.generator.metrics import Metric  # noqa: PLC0415

    account = spent(replies)
    of = f"{account.asked} questions asked now, {account.kept} kept from before, {account.missing} without an answer"
    return section._replace(metrics=(*section.metrics, Metric("tokens", float(sum(account.usage)), of)))


@contextmanager
def progress(what: str) -> Iterator[Progress]:
    """A bar on stderr."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(shown(what), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def print_banks(banks: Mapping[str, tuple[Bank, Sequence[Section]]], as_json: bool) -> None:
    """One table for each bank, or one object of all as JSON."""
    if as_json:
        values = [_as_json(bank, sections) for bank, sections in banks.values()]
        typer.echo(json.dumps(values[0] if len(values) == 1 else {"banks": values}, allow_nan=False))
        return
    for bank, sections in banks.values():
        _print_table(bank, sections)
    if len(banks) > 1:
        _print_side_by_side(banks)


def print_sections(title: str, sections: Sequence[Section], as_json: bool) -> None:
    """One table under a title, or its metrics as JSON."""
    if as_json:
        values = {section.title: [metric._asdict() for metric in section.metrics] for section in sections}
        typer.echo(json.dumps({"metrics": values}, allow_nan=False))
    else:
        _print_sections(title, sections)


def _as_json(bank: Bank, sections: Sequence[Section]) -> dict[str, Any]:
    values = {section.title: [metric._asdict() for metric in section.metrics] for section in sections}
    return {"made_with": bank.info._asdict(), "metrics": values}


def _print_table(bank: Bank, sections: Sequence[Section]) -> None:
    info = bank.info
    models = ", ".join(sorted({record.llm_model for record in bank.records}))[:200]
    title = f"{info.prompt_version} by {models} at {info.gateway}, {info.parser}, {info.retries} retries"
    _print_sections(title, sections)


def _print_sections(title: str, sections: Sequence[Section]) -> None:
    from rich.text import Text  # noqa: PLC0415

    columns = [("metric", "left"), ("value", "right"), ("95 % interval", "right"), ("of", "left")]
    table = _table(title, columns)
    for section in sections:
        table.add_section()
        table.add_row(Text(section.title, style="bold"))
        for metric in section.metrics:
            table.add_row(*(Text(shown(cell)) for cell in _cells(metric)))
    _console().print(table)


def _print_side_by_side(banks: Mapping[str, tuple[Bank, Sequence[Section]]]) -> None:
    """The metrics that all banks have, in one table."""
    from rich.text import Text  # noqa: PLC0415

    table = _table("Side by side", [("metric", "left"), *((name, "right") for name in banks)])
    rows = [
        {metric.name: metric for section in sections for metric in section.metrics} for _, sections in banks.values()
    ]
    for name in rows[0]:
        if all(name in row for row in rows) and any(row[name].value is not None for row in rows):
            table.add_row(*(Text(shown(cell)) for cell in (name, *(_brief(row[name]) for row in rows))))
    _console().print(table)


def _table(title: str, columns: Sequence[tuple[str, Any]]) -> Any:
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=Text(shown(title)), box=box.SIMPLE_HEAD, title_justify="left")
    for name, justify in columns:
        table.add_column(Text(shown(name)), justify=justify, overflow="fold")
    return table


def _console() -> Any:
    from rich.console import Console  # noqa: PLC0415

    return Console(width=console_width())


def _cells(metric: Metric) -> tuple[str, str, str, str]:
    of = f"{metric.of} ({metric.note})" if metric.note else metric.of
    return metric.name, _number(metric.value, metric.is_share), _bounds(metric), of


def _brief(metric: Metric) -> str:
    bounds = _bounds(metric)
    return _number(metric.value, metric.is_share) + (f" ({bounds})" if bounds else "")


def _bounds(metric: Metric) -> str:
    if metric.lower is None or metric.upper is None:
        return ""
    return f"{_number(metric.lower, metric.is_share)} to {_number(metric.upper, metric.is_share)}"


def _number(value: float | None, is_share: bool) -> str:
    if value is None:
        return "not known"
    if is_share:
        return f"{100 * value:.1f} %"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def shown(text: str) -> str:
    """The text with whatever a terminal might obey made visible."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape", "replace").decode() for char in text)
