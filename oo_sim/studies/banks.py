"""Tip banks from end to end: made by asking a gateway, scored again without asking, and what their tips are worth."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from oo_sim.errors import GeneratorInputError
from oo_sim.generator import Gateway, Options, TipGenerator, judging, load_prompt, open_gateway
from oo_sim.generator.appeal import fitted
from oo_sim.generator.bank import Bank, Limits, Work, generate_bank, read_bank, read_contexts, write_bank
from oo_sim.generator.bank import rescore as rescored
from oo_sim.generator.embed import EMBEDDER, embed_bank, embed_section
from oo_sim.generator.gateway.asking import Asker, Reply, beside, spent
from oo_sim.generator.gateway.cassette import RecorderTransport
from oo_sim.generator.metrics import Metric, Section, summarise
from oo_sim.generator.metrics.prices import read_prices
from oo_sim.generator.parser import ParserPolicy
from oo_sim.scenario import Scenario, load
from oo_sim.show import count
from oo_sim.studies.tips import AppealFit, Measured, Tips
from oo_sim.tipbanks import logged_samples, scenario_work

Progress = Callable[[str, int, int | None], None]
"""Receives what is done now, how much of it is done, and how much there is."""

FEW, MANY = 200, 20_000
"""Contexts that are taken of a file without more being said, and the most of a scenario."""


class Wishes(NamedTuple):
    """What is to be measured of a bank beside its own metrics, by models that must be asked for it.

    `judge` is another bank to compare with, `labels` are people's of these pairs, `rubric` is a file of criteria.
    """

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
        """Raise GeneratorInputError where one needs another, or a bank cannot be read."""
        if self.labels and not self.judge:
            raise GeneratorInputError("--labels are of pairs: name the other tip bank with --judge")
        if self.aliases and not (self.judge or self.rubric):
            raise GeneratorInputError("--judge-alias requires --judge or --rubric")
        if self.judge is not None:
            read_bank(self.judge)


def _quiet(what: str, done: int, total: int | None) -> None:
    """Nobody listens."""


def _hears(progress: Progress, what: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(what, done, total)


def generate(
    source: str | Path | Scenario,
    *,
    out: str | Path = "tips.parquet",
    gateway: str = "mock",
    models: Sequence[str] = (),
    n: int = 3,
    contexts: int | None = None,
    users: int | None = None,
    rounds: int | None = None,
    prompt: str | Path | None = None,
    options: Options | None = None,
    retry_failed: bool = False,
    limits: Limits | None = None,
    rpm: float | None = None,
    record: str | Path | None = None,
    go_on: bool = False,
    replay_failures: bool = False,
    seed: int = 1,
    concurrency: int = 4,
    wishes: Wishes | None = None,
    prices: str | Path | None = None,
    progress: Progress = _quiet,
) -> Tips:
    """Ask a gateway for tips about each context, keep every try in the bank `out`, and return what they are worth.

    `source` is a scenario, whose contexts are all rounds of one user after the other, as `run(..., llm=[out])` requires
    them, or a `.jsonl` file of contexts. Of several `models`, each has a bank of its own, `out` with the model's name
    in it. What was stopped goes on where it stopped when it is called again. Where a gateway did not answer for every
    context, that is not an error, but stands among the `problems` of what is returned.

    Raises GeneratorInputError, ScenarioError, and StoppedError at one of the `limits`.
    """
    wishes, options, out = wishes or Wishes(), options or Options(), Path(out)
    wishes.check()
    costs = read_prices(Path(prices)) if prices else None
    work = work_of(source, contexts, users, rounds)
    template = load_prompt(Path(prompt)) if prompt else None
    aliases = list(dict.fromkeys(models or [options.model]))
    parts, problems, notes = list[Measured](), list[str](), list[str]()
    tape = Path(record) if record else None
    with _opened(gateway, seed, tape, go_on, replay_failures, concurrency, notes) as found:
        for alias in aliases:
            path = out if len(aliases) == 1 else out.with_name(f"{out.stem}-{_slug(alias)}{out.suffix}")
            client = TipGenerator(found, template, options.with_(model=alias), rpm)
            if path.exists() and not retry_failed:
                notes.append(f"{path}: is complete and read as it is; nothing was asked for it now")
            bank = generate_bank(
                client,
                work,
                n,
                path,
                seed=seed,
                concurrency=concurrency,
                progress=_hears(progress, f"tips by {alias}"),
                retry_failed=retry_failed,
                limits=limits or Limits(),
            )
            problems += _unanswered(bank, path)
            if _is_empty(bank):
                continue
            sections = list(summarise(bank, prices=costs))
            more = assess(Asker(client, beside(path), concurrency=concurrency), bank, wishes, progress)
            problems += more.problems
            parts.append(_measured(path.stem, bank, [*sections, *more.sections]))
    return Tips(parts, problems, notes)


def rescore(
    bank: str | Path | Bank,
    *,
    parser: ParserPolicy = "faithful",
    salvage: bool = False,
    retries: int | None = None,
    out: str | Path | None = None,
    gateway: str = "mock",
    record: str | Path | None = None,
    go_on: bool = False,
    replay_failures: bool = False,
    seed: int = 1,
    concurrency: int = 4,
    wishes: Wishes | None = None,
    prices: str | Path | None = None,
    progress: Progress = _quiet,
) -> Tips:
    """What a bank would be worth under another parser or with fewer retries, without asking again; `out` keeps it.

    The gateway is asked for the `wishes` alone. Raises GeneratorInputError.
    """
    wishes = wishes or Wishes()
    wishes.check()
    path = None if isinstance(bank, Bank) else Path(bank)
    if wishes.asks and path is None:
        raise GeneratorInputError("what models answer is kept beside a bank's file: name the file")
    costs = read_prices(Path(prices)) if prices else None
    before = bank if isinstance(bank, Bank) else read_bank(Path(bank))
    made = rescored(before, parser=parser, salvage=salvage, retries=retries)
    sections, problems, notes = list(summarise(made, prices=costs)), list[str](), list[str]()
    if wishes.asks and path is not None:
        tape = Path(record) if record else None
        with _opened(gateway, seed, tape, go_on, replay_failures, concurrency, notes) as found:
            client = TipGenerator(found, None, Options(gateway_retries=2))
            more = assess(Asker(client, beside(path), concurrency=concurrency), made, wishes, progress)
        sections += more.sections
        problems = more.problems
    if out is not None:
        write_bank(Path(out), made)
    return Tips([_measured("tips" if path is None else path.stem, made, sections)], problems, notes)


def fit_appeal(
    source: str | Path,
    *,
    banks: Sequence[str | Path] = (),
    out: str | Path = "appeal.json",
    gateway: str = "mock",
    embedder: str = EMBEDDER,
    seed: int = 1,
    concurrency: int = 4,
    progress: Progress = _quiet,
) -> AppealFit:
    """Learn what texts are worth from reactions to them, write the appeal to `out`, and return how well it predicts
    reactions that were held out.

    `source` is a run directory with events, whose tips came out of `banks`, or a file of JSON lines of labelled
    reactions. Raises GeneratorInputError where there are too few, and where texts predict no better than a constant.
    """
    source, out = Path(source), Path(out)
    samples = logged_samples(source, [Path(each) for each in banks]) if source.is_dir() else fitted.read_samples(source)
    if len(samples) < fitted.LEAST:
        fitted.refuse_few(len(samples))
    found = open_gateway(gateway, seed=seed, connections=concurrency)
    with TipGenerator(found, None, Options(gateway_retries=2)) as client:
        asker = Asker(client, beside(out), concurrency=concurrency)
        X = fitted.encode(asker, samples, embedder, _hears(progress, "embedder"))
    made = fitted.fit_appeal(X, samples, embedder=embedder)
    fitted.write_appeal(out, made.appeal)
    title = f"Appeal of {len(samples)} reactions, in {out}"
    return AppealFit(Measured(out.stem, title, (fitted.fit_section(made),)), fitted.tenths(made))


class Assessed(NamedTuple):
    """Sections about a bank, and what most of it is missing for."""

    sections: list[Section]
    problems: list[str]


def assess(asker: Asker, bank: Bank, wishes: Wishes, progress: Progress = _quiet) -> Assessed:
    """The sections of judges, rubric and embedder, where asked for. Raises `GeneratorInputError`."""
    found = Assessed([], [])
    aliases = list(wishes.aliases) or [judging.JUDGE]
    labels = judging.read_labels(wishes.labels) if wishes.labels else []
    if wishes.judge:
        other, by_alias = read_bank(wishes.judge), {}
        for alias in aliases:
            pairs, replies = judging.judge_banks(asker, bank, other, alias=alias, progress=_hears(progress, alias))
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
            graded, replies = judging.grade_bank(
                asker, bank, rubric, alias=alias, progress=_hears(progress, f"{alias}, rubric")
            )
            found.sections.append(_with_tokens(judging.rubric_section(graded, rubric, alias), replies))
            lost = sum(grades is None for _, grades in graded)
            if 2 * lost > len(graded):
                found.problems.append(_lost(alias, replies, f"{lost} of its {len(graded)} grades"))
    if wishes.embed:
        likeness, replies = embed_bank(asker, bank, progress=_hears(progress, "embedder"))
        found.sections.append(_with_tokens(embed_section(likeness), replies))
        if 2 * sum(one.failed for one in likeness) > len(likeness):
            found.problems.append(_lost("embedder", replies, f"{sum(one.failed for one in likeness)} embeddings"))
    return found


def _lost(alias: str, replies: Sequence[Reply], what: str) -> str:
    why = sorted({reply.failure for reply in replies if reply.failure} - {"not_asked"})
    reasons = f" ({', '.join(why)})" if why else " (answers that could not be read)"
    return f"{alias}: {what} are missing{reasons}; see that the model answers, and give the same command again."


def _with_tokens(section: Section, replies: Sequence[Reply]) -> Section:
    account = spent(replies)
    of = f"{account.asked} questions asked now, {account.kept} kept from before, {account.missing} without an answer"
    return section._replace(metrics=(*section.metrics, Metric("tokens", float(sum(account.usage)), of)))


def _measured(name: str, bank: Bank, sections: Sequence[Section]) -> Measured:
    info = bank.info
    models = ", ".join(sorted({record.llm_model for record in bank.records}))[:200]
    title = f"{info.prompt_version} by {models} at {info.gateway}, {info.parser}, {info.retries} retries"
    title += f"; intervals over {count(len({record.user_id for record in bank.records}), 'user')}"
    return Measured(name, title, tuple(sections), bank)


def work_of(source: str | Path | Scenario, limit: int | None, users: int | None, rounds: int | None) -> list[Work]:
    """The contexts of a file, or those of a scenario. Raises GeneratorInputError, ScenarioError."""
    if not isinstance(source, Scenario):
        bare = not Path(source).suffix and not Path(source).exists()  # a scenario's name, if perhaps a wrong one
        if not bare and Path(source).suffix not in (".yaml", ".yml"):
            if users or rounds:
                raise GeneratorInputError(
                    "--users and --rounds are for scenarios; --contexts cuts a file of contexts short"
                )
            return read_contexts(Path(source), limit or FEW)
        source = load(source)
    scenario = source.with_(users=users, rounds=rounds)
    if limit is None and scenario.users * scenario.rounds > MANY:
        raise GeneratorInputError(
            f"{scenario.name} has {scenario.users * scenario.rounds:,} contexts; say how many with --contexts, or take "
            "fewer --users or --rounds"
        )
    return scenario_work(scenario, limit)


@contextmanager
def _opened(
    gateway: str,
    seed: int,
    record: Path | None,
    go_on: bool,
    replay_failures: bool,
    concurrency: int,
    notes: list[str],
) -> Iterator[Gateway]:
    """The gateway; what came out of an old recording is noted."""
    found = open_gateway(
        gateway, seed=seed, record=record, go_on=go_on, replay_failures=replay_failures, connections=concurrency
    )
    try:
        yield found
        if isinstance(found.transport, RecorderTransport) and go_on:
            counts = found.transport.counts
            notes.append(f"{record}: {counts['replayed']} answers replayed, {counts['made']} new")
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
        return [f"No generation succeeded, so {out} holds no tip. The first failed with: {first}. Later, {again}."]
    if lost:
        return [
            f"{len(bank.records) - len(lost)} of {len(bank.records)} contexts were answered, {len(lost)} were not, the "
            f"first with: {lost[0].message}. In a while, {again}."
        ]
    return []


def _slug(alias: str) -> str:
    return re.sub(r"[^\w.-]+", "_", alias)
