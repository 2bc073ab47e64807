"""`oo-sim generate`, `rescore` and `gateway`: tips from a language model, what they are worth, and a mock to try."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oo_sim.cli.tips import (
    INCOMPLETE,
    AsJson,
    Concurrency,
    EmbedOption,
    GatewayOption,
    GoOn,
    JudgeAlias,
    JudgeOption,
    Labels,
    Parser,
    ParserOption,
    Prices,
    RecordOption,
    ReplayFailures,
    RubricOption,
    Salvage,
    Seed,
    Wishes,
    assess,
    input_errors,
    print_banks,
    progress,
    salvaged,
    shown,
)
from oo_sim.cli.working import here

if TYPE_CHECKING:
    from oo_sim.generator import Gateway
    from oo_sim.generator.bank import Bank, Work

app = typer.Typer(add_completion=False)

_FEW = 200
_MANY = 20_000


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
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="The model's alias at the gateway. Repeatable: a bank for each."),
    ] = None,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="How freely the model chooses its words.")] = 0.7,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="The most tokens of a reply.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=600, help="Seconds that a call may take.")] = 30.0,
    parser: ParserOption = Parser.faithful,
    salvage: Salvage = False,
    retries: Annotated[int, typer.Option(min=0, max=10, help="Tries after a malformed reply.")] = 2,
    gateway_retries: Annotated[
        int, typer.Option(min=0, max=10, help="Calls after one that the gateway could not answer, behind a pause.")
    ] = 2,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Of a bank that exists, ask again only what failed.")
    ] = False,
    give_up: Annotated[
        int, typer.Option(metavar="N", min=1, help="Stop when the gateway has failed for so many contexts in a row.")
    ] = 5,
    rpm: Annotated[float | None, typer.Option(min=0.1, help="At most so many calls a minute.")] = None,
    budget_tokens: Annotated[
        int | None, typer.Option(min=1, help="Stop, to go on later, when so many tokens are used.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The tip bank, with every try.")] = Path("tips.parquet"),
    prompt: Annotated[Path | None, typer.Option(metavar="FILE", help="A prompt template of your own.")] = None,
    record: RecordOption = None,
    go_on: GoOn = False,
    replay_failures: ReplayFailures = False,
    seed: Seed = 1,
    concurrency: Concurrency = 4,
    judge: JudgeOption = None,
    judge_alias: JudgeAlias = None,
    labels: Labels = None,
    rubric: RubricOption = None,
    embed: EmbedOption = False,
    prices: Prices = None,
    as_json: AsJson = False,
) -> None:
    """Ask a gateway for tips about each context, keep every try, and print what they are worth.

    A scenario's contexts are what its users are offered, all rounds of one user after the other, as
    `oo-sim run SCENARIO --llm FILE` requires them. A run that is stopped goes on where it stopped when the same command
    is given again. The key of a live gateway comes from LITELLM_MASTER_KEY alone. Exit codes: 0 the gateway answered
    for every context, 1 it did not, or no generation succeeded, or most of a judge's answers are missing; 2 usage or
    invalid input.

    Example: oo-sim generate contexts.jsonl --gateway mock:typical_small_model --out tips.parquet
    """
    wishes = Wishes(judge, judge_alias or (), labels, rubric, embed)
    wishes.check()
    with input_errors():
        from oo_sim.generator import Options, TipGenerator, load_prompt  # noqa: PLC0415
        from oo_sim.generator.asking import Asker, beside  # noqa: PLC0415
        from oo_sim.generator.bank import Limits, generate_bank, read_bank  # noqa: PLC0415
        from oo_sim.generator.metrics import summarise  # noqa: PLC0415
        from oo_sim.generator.metrics.prices import read_prices  # noqa: PLC0415

        if judge is not None:
            read_bank(judge)
        costs = read_prices(prices) if prices else None
        work = _work(source, contexts, users, rounds)
        template = load_prompt(prompt) if prompt else None
        options = Options(
            retries=retries,
            parser=parser.value,
            salvage=salvaged(salvage, parser),
            temperature=temperature,
            max_tokens=max_tokens,
            call_timeout=timeout,
            total_timeout=3 * timeout,
            gateway_retries=gateway_retries,
        )
        aliases = list(dict.fromkeys(model or [options.model]))
        made, problems = {}, []
        with _opened(gateway, seed, record, go_on, replay_failures, concurrency) as found:
            for alias in aliases:
                path = out if len(aliases) == 1 else out.with_name(f"{out.stem}-{_slug(alias)}{out.suffix}")
                client = TipGenerator(found, template, options.with_(model=alias), rpm)
                with progress(f"tips by {alias}") as bar:
                    bank = generate_bank(
                        client,
                        work,
                        n,
                        path,
                        seed=seed,
                        concurrency=concurrency,
                        progress=bar,
                        retry_failed=retry_failed,
                        limits=Limits(give_up, budget_tokens),
                    )
                problems += _unanswered(bank, path)
                if _is_empty(bank):
                    continue
                assessed = assess(Asker(client, beside(path), concurrency=concurrency), bank, wishes)
                problems += assessed.problems
                made[path.stem] = bank, [*summarise(bank, prices=costs), *assessed.sections]
        if made:
            print_banks(made, as_json)
    _end(problems)


@app.command()
def rescore(
    tips: Annotated[Path, typer.Argument(metavar="TIPS", help="A tip bank of `oo-sim generate`.")],
    parser: ParserOption = Parser.faithful,
    salvage: Salvage = False,
    retries: Annotated[int | None, typer.Option(min=0, max=10, help="Default: as recorded.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the rescored bank.")] = None,
    judge: JudgeOption = None,
    judge_alias: JudgeAlias = None,
    labels: Labels = None,
    rubric: RubricOption = None,
    embed: EmbedOption = False,
    gateway: GatewayOption = "mock",
    record: RecordOption = None,
    go_on: GoOn = False,
    replay_failures: ReplayFailures = False,
    seed: Seed = 1,
    concurrency: Concurrency = 4,
    prices: Prices = None,
    as_json: AsJson = False,
) -> None:
    """Print what a tip bank would be worth under another parser or with fewer retries, without asking again.

    The gateway is asked for --judge, --rubric and --embed only, and what it answers is kept beside the bank. Exit
    codes: 0 done, 1 most of a judge's answers are missing, 2 usage or invalid input.

    Example: oo-sim rescore tips.parquet --parser lenient --retries 1
    """
    wishes = Wishes(judge, judge_alias or (), labels, rubric, embed)
    wishes.check()
    with input_errors():
        from oo_sim.generator import Options, TipGenerator  # noqa: PLC0415
        from oo_sim.generator.asking import Asker, beside  # noqa: PLC0415
        from oo_sim.generator.bank import read_bank, write_bank  # noqa: PLC0415
        from oo_sim.generator.bank import rescore as rescored  # noqa: PLC0415
        from oo_sim.generator.metrics import summarise  # noqa: PLC0415
        from oo_sim.generator.metrics.prices import read_prices  # noqa: PLC0415

        costs = read_prices(prices) if prices else None
        bank = rescored(read_bank(tips), parser=parser.value, salvage=salvaged(salvage, parser), retries=retries)
        sections, problems = list(summarise(bank, prices=costs)), []
        if wishes.asks:
            with _opened(gateway, seed, record, go_on, replay_failures, concurrency) as found:
                client = TipGenerator(found, None, Options(gateway_retries=2))
                assessed = assess(Asker(client, beside(tips), concurrency=concurrency), bank, wishes)
            sections += assessed.sections
            problems = assessed.problems
        if out is not None:
            write_bank(out, bank)
        print_banks({tips.stem: (bank, sections)}, as_json)
    _end(problems)


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
    with input_errors():
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
    scenario = load(here().scenario(source)).with_(users=users, rounds=rounds)
    if limit is None and scenario.users * scenario.rounds > _MANY:
        raise typer.BadParameter(
            f"{scenario.name} has {scenario.users * scenario.rounds:,} contexts; say how many with --contexts, or take "
            "fewer --users or --rounds"
        )
    return scenario_work(scenario, limit)


@contextmanager
def _opened(
    gateway: str, seed: int, record: Path | None, go_on: bool, replay_failures: bool, concurrency: int
) -> Iterator[Gateway]:
    """The gateway; what came out of an old recording is said at the end."""
    from oo_sim.generator import open_gateway  # noqa: PLC0415
    from oo_sim.generator.cassette import RecorderTransport  # noqa: PLC0415

    found = open_gateway(
        gateway,
        seed=seed,
        record=record,
        go_on=go_on,
        replay_failures=replay_failures,
        connections=concurrency,
    )
    try:
        yield found
        if isinstance(found.transport, RecorderTransport) and go_on:
            counts = found.transport.counts
            typer.echo(f"{record}: {counts['replayed']} answers replayed, {counts['made']} new", err=True)
    finally:
        found.transport.close()


def _is_empty(bank: Bank) -> bool:
    return bool(bank.records) and all(record.status != 200 for record in bank.records)


def _unanswered(bank: Bank, out: Path) -> list[str]:
    """What to say where the gateway did not answer for every context, or nothing came of it."""
    lost = [record for record in bank.records if not record.is_answered]
    again = f"ask again only what failed with --retry-failed --out {out}"
    if _is_empty(bank):
        first = bank.records[0].message
        return [f"No generation succeeded, so {out} holds no tip. The first failed with: {first}. Then {again}."]
    if lost:
        return [
            f"{len(bank.records) - len(lost)} of {len(bank.records)} contexts were answered, {len(lost)} were not, the "
            f"first with: {lost[0].message}. In a while, {again}."
        ]
    return []


def _end(problems: list[str]) -> None:
    for problem in problems:
        typer.echo(shown(problem), err=True)
    if problems:
        raise typer.Exit(INCOMPLETE)


def _slug(alias: str) -> str:
    return re.sub(r"[^\w.-]+", "_", alias)
