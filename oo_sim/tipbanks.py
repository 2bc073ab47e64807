"""Tip banks for scenarios: the contexts that a scenario's rounds will offer, and what a bank's tips say in them.

Record k of a user is the generation for that user's round k. It must have been made for just the tasks, the hour and
the weekday of that round: a generation is never used for another round, and one that is missing is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from oo_sim.errors import GeneratorInputError
from oo_sim.generator import Task, build_context
from oo_sim.generator.bank import Bank, Record, Work, contexts_from_tasks, read_bank
from oo_sim.generator.bank.record import OK, context_text
from oo_sim.generator.grounding import about, contradicts
from oo_sim.scenario import Scenario, TipsWorld
from oo_sim.worlds import Scene, TipBank, scenes

NOBODY = "none"
"""In place of a bank's file: no tips at all, so that the tasks alone are on offer."""
_NONE = -1
_MONDAY = date(2024, 1, 1)  # simulated days have no dates, and prompts show due dates: all is in one week


def scenario_work(scenario: Scenario, limit: int | None = None) -> list[Work]:
    """The scenario's contexts: all rounds of user-0, then those of user-1, and so on, the first `limit` of them.

    Raises `GeneratorInputError` where the tasks of a round are not known before it is played.
    """
    return contexts_from_tasks(_contexts(scenario, limit))


def tip_banks(scenario: Scenario, llm: Sequence[str | Path]) -> list[TipBank]:
    """The banks of these files, for the scenario, labelled by the files' names. Raises `GeneratorInputError`."""
    if isinstance(llm, str | Path) or not llm:
        raise GeneratorInputError(f"tip banks are a list of files, such as ['tips.parquet'], not {llm!r}")
    world = _checked(scenario)
    labels = [Path(one).stem for one in llm]
    for label in labels:
        if labels.count(label) > 1:
            raise GeneratorInputError(f"two tip banks are called {label}; give each file a name of its own")
    work = scenario_work(scenario)
    return [
        _empty(NOBODY, None, (), world, scenario)
        if str(one) == NOBODY
        else _source(scenario, world, label, Path(one), work)
        for label, one in zip(labels, llm, strict=True)
    ]


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
                f"{path}: holds no generation for round {t + 1} of {one.user_id}, and {scenario.name} wants one "
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
