"""Tip banks for scenarios: the contexts that a scenario's rounds will offer, and what a bank's tips say in them.

Record k of a user is the generation for that user's round k. It must have been made for just the tasks, the hour and
the weekday of that round: a generation is never used for another round, and one that is missing is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from oo_sim.contract import REACTIONS
from oo_sim.engine import Block
from oo_sim.errors import GeneratorInputError
from oo_sim.generator import Options, Task, TipGenerator, build_context, open_gateway
from oo_sim.generator.appeal import KINDS
from oo_sim.generator.appeal.fitted import Sample, embed_questions, encode, read_appeal
from oo_sim.generator.appeal.keywords import about, contradicts
from oo_sim.generator.appeal.logit import offset
from oo_sim.generator.appeal.panel import PRIOR, Shown, ask_panel, panel_questions
from oo_sim.generator.bank import Bank, Record, Work, contexts_from_tasks, read_bank
from oo_sim.generator.bank.record import OK, context_text
from oo_sim.generator.gateway.asking import Asker, beside
from oo_sim.scenario import Appeal, Scenario, TipsWorld
from oo_sim.worlds import Scene, TipBank, build, scenes

NOBODY = "none"
"""In place of a bank's file: no tips at all, so that the tasks alone are on offer."""
_NONE = -1
_MONDAY = date(2024, 1, 1)  # simulated days have no dates, and prompts show due dates: all is in one week


def scenario_work(scenario: Scenario, limit: int | None = None) -> list[Work]:
    """The scenario's contexts: all rounds of user-0, then those of user-1, and so on, the first `limit` of them.

    Raises `GeneratorInputError` where the tasks of a round are not known before it is played.
    """
    return contexts_from_tasks(_contexts(scenario, limit))


def tip_banks(
    scenario: Scenario,
    llm: Sequence[str | Path],
    appeal: Sequence[str] | None = None,
    gateway: str = "mock",
    progress: Callable[[int, int], None] | None = None,
    ask: bool = True,
) -> list[TipBank]:
    """The banks of these files, for the scenario, labelled by the files' names. Raises `GeneratorInputError`.

    What texts are worth comes from the scenario's appeal model, or from those named by `appeal`, each in turn: the
    labels then say which. A panel is asked through `gateway`, and a fitted appeal's embedder; what they answer is kept
    beside the bank, so that it is not asked for again. Unless `ask`, nothing is asked: texts are then worth nothing
    under these two, and `to_ask` among the facts says how many questions are left.
    """
    if isinstance(llm, str | Path) or not llm:
        raise GeneratorInputError(f"tip banks are a list of files, such as ['tips.parquet'], not {llm!r}")
    world = _checked(scenario)
    labels = [Path(one).stem for one in llm]
    for label in labels:
        if labels.count(label) > 1:
            raise GeneratorInputError(f"two tip banks are called {label}; give each file a name of its own")
    work = scenario_work(scenario)
    kinds = [_kind(world, name) for name in appeal] if appeal else [_kind(world, None)]
    banks = []
    for label, one in zip(labels, llm, strict=True):
        if str(one) == NOBODY:
            banks.append(_empty(NOBODY, None, (), world, scenario))
            continue
        source = _source(scenario, world, label, Path(one), work)
        for kind in kinds:
            made = _read(source, kind, scenario, world, Path(one), work, gateway, progress, ask)
            banks.append(made._replace(label=f"{label}@{kind[0]}") if appeal and len(kinds) > 1 else made)
    return banks


def _kind(world: TipsWorld, name: str | None) -> tuple[str, Appeal]:
    """The name of an appeal model, and its settings. `fitted:FILE` names its file itself."""
    own = world.tips.appeal or Appeal()
    kind, _, file = (name or own.kind or "keywords").partition(":")
    if kind not in KINDS:
        raise GeneratorInputError(f"appeal {kind!r:.40}: there are {', '.join(KINDS)} and fitted:FILE")
    settings = own.model_copy(update={"file": file} if file else {})
    if kind == "fitted" and settings.file is None:
        raise GeneratorInputError("appeal fitted: name the file of `oo-sim fit-appeal`, as fitted:appeal.json")
    return kind, settings


