"""`oo-sim generate`, `rescore` and `gateway`: tips from a language model, what they are worth, and a mock to try."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oo_sim import generator
from oo_sim.cli.printing import Csv, Json, Latex, Markdown
from oo_sim.cli.tips import (
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
    bars,
    checked,
    end,
    input_errors,
    serve_until_stopped,
)
from oo_sim.cli.working import here

app = typer.Typer(add_completion=False)


@app.command()
def generate(
    source: Annotated[
        str,
        typer.Argument(metavar="SCENARIO|CONTEXTS", help="A scenario's file or name, or a .jsonl file of contexts."),
    ],
    gateway: GatewayOption = "mock",
    n: Annotated[int, typer.Option("--n", min=1, max=64, help="Tips a context.")] = 3,
    contexts: Annotated[
        int | None, typer.Option(min=1, help="At most this many contexts. Default: 200; of a scenario, all.")
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
        int, typer.Option(min=0, max=10, help="Further calls, each after a pause, where the gateway could not answer.")
    ] = 2,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Of a bank that exists, ask again only what failed.")
    ] = False,
    give_up: Annotated[
        int, typer.Option(metavar="N", min=1, help="Stop when the gateway has failed for N contexts in a row.")
    ] = 5,
    rpm: Annotated[float | None, typer.Option(min=0.1, help="At most this many calls a minute.")] = None,
    budget_tokens: Annotated[
        int | None, typer.Option(min=1, help="Stop when this many tokens are used; the same command continues later.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The tip bank, with every try.")] = Path(
        "tips.parquet"
    ),
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
    as_json: Json = False,
    csv: Csv = False,
    latex: Latex = False,
    markdown: Markdown = False,
) -> None:
    """Ask a gateway for tips about each context, keep every try, and print what they are worth.

    A scenario's contexts are what its users are offered, all rounds of one user after the other, as
    `oo-sim run SCENARIO --llm FILE` requires them. A run that is stopped goes on where it stopped when the same command
    is given again; where the gateway answers nothing at all there is no bank. The key of a live gateway comes from
    LITELLM_MASTER_KEY alone. Exit codes: 0 the gateway answered for every context, 1 it did not, or no generation
    succeeded, or most of a judge's answers are missing; 2 usage or invalid input.

    Example: oo-sim generate contexts.jsonl --gateway mock:typical_small_model --out tips.parquet
    """
    from oo_sim.studies import banks  # noqa: PLC0415 (so that --help is fast)

    with input_errors(), bars() as hear:
        found = banks.generate(
            here().scenario(source),
            out=out,
            gateway=gateway,
            models=model or (),
            n=n,
            contexts=contexts,
            users=users,
            rounds=rounds,
            prompt=prompt,
            options=generator.Options(
                retries=retries,
                parser=parser.value,
                salvage=checked(salvage, parser),
                temperature=temperature,
                max_tokens=max_tokens,
                call_timeout=timeout,
                total_timeout=3 * timeout,
                gateway_retries=gateway_retries,
            ),
            retry_failed=retry_failed,
            limits=generator.bank.Limits(give_up, budget_tokens),
            rpm=rpm,
            record=record,
            go_on=go_on,
            replay_failures=replay_failures,
            seed=seed,
            concurrency=concurrency,
            wishes=banks.Wishes(judge, judge_alias or (), labels, rubric, embed),
            prices=prices,
            progress=hear,
        )
    end(found, as_json=as_json, csv=csv, latex=latex, markdown=markdown)


@app.command()
def rescore(
    tips: Annotated[Path, typer.Argument(metavar="TIPS", help="A tip bank of `oo-sim generate`.")],
    parser: ParserOption = Parser.faithful,
    salvage: Salvage = False,
    retries: Annotated[int | None, typer.Option(min=0, max=10, help="Default: as recorded.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the rescored bank.")] = None,
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
    as_json: Json = False,
    csv: Csv = False,
    latex: Latex = False,
    markdown: Markdown = False,
) -> None:
    """Print what a tip bank would be worth under another parser or with fewer retries, without asking again.

    The gateway is asked for --judge, --rubric and --embed only, and what it answers is kept beside the bank. Exit
    codes: 0 done, 1 most of a judge's answers are missing, 2 usage or invalid input.

    Example: oo-sim rescore tips.parquet --parser lenient --retries 1
    """
    from oo_sim.studies import banks  # noqa: PLC0415 (so that --help is fast)

    with input_errors(), bars() as hear:
        found = banks.rescore(
            tips,
            parser=parser.value,
            salvage=checked(salvage, parser),
            retries=retries,
            out=out,
            gateway=gateway,
            record=record,
            go_on=go_on,
            replay_failures=replay_failures,
            seed=seed,
            concurrency=concurrency,
            wishes=banks.Wishes(judge, judge_alias or (), labels, rubric, embed),
            prices=prices,
            progress=hear,
        )
    end(found, as_json=as_json, csv=csv, latex=latex, markdown=markdown)


@app.command()
def gateway(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 4000,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    profile: Annotated[str, typer.Option(metavar="PROFILE", help="A fault profile's name or YAML file.")] = "perfect",
    seed: Seed = 1,
    pace: Annotated[
        float, typer.Option(min=0, max=100, help="A factor on the simulated latency: 0 at once, 1 real.")
    ] = 0,
    any_key: Annotated[
        bool, typer.Option("--any-key", help="Require no key. Default: LITELLM_MASTER_KEY is required.")
    ] = False,
) -> None:
    """Serve the mock gateway over HTTP: chat completions, embeddings, models and health.

    The first line says where it listens. Ctrl-C or SIGTERM ends it with exit code 0.

    Example: oo-sim gateway --port 0 --profile typical_small_model
    """
    with input_errors():
        key = None if any_key else generator.Address.from_env("http://localhost").key.get_secret_value()
        with generator.mock.MockServer(
            generator.mock.load_profile(profile), host, port, seed=seed, key=key, pace=pace
        ) as server:
            serve_until_stopped(server, f"listening on {server.url}", lambda: "stopped")