def _read(
    bank: TipBank,
    kind: tuple[str, Appeal],
    scenario: Scenario,
    world: TipsWorld,
    path: Path,
    work: Sequence[Work],
    gateway: str,
    progress: Callable[[int, int], None] | None,
    ask: bool,
) -> TipBank:
    """The bank with what its texts are worth under an appeal model."""
    name, settings = kind
    facts = {**bank.facts, "appeal": name}
    if name == "keywords":
        return bank._replace(facts=facts)
    R = len(bank.usable)
    records = _matched(scenario, path, read_bank(path), work)
    slots = [(*divmod(at, R)[::-1], j) for at in range(len(records)) for j in range(_usable(bank, at, R))]
    tips = [(records[u * R + t], j, u) for t, u, j in slots]
    with TipGenerator(open_gateway(gateway), None, Options(gateway_retries=2)) as client:
        asker = Asker(client, beside(path), concurrency=8)
        if name == "panel":
            shown, times = _shown(tips, scenario, world), settings.asks or 1
            if not ask:
                return bank._replace(facts=facts | {"to_ask": asker.unknown(panel_questions(shown, times))})
            values, told = _panel(asker, shown, world, times, progress)
        else:
            samples, file = _samples(tips), Path(str(settings.file))
            if not ask:
                questions = embed_questions(samples, read_appeal(file).embedder)
                return bank._replace(facts=facts | {"to_ask": asker.unknown(questions)})
            values, told = _fitted(asker, samples, file, progress)
    offsets = np.zeros(bank.about.shape)
    for (t, u, j), value in zip(slots, values, strict=True):
        offsets[t, j, u] = value
    digest = hashlib.blake2b(str(bank.facts["hash"]).encode() + offsets.tobytes(), digest_size=16).hexdigest()
    return bank._replace(offsets=offsets, facts=facts | told | {"bank_hash": bank.facts["hash"], "hash": digest})


def _usable(bank: TipBank, at: int, rounds: int) -> int:
    u, t = divmod(at, rounds)
    return int(bank.usable[t, u])


def _shown(tips: Sequence[tuple[Record, int, int]], scenario: Scenario, world: TipsWorld) -> list[Shown]:
    """Each tip beside what its user is like."""
    personas = [segment.persona or "" for segment in world.segments]
    segment = _segments(scenario)
    return [Shown(personas[segment[u]], one.parsed_context, one.tips[j].content) for one, j, u in tips]


def _panel(
    asker: Asker,
    shown: Sequence[Shown],
    world: TipsWorld,
    times: int,
    progress: Callable[[int, int], None] | None,
) -> tuple[list[float], dict[str, Any]]:
    """What a model says as the user that each tip is shown to."""
    opinions = ask_panel(asker, shown, times=times, progress=progress)
    lost = sum(one.missing for one in opinions)
    if 2 * lost > 2 * times * len(opinions):
        raise GeneratorInputError(
            f"the panel: {lost} of {2 * times * len(opinions)} answers are missing; see that the model `user` answers "
            "at the gateway, and give the same command again"
        )
    worth = {counts: offset(counts, world.reactions.cut_points, PRIOR) for counts in {one.counts for one in opinions}}
    none = sum(one.none for one in opinions)
    return [worth[one.counts] for one in opinions], {"appeal_answers": 2 * times, "missing": lost, "none": none}


def _samples(tips: Sequence[tuple[Record, int, int]]) -> list[Sample]:
    """Each tip beside the tasks that it was written for."""
    samples = []
    for record, j, _ in tips:
        context = record.parsed_context
        titles = tuple(task.content for task in context.tasks)
        samples.append(Sample(record.user_id, record.tips[j].content, titles, context.hour_of_day))
    return samples


def _fitted(
    asker: Asker, samples: Sequence[Sample], path: Path, progress: Callable[[int, int], None] | None
) -> tuple[list[float], dict[str, Any]]:
    """What was learned of such texts."""
    appeal = read_appeal(path)
    if not samples:
        return [], {}
    X = encode(asker, samples, appeal.embedder, progress)
    if X.shape[1] != len(appeal.mean):
        raise GeneratorInputError(
            f"appeal {path}: was fitted to embeddings of {appeal.dimensions} numbers, and the embedder now gives "
            f"{X.shape[1] - len(appeal.mean) + appeal.dimensions}; fit it again to this embedder"
        )
    told = {"appeal_hash": hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()}
    return [float(value) for value in appeal.utilities(X)], told


def _segments(scenario: Scenario) -> list[int]:
    """Which segment each user is of."""
    world = build(scenario)
    assert world.segment_of is not None
    everybody = Block(0, 0, scenario.users)
    return [int(one) for one in world.segment_of(everybody.lanes(scenario.seed))[: scenario.users]]


def logged_samples(run: Path, llm: Sequence[Path]) -> list[Sample]:
    """Reactions to the tips that a run with events served, their texts out of its banks. Raises `GeneratorInputError`.

    Only users who were there from the first round on can be joined with their generations.
    """
    try:
        decisions = pq.read_table(run / "decisions.parquet").to_pylist()
        learnings = pq.read_table(run / "learnings.parquet", columns=["decision_id", "reaction"]).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise GeneratorInputError(f"{run}: holds no events; run it with --events: {str(error)[:200]}") from None
    if not llm:
        raise GeneratorInputError("name the bank files of the run with --llm, as their texts are in none of its tables")
    reacted = {row["decision_id"]: row["reaction"] for row in learnings if row["reaction"]}
    own: dict[tuple[str, str], list[Record]] = {}
    for path in llm:
        for record in read_bank(path).records:
            own.setdefault((path.stem, record.user_id), []).append(record)
    samples = []
    for row in decisions:
        name = row["policy"].rpartition("+")[2].partition("@")[0]
        sources = [one["source"] for one in row["candidates"]]
        reaction = reacted.get(row["decision_id"])
        if sources[row["chosen"]] != "llm" or reaction is None or (name, row["user_id"]) not in own:
            continue
        record = own[name, row["user_id"]][row["t"]]
        tip = record.tips[row["chosen"] - sources.index("llm")]
        context = record.parsed_context
        titles = tuple(task.content for task in context.tasks)
        level = REACTIONS.index(reaction)
        samples.append(Sample(row["user_id"], tip.content, titles, context.hour_of_day, level))
    return samples


def _checked(scenario: Scenario) -> TipsWorld:
    """The scenario's world, where tips out of a bank can be offered in it."""
    world = _foreseen(scenario)
    wrong = None
    if world.tips.count.max == 0:
        wrong = "offers no tips; write tips: {count: 2}"
    elif world.tasks.count.min == 0:
        wrong = (
            "may offer no task, and a failed generation leaves the tasks alone; write tasks: {count: ...} of 1 or more"
        )
    elif scenario.replicates > 1:
        wrong = f"has {scenario.replicates} replicates, and a bank is for one; run more users instead"
    if wrong:
        raise GeneratorInputError(f"{scenario.name}: {wrong}, or run it without a tip bank")
    return world


def _foreseen(scenario: Scenario) -> TipsWorld:
    """The scenario's world, where its contexts do not depend on what is served."""
    if not isinstance(scenario.world, TipsWorld):
        raise GeneratorInputError(
            f"{scenario.name}: a linear world has no tasks to write tips about; take a tips world"
        )
    if scenario.world.tasks.mode == "backlog":
        raise GeneratorInputError(
            f"{scenario.name}: what is in a backlog depends on what was served, so tips can't be written beforehand; "
            "take tasks of mode: iid"
        )
    return scenario.world


def _contexts(scenario: Scenario, limit: int | None) -> Iterator[tuple[str, Sequence[Task], int, int]]:
    world = _foreseen(scenario)
    users = scenario.users if limit is None else min(scenario.users, -(-limit // scenario.rounds))
    offered = scenes(world, seed=scenario.seed, users=users, rounds=scenario.rounds)
    for _, scene in zip(range(users * scenario.rounds if limit is None else limit), offered, strict=False):
        yield scene.user_id, _tasks(scene, world.tasks.whole_days), scene.hour, scene.day


def _tasks(scene: Scene, whole_days: bool) -> Sequence[Task]:
    """The scene's tasks in the order of the prompt: overdue first, then most urgent first."""
    now = datetime.combine(_MONDAY + timedelta(days=scene.day), time(scene.hour))
    tasks = []
    for one in scene.tasks:
        due = None if one.age is None else now - timedelta(days=one.age)
        day = due.date() if due is not None and whole_days else due
        tasks.append(Task(id=str(one.serial), content=one.title, priority=one.priority, due_date=day))
    return build_context(tasks, now).tasks


def _source(scenario: Scenario, world: TipsWorld, label: str, path: Path, work: Sequence[Work]) -> TipBank:
    made = read_bank(path)
    records = _matched(scenario, path, made, work)
    models = sorted({record.llm_model for record in records if record.status == OK})
    bank = _empty(label, made.info.prompt_version, tuple(models), world, scenario)
    for at, record in enumerate(records):
        if record.status == OK:
            u, t = divmod(at, scenario.rounds)
            bank.usable[t, u] = min(len(record.tips), world.tips.count.max)
            bank.model[t, u] = models.index(record.llm_model)
            _ground(bank, t, u, record)
    return bank._replace(facts=_facts(path, made, records, models))


def _matched(scenario: Scenario, path: Path, made: Bank, work: Sequence[Work]) -> list[Record]:
    """The record of each context, in order."""
    own: dict[str, list[Record]] = {}
    for record in made.records:
        own.setdefault(record.user_id, []).append(record)
    matched = []
    for at, one in enumerate(work):
        t = at % scenario.rounds
        mine = own.get(one.user_id, [])
        if t >= len(mine):
            raise GeneratorInputError(
                f"{path}: holds no generation for round {t + 1} of {one.user_id}, and {scenario.name} requires one "
                f"for each of {scenario.rounds:,} rounds of {scenario.users:,} users; run fewer users, or make a "
                "larger bank"
            )
        if mine[t].context != context_text(one.context):
            raise GeneratorInputError(
                f"{path}: round {t + 1} of {one.user_id} has other tasks or another hour here than the bank was "
                f"made for; make one from {scenario.name} as it is, with the same seed and rounds"
            )
        matched.append(mine[t])
    return matched


def _ground(bank: TipBank, t: int, u: int, record: Record) -> None:
    """Write down what the tips' texts say: which task on offer each is about, and whether the hour is wrong."""
    context = record.parsed_context
    titles, rows = [task.content for task in context.tasks], _rows(context.tasks)
    for j in range(bank.usable[t, u]):
        text = record.tips[j].content
        named = about(text, titles)
        bank.about[t, j, u] = _NONE if named is None else rows[named]
        bank.contradicts[t, j, u] = contradicts(text, context.hour_of_day, titles)


def _rows(tasks: Sequence[Task]) -> list[int]:
    """The rows in which tasks stand on offer: serial numbers rise from row to row."""
    serials = [int(task.id) for task in tasks]
    return [sorted(serials).index(serial) for serial in serials]


def _empty(label: str, prompt_version: str | None, models: tuple[str, ...], world: TipsWorld, who: Scenario) -> TipBank:
    R, m, U = who.rounds, world.tips.count.max, who.users
    usable, model = np.zeros((R, U), np.int64), np.zeros((R, U), np.int64)
    about = np.full((R, m, U), _NONE)
    return TipBank(label, prompt_version, models, usable, about, np.zeros((R, m, U), np.bool_), model)


def _facts(path: Path, made: Bank, records: Sequence[Record], models: Sequence[str]) -> dict[str, Any]:
    info = made.info
    return {
        "prompt_version": info.prompt_version,
        "models": list(models),
        "gateway": info.gateway,
        "parser": info.parser,
        "retries": info.retries,
        "generations": len(records),
        "failed": sum(record.status != OK for record in records),
        "hash": hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest(),
    }
